/**
 * Makes the row of a rate limit where it is missing. Index: rate_limit_pkey. Locks: the new row.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"

export const rateLimitTable = (sql: SqlClient.SqlClient, schema: string): Fragment =>
  sql.literal(`"${schema}".rate_limit`)

export const createRateLimit = (
  sql: SqlClient.SqlClient,
  schema: string,
  algorithm: "token-bucket" | "adaptive",
  key: string
) => sql`
    INSERT INTO ${rateLimitTable(sql, schema)} (algorithm, key, until)
    VALUES (${algorithm}, ${key}, now())
    ON CONFLICT ON CONSTRAINT rate_limit_pkey DO NOTHING`
