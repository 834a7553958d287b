/**
 * Deletes rows that have said nothing for a while: buckets that are full, windows that are over.
 *
 * Reads the table until it has found enough: an index on `until` would cost every update more than this costs. Locks:
 * the rows; what another has locked it leaves.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import { rateLimitTable } from "./createRateLimit.ts"

export const forgetRateLimits = (
  sql: SqlClient.SqlClient,
  schema: string,
  options: { readonly quietMillis: number; readonly limit: number }
) => {
  const table = rateLimitTable(sql, schema)
  return sql`
    WITH stale AS MATERIALIZED (
      SELECT algorithm, key
      FROM ${table}
      WHERE until < now() - ${options.quietMillis}::float8 * interval '1 millisecond'
      LIMIT ${String(options.limit)}::int
      FOR UPDATE SKIP LOCKED
    )
    DELETE FROM ${table} AS rate_limit
    USING stale
    WHERE rate_limit.algorithm = stale.algorithm AND rate_limit.key = stale.key`
}
