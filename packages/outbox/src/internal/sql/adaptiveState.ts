/**
 * Reads and writes what an adaptive rate limit has learned. In a transaction, from the lock to the write.
 *
 * Index: rate_limit_pkey. Times in milliseconds since 1970, by the database's clock.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import { rateLimitTable } from "./createRateLimit.ts"

/** Whether anything is known of the key. Locks: none. No row: nothing is. */
export const hasAdaptiveState = (sql: SqlClient.SqlClient, schema: string, key: string) => sql`
    SELECT
    FROM ${rateLimitTable(sql, schema)}
    WHERE algorithm = 'adaptive' AND key = ${key} AND until > clock_timestamp()`

/** Locks: the row. `state` is null where nothing is known or it is too old. No row: see createRateLimit. */
export const lockAdaptiveState = (sql: SqlClient.SqlClient, schema: string, key: string) => sql<{
  readonly state: unknown
  readonly now: number
}>`
    WITH held AS MATERIALIZED (
      SELECT until, state
      FROM ${rateLimitTable(sql, schema)}
      WHERE algorithm = 'adaptive' AND key = ${key}
      FOR UPDATE
    ),
    -- Materialized: the clock is read once, and after the lock was had.
    clock AS MATERIALIZED (
      SELECT until, state, clock_timestamp() AS at FROM held
    )
    SELECT
      CASE WHEN until > at THEN state END AS state,
      extract(epoch FROM at)::float8 * 1000 AS now
    FROM clock`

/** `state` is JSON. */
export const writeAdaptiveState = (
  sql: SqlClient.SqlClient,
  schema: string,
  key: string,
  written: { readonly state: string; readonly until: number }
) => sql`
    UPDATE ${rateLimitTable(sql, schema)}
    SET state = ${written.state}::jsonb, until = to_timestamp(${written.until}::float8 / 1000)
    WHERE algorithm = 'adaptive' AND key = ${key}`
