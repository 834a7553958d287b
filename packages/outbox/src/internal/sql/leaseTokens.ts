/**
 * Takes a stretch of a token bucket's line.
 *
 * The bucket is one instant: when it will be full again. A token is a stretch as long as one token takes to come back;
 * taking tokens moves the instant by the sum, and may move it further than the bucket is deep, which is debt. Index:
 * rate_limit_pkey. Locks: the bucket's row; whoever finds it locked waits. Times in milliseconds. No row: there is no
 * such bucket yet; see createRateLimit.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { LeaseRequest } from "../rateLimit/tokenLeases.ts"
import { rateLimitTable } from "./createRateLimit.ts"

export const leaseTokens = (sql: SqlClient.SqlClient, schema: string, request: LeaseRequest) => {
  const table = rateLimitTable(sql, schema)
  return sql<{ readonly start: number; readonly length: number }>`
    WITH held AS MATERIALIZED (
      SELECT until
      FROM ${table}
      WHERE algorithm = 'token-bucket' AND key = ${request.key}
      FOR UPDATE
    ),
    -- Materialized: the clock is read once, and after the lock was had.
    clock AS MATERIALIZED (
      SELECT until, clock_timestamp() AS at FROM held
    ),
    line AS MATERIALIZED (
      SELECT
        at,
        greatest(until, at + ${request.slack}::float8 * interval '1 millisecond') AS start
      FROM clock
    ),
    room AS MATERIALIZED (
      SELECT
        start,
        extract(epoch FROM start - at)::float8 * 1000 AS ahead,
        -- Instants are rounded to microseconds, so that a token may seem to lack a few of them.
        ${request.capacity}::float8 - extract(epoch FROM start - at)::float8 * 1000 + 0.01 AS millis
      FROM line
    ),
    stretch AS MATERIALIZED (
      SELECT
        start,
        ahead,
        CASE
          WHEN ${request.overflow ? "1" : "0"}::int = 1 THEN ${request.wanted}::float8
          WHEN millis < ${request.needed}::float8 THEN 0
          -- In whole portions: what is less than one would help nobody.
          ELSE least(
            ${request.wanted}::float8,
            floor(millis / nullif(${request.needed}::float8, 0)) * ${request.needed}::float8
          )
        END AS length
      FROM room
    ),
    taken AS (
      UPDATE ${table} AS rate_limit
      SET until = stretch.start + stretch.length * interval '1 millisecond'
      FROM stretch
      WHERE rate_limit.algorithm = 'token-bucket' AND rate_limit.key = ${request.key} AND stretch.length > 0
    )
    SELECT ahead AS start, length FROM stretch`
}
