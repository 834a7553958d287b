/**
 * Calls a message off unless a relay holds it.
 *
 * Index: message_tracking_id_key, work_pkey. Locks: the work row. A claim or a settle that has it is waited for, and
 * its outcome is what counts; a claim that comes later leaves the row out. A lease that had run out is recorded as
 * such, since the message may have been sent under it. No row: there is no such message. `none`: it had no work row
 * when the statement looked.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import { isFree } from "./due.ts"
import { millis } from "./millis.ts"
import type { Tables } from "./tables.ts"

export const cancel = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  options: {
    readonly account: string
    readonly trackingId: string
    readonly by: string
    /** The encoded reason that is recorded for a lease that ran out. */
    readonly lapseReason: string
  }
) => sql`
    WITH target AS (
      SELECT id, message_type, payload
      FROM ${tables.message}
      WHERE account = ${options.account} AND tracking_id = ${options.trackingId}
    ),
    held AS MATERIALIZED (
      SELECT
        work.message_id,
        work.lease,
        work.attempts,
        work.lease_until,
        ${isFree(sql, "work")} AS free
      FROM target
      JOIN ${tables.work} AS work ON work.message_id = target.id
      FOR UPDATE OF work
    ),
    removed AS (
      DELETE FROM ${tables.work} AS work
      USING held
      WHERE work.message_id = held.message_id AND held.free
    ),
    lapse AS (
      INSERT INTO ${tables.outcome} (message_id, lease, kind, attempt, reason, relay)
      SELECT message_id, lease, 'lapsed', attempts, ${options.lapseReason}::jsonb, ${options.by}
      FROM held
      WHERE free AND lease_until IS NOT NULL
      ON CONFLICT ON CONSTRAINT outcome_pkey DO NOTHING
    ),
    recorded AS (
      INSERT INTO ${tables.outcome} (message_id, lease, kind, attempt, relay)
      SELECT message_id, lease + 1, 'cancelled', attempts, ${options.by}
      FROM held
      WHERE free
    )
    SELECT
      target.id::text AS id,
      target.message_type AS "messageType",
      target.payload,
      CASE WHEN held.free THEN 'cancelled' WHEN NOT held.free THEN 'leased' ELSE 'none' END AS result,
      ${millis(sql, "held.lease_until")} AS "leaseUntil"
    FROM target
    LEFT JOIN held ON held.message_id = target.id`
