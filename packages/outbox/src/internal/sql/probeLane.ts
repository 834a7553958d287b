/**
 * Takes the right to try a lane whose pause is over: the relay whose update comes first gets it. Index: lane_pkey.
 * Locks: the lane's row. No row returned: another relay has the right, the pause is not over, or the lane is open.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { Tables } from "./tables.ts"

export const probeLane = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  lane: string,
  windowMillis: number
) => sql`
    UPDATE ${tables.lane}
    SET probe_until = now() + ${windowMillis}::float8 * interval '1 millisecond', updated_at = now()
    WHERE lane = ${lane}
      AND paused_until <= now()
      AND (probe_until IS NULL OR probe_until <= now())
    RETURNING lane`
