/**
 * Lists messages whose end stands, the newest first, from where a page before ended.
 *
 * Index: outcome_parked_idx, backwards; a filter that few match walks it further. Locks: none. Fewer rows than asked
 * for: there are no more.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { ParkedFilter, RecoverableState } from "../../OutboxAdminStore.ts"
import { outcomeJson } from "./history.ts"
import { millis } from "./millis.ts"
import { matches, stands } from "./parked.ts"
import type { Tables } from "./tables.ts"

/** Where a page ended: microseconds since 1970, as finely as the database keeps time, and the id. */
export interface Cursor {
  readonly micros: string
  readonly id: string
}

export const listParked = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  query: {
    readonly state: RecoverableState
    readonly filter: ParkedFilter
    readonly limit: number
    readonly after: Cursor | undefined
  }
) => sql`
    SELECT
      message.id::text AS id,
      message.account,
      message.tracking_id AS "trackingId",
      message.lane,
      message.message_type AS "messageType",
      message.payload,
      ${millis(sql, "message.created_at")} AS "createdAt",
      ${millis(sql, "message.deadline")} AS deadline,
      ${outcomeJson(sql, "outcome")} AS outcome,
      (extract(epoch FROM outcome.at) * 1000000)::bigint::text || ':' || outcome.message_id AS cursor
    FROM ${tables.outcome} AS outcome
    -- With a limit, so that it is looked up and never becomes a join over the whole history.
    CROSS JOIN LATERAL (
      SELECT * FROM ${tables.message} WHERE id = outcome.message_id LIMIT 1
    ) AS message
    WHERE ${stands(sql, [query.state])}
      AND ${matches(sql, query.filter)}
      AND ${query.after === undefined ? sql.literal("true") : before(sql, query.after)}
    ORDER BY outcome.at DESC, outcome.message_id DESC
    LIMIT ${String(query.limit)}::int`

const before = (sql: SqlClient.SqlClient, { id, micros }: Cursor) => {
  const at = sql`timestamptz 'epoch' + ${micros}::float8 * interval '1 microsecond'`
  // The first condition is what the index can begin at.
  return sql`outcome.at <= ${at}
      AND (outcome.at, outcome.message_id) < (${at}, ${id}::uuid)`
}
