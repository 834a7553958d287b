/**
 * An instant as whole milliseconds since 1970, which every reader of rows understands alike; null for none and for
 * infinity.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"

export const millis = (sql: SqlClient.SqlClient, instant: string): Fragment =>
  sql.literal(`CASE WHEN isfinite(${instant}) THEN floor(extract(epoch FROM ${instant}) * 1000)::float8 END`)
