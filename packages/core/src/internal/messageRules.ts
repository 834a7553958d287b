/**
 * The rules of a message's JSON form, field by field. Finds every broken one, not just the first.
 *
 * The schemas in `Message.ts` say the same of the values in memory; a property test holds the two together.
 */
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import { Problem } from "../InvalidMessage.ts"
import * as PhoneNumber from "../PhoneNumber.ts"
import * as SenderName from "../SenderName.ts"
import * as TrackingId from "../TrackingId.ts"
import * as Schema from "effect/Schema"
import * as mask from "./mask.ts"
import { kindOf, own } from "./unknown.ts"

export const surveyTextLimit = 85
export const surveyOptionLimits = { minimum: 2, maximum: 5 } as const
/** What a 32-bit integer holds, which is what a service is likely to read `ttl` into. About 68 years. */
export const ttlLimit = 2_147_483_647

export const textRule = "a non-empty text"
/**
 * Half of a surrogate pair, which is what is left of an emoji that was cut through, has no UTF-8 form. A strict reader
 * refuses JSON with one, and with it the whole request and every other message in it.
 */
export const wholeRule = "whole characters, without half of a surrogate pair"
export const wholeText = /^\P{Cs}*$/u
export const surveyTextRule = `a non-empty text of at most ${surveyTextLimit} characters (UTF-16 units)`
const optionsRule = `${surveyOptionLimits.minimum} to ${surveyOptionLimits.maximum} different options`
export const ttlRule = `a whole number of seconds from 1 to ${ttlLimit}`
export const scheduleRule = "an instant of the years 1 to 9999 with its zone, such as 2026-01-25T10:00:00Z"
/** The instants whose ISO form has a year of four digits; no other form is sure to be understood elsewhere. */
export const scheduleLimits = {
  minimum: DateTime.makeUnsafe("0001-01-01T00:00:00.000Z"),
  maximum: DateTime.makeUnsafe("9999-12-31T23:59:59.999Z")
} as const

export type MessageType = "transaction" | "promo" | "viber_survey" | "flashcall"

const common = ["id", "fromName", "toPhone", "ttl", "scheduledSent"]

const fieldsOf: Record<MessageType, ReadonlyArray<string>> = {
  transaction: [...common, "text"],
  promo: [...common, "text"],
  viber_survey: [...common, "text", "surveyOptions"],
  flashcall: common
}

// Input of any size must not make an error of any size.
const unknownFieldLimit = 20
const surveyOptionsLookedAt = 20

/**
 * Every broken rule of a message that came in as `type`. `input` holds the other fields in their JSON form.
 * Without a known type, whatever is wrong for every type.
 *
 * Of fields that no message has, and of survey options far beyond their number, the first 20 are named.
 */
export const problems = (
  type: MessageType | undefined,
  input: Readonly<Record<string, unknown>>
): Array<Problem> => {
  const fields = fieldsOf[type ?? "viber_survey"]
  const has = (field: string) =>
    type === undefined ? own(input, field) !== undefined : fields.includes(field)
  const found: Array<Problem> = []
  const add = (path: string, rule: string, received: string, fix?: string) =>
    found.push(new Problem({ path, rule, received, ...(fix === undefined ? {} : { fix }) }))

  const id = own(input, "id")
  if (!isTrackingId(id)) add("id", TrackingId.rule, shown(id), trackingIdFix(id))

  const fromName = own(input, "fromName")
  if (!isSenderName(fromName)) add("fromName", SenderName.rule, shown(fromName), senderFix(fromName))

  const toPhone = own(input, "toPhone")
  if (!isPhoneNumber(toPhone)) add("toPhone", PhoneNumber.rule, shownPhone(toPhone), phoneFix(toPhone))

  if (has("text")) textProblems(type, own(input, "text"), add)
  if (has("surveyOptions")) optionProblems(own(input, "surveyOptions"), add)

  const ttl = own(input, "ttl")
  if (ttl !== undefined && !isTtl(ttl)) add("ttl", ttlRule, shownAs(aQuantity, ttl), ttlFix(ttl))

  const scheduledSent = own(input, "scheduledSent")
  if (scheduledSent !== undefined && instant(scheduledSent) === undefined) {
    add("scheduledSent", scheduleRule, shownAs(aTime, scheduledSent), scheduleFix(scheduledSent))
  }

  const unknownKeys = Object.keys(input).filter((key) => !fields.includes(key) && input[key] !== undefined)
  const rule = `no field but ${fields.join(", ")}`
  for (const key of unknownKeys.slice(0, unknownFieldLimit)) {
    add(mask.identifier(key), rule, kindOf(input[key]), keyFix(type, key, fields))
  }
  const more = unknownKeys.length - unknownFieldLimit
  if (more > 0) add("", rule, `${counted(more, "further field")}`)
  return found
}

