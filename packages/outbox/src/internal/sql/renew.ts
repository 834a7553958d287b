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
    WITH held AS MATERIALIZED (
      SELECT work.message_id, work.lease
      FROM unnest(
        ${leases.map(({ id }) => id)}::text[],
        ${leases.map(({ lease }) => String(lease))}::text[]
      ) AS asked(id, lease)
      JOIN ${tables.work} AS work
        ON work.message_id = asked.id::uuid AND work.lease = asked.lease::bigint AND work.lease_until IS NOT NULL
      -- In the order of the ids, as the settle takes them.
      ORDER BY work.message_id
      FOR UPDATE OF work
    )
    UPDATE ${tables.work} AS work
    SET lease_until = now() + ${leaseMillis}::float8 * interval '1 millisecond'
    FROM held
    WHERE work.message_id = held.message_id AND work.lease = held.lease
    RETURNING work.message_id::text AS id`
