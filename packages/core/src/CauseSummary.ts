/**
 * What may be said of a failure in code that is not this library's: a transport, a handler, a schedule, a store.
 *
 * Whoever wrote it may have put a phone number, a text or a key into the words of its errors, and the errors of HTTP
 * clients and database drivers hold what was sent. So logs get the names of what failed and the lines where it did.
 * Only the errors of these packages, which hold nothing personal, are repeated in their own words.
 */
import * as Cause from "effect/Cause"
import { kindOf, own } from "./internal/unknown.ts"

/**
 * One line for each reason of a cause, safe to log: `Interrupt`; the message of an error of these packages; of any other
 * error its tag or class, its code (`ECONNRESET`, `57P01`) and at most five lines of its stack; of what is no error its kind.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { CauseSummary } from "@effect-cascade/core"
 *
 * const logged = <A, E, R>(self: Effect.Effect<A, E, R>) =>
 *   Effect.tapCause(self, (cause) => Effect.logError("it failed", CauseSummary.of(cause)))
 * ```
 */
export const of = (cause: Cause.Cause<unknown>): ReadonlyArray<string> =>
  cause.reasons.map((reason) =>
    Cause.isInterruptReason(reason)
      ? "Interrupt"
      : ofError(Cause.isDieReason(reason) ? reason.defect : reason.error)
  )

/** As {@link of}, for one error or defect. */
export const ofError = (error: unknown): string => {
  try {
    const tag = own(error, "_tag")
    const name = typeof tag === "string" && /^[A-Z][A-Za-z0-9]{1,63}$/u.test(tag) ? tag : undefined
    if (!(error instanceof Error)) return name ?? kindOf(error)
    if (isOwn(error)) return `${name ?? error.name}: ${error.message}`
    const code = codeOf(error)
    const shownCode = code === undefined ? [] : [`(${code})`]
    return [name ?? error.constructor.name, ...shownCode, ...framesOf(error)].join(" ")
  } catch {
    // An error from outside may do anything when it is looked at.
    return "an error that cannot be looked at"
  }
}

const isOwn = (error: Error): boolean => {
  const identifier: unknown = Reflect.get(error.constructor, "identifier")
  return typeof identifier === "string" && identifier.startsWith("@effect-cascade/")
}

/** A word of the system's or of Postgres': of the error itself, or of the first causes below it. */
const codeOf = (error: unknown, depth = 0): string | undefined => {
  const code = own(error, "code")
  if (typeof code === "string" && /^(?:[A-Z][A-Z0-9_]{2,40}|[0-9][0-9A-Z]{4})$/u.test(code)) return code
  if (depth > 3 || typeof error !== "object" || error === null) return undefined
  return codeOf(own(error, "reason"), depth + 1) ?? codeOf(own(error, "cause"), depth + 1)
}

const framesOf = (error: Error): ReadonlyArray<string> =>
  typeof error.stack !== "string"
    ? []
    : error.stack
        // A message may hold lines that look like frames.
        .replace(error.message, "")
        .split("\n")
        .filter((line) => /^\s+at .+:\d+:\d+\)?$/u.test(line))
        .slice(0, 5)
        .map((line) => line.trim())