/** The problem of a message whose type, under the key `path`, is none of `names`. */
export const typeProblem = (path: string, names: ReadonlyArray<string>, received: unknown): Problem => {
  const near = typeof received === "string" ? names.find((name) => alike(name, received)) : undefined
  return new Problem({
    path,
    rule: `one of ${names.join(", ")}`,
    received: shownAs(aWord, received),
    ...(near === undefined ? {} : { fix: `did you mean ${near}?` })
  })
}

/** The problem of a value that is no object and so can be no message. */
export const notAnObject = (value: unknown): Problem =>
  new Problem({ path: "", rule: "an object with the fields of a message", received: kindOf(value) })

type Add = (path: string, rule: string, received: string, fix?: string) => void

const textProblems = (type: MessageType | undefined, text: unknown, add: Add): void => {
  const rule = type === "viber_survey" ? surveyTextRule : textRule
  if (typeof text !== "string" || text.length === 0) return add("text", rule, shownText(text))
  if (type === "viber_survey" && text.length > surveyTextLimit) {
    add("text", rule, mask.text(text), shorten(text.length - surveyTextLimit))
  }
  wholeProblem("text", text, add)
}

const wholeProblem = (path: string, text: string, add: Add): void => {
  if (!wholeText.test(text)) add(path, wholeRule, mask.text(text), wholeFix(text))
}

const wholeFix = (text: string): string | undefined => {
  const at = text.search(/\p{Cs}/u)
  return at === -1 ? undefined : `a character is cut through at position ${at}; cut texts between characters`
}

const optionProblems = (options: unknown, add: Add): void => {
  if (!Array.isArray(options)) return add("surveyOptions", optionsRule, shownText(options))
  if (options.length < surveyOptionLimits.minimum || options.length > surveyOptionLimits.maximum) {
    add("surveyOptions", optionsRule, counted(options.length, "option"))
  }
  const seen = new Map<unknown, number>()
  // `entries` meets the holes of an array too, where `forEach` passes them over.
  for (const [index, option] of options.slice(0, surveyOptionsLookedAt).entries()) {
    const first = seen.get(option)
    if (typeof option !== "string" || option.length === 0) {
      add(`surveyOptions[${index}]`, textRule, shownText(option))
    } else if (first === undefined) {
      seen.set(option, index)
      wholeProblem(`surveyOptions[${index}]`, option, add)
    } else {
      add(`surveyOptions[${index}]`, "options that differ", `the same as surveyOptions[${first}]`)
    }
  }
}

/** The milliseconds of an ISO instant that names its zone, else `undefined`. */
export const instant = (value: unknown): number | undefined => {
  if (typeof value !== "string") return undefined
  const parts = isoInstant.exec(value)
  if (parts === null) return undefined
  // A Date takes the 30th of February for the 2nd of March; a message must not move by itself.
  if (Number(parts[3]) > daysIn(Number(parts[1]), Number(parts[2]))) return undefined
  return Option.getOrUndefined(
    Option.filter(DateTime.make(value), DateTime.between(scheduleLimits)).pipe(
      Option.map(DateTime.toEpochMillis)
    )
  )
}

const daysIn = (year: number, month: number): number =>
  month === 2
    ? year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
      ? 29
      : 28
    : [4, 6, 9, 11].includes(month)
      ? 30
      : 31

