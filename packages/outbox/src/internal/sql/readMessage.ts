/**
 * Reads a message with everything that became of it.
 *
 * Index: message_tracking_id_key, work_pkey, outcome_pkey. Locks: none. No row: there is no such message.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import { outcomesOf } from "./history.ts"
import { millis } from "./millis.ts"
import { stateOf } from "./state.ts"
import type { Tables } from "./tables.ts"

export const readMessage = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  account: string,
  trackingId: string
) => sql`
    SELECT
      message.id::text AS id,
      message.account,
      message.tracking_id AS "trackingId",
      message.lane,
      message.message_type AS "messageType",
      message.uncertainty,
      message.payload,
      ${millis(sql, "message.created_at")} AS "createdAt",
      ${millis(sql, "message.deadline")} AS deadline,
      ${stateOf(sql, tables)} AS state,
      ${outcomesOf(sql, tables, "all")} AS outcomes
    FROM ${tables.message} AS message
    LEFT JOIN ${tables.work} AS work ON work.message_id = message.id
    WHERE message.account = ${account} AND message.tracking_id = ${trackingId}`
