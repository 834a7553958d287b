/**
 * Writes what a check found, and when the next one is due.
 *
 * What it found counts in any case. When the next is due is guarded by the lease: where another tracker has leased the
 * row since then, or a webhook has ended it, that stays as it is. A confirmed end is the last check, whoever holds the
 * row. Index: delivery_status_pkey. Locks: the row. Rows returned: what was known before, whether it gave way, and
 * whether the lease still held; none where the message is not followed any more. One check a statement: a provider
 * allows a few dozen look-ups a second.
 */
import * as DeliveryStatus from "@effect-cascade/core/DeliveryStatus"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SettledCheck } from "../../StatusStore.ts"
import type { StatusTables } from "./statusTables.ts"
import { givesWay } from "./weakerState.ts"

export const settleStatusCheck = (
  sql: SqlClient.SqlClient,
  tables: StatusTables,
  { checks, id, lease, misses, next, state }: SettledCheck
) => {
  const ends = state !== undefined && state.confirmed && DeliveryStatus.isFinal(state.status)
  return sql`
    WITH known AS MATERIALIZED (
      SELECT
        tracked.message_id,
        tracked.status,
        tracked.confirmed,
        tracked.lease = ${String(lease)}::bigint AND tracked.lease_until IS NOT NULL AS held,
        ${givesWay(sql, "tracked", state)} AS gives_way
      FROM ${tables.deliveryStatus} AS tracked
      WHERE tracked.message_id = ${id}::uuid
      FOR UPDATE
    ),
    settled AS (
      UPDATE ${tables.deliveryStatus} AS tracked
      SET
        status = CASE WHEN known.gives_way THEN ${state?.status ?? ""} ELSE tracked.status END,
        confirmed = CASE
          WHEN known.gives_way THEN ${state?.confirmed === true ? "1" : "0"}::int = 1
          ELSE tracked.confirmed
        END,
        updated_at = CASE WHEN known.gives_way THEN now() ELSE tracked.updated_at END,
        next_check_at = CASE
          WHEN known.gives_way AND ${ends ? "1" : "0"}::int = 1 THEN NULL
          WHEN NOT known.held THEN tracked.next_check_at
          ELSE CASE ${next.kind}::text
            WHEN 'over' THEN NULL
            WHEN 'again' THEN
              now() + ${next.kind === "again" ? next.delayMillis : 0}::float8 * interval '1 millisecond'
            ELSE tracked.next_check_at
          END
        END,
        checked_at = CASE WHEN ${next.kind}::text <> 'released' THEN now() ELSE tracked.checked_at END,
        lease_until = CASE
          WHEN known.held OR (known.gives_way AND ${ends ? "1" : "0"}::int = 1) THEN NULL
          ELSE tracked.lease_until
        END,
        checks = CASE WHEN known.held THEN ${String(checks)}::int ELSE tracked.checks END,
        misses = CASE WHEN known.held THEN ${String(misses)}::int ELSE tracked.misses END
      FROM known
      WHERE tracked.message_id = known.message_id AND (known.held OR known.gives_way)
    )
    SELECT status, confirmed, gives_way AS moved, held FROM known`
}
