/**
 * Leases due rows of several lanes to one relay, the longest due of each lane first.
 *
 * Index: work_claim_idx (lane, due_at), once for each lane asked for. Locks: the rows taken, until the statement
 * ends; rows that another relay is just taking are skipped. A row whose lease has run out is due again by this very
 * predicate, so that no process has to free what another left behind. No row: nothing is due in these lanes.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as SqlClient from "effect/sql/SqlClient"
import type { LaneCapacity } from "../../OutboxStore.ts"
import { isDue } from "./due.ts"
import { messageColumns } from "./messageColumns.ts"
import type { Tables } from "./tables.ts"

export const claim = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  options: {
    readonly capacities: NonEmptyReadonlyArray<LaneCapacity>
    readonly leaseMillis: number
    readonly relay: string
    /** The encoded reason that is recorded for a lease that ran out. */
    readonly lapseReason: string
  }
) => sql`
    -- Materialized: the limit must be applied once, before any row is updated.
    WITH due AS MATERIALIZED (
      SELECT taken.*
      FROM unnest(
        ${options.capacities.map(({ lane }) => lane)}::text[],
        ${options.capacities.map(({ limit }) => String(limit))}::text[]
      ) AS wanted(lane, capacity)
      CROSS JOIN LATERAL (
        SELECT work.message_id, work.lease_until IS NOT NULL AS lapsed
        FROM ${tables.work} AS work
        WHERE work.lane = wanted.lane
          AND ${isDue(sql, "work")}
        ORDER BY work.due_at
        LIMIT wanted.capacity::int
        -- SKIP LOCKED: relays never wait for each other, and never get the same row.
        FOR UPDATE SKIP LOCKED
      ) AS taken
    ),
    leased AS (
      UPDATE ${tables.work} AS work
      SET
        lease = work.lease + 1,
        leased_at = now(),
        lease_until = now() + ${options.leaseMillis}::float8 * interval '1 millisecond',
        started = work.started + 1
      FROM due
      WHERE work.message_id = due.message_id
      RETURNING
        work.message_id, work.lane, work.due_at, work.lease, work.attempts, due.lapsed,
        work.started - work.finished - 1 AS lapses
    ),
    lapse AS (
      INSERT INTO ${tables.outcome} (message_id, lease, kind, attempt, reason, relay)
      SELECT message_id, lease - 1, 'lapsed', attempts, ${options.lapseReason}::jsonb, ${options.relay}
      FROM leased
      WHERE lapsed
      ON CONFLICT ON CONSTRAINT outcome_pkey DO NOTHING
    )
    SELECT
      leased.message_id::text AS id,
      leased.lane,
      leased.lease,
      leased.attempts,
      leased.lapses,
      leased.lapsed,
      ${messageColumns(sql)}
    FROM leased
    LEFT JOIN ${tables.message} AS message ON message.id = leased.message_id
    ORDER BY leased.due_at`
