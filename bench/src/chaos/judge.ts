/**
 * Whether the promises were kept, by the evidence alone. Pure: the same evidence gives the same verdict.
 *
 * The table of the shop says which orders were committed, the ledger what people would have received; the outbox's
 * own tables are only believed where they speak against it or give a reason.
 */
import type { Acceptance, Evidence, MessageFacts, Outcome } from "./evidence.ts"
import { groupBy } from "./groupBy.ts"
import { marksOf } from "./orders.ts"

/** One promise with what was counted for it. */
export interface Verdict {
  readonly promise: string
  /** How many could have broken it. */
  readonly of: number
  /** How many did. */
  readonly broken: number
  /** Some of those that did. */
  readonly examples: ReadonlyArray<string>
}

export interface JudgeOptions {
  /**
   * How long a request may be on its way: so much later than its deadline it may come, in milliseconds. The relay looks
   * at the clock before it sends, and gives at least a whole second. Defaults to 0.
   */
  readonly transitMillis?: number | undefined
}

export const judge = (evidence: Evidence, options?: JudgeOptions): ReadonlyArray<Verdict> => {
  const transitMillis = options?.transitMillis ?? 0
  const { committed, ledger, messages, odd, orders, rolledBack } = evidence
  const byTrackingId = new Map(messages.map((message) => [message.trackingId, message]))
  // In the order of their requests: one that the provider let wait may be accepted after the one that followed it.
  const copies = groupBy(
    [...ledger].sort((a, b) => a.at - b.at),
    ({ trackingId }) => trackingId
  )
  const received = (message: MessageFacts) => copies.get(message.trackingId) ?? []
  const count = (
    promise: string,
    of: ReadonlyArray<MessageFacts>,
    isBroken: (message: MessageFacts) => boolean
  ): Verdict => verdict(promise, of.length, of.filter(isBroken).map(describe))

  const perOrder = groupBy(messages, ({ trackingId }) => marksOf(trackingId).order)
  const ends = messages.filter((message) => endOf(message) !== undefined)
  const resent = messages.filter((message) => message.uncertainty === "resend")
  const held = messages.filter((message) => message.uncertainty === "hold")
  const dated = messages.filter(({ deadline }) => deadline !== undefined)
  const scheduled = messages.filter(({ trackingId }) => marksOf(trackingId).notBefore !== undefined)
  const healthy = messages.filter(({ trackingId }) => !marksOf(trackingId).isBad)

  return [
    verdict(
      "a commit that was confirmed is there",
      committed.size,
      [...committed].filter((order) => !orders.has(order))
    ),
    verdict("an order and its messages are committed together, or neither is", orders.size, [
      ...[...orders].flatMap(([order, count]) => (perOrder.get(order)?.length === count ? [] : [order])),
      ...[...perOrder.keys()].filter((order) => !orders.has(order))
    ]),
    verdict("rolled back is never stored and never sent", rolledBack.size, [
      ...[...rolledBack].filter((order) => orders.has(order)),
      ...ledger.flatMap(({ trackingId }) => (byTrackingId.has(trackingId) ? [] : [trackingId]))
    ]),
    // Lost would be: no end at all, an end without a reason, or `sent` where nobody received anything.
    count("committed is sent, or its end says why not", messages, (message) => {
      const end = endOf(message)
      if (end === undefined) return true
      if (end.kind === "sent") return received(message).length === 0
      return (end.kind === "dead" || end.kind === "uncertain") && end.reason === null
    }),
    verdict("no work is left", 1, evidence.workLeft === 0 ? [] : [`${evidence.workLeft} rows`]),
    count("`hold` never reaches a person twice", held, (message) => received(message).length > 1),
    count("`resend` sends again only after a recorded unknown outcome", resent, (message) => {
      const unknowns = message.outcomes.filter(isUnknown)
      return received(message).some(
        ({ at }, index) => unknowns.filter((unknown) => unknown.at <= at + clockStep).length < index
      )
    }),
    count("`resend` is not given up while it can be sent", resent, (message) => {
      const end = endOf(message)
      // Out of attempts is shown as uncertain; one that was under way at three kills is taken for what kills.
      return end?.kind === "dead" && end.reason !== "Rejected" && end.reason !== "CutShort"
    }),
    count("nothing is sent after its deadline", dated, (message) =>
      received(message).some(({ at }) => at > (message.deadline ?? Infinity) + transitMillis)
    ),
    count("nothing is sent before its time", scheduled, (message) =>
      received(message).some(({ at }) => at < (marksOf(message.trackingId).notBefore ?? 0))
    ),
    count("`expired` has a deadline that has passed", ends, (message) => {
      const end = endOf(message)
      if (end?.kind !== "expired") return false
      // With less than a second left there is no whole second to give to the provider; a retry may not fit either.
      return message.deadline === undefined || end.at < message.deadline - longestRetry
    }),
    count("a cancelled message is never sent", messages.filter(isCancelled(evidence)), (message) => {
      return received(message).length > 0 || endOf(message)?.kind !== "cancelled"
    }),
    count(
      "one bad message takes no other with it",
      healthy,
      (message) => endOf(message)?.reason === "Rejected"
    ),
    count("an outage costs no attempts", messages, (message) => !attemptsAreRight(message)),
    count("each message has one end", messages, ({ outcomes }) => outcomes.filter(isEnd).length > 1),
    verdict("producers see lost connections and nothing else", orders.size, odd)
  ]
}

