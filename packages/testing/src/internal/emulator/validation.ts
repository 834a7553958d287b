/**
 * The provider's rules of one message, as https://smsbat.com/help/api/cascade/send/ states them.
 *
 * Written apart from the library's own rules on purpose: the emulator is to find a message that the library should
 * not have let through. The page names one code word, `INVALID_PHONE`; the others follow its pattern, and the
 * words of https://smsbat.com/help/api/smsbat/send-message/ where it has one.
 */

/** What is wrong with a message. Says nothing of its values. */
export interface Refusal {
  readonly code: string
  /** The number of the newer error pages: 1001 format, 1002 missing field, 1003 phone number. */
  readonly number: 1001 | 1002 | 1003
  readonly message: string
  readonly field: string
}

/** What the rules depend on. */
export interface Rules {
  /** Also take `380…` and `0…`, as some of the provider's pages show them. */
  readonly lenientPhone: boolean
  /** Numbers that are refused although they are well-formed. */
  readonly isRefused: (phone: string) => boolean
}

/** The first broken rule of a message, or `undefined`. */
export const check = (
  message: Readonly<Record<string, unknown>>,
  rules: Rules,
  now: number
): Refusal | undefined => {
  const { fromName, id, messageType, scheduledSent, text, toPhone, ttl } = message
  if (typeof id !== "string" || id === "" || id.length > 254) return id === undefined ? missing("id") : badId
  if (typeof fromName !== "string" || fromName === "") {
    return fromName === undefined ? missing("fromName") : badSender
  }
  if (typeof toPhone !== "string") return toPhone === undefined ? missing("toPhone") : badPhone
  if (!(rules.lenientPhone ? lenient : e164).test(toPhone) || rules.isRefused(toPhone)) return badPhone
  switch (messageType) {
    case "transaction":
    case "promo":
      if (typeof text !== "string" || text === "") return text === undefined ? missing("text") : badText
      break
    case "viber_survey": {
      if (typeof text !== "string" || text === "") return text === undefined ? missing("text") : badText
      // UTF-16 units, as the samples of the page count them.
      if (text.length > 85) return longSurvey
      const options = message["surveyOptions"]
      if (!isOptions(options)) return options === undefined ? missing("surveyOptions") : badOptions
      break
    }
    case "flashcall":
      break
    default:
      return messageType === undefined ? missing("messageType") : badType
  }
  if (ttl !== undefined && ttl !== null && !isTtl(ttl)) return badTtl
  if (scheduledSent === undefined || scheduledSent === null) return undefined
  const at = instantOf(scheduledSent)
  if (at === undefined) return badSchedule
  return at > now + scheduleLimit ? farSchedule : undefined
}

/** The milliseconds of an ISO 8601 instant that names its zone, else `undefined`. */
export const instantOf = (value: unknown): number | undefined => {
  if (typeof value !== "string" || !instant.test(value)) return undefined
  const millis = Date.parse(value)
  return Number.isNaN(millis) ? undefined : millis
}

const e164 = /^\+[1-9][0-9]{6,14}$/
const lenient = /^\+?[0-9]{7,15}$/
const instant = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})$/
const scheduleLimit = 30 * 24 * 60 * 60 * 1000

const isTtl = (ttl: unknown): boolean => typeof ttl === "number" && Number.isInteger(ttl) && ttl > 0

const isOptions = (options: unknown): boolean =>
  Array.isArray(options) &&
  options.length >= 2 &&
  options.length <= 5 &&
  options.every((option) => typeof option === "string" && option !== "")

const missing = (field: string): Refusal => ({
  code: "MISSING_FIELD",
  number: 1002,
  message: `Missing required field: '${field}'`,
  field
})

const refusal = (code: string, field: string, message: string): Refusal => ({
  code,
  number: 1001,
  message,
  field
})

const badId = refusal("INVALID_ID", "id", "Tracking id must be text of 1 to 254 characters")
const badSender = refusal("INVALID_SENDER", "fromName", "Invalid sender name")
const badType = refusal("INVALID_MESSAGE_TYPE", "messageType", "Unknown message type")
const badText = refusal("INVALID_TEXT", "text", "Text must not be empty")
const longSurvey = refusal("MESSAGE_TOO_LONG", "text", "Survey text must not exceed 85 characters")
const badOptions = refusal("INVALID_SURVEY_OPTIONS", "surveyOptions", "Survey needs 2 to 5 options")
const badTtl = refusal("INVALID_TTL", "ttl", "Time to live must be a positive number of seconds")
const badSchedule = refusal("INVALID_SCHEDULE", "scheduledSent", "Invalid date and time, or no time zone")
const farSchedule = refusal("INVALID_SCHEDULE", "scheduledSent", "Scheduled more than 30 days in advance")

/** As the page prints it. */
const badPhone: Refusal = {
  code: "INVALID_PHONE",
  number: 1003,
  message: "Invalid phone number format",
  field: "toPhone"
}
