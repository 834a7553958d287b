/**
 * Pauses lanes for every relay. A pause without an end outlasts one with an end; of two ends the later one stays, and
 * with it its reason: a throttle of seconds makes no throttle of an operator's hours.
 *
 * Index: lane_pkey. Locks: the lanes' rows, in the order of their names.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { Tables } from "./tables.ts"

export const pauseLanes = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  pause: {
    readonly lanes: ReadonlyArray<string>
    /** Milliseconds; `null` for a pause without an end. */
    readonly millis: number | null
    /** JSON, or empty. */
    readonly reason: string
    readonly trips: number
  }
) => sql`
    INSERT INTO ${tables.lane} AS lane (lane, paused_until, reason, trips)
    SELECT
      name,
      now() + ${pause.millis}::float8 * interval '1 millisecond',
      nullif(${pause.reason}::text, '')::jsonb,
      ${pause.trips}::int
    FROM unnest(${[...pause.lanes].sort()}::text[]) AS t(name)
    ORDER BY name
    ON CONFLICT ON CONSTRAINT lane_pkey DO UPDATE
    SET
      paused_until = CASE
        WHEN lane.paused_until IS NULL OR excluded.paused_until IS NULL THEN NULL
        ELSE greatest(lane.paused_until, excluded.paused_until)
      END,
      reason = CASE
        WHEN lane.paused_until IS NULL OR lane.paused_until > excluded.paused_until THEN lane.reason
        ELSE excluded.reason
      END,
      -- A probe that failed is over, and what follows it is this pause alone.
      probe_until = NULL,
      trips = greatest(lane.trips, excluded.trips),
      updated_at = now()`
