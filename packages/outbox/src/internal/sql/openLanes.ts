/**
 * Opens lanes, whoever paused them.
 *
 * Index: lane_pkey. Locks: the lanes' rows. Rows returned: the lanes that were not open.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { Tables } from "./tables.ts"

export const openLanes = (sql: SqlClient.SqlClient, tables: Tables, lanes: ReadonlyArray<string>) => sql<{
  readonly lane: string
}>`
    DELETE FROM ${tables.lane}
    WHERE lane = ANY(${[...lanes]}::text[])
    RETURNING lane`
