/**
 * Reads the lanes that are paused or on probation. A lane that is simply open has no row. Locks: none.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { Tables } from "./tables.ts"

export const readLanes = (sql: SqlClient.SqlClient, tables: Tables) => sql`
    SELECT
      lane,
      reason,
      -- Infinity is how an operator may write that there is no end.
      CASE
        WHEN isfinite(paused_until)
        THEN extract(epoch FROM greatest(paused_until, probe_until) - now())::float8 * 1000
      END AS "remainingMillis",
      trips
    FROM ${tables.lane}
    ORDER BY lane`
