/**
 * Whether a message is the one that a test means, and if not, in which fields it differs, without personal data.
 */
import * as Message from "@effect-cascade/core/Message"
import type { Envelope } from "@effect-cascade/core/Envelope"
import * as PhoneNumber from "@effect-cascade/core/PhoneNumber"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { AssertionFailed } from "./AssertionFailed.ts"

/** What a message has to be in the fields named; a message of one's own will do too. */
export interface MessageMatch {
  readonly _tag?: Message.Message["_tag"]
  readonly id?: string | RegExp
  readonly fromName?: string
  /** In E.164 form. */
  readonly toPhone?: string
  readonly text?: string | RegExp
  readonly surveyOptions?: ReadonlyArray<string>
  /** As the message has it, not what is left of it. */
  readonly ttl?: Duration.Input
  /** As the message has it, whoever waits for it. */
  readonly scheduledSent?: DateTime.DateTime | Date | string
  readonly route?: Envelope["route"]
  readonly account?: string
  /** Those that have to be there. */
  readonly headers?: Readonly<Record<string, string>>
}

/** A match, or a function that decides. */
export type Matcher = MessageMatch | ((message: Message.Message, envelope: Envelope) => boolean)

/** What is compared: a message as it went over the wire, and the envelope it came in. */
export interface Compared {
  readonly message: Message.Message
  readonly envelope: Envelope
}

/**
 * A matcher that has been checked. One that can never match is refused: an assertion that something was not sent
 * would hold by mistake.
 */
export const compile = (matcher: Matcher): ((compared: Compared) => ReadonlyArray<string>) => {
  if (typeof matcher === "function") {
    return ({ envelope, message }) => (matcher(message, envelope) ? [] : ["the function says no"])
  }
  if (typeof matcher !== "object" || matcher === null) throw wrong("it is neither an object nor a function")
  for (const [key, value] of Object.entries(matcher)) {
    if (!isField(key))
      throw wrong(`there is no field ${key}; there are ${Object.keys(differences).join(", ")}`)
    if (value === undefined) throw wrong(`its ${key} is undefined`)
  }
  if (matcher.toPhone !== undefined && !isPhoneNumber(matcher.toPhone)) {
    throw wrong(`its toPhone is not a phone number; expected ${PhoneNumber.rule}`)
  }
  if (matcher.scheduledSent !== undefined && instant(matcher.scheduledSent) === undefined) {
    throw wrong("its scheduledSent is not an instant")
  }
  return (compared) =>
    Object.keys(matcher)
      .filter(isField)
      .flatMap((key) => {
        const difference = differences[key](matcher, compared)
        return difference === undefined ? [] : `${key}: ${difference}`
      })
}

/** A matcher in words. */
export const describe = (matcher: Matcher): string => {
  if (typeof matcher === "function") return "a function"
  const fields = Object.keys(matcher).filter(isField)
  return fields.length === 0 ? "any" : fields.map((key) => `${key}: ${shown[key](matcher)}`).join(", ")
}

/** An identifier with what may be a phone number in it masked. */
export const shownId = (id: string): string => id.replace(/\+?\d{7,}/gu, PhoneNumber.mask)

const wrong = (problem: string) => new AssertionFailed({ details: `this match can never hold: ${problem}` })

type Field = keyof MessageMatch

const isField = (key: string): key is Field => Object.hasOwn(differences, key)
const isPhoneNumber = Schema.is(PhoneNumber.PhoneNumber)

