/**
 * Reads the lanes that are paused or on probation, with what an operator wants to know of them. Locks: none. No row:
 * every lane is open.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import { isPaused } from "./due.ts"
import { millis } from "./millis.ts"
import type { Tables } from "./tables.ts"

export const heldLanes = (sql: SqlClient.SqlClient, tables: Tables) => sql`
    SELECT
      lane.lane,
      ${isPaused(sql, "lane")} AS paused,
      ${millis(sql, "lane.paused_until")} AS until,
      lane.reason,
      lane.note,
      lane.trips,
      ${millis(sql, "lane.updated_at")} AS since
    FROM ${tables.lane} AS lane
    ORDER BY lane.lane`
