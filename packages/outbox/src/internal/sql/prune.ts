/**
 * Deletes messages that have been finished for long, with their outcomes and delivery status. Their tracking ids are
 * free again.
 *
 * Index and locks: see finished. One row, also when there is nothing to do.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { RetentionMove } from "../../OutboxAdminStore.ts"
import { finished, stepOf } from "./finished.ts"
import * as StatusTables from "./statusTables.ts"
import type { Tables } from "./tables.ts"

export const prune = (sql: SqlClient.SqlClient, tables: Tables, move: RetentionMove) => sql`
    WITH ${finished(sql, tables, move, sql.literal("true"))},
    forgotten AS (
      DELETE FROM ${tables.outcome} AS outcome
      WHERE outcome.message_id = ANY (ARRAY(SELECT id FROM finished))
    ),
    unfollowed AS (
      DELETE FROM ${StatusTables.make(sql, tables.schema).deliveryStatus} AS tracked
      WHERE tracked.message_id = ANY (ARRAY(SELECT id FROM finished))
    ),
    deleted AS (
      DELETE FROM ${tables.message} AS message
      WHERE message.id = ANY (ARRAY(SELECT id FROM finished))
      RETURNING message.id
    )${stepOf(sql, move, "deleted")}`
