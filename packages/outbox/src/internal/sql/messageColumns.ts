/**
 * What a relay wants to know of a message, for rows that are joined with it from the left: a work row without its
 * message must surface too, as one that cannot be read.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import type { Tables } from "./tables.ts"

export const messageColumns = (sql: SqlClient.SqlClient): Fragment =>
  sql.literal(`coalesce(message.account, '') AS account,
      coalesce(message.tracking_id, '') AS "trackingId",
      coalesce(message.message_type, '') AS "messageType",
      -- Whatever somebody wrote there by hand: one row must not keep the others of its claim from being read.
      CASE message.uncertainty WHEN 'resend' THEN 'resend' ELSE 'hold' END AS uncertainty,
      message.payload,
      CASE
        WHEN isfinite(message.created_at) THEN extract(epoch FROM now() - message.created_at)::float8 * 1000
        ELSE 0
      END AS "ageMillis",
      CASE
        WHEN isfinite(message.deadline) THEN extract(epoch FROM message.deadline - now())::float8 * 1000
        WHEN message.deadline = '-infinity' THEN 0
      END AS "remainingMillis",
      message.traceparent`)

/** The join, for rows with this id. Lateral with a limit: looked up one by one, however many the planner expects. */
export const messageJoin = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  id: string
): Fragment => sql`LEFT JOIN LATERAL (
      SELECT
        message.account, message.tracking_id, message.message_type, message.uncertainty, message.payload,
        message.created_at, message.deadline, message.traceparent
      FROM ${tables.message} AS message
      WHERE message.id = ${sql.literal(id)}
      LIMIT 1
    ) AS message ON true`
