/**
 * Opens lanes that relays paused, and those whose pause is over; an operator's own pause stays.
 *
 * The condition is here and not in the relay, whose copy of the lanes may be older than an operator's word. Index:
 * lane_pkey. Locks: the lanes' rows. Rows returned: the lanes that were opened.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { Tables } from "./tables.ts"

export const reopenLanes = (sql: SqlClient.SqlClient, tables: Tables, lanes: ReadonlyArray<string>) => sql<{
  readonly lane: string
}>`
    DELETE FROM ${tables.lane}
    WHERE lane = ANY(${[...lanes]}::text[])
      AND paused_until IS NOT NULL
      AND (reason IS NOT NULL OR paused_until <= now())
    RETURNING lane`
