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

export const surveyTextLimit = 85
export const surveyOptionLimits = { minimum: 2, maximum: 5 } as const
/** What a 32-bit integer holds, which is what a service is likely to read `ttl` into. About 68 years. */
export const ttlLimit = 2_147_483_647

export const textRule = "a non-empty text"
export const surveyTextRule = `a non-empty text of at most ${surveyTextLimit} characters (UTF-16 units)`
export const optionsRule = `${surveyOptionLimits.minimum} to ${surveyOptionLimits.maximum} different options`
export const ttlRule = `a whole number of seconds from 1 to ${ttlLimit}`
export const scheduleRule = "an instant with its zone, such as 2026-01-25T10:00:00Z"

export type MessageType = "transaction" | "promo" | "viber_survey" | "flashcall"

const common = ["id", "fromName", "toPhone", "ttl", "scheduledSent"]

const fieldsOf: Record<MessageType, ReadonlyArray<string>> = {
  transaction: [...common, "text"],
  promo: [...common, "text"],
  viber_survey: [...common, "text", "surveyOptions"],
  flashcall: common
}

/** Every broken rule of a message that came in as `type`. `input` holds the other fields in their JSON form. */
export const problems = (type: MessageType, input: Readonly<Record<string, unknown>>): Array<Problem> => {
  const found: Array<Problem> = []
  const add = (path: string, rule: string, received: string, fix?: string) =>
    found.push(new Problem({ path, rule, received, ...(fix === undefined ? {} : { fix }) }))

  const id = own(input, "id")
  if (!isTrackingId(id)) add("id", TrackingId.rule, shown(id), trackingIdFix(id))

  const fromName = own(input, "fromName")
  if (!isSenderName(fromName)) add("fromName", SenderName.rule, shown(fromName), senderFix(fromName))

  const toPhone = own(input, "toPhone")
  if (!isPhoneNumber(toPhone)) add("toPhone", PhoneNumber.rule, shownPhone(toPhone), phoneFix(toPhone))

  if (fieldsOf[type].includes("text")) textProblems(type, own(input, "text"), add)
  if (fieldsOf[type].includes("surveyOptions")) optionProblems(own(input, "surveyOptions"), add)

  const ttl = own(input, "ttl")
  if (ttl !== undefined && !isTtl(ttl)) add("ttl", ttlRule, shown(ttl), ttlFix(ttl))

  const scheduledSent = own(input, "scheduledSent")
  if (scheduledSent !== undefined && instant(scheduledSent) === undefined) {
    add("scheduledSent", scheduleRule, shown(scheduledSent), scheduleFix(scheduledSent))
  }

  for (const key of Object.keys(input)) {
    if (fieldsOf[type].includes(key) || input[key] === undefined) continue
    add(
      mask.identifier(key).slice(1, -1),
      `no field but ${fieldsOf[type].join(", ")}`,
      kindOf(input[key]),
      keyFix(type, key)
    )
  }
  return found
}

type Add = (path: string, rule: string, received: string, fix?: string) => void

const textProblems = (type: MessageType, text: unknown, add: Add): void => {
  const rule = type === "viber_survey" ? surveyTextRule : textRule
  if (typeof text !== "string" || text.length === 0) return add("text", rule, shownText(text))
  if (type === "viber_survey" && text.length > surveyTextLimit) {
    add("text", rule, mask.text(text), `shorten it by ${text.length - surveyTextLimit} characters`)
  }
}

const optionProblems = (options: unknown, add: Add): void => {
  if (!Array.isArray(options)) return add("surveyOptions", optionsRule, shownText(options))
  if (options.length < surveyOptionLimits.minimum || options.length > surveyOptionLimits.maximum) {
    add("surveyOptions", optionsRule, `${options.length} options`)
  }
  const seen = new Map<unknown, number>()
  options.forEach((option: unknown, index) => {
    if (typeof option !== "string" || option.length === 0) {
      return add(`surveyOptions[${index}]`, textRule, shownText(option))
    }
    const first = seen.get(option)
    if (first === undefined) seen.set(option, index)
    else add(`surveyOptions[${index}]`, "options that differ", `the same as surveyOptions[${first}]`)
  })
}

/** The milliseconds of an ISO instant that names its zone, else `undefined`. */
export const instant = (value: unknown): number | undefined => {
  if (typeof value !== "string") return undefined
  const parts = isoInstant.exec(value)
  if (parts === null) return undefined
  const day = Number(parts[3])
  // A Date takes the 30th of February for the 2nd of March; a message must not move by itself.
  if (day > new Date(Date.UTC(Number(parts[1]), Number(parts[2]), 0)).getUTCDate()) return undefined
  return Option.getOrUndefined(Option.map(DateTime.make(value), DateTime.toEpochMillis))
}

const isoInstant = /^(\d{4})-(\d{2})-(\d{2})T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/u

const isTrackingId = Schema.is(TrackingId.TrackingId)
const isSenderName = Schema.is(SenderName.SenderName)
const isPhoneNumber = Schema.is(PhoneNumber.PhoneNumber)
const isTtl = (value: unknown): boolean =>
  typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= ttlLimit

// Own properties alone, so that nothing is read from a prototype.
const own = (input: Readonly<Record<string, unknown>>, key: string): unknown =>
  Object.hasOwn(input, key) ? input[key] : undefined

const kindOf = (value: unknown): string =>
  value === undefined
    ? "nothing"
    : value === null
      ? "null"
      : Array.isArray(value)
        ? "an array"
        : `a ${typeof value}`

const shown = (value: unknown): string =>
  typeof value === "string"
    ? mask.identifier(value)
    : typeof value === "number" || typeof value === "boolean"
      ? mask.identifier(String(value)).slice(1, -1)
      : kindOf(value)

const shownText = (value: unknown): string => (typeof value === "string" ? mask.text(value) : kindOf(value))

const shownPhone = (value: unknown): string =>
  typeof value === "string"
    ? `${mask.phone(value.replace(/[^+\d]/gu, ""))} (${value.length} characters)`
    : kindOf(value)

const trackingIdFix = (value: unknown): string | undefined => {
  if (typeof value !== "string" || value.length === 0) return undefined
  if (value.length > 254) return `shorten it by ${value.length - 254} characters`
  return "build it with TrackingId.of, which escapes other characters"
}

const senderFix = (value: unknown): string | undefined =>
  typeof value === "string" && isSenderName(value.trim()) ? "remove the blanks at its ends" : undefined

const phoneFix = (value: unknown): string | undefined => {
  const corrected = typeof value === "string" ? PhoneNumber.correct(value) : undefined
  return corrected === undefined ? undefined : `write it as ${mask.phone(corrected)}`
}

const ttlFix = (value: unknown): string | undefined => {
  if (typeof value === "string" && isTtl(Number(value))) return "write it as a number"
  if (typeof value !== "number" || !isTtl(Math.ceil(value))) return undefined
  return `round it up to ${Math.ceil(value)} seconds`
}

const scheduleFix = (value: unknown): string | undefined =>
  typeof value === "string" && instant(`${value}Z`) !== undefined
    ? "add its zone: Z for UTC, or an offset such as +02:00"
    : undefined

const keyFix = (type: MessageType, key: string): string | undefined => {
  if (key === "text" && type === "flashcall") return "leave it out: a flash call has no text"
  const near = fieldsOf[type].find((field) => alike(field, key))
  return near === undefined ? undefined : `did you mean ${near}?`
}

// Close enough to be a slip: the same letters but for case, or one letter missing, added or changed.
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
    a.slice(start) === b.slice(start + 1)
  )
}
