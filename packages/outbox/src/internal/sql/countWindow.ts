/**
 * Counts tokens in a fixed window, which lasts as long as what was taken in it takes to come back.
 *
 * Index: rate_limit_pkey. Locks: the window's row. Times in milliseconds. No row: the tokens would exceed the limit, and
 * nothing was taken; see readWindow.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import { rateLimitTable } from "./createRateLimit.ts"

export interface WindowRequest {
  readonly key: string
  readonly tokens: number
  /** How long one token takes to come back. */
  readonly refill: number
  readonly limit: number | undefined
}

export interface WindowRow {
  readonly taken: number
  readonly ttl: number
}

export const countWindow = (sql: SqlClient.SqlClient, schema: string, request: WindowRequest) => {
  // Absent values travel as empty text: a null alone has no type.
  const limit = sql`nullif(${request.limit === undefined ? "" : String(request.limit)}::text, '')::float8`
  const span = sql`(${request.tokens * request.refill}::float8 * interval '1 millisecond')`
  return sql<WindowRow>`
    INSERT INTO ${rateLimitTable(sql, schema)} AS rate_limit (algorithm, key, until, taken)
    SELECT 'fixed-window', ${request.key}, clock_timestamp() + ${span}, ${request.tokens}::float8
    WHERE ${limit} IS NULL OR ${request.tokens}::float8 <= ${limit}
    ON CONFLICT ON CONSTRAINT rate_limit_pkey DO UPDATE
    SET
      taken = excluded.taken + CASE WHEN rate_limit.until <= clock_timestamp() THEN 0 ELSE rate_limit.taken END,
      until = greatest(rate_limit.until, clock_timestamp()) + ${span}
    WHERE ${limit} IS NULL
      OR rate_limit.until <= clock_timestamp()
      OR rate_limit.taken + excluded.taken <= ${limit}
    RETURNING taken, extract(epoch FROM until - clock_timestamp())::float8 * 1000 AS ttl`
}

/** What the window holds. Locks: none. No row: there is no window. */
export const readWindow = (sql: SqlClient.SqlClient, schema: string, key: string) => sql<WindowRow>`
    SELECT taken, extract(epoch FROM until - clock_timestamp())::float8 * 1000 AS ttl
    FROM ${rateLimitTable(sql, schema)}
    WHERE algorithm = 'fixed-window' AND key = ${key} AND until > clock_timestamp()`
