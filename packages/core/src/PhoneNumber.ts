/**
 * A recipient's phone number in E.164 form.
 *
 * It is a plain string to the program and to the wire. Whatever prints it on the way (messages, envelopes,
 * errors, events) prints it masked, with {@link mask}.
 */
import * as Schema from "effect/Schema"
import * as Mask from "./internal/mask.ts"

/** The rule of a phone number in words. */
export const rule = "E.164: a + and 7 to 15 digits, the first of them not 0, nothing else"

/**
 * A phone number: `+`, then 7 to 15 digits, the first of them not `0`.
 *
 * See https://smsbat.com/help/api/cascade/send/ (Phone Numbers): `+380…` is right, `380…` and `0…` are wrong.
 */
export const PhoneNumber = Schema.String.check(
  Schema.isPattern(/^\+[1-9][0-9]{6,14}$/u, { message: rule })
).pipe(Schema.brand("PhoneNumber"))

/** @see PhoneNumber */
export type PhoneNumber = typeof PhoneNumber.Type

/** The form that may be shown: `+380671112233` becomes `+38067*****33`. */
export const mask = (phone: string): string => Mask.phone(phone)

/**
 * The corrected form of a refused number, where it is certain, else `undefined`.
 *
 * Certain are separators between the digits (spaces, hyphens, dots, brackets), a leading `00` instead of `+`,
 * and a missing `+` before a number of 10 to 15 digits that does not begin with `0`. A national number
 * (`067…`) is never guessed: the country is not known.
 */
export const correct = (input: string): PhoneNumber | undefined => {
  const bare = input.replace(/[\s().\-\u2010-\u2015\u00a0]/gu, "")
  const international = bare.startsWith("+")
    ? bare
    : bare.startsWith("00")
      ? `+${bare.slice(2)}`
      : /^[1-9][0-9]{9,14}$/u.test(bare)
        ? `+${bare}`
        : undefined
  return international !== undefined && international !== input && is(international)
    ? international
    : undefined
}

const is = Schema.is(PhoneNumber)
