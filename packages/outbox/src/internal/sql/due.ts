/**
 * When a row of `work` may be claimed, and when a lane may be claimed from: said once, so that what counts and what
 * explains rows can never disagree with the claim that takes them.
 *
 * Each is a condition on the row that goes by the given alias.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"

const free = (work: string) => `(${work}.lease_until IS NULL OR ${work}.lease_until <= now())`

/** Nobody holds it: it was never leased, was given back, or its lease has run out. */
export const isFree = (sql: SqlClient.SqlClient, work: string): Fragment => sql.literal(free(work))

/** Its time has come and nobody holds it. */
export const isDue = (sql: SqlClient.SqlClient, work: string): Fragment =>
  sql.literal(`${work}.due_at <= now() AND ${free(work)}`)

/** The lane is left out of claims: until an instant that is still ahead, or until an operator resumes it. */
export const isPaused = (sql: SqlClient.SqlClient, lane: string): Fragment =>
  sql.literal(`(${lane}.paused_until IS NULL OR ${lane}.paused_until > now())`)
