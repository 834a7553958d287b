/**
 * Why a message has not gone yet, or what became of it.
 *
 * Computed from the very conditions by which the claim takes rows, so that it cannot say "due" of a row that no relay
 * would take. Each explanation has a sentence for people and its facts for programs; it holds no phone number and no
 * text.
 */
import { formatInstant } from "@effect-cascade/core/Message"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as MessageHistory from "./MessageHistory.ts"
import type { ExplainRow } from "./OutboxAdminStore.ts"
import * as OutboxCounts from "./OutboxCounts.ts"
import * as ReasonSummary from "./ReasonSummary.ts"

/** How far `ahead` is counted. */
export const aheadLimit = 10_000

const key = { account: Schema.String, trackingId: Schema.String, sentence: Schema.String }

const common = {
  ...key,
  messageType: Schema.String,
  /** The reading of the database's clock that the rest refers to. */
  asOf: Schema.DateTimeUtc,
  /** The instant after which it must not be sent any more. Absent without a ttl. */
  deadline: Schema.optionalKey(Schema.DateTimeUtc),
  /** What is left until then; zero when it has passed. */
  ttlLeft: Schema.optionalKey(Schema.DurationFromMillis),
  /** An attempt had no clear answer, and nobody has found out since: a person may have received it. */
  mayHaveBeenSent: Schema.Boolean,
  /** The attempts that had none. */
  evidence: Schema.Array(MessageHistory.HistoryEntry)
}

const waiting = {
  ...common,
  lane: Schema.String,
  /** The attempts that counted so far. */
  attempts: Schema.Int,
  /** What the last attempt ended with, if there was one. */
  lastReason: Schema.optionalKey(ReasonSummary.ReasonSummary)
}

/** No message of this account has this tracking id: never enqueued, rolled back, or deleted by retention. */
export const Unknown = Schema.TaggedStruct("Unknown", key)

/** Its time has not come. */
export const Waiting = Schema.TaggedStruct("Waiting", {
  ...waiting,
  until: Schema.DateTimeUtc,
  because: Schema.Literals(["scheduled", "retry"])
})

/** It could be taken now. */
export const Due = Schema.TaggedStruct("Due", {
  ...waiting,
  since: Schema.DateTimeUtc,
  /** How many rows of its lane are taken before it; {@link aheadLimit} stands for that many or more. */
  ahead: Schema.Int,
  /** The lane's pause is over, and relays try with one message at a time whether it works again. */
  onProbation: Schema.Boolean
})

/** It could be taken, but nothing is taken from its lane. */
export const LanePaused = Schema.TaggedStruct("LanePaused", {
  ...waiting,
  dueSince: Schema.DateTimeUtc,
  pause: OutboxCounts.PausedLane
})

/** A relay has it. */
export const InFlight = Schema.TaggedStruct("InFlight", {
  ...waiting,
  /** When the relay took it; absent where that was not written down. */
  since: Schema.optionalKey(Schema.DateTimeUtc),
  /** Unless it is renewed; from then on another relay may take it. */
  leaseUntil: Schema.DateTimeUtc
})

/** It is over, or waits for an operator. */
export const Ended = Schema.TaggedStruct("Ended", {
  ...common,
  state: MessageHistory.MessageState,
  /** Absent where the tables do not say, which happens only after they were changed by hand. */
  end: Schema.optionalKey(MessageHistory.HistoryEntry)
})

/** Why a message has not gone yet, or what became of it. */
export const Explanation = Schema.Union([Unknown, Waiting, Due, LanePaused, InFlight, Ended]).pipe(
  Schema.toTaggedUnion("_tag")
)

/** @see Explanation */
export type Explanation = typeof Explanation.Type

/** Explains a row that a store has read, or that it has not found. */
export const of = (
  asked: { readonly account: string; readonly trackingId: string },
  row: typeof ExplainRow.Type | undefined
): Explanation => {
  const plain: Explanation =
    row === undefined ? { ...asked, _tag: "Unknown", sentence: "" } : factsOf(asked, row)
  return { ...plain, sentence: sentenceOf(plain) }
}

const factsOf = (
  asked: { readonly account: string; readonly trackingId: string },
  row: typeof ExplainRow.Type
): Explanation => {
  const evidence = evidenceOf(row)
  const common = {
    ...asked,
    sentence: "",
    messageType: row.messageType,
    asOf: row.asOf,
    ...(row.deadline === null
      ? {}
      : {
          deadline: row.deadline,
          ttlLeft: Duration.max(DateTime.distance(row.asOf, row.deadline), Duration.zero)
        }),
    mayHaveBeenSent: evidence.length > 0,
    evidence
  }
  const newest = row.newest === null ? undefined : MessageHistory.entryOf(row.newest)
  if (row.work === null) {
    return newest === undefined
      ? { ...common, _tag: "Ended", state: "lost" }
      : { ...common, _tag: "Ended", state: MessageHistory.stateOf(newest.kind), end: newest }
  }
  const { ahead, attempts, dueAt, due, free, lane, leaseUntil, leasedAt } = row.work
  const waiting = {
    ...common,
    lane,
    attempts,
    ...(newest?.reason === undefined ? {} : { lastReason: newest.reason })
  }
  if (!free && leaseUntil !== null) {
    return { ...waiting, _tag: "InFlight", leaseUntil, ...(leasedAt === null ? {} : { since: leasedAt }) }
  }
  if (!due) {
    const because = newest?.kind === "retry" ? "retry" : "scheduled"
    return { ...waiting, _tag: "Waiting", until: dueAt, because }
  }
  const pause = row.heldLane === null ? undefined : OutboxCounts.pausedLaneOf(row.heldLane)
  return pause?.state === "paused"
    ? { ...waiting, _tag: "LanePaused", dueSince: dueAt, pause }
    : { ...waiting, _tag: "Due", since: dueAt, ahead, onProbation: pause !== undefined }
}

