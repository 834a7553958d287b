/**
 * Finds the messages that already have a tracking id, and whether they say the same.
 *
 * A statement of its own after the insert: the row that stood in the way may have been committed after the insert's
 * snapshot was taken. Index: message_tracking_id_key. Locks: none.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as SqlClient from "effect/sql/SqlClient"
import type { NewRow } from "../../OutboxRow.ts"
import type { Tables } from "./tables.ts"

export const findExisting = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  rows: NonEmptyReadonlyArray<NewRow>
) => sql<{ readonly asked: string; readonly id: string; readonly same: boolean }>`
    SELECT
      asked.id AS asked,
      message.id::text AS id,
      -- A payload that retention has scrubbed can no longer be compared.
      (message.payload IS NULL OR message.payload = asked.payload) AS same
    FROM unnest(
      ${rows.map((row) => row.id)}::text[],
      ${rows.map((row) => row.account)}::text[],
      ${rows.map((row) => row.trackingId)}::text[],
      ${rows.map((row) => row.payload)}::text[]
    ) AS asked(id, account, tracking_id, payload)
    JOIN ${tables.message} AS message
      ON message.account = asked.account AND message.tracking_id = asked.tracking_id`
