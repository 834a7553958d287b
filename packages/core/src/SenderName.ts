/**
 * The name a message is sent from, as it is registered with the provider.
 */
import * as Schema from "effect/Schema"

/** The rule of a sender name in words. */
export const rule = "1 or more whole characters, no blank at either end, no control characters"

/**
 * A sender name: 1 or more characters, without white space at its ends, without control characters and without half of
 * a surrogate pair.
 *
 * Sent as `fromName`. See https://smsbat.com/help/api/cascade/send/ (Parameters). The page states no length.
 */
export const SenderName = Schema.String.check(
  // The pattern says so too, but a generator of names cannot read it there.
  Schema.isMinLength(1, { message: rule }),
  Schema.isPattern(/^(?!\s)[^\p{Cc}\p{Cs}\u2028\u2029]+(?<!\s)$/u, { message: rule })
).pipe(Schema.brand("SenderName"))

/** @see SenderName */
export type SenderName = typeof SenderName.Type
