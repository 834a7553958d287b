/**
 * Whether a message in the outbox is the one that a test means, and if not, in which fields it differs, without
 * personal data.
 *
 * What a message itself has is compared as for one that was sent; here stands what only the outbox knows.
 */
import * as Message from "@effect-cascade/core/Message"
import * as Lane from "@effect-cascade/outbox/Lane"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { EnqueuedMessage } from "../../EnqueuedMessages.ts"
import type { EnqueuedMatch } from "../../OutboxAssert.ts"
import * as sent from "../fake/match.ts"
import { OutboxAssertionError } from "./OutboxAssertionError.ts"

/** Answers with the fields in which a message differs, each in words. */
export type Differences = (message: EnqueuedMessage) => ReadonlyArray<string>

/** A match that has been checked. One that can never hold is refused: a refutation would hold by mistake. */
export const compile = Effect.fnUntraced(function* (
  match: EnqueuedMatch,
  within: Duration.Duration
): Effect.fn.Return<Differences, OutboxAssertionError> {
  for (const [key, value] of Object.entries(match)) {
    if (!isOwn(key) && !sentFields.has(key)) {
      const known = [...sentFields, ...Object.keys(own)].sort().join(", ")
      return yield* impossible(`there is no field ${key}; there are ${known}`)
    }
    if (value === undefined) return yield* impossible(`its ${key} is undefined`)
    if (instants.has(key) && instantOf(value) === undefined)
      return yield* impossible(`its ${key} is not an instant`)
  }
  const { ownMatch, sentMatch } = split(match)
  const sentDifferences = yield* Effect.try({
    try: () => sent.compile(sentMatch),
    catch: (error) =>
      new OutboxAssertionError({
        details: error instanceof Error ? error.message : "the match cannot be read"
      })
  })
  return (message) => {
    const ownDifferences = Object.keys(ownMatch)
      .filter(isOwn)
      .flatMap((key) => {
        const difference = own[key](ownMatch, message, within)
        return difference === undefined ? [] : `${key}: ${difference}`
      })
    if (Object.keys(sentMatch).length === 0) return ownDifferences
    const { envelope } = message
    return envelope === undefined
      ? [...ownDifferences, "the message cannot be read"]
      : [...sentDifferences({ message: envelope.message, envelope }), ...ownDifferences]
  }
})

/** A match in words. */
export const describe = (match: EnqueuedMatch): string => {
  const { ownMatch, sentMatch } = split(match)
  const words = Object.entries(ownMatch).map(([key, value]) => `${key}: ${shown(value)}`)
  return Object.keys(sentMatch).length === 0 && words.length > 0
    ? words.join(", ")
    : [sent.describe(sentMatch), ...words].join(", ")
}

type Own = Pick<EnqueuedMatch, "lane" | "priority" | "uncertainty" | "state" | "dueAt" | "scheduledSent">

/** For each field: how a message differs from a match that has the field, or nothing. */
const own: {
  readonly [Key in keyof Own]-?: (
    match: Own,
    message: EnqueuedMessage,
    within: Duration.Duration
  ) => string | undefined
} = {
  lane: (match, { lane }) => differ(match.lane, lane),
  priority: (match, { lane }) => differ(match.priority, Lane.priorityOf(lane)),
  uncertainty: (match, { uncertainty }) => differ(match.uncertainty, uncertainty),
  state: (match, { state }) => differ(match.state, state),
  dueAt: (match, { dueAt }, within) => apart(match.dueAt, dueAt, within),
  // As the message has it, whoever waits for it.
  scheduledSent: (match, { message }, within) => apart(match.scheduledSent, message?.scheduledSent, within)
}

const isOwn = (key: string): key is keyof Own => Object.hasOwn(own, key)

const instants = new Set(["dueAt", "scheduledSent"])

const sentFields: ReadonlySet<string> = new Set<keyof sent.MessageMatch>([
  "_tag",
  "id",
  "fromName",
  "toPhone",
  "text",
  "surveyOptions",
  "ttl",
  "route",
  "account",
  "headers"
])

const split = ({ dueAt, lane, priority, scheduledSent, state, uncertainty, ...sentMatch }: EnqueuedMatch) => {
  const ownMatch: Own = Object.fromEntries(
    Object.entries({ lane, priority, uncertainty, state, scheduledSent, dueAt }).filter(
      ([, value]) => value !== undefined
    )
  )
  return { ownMatch, sentMatch }
}

const differ = (expected: string | undefined, actual: string | undefined): string | undefined =>
  expected === actual ? undefined : `expected ${expected}, was ${actual ?? "none"}`

const apart = (
  expected: unknown,
  actual: DateTime.Utc | undefined,
  within: Duration.Duration
): string | undefined => {
  const wanted = instantOf(expected)
  if (wanted === undefined) return undefined
  const tolerance = Duration.isZero(within) ? "" : ` within ${Duration.format(within)}`
  const wish = `expected ${Message.formatInstant(wanted)}${tolerance}`
  if (actual === undefined) return `${wish}, was none`
  const distance = Math.abs(DateTime.toEpochMillis(actual) - DateTime.toEpochMillis(wanted))
  return distance <= Duration.toMillis(within)
    ? undefined
    : `${wish}, was ${Message.formatInstant(actual)}, ${Duration.format(Duration.millis(distance))} off`
}

const instantOf = (value: unknown): DateTime.Utc | undefined =>
  DateTime.isDateTime(value) || value instanceof Date || typeof value === "string"
    ? Option.getOrUndefined(Option.map(DateTime.make(value), DateTime.toUtc))
    : undefined

const shown = (value: unknown): string => {
  const instant = DateTime.isDateTime(value) || value instanceof Date ? instantOf(value) : undefined
  return instant === undefined ? String(value) : Message.formatInstant(instant)
}

const impossible = (problem: string) =>
  Effect.fail(new OutboxAssertionError({ details: `this match can never hold: ${problem}` }))
