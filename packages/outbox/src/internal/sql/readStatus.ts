/**
 * Reads what is known of a message's delivery.
 *
 * Index: message_tracking_id_key, delivery_status_pkey. Locks: none. No row: there is no such message, it was not
 * accepted yet, or nobody followed messages when it was.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import { millis } from "./millis.ts"
import type { StatusTables } from "./statusTables.ts"
import type { Tables } from "./tables.ts"

export const readStatus = (
  sql: SqlClient.SqlClient,
  tables: Tables & StatusTables,
  account: string,
  trackingId: string
) => sql`
    SELECT
      tracked.provider_message_id AS "messageId",
      tracked.status,
      tracked.confirmed,
      tracked.next_check_at IS NOT NULL AS following,
      tracked.checks,
      ${millis(sql, "tracked.accepted_at")} AS "acceptedAt",
      ${millis(sql, "tracked.updated_at")} AS "updatedAt"
    FROM ${tables.message} AS message
    JOIN ${tables.deliveryStatus} AS tracked ON tracked.message_id = message.id
    WHERE message.account = ${account} AND message.tracking_id = ${trackingId}`
