/**
 * What a failure of the database means: may the same succeed later, and is it a failure at all?
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as SqlError from "effect/sql/SqlError"

/** Tells a failure of the database from other errors. */
export const isSqlError: (error: unknown) => error is SqlError.SqlError = SqlError.isSqlError

/** The SQLSTATE or system code of a failure, such as `57P01` or `ECONNREFUSED`. */
export const code = (error: SqlError.SqlError): string | undefined => stringAt(error.reason.cause, "code")

/**
 * What the server or the system said, where its words hold no value of a row or a parameter; else only what kind of
 * failure it is. Postgres quotes values in its messages about data (class 22), and a trigger may say anything.
 */
export const detail = (error: SqlError.SqlError): string => {
  const { cause } = error.reason
  const state = code(error)
  const isState = state !== undefined && /^[0-9A-Z]{5}$/u.test(state) && !/^E[A-Z]+$/u.test(state)
  const mayQuote =
    isState && (!wordsOfItsOwn.has(state.slice(0, 2)) || stringAt(cause, "routine") === "exec_stmt_raise")
  if (mayQuote) return `the database refused it, in words that may quote a value (${error.reason._tag})`
  return stringAt(cause, "message") ?? error.reason._tag
}

// The classes of SQLSTATE whose messages name connections, constraints, tables and resources, never what is in them.
const wordsOfItsOwn = new Set("08 0A 23 25 28 2B 3B 3D 3F 40 42 53 54 55 57 58 72 F0 XX".split(" "))

/**
 * Tells whether the same statement may succeed later. The driver files a server that is shutting down, starting up or
 * full among unknown errors, which it calls not retryable; they are.
 */
export const isTransient = (error: SqlError.SqlError): boolean =>
  error.isRetryable || transientStates.has(code(error) ?? "")

// admin_shutdown, crash_shutdown, cannot_connect_now, too_many_connections, disk_full, out_of_memory,
// configuration_limit_exceeded, read_only_sql_transaction (a failover)
const transientStates = new Set(["57P01", "57P02", "57P03", "53300", "53100", "53200", "53400", "25006"])

/**
 * Puts a lost connection back into the error channel.
 *
 * The driver ends a transaction whose connection was lost with a defect (the ROLLBACK that it then tries cannot
 * succeed), which neither `catchTag` nor `retry` ever sees.
 */
export const recover = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError.SqlError, R> =>
  Effect.catchCause(self, (cause): Effect.Effect<never, E | SqlError.SqlError> => {
    if (Cause.hasInterrupts(cause)) return Effect.failCause(cause)
    for (const reason of cause.reasons) {
      if (Cause.isDieReason(reason) && SqlError.isSqlError(reason.defect)) return Effect.fail(reason.defect)
    }
    return Effect.failCause(cause)
  })

const stringAt = (value: unknown, key: string): string | undefined => {
  if (typeof value !== "object" || value === null || !(key in value)) return undefined
  const found: unknown = Reflect.get(value, key)
  return typeof found === "string" ? found : undefined
}