const isoInstant =
  /^(\d{4})-(\d{2})-(\d{2})T(?:[01]\d|2[0-3]):\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/u

const isTrackingId = Schema.is(TrackingId.TrackingId)
const isSenderName = Schema.is(SenderName.SenderName)
const isPhoneNumber = Schema.is(PhoneNumber.PhoneNumber)
/** Whether a value is a ttl in its JSON form. */
export const isTtl = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= ttlLimit

const shown = (value: unknown): string =>
  typeof value === "string"
    ? `"${mask.identifier(value)}"`
    : typeof value === "number" || typeof value === "boolean"
      ? mask.identifier(String(value))
      : kindOf(value)

/** Only what looks like what belongs there: fields that were mixed up would show the text of a message. */
const shownAs = (pattern: RegExp, value: unknown): string =>
  typeof value === "string" && value !== "" && !pattern.test(value) ? mask.text(value) : shown(value)

const aWord = /^[A-Za-z0-9_-]{1,32}$/u
const aQuantity = /^[+-]?\d[\d.,]*\s?[A-Za-z]{0,12}$/u
const aTime = /^[\d\s.:/TZ+-]{1,40}$/u

const shownText = (value: unknown): string => (typeof value === "string" ? mask.text(value) : kindOf(value))

const shownPhone = (value: unknown): string =>
  typeof value === "string"
    ? // No number is longer than what is left of it here.
      `${mask.phone(value.slice(0, 40).replace(/[^+\d]/gu, ""))} (${value.length} characters)`
    : kindOf(value)

const trackingIdFix = (value: unknown): string | undefined => {
  if (typeof value !== "string" || value.length === 0) return undefined
  if (value.length > 254) return shorten(value.length - 254)
  return "build it with TrackingId.of, which escapes other characters"
}

const shorten = (by: number): string => `shorten it by ${counted(by, "character")}`

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

const senderFix = (value: unknown): string | undefined => {
  if (typeof value !== "string") return undefined
  return isSenderName(value.trim()) ? "remove the blanks at its ends" : wholeFix(value)
}

const phoneFix = (value: unknown): string | undefined => {
  const corrected = typeof value === "string" ? PhoneNumber.correct(value) : undefined
  return corrected === undefined ? undefined : `write it as ${mask.phone(corrected)}`
}

const ttlFix = (value: unknown): string | undefined => {
  if (value === null) return leaveOut
  if (typeof value === "string" && isTtl(Number(value))) return "write it as a number"
  // Less than a second is no rounding error but another unit or a mistake.
  if (typeof value !== "number" || value < 1 || !isTtl(Math.ceil(value))) return undefined
  return `round it up to ${Math.ceil(value)} seconds`
}

const leaveOut = "leave the field out"

const scheduleFix = (value: unknown): string | undefined => {
  if (value === null) return leaveOut
  return typeof value === "string" && instant(`${value}Z`) !== undefined
    ? "add its zone: Z for UTC, or an offset such as +02:00"
    : undefined
}

const keyFix = (
  type: MessageType | undefined,
  key: string,
  fields: ReadonlyArray<string>
): string | undefined => {
  if (key === "text" && type === "flashcall") return "leave it out: a flash call has no text"
  const near = fields.find((field) => alike(field, key))
  return near === undefined ? undefined : `did you mean ${near}?`
}

// Close enough to be a slip: the same letters but for case, or one letter missing, added or changed, or two swapped.
const alike = (field: string, key: string): boolean => {
  const a = field.toLowerCase()
  const b = key.toLowerCase()
  if (a === b) return true
  if (Math.abs(a.length - b.length) > 1) return false
  let start = 0
  while (start < a.length && a[start] === b[start]) start++
  return (
    a.slice(start + 1) === b.slice(start + 1) ||
    a.slice(start + 1) === b.slice(start) ||
    a.slice(start) === b.slice(start + 1) ||
    (a[start] === b[start + 1] && a[start + 1] === b[start] && a.slice(start + 2) === b.slice(start + 2))
  )
}
