/**
 * Leases messages that are to be asked about, the longest due of each account first, and counts the check.
 *
 * Index: delivery_status_due_idx, once for each account; status_pause_pkey; message_pkey. Locks: the rows taken, until
 * the statement ends; rows that another tracker is just taking are skipped. A lease that has run out frees its row by
 * this very predicate. No row: nothing is due, or the account's look-ups are paused.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as SqlClient from "effect/sql/SqlClient"
import type { CheckCapacity } from "../../StatusStore.ts"
import type { StatusTables } from "./statusTables.ts"
import type { Tables } from "./tables.ts"

export const claimStatusChecks = (
  sql: SqlClient.SqlClient,
  tables: Tables & StatusTables,
  capacities: NonEmptyReadonlyArray<CheckCapacity>,
  leaseMillis: number
) => sql`
    -- Materialized: a paused account must not be looked through and locked first.
    WITH open AS MATERIALIZED (
      SELECT wanted.account, wanted.capacity::int AS capacity
      FROM unnest(
        ${capacities.map(({ account }) => account)}::text[],
        ${capacities.map(({ limit }) => String(limit))}::text[]
      ) AS wanted(account, capacity)
      WHERE NOT EXISTS (
        SELECT FROM ${tables.statusPause} AS pause
        WHERE pause.account = wanted.account AND pause.paused_until > now()
      )
    ),
    due AS MATERIALIZED (
      SELECT taken.message_id
      FROM open
      CROSS JOIN LATERAL (
        SELECT tracked.message_id
        FROM ${tables.deliveryStatus} AS tracked
        WHERE tracked.account = open.account
          AND tracked.next_check_at <= now()
          AND (tracked.lease_until IS NULL OR tracked.lease_until <= now())
        ORDER BY tracked.next_check_at
        LIMIT open.capacity
        -- SKIP LOCKED: trackers never wait for each other, and never get the same row.
        FOR UPDATE SKIP LOCKED
      ) AS taken
    ),
    leased AS (
      UPDATE ${tables.deliveryStatus} AS tracked
      SET
        lease = tracked.lease + 1,
        lease_until = now() + ${leaseMillis}::float8 * interval '1 millisecond',
        checks = tracked.checks + 1
      -- An array: found one by one, however many rows the planner expects of a limit that it does not know.
      WHERE tracked.message_id = ANY (ARRAY(SELECT message_id FROM due))
      RETURNING tracked.*
    )
    SELECT
      leased.message_id::text AS id,
      leased.lease,
      leased.account,
      leased.provider_message_id AS "providerMessageId",
      leased.checks,
      leased.misses,
      extract(epoch FROM now() - leased.accepted_at)::float8 * 1000 AS "ageMillis",
      extract(epoch FROM message.deadline - now())::float8 * 1000 AS "remainingMillis",
      message.tracking_id AS "trackingId",
      message.message_type AS "messageType"
    FROM leased
    LEFT JOIN ${tables.message} AS message ON message.id = leased.message_id
    ORDER BY leased.next_check_at, leased.message_id`
