/**
 * Leases due rows of several lanes to one relay, the longest due of each lane first.
 *
 * Index: work_claim_idx (lane, due_at), once for each lane asked for. Locks: the rows taken, until the statement
 * ends; rows that another relay is just taking are skipped. A row whose lease has run out is due again by this very
 * predicate, so that no process has to free what another left behind. No row: nothing is due in these lanes.
 *
 * To be run in a transaction after `inIndexOrder`, which leaves it one plan. It touches as many pages as it takes rows, whatever
 * waits beside them; see docs/decisions/0012.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as SqlClient from "effect/sql/SqlClient"
import type { LaneCapacity } from "../../OutboxStore.ts"
import { isDue } from "./due.ts"
import { messageColumns, messageJoin } from "./messageColumns.ts"
import type { Tables } from "./tables.ts"

export const claim = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  options: {
    readonly capacities: NonEmptyReadonlyArray<LaneCapacity>
    /** For each of them the instant to begin at, in seconds since 1970. Without: from the beginning. */
    readonly from?: ReadonlyArray<number> | undefined
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
        ${options.capacities.map(({ limit }) => String(limit))}::text[],
        ${options.capacities.map((_, index) => String(options.from?.[index] ?? -Infinity))}::text[]
      ) AS wanted(lane, capacity, floor)
      CROSS JOIN LATERAL (
        SELECT
          work.message_id, work.lane, work.due_at, work.attempts,
          work.lease + 1 AS lease,
          work.started - work.finished AS lapses,
          work.lease_until IS NOT NULL AS lapsed
        FROM ${tables.work} AS work
        WHERE work.lane = wanted.lane
          AND work.due_at >= to_timestamp(wanted.floor::float8)
          AND ${isDue(sql, "work")}
        ORDER BY work.due_at
        LIMIT wanted.capacity::int
        -- SKIP LOCKED: relays never wait for each other, and never get the same row.
        FOR UPDATE SKIP LOCKED
      ) AS taken
    ),
    -- What is told of a row is what was read under its lock, so that nothing has to be joined with what this returns.
    leased AS (
      UPDATE ${tables.work} AS work
      SET
        lease = work.lease + 1,
        leased_at = now(),
        lease_until = now() + ${options.leaseMillis}::float8 * interval '1 millisecond',
        -- Not beyond what the column holds: one row must not keep the others of its claim from being taken.
        started = least(work.started, 2147483646) + 1
      -- An array, whose length the planner cannot take for that of the backlog: looked up, never scanned for.
      WHERE work.message_id = ANY (ARRAY(SELECT due.message_id FROM due))
    ),
    lapse AS (
      INSERT INTO ${tables.outcome} (message_id, lease, kind, attempt, reason, relay)
      SELECT message_id, lease - 1, 'lapsed', attempts, ${options.lapseReason}::jsonb, ${options.relay}
      FROM due
      WHERE lapsed
      ON CONFLICT ON CONSTRAINT outcome_pkey DO NOTHING
    )
    SELECT
      due.message_id::text AS id,
      due.lane,
      due.lease,
      due.attempts,
      due.lapses,
      due.lapsed,
      extract(epoch FROM due.due_at)::float8 AS "dueSeconds",
      ${messageColumns(sql)}
    FROM due
    ${messageJoin(sql, tables, "due.message_id")}
    -- Ids grow with time: what one transaction enqueued comes in its order.
    ORDER BY due.due_at, due.message_id`
