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
 * Certain are separators between the digits (spaces, hyphens, dots, brackets, invisible marks), a leading `00`
 * instead of `+`, and a missing `+` before a number of 12 to 15 digits that does not begin with `0`. A national
 * number (`067…`, or the 10 and 11 digits of other countries) is never guessed: the country is not known. Nor is
 * a number with a bracketed zero (`+44 (0)20…`), which is dialled in its own country only.
 */
export const correct = (input: string): PhoneNumber | undefined => {
  if (doubtful.test(input)) return undefined
  const bare = input.replace(/[\s().\-\u2010-\u2015\u2212\p{Cf}]/gu, "")
  const international = bare.startsWith("+")
    ? bare
    : bare.startsWith("00")
      ? `+${bare.slice(2)}`
      : /^[1-9][0-9]{11,14}$/u.test(bare)
        ? `+${bare}`
        : undefined
  return international !== undefined && international !== input && is(international)
    ? international
    : undefined
}

// A bracketed zero, the fraction that a spreadsheet adds (`380671112233.0`), and the prefixes by which some countries
// dial abroad in place of `+` or `00`.
const doubtful = /\(\s*0|\.0+\s*$|^[\s(]*(?:8[\s\-~]*10|0011)/u

const is = Schema.is(PhoneNumber)
