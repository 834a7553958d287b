/**
 * Makes messages due again that had ended: each gets a work row whose lease goes on from where it ended.
 *
 * Index and locks: see chosen. What has no payload any more, or is past its deadline, stays. Rows returned: the ids
 * that moved; what is missing was not in the state that was asked for, or is missing by the rule above.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import type { Choice, RequeueMove } from "../../OutboxAdminStore.ts"
import { chosen, superseded } from "./chosen.ts"
import type { Tables } from "./tables.ts"

export const requeue = (sql: SqlClient.SqlClient, tables: Tables, choice: Choice, move: RequeueMove) => {
  const deadline = newDeadline(sql, move.newDeadline)
  const step = move.resolves ? "2" : "1"
  return sql<{ readonly id: string }>`
    WITH ${chosen(sql, tables, choice, sendable(sql, deadline))},${superseded(sql, tables, choice)},
    extended AS (
      UPDATE ${tables.message} AS message
      SET deadline = ${deadline}
      WHERE message.id = ANY (ARRAY(SELECT message_id FROM chosen)) AND ${deadline} IS NOT NULL
    ),
    resolved AS (
      INSERT INTO ${tables.outcome} (message_id, lease, kind, attempt, relay, superseded)
      SELECT message_id, lease + 1, 'resolved', attempt, ${move.by}, true
      FROM chosen
      WHERE ${move.resolves ? "1" : "0"}::int = 1
    ),
    recorded AS (
      INSERT INTO ${tables.outcome} (message_id, lease, kind, attempt, relay)
      SELECT message_id, lease + ${step}::int, 'requeued', attempt, ${move.by}
      FROM chosen
    ),
    queued AS (
      INSERT INTO ${tables.work} (message_id, lane, due_at, lease, attempts, deadline)
      SELECT message_id, lane, now(), lease + ${step}::int, CASE ${move.resetAttempts ? "1" : "0"}::int
        WHEN 1 THEN 0
        ELSE attempt
      END, coalesce(${deadline}, deadline)
      FROM chosen
    )
    SELECT message_id::text AS id FROM chosen`
}

/** Whether a relay could do anything with it. */
const sendable = (sql: SqlClient.SqlClient, deadline: Fragment): Fragment =>
  sql`message.payload IS NOT NULL AND coalesce(${deadline}, message.deadline, 'infinity') > now()`

export const newDeadline = (sql: SqlClient.SqlClient, millis: number | undefined): Fragment =>
  sql`to_timestamp(nullif(${millis === undefined ? "" : String(millis)}::text, '')::float8 / 1000)`