/** Of the schedule that the relays of a run have, in milliseconds, and the second that a provider needs at least. */
const longestRetry = 4_000

/** The ledger knows whole milliseconds, the database parts of them. */
const clockStep = 1

const verdict = (promise: string, of: number, broken: ReadonlyArray<string>): Verdict => ({
  promise,
  of,
  broken: broken.length,
  examples: broken.slice(0, 5)
})

const ends = new Set(["sent", "dead", "expired", "uncertain", "cancelled"])

const isEnd = ({ kind }: Outcome): boolean => ends.has(kind)

/** How a message ended; `undefined` where it has not. */
export const endOf = ({ outcomes }: MessageFacts): Outcome | undefined => {
  const last = outcomes.at(-1)
  return last !== undefined && isEnd(last) ? last : undefined
}

const notSent = new Set([
  "Rejected",
  "Unencodable",
  "Expired",
  "Withheld",
  "Unauthorized",
  "Redirected",
  "Throttled",
  "Unreachable"
])

/** After this outcome somebody may have received the message. */
const isUnknown = ({ kind, reason }: Outcome): boolean =>
  kind !== "sent" && reason !== null && !notSent.has(reason)

const isCancelled =
  ({ cancelled }: Evidence) =>
  ({ trackingId }: MessageFacts): boolean =>
    cancelled.has(trackingId)

/** Only a request that may have been carried out counts: not a refusal of the lane, not a lease that ran out. */
const attemptsAreRight = ({ outcomes }: MessageFacts): boolean => {
  let attempts = 0
  return outcomes.every((outcome) => {
    const mayCount = outcome.kind !== "deferred" && outcome.kind !== "lapsed" && outcome.kind !== "cancelled"
    const isRight = outcome.attempt === attempts || (mayCount && outcome.attempt === attempts + 1)
    attempts = outcome.attempt
    return isRight
  })
}

const describe = ({ outcomes, trackingId, uncertainty }: MessageFacts): string =>
  `${trackingId} (${uncertainty}): ${outcomes.map(({ kind, reason }) => `${kind}${reason === null ? "" : ` ${reason}`}`).join(", ") || "nothing"}`

/** How messages ended, for the table. */
export const endings = (evidence: Evidence): ReadonlyArray<readonly [string, number]> => {
  const counts = new Map<string, number>()
  for (const message of evidence.messages) {
    const end = endOf(message)
    const name =
      end === undefined
        ? "no end"
        : end.kind === "dead" || end.kind === "uncertain"
          ? `${end.kind} (${end.reason ?? "no reason"})`
          : end.kind
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return [...counts].sort(([, a], [, b]) => b - a)
}

/** Copies beyond the first, by tracking id. */
export const duplicates = (ledger: ReadonlyArray<Acceptance>): number =>
  ledger.length - new Set(ledger.map(({ trackingId }) => trackingId)).size
