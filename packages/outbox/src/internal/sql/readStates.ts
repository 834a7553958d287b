/**
 * Says in which state messages are, and what else keeps them from being sent again: for those that did not move.
 *
 * A statement of its own after the move: whoever came first may have committed after the move's snapshot was taken.
 * Index: message_pkey, work_pkey, outcome_pkey. Locks: none. A row for each id.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as SqlClient from "effect/sql/SqlClient"
import { newDeadline } from "./requeue.ts"
import { stateOf } from "./state.ts"
import type { Tables } from "./tables.ts"

export const readStates = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  ids: NonEmptyReadonlyArray<string>,
  deadline: number | undefined
) => sql`
    SELECT
      asked.id,
      CASE WHEN message.id IS NOT NULL THEN ${stateOf(sql, tables)} END AS state,
      message.payload IS NULL AS scrubbed,
      coalesce(${newDeadline(sql, deadline)}, message.deadline, 'infinity') <= now() AS late
    FROM unnest(${[...ids]}::text[]) AS asked(id)
    LEFT JOIN ${tables.message} AS message ON message.id = asked.id::uuid
    LEFT JOIN ${tables.work} AS work ON work.message_id = message.id`
