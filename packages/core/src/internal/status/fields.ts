/**
 * The fields of the provider's status reports and inbound messages, read from JSON of unknown origin.
 *
 * Every reader takes anything at all and looks at own properties only. What it does not like it leaves out; who needs
 * the field says so. Nothing here goes deeper than one level, however deep the JSON is.
 */
import * as DateTime from "effect/DateTime"
import * as rules from "../messageRules.ts"
import { isObject } from "../unknown.ts"

/** An id of the provider's: one printable word that can be stored, shown and put into a URL. */
export const identifier = (value: unknown): string | undefined =>
  // A URL parser takes a lone dot or two for a step in the path, and no encoding keeps it from that.
  typeof value === "string" && /^(?!\.{1,2}$)[^\s\p{C}\ufffd]{1,255}$/u.test(value) ? value : undefined

/** The rule of {@link identifier} in words. */
export const identifierRule = "a string of 1 to 255 printable characters without blanks"

/**
 * A word such as `not_used`, which may be shown: no sentence, and nothing in it that may be a phone number.
 */
export const word = (value: unknown): string | undefined =>
  typeof value === "string" && /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/u.test(value) && !/\d{7}/u.test(value)
    ? value
    : undefined

/** An amount of money: 0 or more, as a number or as the text of one. */
export const amount = (value: unknown): number | undefined => {
  const number = typeof value === "string" && /^\d{1,12}(?:\.\d{1,12})?$/u.test(value) ? Number(value) : value
  return typeof number === "number" && Number.isFinite(number) && number >= 0 ? number : undefined
}

/** A whole number of 0 or more. */
export const count = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined

/** An instant that names its zone. One that does not could be any of 38 hours. */
export const instant = (value: unknown): DateTime.Utc | undefined => {
  const millis = rules.instant(value)
  return millis === undefined ? undefined : DateTime.makeUnsafe(millis)
}

/** Words by words, such as `{"viber":"delivered","sms":"not_used"}`; at most 32 of them. */
export const words = (value: unknown): Readonly<Record<string, string>> | undefined => {
  if (!isObject(value)) return undefined
  const found = Object.entries(value)
    .slice(0, 32)
    .flatMap(([key, inner]): ReadonlyArray<readonly [string, string]> => {
      const name = word(key)
      const said = word(inner)
      return name === undefined || said === undefined ? [] : [[name, said]]
    })
  return found.length === 0 ? undefined : Object.fromEntries(found)
}
