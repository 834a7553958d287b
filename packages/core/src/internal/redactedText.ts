/**
 * Text that is kept out of sight.
 */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

/** The text, or `undefined` for what is not redacted, holds no text or has been wiped. */
export const read = (value: unknown): string | undefined => {
  // A value that has been wiped throws.
  const text = Result.getOrUndefined(
    Result.try(() => (Redacted.isRedacted(value) ? Redacted.value(value) : undefined))
  )
  return typeof text === "string" ? text : undefined
}
