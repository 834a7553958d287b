/**
 * Finds the messages that already have a tracking id, and whether they say the same.
 *
 * A statement of its own after the insert: the row that stood in the way may have been committed after the insert's
 * snapshot was taken. Through a function of the tables' owner, so that a writer need not be able to read payloads.
 * Index: message_tracking_id_key. Locks: none.
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
    SELECT asked, id, same
    FROM ${sql.literal(`"${tables.schema}".find_existing`)}(
      ${rows.map((row) => row.id)}::text[],
      ${rows.map((row) => row.account)}::text[],
      ${rows.map((row) => row.trackingId)}::text[],
      ${rows.map((row) => row.payload)}::text[]
    )`
