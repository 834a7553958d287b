/**
 * Ends rows whose deadline has passed while they waited, in whatever lane: also where it is paused, and where no relay
 * serves its account, so that no claim ever meets them.
 *
 * Only rows that nobody holds. One whose lease ran out may have been sent, which the claim judges. Index:
 * work_deadline_idx, in its order. Locks: the rows taken, until the statement ends; rows that a relay is just claiming
 * are skipped. Rows returned: what ended, as the claim gives it. As the claim, to be run after `inIndexOrder`.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import { messageColumns, messageJoin } from "./messageColumns.ts"
import type { Tables } from "./tables.ts"

export const expire = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  options: { readonly limit: number; readonly relay: string }
) => sql`
    -- Materialized: the limit must be applied once, before any row is deleted.
    WITH overdue AS MATERIALIZED (
      SELECT work.message_id, work.lane, work.deadline, work.lease, work.attempts, work.started, work.finished
      FROM ${tables.work} AS work
      WHERE work.deadline <= now() AND work.lease_until IS NULL
      ORDER BY work.deadline
      LIMIT ${String(options.limit)}::int
      FOR UPDATE SKIP LOCKED
    ),
    ended AS (
      DELETE FROM ${tables.work} AS work
      WHERE work.message_id = ANY (ARRAY(SELECT overdue.message_id FROM overdue))
    ),
    recorded AS (
      -- A lease that nobody was given: after every one that was.
      INSERT INTO ${tables.outcome} (message_id, lease, kind, attempt, relay)
      SELECT message_id, lease + 1, 'expired', attempts, ${options.relay}
      FROM overdue
    )
    SELECT
      overdue.message_id::text AS id,
      overdue.lane,
      overdue.lease + 1 AS lease,
      overdue.attempts,
      overdue.started - overdue.finished AS lapses,
      false AS lapsed,
      ${messageColumns(sql)}
    FROM overdue
    ${messageJoin(sql, tables, "overdue.message_id")}
    ORDER BY overdue.deadline`