/** For each field: how a message differs from a match that has the field, or nothing. */
const differences: {
  readonly [Key in Field]-?: (match: MessageMatch, compared: Compared) => string | undefined
} = {
  _tag: (match, { message }) => plain(match._tag, message._tag),
  id: (match, { message }) =>
    match.id instanceof RegExp
      ? pattern(match.id, message.id, shownId)
      : plain(match.id, message.id, shownId),
  fromName: (match, { message }) => plain(match.fromName, message.fromName),
  toPhone: (match, { message }) => plain(match.toPhone, message.toPhone, PhoneNumber.mask),
  text: (match, { message }) => {
    const text = "text" in message ? message.text : undefined
    if (match.text instanceof RegExp) return pattern(match.text, text, shownText)
    if (match.text === text || match.text === undefined) return undefined
    const parting = text === undefined ? "" : `; they part at character ${partingOf(match.text, text)}`
    return `${differ(shownText(match.text), shownText(text))}${parting}`
  },
  surveyOptions: (match, { message }) => {
    const options = "surveyOptions" in message ? message.surveyOptions : undefined
    return same(match.surveyOptions, options)
      ? undefined
      : differ(shownOptions(match.surveyOptions), shownOptions(options))
  },
  ttl: (match, { envelope }) => {
    const [expected, actual] = [millis(match.ttl), millis(envelope.message.ttl)]
    return expected === actual
      ? undefined
      : differ(shownDuration(match.ttl), shownDuration(envelope.message.ttl))
  },
  scheduledSent: (match, { envelope }) =>
    plain(instant(match.scheduledSent), instant(envelope.message.scheduledSent)),
  route: (match, { envelope }) => plain(match.route, envelope.route),
  account: (match, { envelope }) => plain(match.account, envelope.account),
  headers: (match, { envelope }) => {
    const others = Object.entries(match.headers ?? {}).filter(
      ([name, value]) => envelope.headers?.[name] !== value
    )
    return others.length === 0 ? undefined : `${others.map(([name]) => name).join(", ")} differ or are absent`
  }
}

const shown: { readonly [Key in Field]-?: (match: MessageMatch) => string } = {
  _tag: (match) => String(match._tag),
  id: (match) => (match.id instanceof RegExp ? String(match.id) : shownId(String(match.id))),
  fromName: (match) => String(match.fromName),
  toPhone: (match) => PhoneNumber.mask(String(match.toPhone)),
  text: (match) => (match.text instanceof RegExp ? String(match.text) : shownText(match.text)),
  surveyOptions: (match) => shownOptions(match.surveyOptions),
  ttl: (match) => shownDuration(match.ttl),
  scheduledSent: (match) => String(instant(match.scheduledSent)),
  route: (match) => String(match.route),
  account: (match) => String(match.account),
  headers: (match) => Object.keys(match.headers ?? {}).join(", ")
}

const plain = (
  expected: string | undefined,
  actual: string | undefined,
  show: (value: string) => string = (value) => value
): string | undefined =>
  expected === actual ? undefined : differ(showOr(expected, show), showOr(actual, show))

const pattern = (
  expected: RegExp,
  actual: string | undefined,
  show: (value: string) => string
): string | undefined =>
  // A copy, since a global expression remembers where it was.
  actual !== undefined && new RegExp(expected).test(actual)
    ? undefined
    : differ(String(expected), showOr(actual, show))

const differ = (expected: string, actual: string): string =>
  expected === actual
    ? `expected ${expected}, was another one that looks the same masked`
    : `expected ${expected}, was ${actual}`

const showOr = (value: string | undefined, show: (value: string) => string): string =>
  value === undefined ? "none" : show(value)

const shownText = (text: string | undefined): string =>
  text === undefined ? "none" : `<${text.length} characters>`

const shownOptions = (options: ReadonlyArray<string> | undefined): string =>
  options === undefined ? "none" : `[${options.map(shownText).join(", ")}]`

const shownDuration = (ttl: Duration.Input | undefined): string =>
  ttl === undefined ? "none" : Duration.format(Duration.fromInputUnsafe(ttl))

const millis = (ttl: Duration.Input | undefined): number | undefined =>
  ttl === undefined ? undefined : Duration.toMillis(Duration.fromInputUnsafe(ttl))

const instant = (value: DateTime.DateTime | Date | string | undefined): string | undefined =>
  value === undefined
    ? undefined
    : Option.getOrUndefined(
        Option.map(DateTime.make(value), (at) => Message.formatInstant(DateTime.toUtc(at)))
      )

const same = (a: ReadonlyArray<string> | undefined, b: ReadonlyArray<string> | undefined): boolean =>
  a?.length === b?.length && (a ?? []).every((option, index) => option === b?.[index])

const partingOf = (a: string, b: string): number => {
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  return at + 1
}
