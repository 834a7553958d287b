/**
 * Removes the payload, and with it the phone number and the text, of messages that have been finished for long.
 *
 * Index and locks: see finished. One row, also when there is nothing to do.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { RetentionMove } from "../../OutboxAdminStore.ts"
import { finished, stepOf } from "./finished.ts"
import type { Tables } from "./tables.ts"

export const scrub = (sql: SqlClient.SqlClient, tables: Tables, move: RetentionMove) => sql`
    WITH ${finished(sql, tables, move, sql.literal("message.payload IS NOT NULL"))},
    scrubbed AS (
      UPDATE ${tables.message} AS message
      SET payload = NULL
      WHERE message.id = ANY (ARRAY(SELECT id FROM finished))
      RETURNING message.id
    )${stepOf(sql, move, "scrubbed")}`
