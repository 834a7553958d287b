/**
 * Moves the end of many leases at once.
 *
 * Guarded as the settle is. Index: work_pkey. Rows returned: the ids whose lease still held.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as SqlClient from "effect/sql/SqlClient"
import type { HeldLease } from "../../OutboxStore.ts"
import type { Tables } from "./tables.ts"

export const renew = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  leases: NonEmptyReadonlyArray<HeldLease>,
  leaseMillis: number
) => sql<{ readonly id: string }>`
    WITH asked AS (
      SELECT id::uuid AS id, lease::bigint AS lease
      FROM unnest(
        ${leases.map(({ id }) => id)}::text[],
        ${leases.map(({ lease }) => String(lease))}::text[]
      ) AS t(id, lease)
      -- In the order of the ids, as the settle takes them.
      ORDER BY id
    ),
    -- Lateral with a limit: looked up one by one, whatever the planner believes of the table.
    held AS MATERIALIZED (
      SELECT work.message_id
      FROM asked
      CROSS JOIN LATERAL (
        SELECT work.message_id
        FROM ${tables.work} AS work
        WHERE work.message_id = asked.id AND work.lease = asked.lease AND work.lease_until IS NOT NULL
        LIMIT 1
        FOR UPDATE
      ) AS work
    )
    UPDATE ${tables.work} AS work
    SET lease_until = now() + ${leaseMillis}::float8 * interval '1 millisecond'
    WHERE work.message_id = ANY (ARRAY(SELECT held.message_id FROM held))
    RETURNING work.message_id::text AS id`
