/**
 * Joins a report with what is known of the messages that the provider calls so.
 *
 * A confirmed end is the last thing to be known: there are no more checks, and one that is under way changes nothing
 * any more. An end that is only hinted at moves the next check up, a second behind the last one at the earliest, so
 * that it is confirmed soon. Index: delivery_status_provider_idx, delivery_status_pkey, message_pkey. Locks: the rows;
 * a check or a report that has them is waited for. Rows returned: what was known before, and whether it gave way; none
 * where no message is called so.
 */
import * as DeliveryStatus from "@effect-cascade/core/DeliveryStatus"
import type * as SqlClient from "effect/sql/SqlClient"
import type { StatusTables } from "./statusTables.ts"
import type { Tables } from "./tables.ts"
import { givesWay } from "./weakerState.ts"

export const recordStatus = (
  sql: SqlClient.SqlClient,
  tables: Tables & StatusTables,
  account: string,
  providerMessageId: string,
  state: DeliveryStatus.DeliveryState
) => {
  const end = DeliveryStatus.isFinal(state.status) ? (state.confirmed ? "confirmed" : "hinted") : "none"
  return sql`
    WITH known AS MATERIALIZED (
      SELECT
        tracked.message_id,
        tracked.status,
        tracked.confirmed,
        ${givesWay(sql, "tracked", state)} AS gives_way
      FROM ${tables.deliveryStatus} AS tracked
      WHERE tracked.account = ${account} AND tracked.provider_message_id = ${providerMessageId}
      ORDER BY tracked.message_id
      FOR UPDATE
    ),
    moved AS (
      UPDATE ${tables.deliveryStatus} AS tracked
      SET
        status = ${state.status},
        confirmed = ${state.confirmed ? "1" : "0"}::int = 1,
        updated_at = now(),
        next_check_at = CASE ${end}::text
          WHEN 'confirmed' THEN NULL
          WHEN 'hinted' THEN CASE WHEN tracked.next_check_at IS NOT NULL THEN
            least(tracked.next_check_at, greatest(now(), tracked.checked_at + interval '1 second'))
          END
          ELSE tracked.next_check_at
        END,
        lease_until = CASE ${end}::text WHEN 'confirmed' THEN NULL ELSE tracked.lease_until END
      WHERE tracked.message_id = ANY (ARRAY(SELECT message_id FROM known WHERE gives_way))
    )
    SELECT
      known.status,
      known.confirmed,
      known.gives_way AS moved,
      message.tracking_id AS "trackingId",
      message.message_type AS "messageType"
    FROM known
    LEFT JOIN ${tables.message} AS message ON message.id = known.message_id`
}
