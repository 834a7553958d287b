/**
 * Pauses lanes until an operator resumes them, whoever paused them before.
 *
 * Index: lane_pkey. Locks: the lanes' rows, in the order of their names.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { Tables } from "./tables.ts"

export const holdLanes = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  lanes: ReadonlyArray<string>,
  /** Empty for none. */
  note: string
) => sql`
    INSERT INTO ${tables.lane} AS lane (lane, paused_until, reason, note)
    SELECT name, NULL, NULL, nullif(${note}::text, '')
    FROM unnest(${[...lanes].sort()}::text[]) AS t(name)
    ORDER BY name
    ON CONFLICT ON CONSTRAINT lane_pkey DO UPDATE
    SET paused_until = NULL, reason = NULL, note = excluded.note, updated_at = now()`
