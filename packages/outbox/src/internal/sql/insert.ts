/**
 * Writes messages and their work rows.
 *
 * Index: message_tracking_id_key decides what is new. Locks: the new rows; where another open transaction has just
 * written the same tracking id, it waits for that one to end. Rows are written in the order of their keys, so that two
 * such statements never wait for each other crosswise; two of several statements each still may, and then Postgres ends
 * one of them (40P01). Rows returned: the ids that were inserted.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as SqlClient from "effect/sql/SqlClient"
import type { NewRow } from "../../OutboxRow.ts"
import type { Tables } from "./tables.ts"

export const insert = (sql: SqlClient.SqlClient, tables: Tables, rows: NonEmptyReadonlyArray<NewRow>) => {
  // Absent values travel as empty text: an array of nothing but nulls has no type.
  const text = (value: string | number | undefined) => (value === undefined ? "" : String(value))
  return sql<{ readonly id: string }>`
    WITH input AS (
      SELECT
        id::uuid AS id,
        account,
        tracking_id,
        lane,
        message_type,
        uncertainty,
        payload,
        to_timestamp(nullif(available_at, '')::float8 / 1000) AS available_at,
        coalesce(to_timestamp(nullif(ttl_from, '')::float8 / 1000), now())
          + nullif(ttl_millis, '')::float8 * interval '1 millisecond' AS deadline,
        nullif(traceparent, '') AS traceparent
      FROM unnest(
        ${rows.map((row) => row.id)}::text[],
        ${rows.map((row) => row.account)}::text[],
        ${rows.map((row) => row.trackingId)}::text[],
        ${rows.map((row) => row.lane)}::text[],
        ${rows.map((row) => row.messageType)}::text[],
        ${rows.map((row) => row.uncertainty)}::text[],
        ${rows.map((row) => row.payload)}::text[],
        ${rows.map((row) => text(row.availableAt))}::text[],
        ${rows.map((row) => text(row.ttlFrom))}::text[],
        ${rows.map((row) => text(row.ttlMillis))}::text[],
        ${rows.map((row) => text(row.traceparent))}::text[]
      ) AS t(
        id, account, tracking_id, lane, message_type, uncertainty, payload, available_at, ttl_from, ttl_millis, traceparent
      )
    ),
    written AS (
      INSERT INTO ${tables.message} (
        id, account, tracking_id, lane, message_type, uncertainty, payload, created_at, deadline, traceparent
      )
      SELECT id, account, tracking_id, lane, message_type, uncertainty, payload, now(), deadline, traceparent
      FROM input
      ORDER BY account COLLATE "C", tracking_id COLLATE "C", id
      ON CONFLICT ON CONSTRAINT message_tracking_id_key DO NOTHING
      RETURNING id
    ),
    queued AS (
      INSERT INTO ${tables.work} (message_id, lane, due_at, deadline)
      SELECT input.id, input.lane, greatest(input.available_at, now()), input.deadline
      FROM written
      JOIN input ON input.id = written.id
      -- Rows that are due at the same instant are claimed in the order in which they lie in the table.
      ORDER BY input.id
    )
    SELECT id::text AS id FROM written`
}
