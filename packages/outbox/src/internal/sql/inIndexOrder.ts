/**
 * What the planner may not consider for the rest of a transaction, for statements that take the first few rows in the
 * order of an index.
 *
 * With the statistics of a table that was empty it would collect and sort whatever waits, or read the table; and it
 * would compile what it takes for huge (jit), which lasts longer than the statement.
 */
import type * as SqlClient from "effect/sql/SqlClient"

export const inIndexOrder = (sql: SqlClient.SqlClient) => sql`
    SELECT
      set_config('enable_bitmapscan', 'off', true),
      set_config('enable_seqscan', 'off', true),
      set_config('jit', 'off', true)`
