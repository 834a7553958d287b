/**
 * The caller's own identifier of a message, which is also its dedupe key.
 *
 * Use one that means something (`order-confirmed:1042`), because it is what comes back in the provider's
 * reply (`trackinId`), in events and in the outbox. Two messages with the same tracking id are the same
 * message: the second is not sent.
 */
import * as Hex from "effect/encoding/Hex"
import * as Schema from "effect/Schema"

/** The rule of a tracking id in words. The provider asks for fewer than 255 characters, none of them special. */
export const rule = "1 to 254 characters of A-Z a-z 0-9 . _ : -"

/**
 * A tracking id: 1 to 254 characters of `A-Z a-z 0-9 . _ : -`.
 *
 * Sent as `id`, returned as `trackinId`. See https://smsbat.com/help/api/cascade/send/ (Tracking IDs).
 */
export const TrackingId = Schema.String.check(
  Schema.isPattern(/^[A-Za-z0-9._:-]{1,254}$/u, { message: rule })
).pipe(Schema.brand("TrackingId"))

/** @see TrackingId */
export type TrackingId = typeof TrackingId.Type

/**
 * Joins parts into a tracking id: `of("order-confirmed", 1042)` is `order-confirmed:1042`.
 *
 * Different parts always give different ids, where parts are compared as text (`1042` is `"1042"`): a character
 * that is not allowed in an id, and a `:` inside a part, is written as `_` and the hexadecimal value of each of
 * its UTF-8 bytes. The length is judged with the message, when it is made: nothing at all (`of("")`) and more
 * than 254 characters are refused there.
 */
export const of = (
  first: string | number | bigint,
  ...rest: ReadonlyArray<string | number | bigint>
): TrackingId =>
  // The escaping leaves only allowed characters, which is what the brand stands for.
  [first, ...rest].map((part) => escapePart(String(part))).join(":") as TrackingId

const escapePart = (part: string): string =>
  part.replace(/_(?=[0-9A-F]{2})|[^A-Za-z0-9._-]/gu, (character) =>
    Hex.encode(/\p{Cs}/u.test(character) ? surrogateBytes(character.charCodeAt(0)) : character)
      .toUpperCase()
      .replace(/../gu, "_$&")
  )

// Half of a surrogate pair has no UTF-8 form, and an encoder writes the same mark for all of them. These are the
// bytes it would have, which no other character has.
const surrogateBytes = (unit: number): Uint8Array =>
  Uint8Array.of(0xed, 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f))
