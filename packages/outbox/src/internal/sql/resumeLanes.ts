/**
 * Opens lanes again for every relay. Index: lane_pkey. Locks: the lanes' rows.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { Tables } from "./tables.ts"

export const resumeLanes = (sql: SqlClient.SqlClient, tables: Tables, lanes: ReadonlyArray<string>) => sql`
    DELETE FROM ${tables.lane} WHERE lane = ANY(${[...lanes]}::text[])`