const evidenceOf = (row: typeof ExplainRow.Type): ReadonlyArray<MessageHistory.HistoryEntry> => {
  const doubts = MessageHistory.doubts(row.outcomes.map(MessageHistory.entryOf))
  const lapse = row.work?.free === true ? row.work.leaseUntil : null
  // A lease that ran out is written down only when the next relay takes the row.
  return lapse === null || row.work === null
    ? doubts
    : [
        ...doubts,
        { kind: "lapsed", at: lapse, attempts: row.work.attempts, isDoubtful: true, by: "its lease" }
      ]
}

const sentenceOf = (explanation: Explanation): string => {
  const name = `message ${explanation.trackingId} of account ${explanation.account}`
  if (explanation._tag === "Unknown") {
    return `there is no ${name}: it was never enqueued, its transaction rolled back, or retention has deleted it`
  }
  return [`${name} ${clauseOf(explanation)}`, deadlineClause(explanation), doubtClause(explanation)]
    .filter((clause) => clause !== undefined)
    .join("; ")
}

type Known = Exclude<Explanation, typeof Unknown.Type>

const clauseOf = (explanation: Known): string => {
  switch (explanation._tag) {
    case "Waiting": {
      const until = `waits until ${formatInstant(explanation.until)}`
      return explanation.because === "scheduled"
        ? `${until}, the time it is scheduled for`
        : `${until} for attempt ${explanation.attempts + 1}${after(explanation.lastReason)}`
    }
    case "Due": {
      const { ahead, lane, since } = explanation
      const queue =
        ahead === 0
          ? "the next"
          : `behind ${ahead === aheadLimit ? "at least " : ""}${ahead === 1 ? "one other" : `${ahead} others`}`
      const probation = explanation.onProbation ? ", which is being tried again after a pause" : ""
      return `has been due since ${formatInstant(since)} and is ${queue} in lane ${lane}${probation}; if that lasts, no relay serves this account`
    }
    case "LanePaused": {
      const { note, reason, until } = explanation.pause
      const end = until === undefined ? "until somebody resumes it" : `until ${formatInstant(until)}`
      const why = reason?.summary ?? note
      return `is due, but its lane ${explanation.lane} is paused ${end}${why === undefined ? "" : `: ${why}`}`
    }
    case "InFlight": {
      const since = explanation.since === undefined ? "" : ` since ${formatInstant(explanation.since)}`
      return `is with a relay${since} for attempt ${explanation.attempts + 1}; another may take it when the lease ends at ${formatInstant(explanation.leaseUntil)}`
    }
    case "Ended":
      return endClause(explanation)
  }
}

const endClause = ({ end, state }: typeof Ended.Type): string => {
  if (end === undefined) return "has neither work to do nor an outcome: its rows were changed by hand"
  const at = formatInstant(end.at)
  const reason = after(end.reason)
  switch (state) {
    case "sent":
      return `was taken on by the provider at ${at}${end.providerMessageId === undefined ? "" : ` as ${end.providerMessageId}`}`
    case "dead":
      return `was given up at ${at}${reason}; it stays until it is requeued or discarded`
    case "uncertain":
      return `may have been sent, nobody knows, since ${at}${reason}; it stays until it is resolved, requeued or discarded`
    case "expired":
      return `was not sent before its deadline, and expired at ${at}${reason}`
    case "cancelled":
      return `was cancelled by ${end.by} at ${at}`
    case "discarded":
      return `was discarded by ${end.by} at ${at}`
    case "resolved":
      return `was found to have been sent, by ${end.by} at ${at}`
    case "waiting":
    case "in-flight":
    case "lost":
      return `ended as "${end.kind}" at ${at}, which is no end: its rows were changed by hand`
  }
}

const after = (reason: ReasonSummary.ReasonSummary | undefined): string =>
  reason === undefined ? "" : `, after: ${reason.summary}`

const deadlineClause = (explanation: Known): string | undefined => {
  if (
    explanation._tag === "Ended" ||
    explanation.deadline === undefined ||
    explanation.ttlLeft === undefined
  ) {
    return undefined
  }
  const deadline = formatInstant(explanation.deadline)
  return Duration.isPositive(explanation.ttlLeft)
    ? `it must go before ${deadline}`
    : `its deadline passed at ${deadline}, so the relay that takes it ends it as expired`
}

const doubtClause = (explanation: Known): string | undefined => {
  const { length } = explanation.evidence
  if (length === 0 || (explanation._tag === "Ended" && explanation.state === "uncertain")) return undefined
  const attempts = length === 1 ? "one attempt" : `${length} attempts`
  const effect =
    explanation._tag === "Ended" && explanation.state === "sent"
      ? "a person may have received it more than once"
      : "a person may have received it already"
  return `${attempts} had no clear answer: ${effect}`
}
