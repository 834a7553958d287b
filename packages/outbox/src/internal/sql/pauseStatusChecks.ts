/**
 * Pauses the look-ups of an account for every tracker. Of two pauses the one that ends later stays.
 *
 * Index: status_pause_pkey. Locks: the account's row.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { StatusTables } from "./statusTables.ts"

export const pauseStatusChecks = (
  sql: SqlClient.SqlClient,
  tables: StatusTables,
  account: string,
  millis: number
) => sql`
    INSERT INTO ${tables.statusPause} AS pause (account, paused_until)
    VALUES (${account}, now() + ${millis}::float8 * interval '1 millisecond')
    ON CONFLICT ON CONSTRAINT status_pause_pkey DO UPDATE
    SET paused_until = greatest(pause.paused_until, excluded.paused_until)`
