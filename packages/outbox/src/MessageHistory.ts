/**
 * A message in the outbox with everything that became of it, as an operator sees it.
 */
import * as Schema from "effect/Schema"
import * as MaskedContent from "./MaskedContent.ts"
import type { MessageRow, OutcomeRow, ParkedRow } from "./OutboxAdminStore.ts"
import * as ReasonSummary from "./ReasonSummary.ts"

/**
 * What state a message is in. `waiting`: due now or later. `in-flight`: held by a relay. `dead` and `uncertain` wait
 * for an operator. `discarded` and `resolved` are ends that an operator chose. `lost`: the tables were changed by
 * hand, and do not say.
 */
export const MessageState = Schema.Literals([
  "waiting",
  "in-flight",
  "sent",
  "dead",
  "uncertain",
  "expired",
  "cancelled",
  "discarded",
  "resolved",
  "lost"
])

/** @see MessageState */
export type MessageState = typeof MessageState.Type

/** The state that a store named; `lost` for one that this version does not know. */
export const stateOf = (name: string): MessageState => (isState(name) ? name : "lost")

const isState = Schema.is(MessageState)

/** What became of a message at one time. */
export const HistoryEntry = Schema.Struct({
  /** How an attempt ended (`sent`, `retry`, `deferred`, `lapsed`, …), or what an operator did (`requeued`, …). */
  kind: Schema.String,
  at: Schema.DateTimeUtc,
  /** How many attempts had counted by then. */
  attempts: Schema.Int,
  reason: Schema.optionalKey(ReasonSummary.ReasonSummary),
  /** Whether the message may have been sent because of it. */
  isDoubtful: Schema.Boolean,
  /** The provider's id. */
  providerMessageId: Schema.optionalKey(Schema.String),
  /** The relay or the operator that wrote it. */
  by: Schema.String
})

/** @see HistoryEntry */
export type HistoryEntry = typeof HistoryEntry.Type

const message = {
  /** The outbox's id of it. */
  id: Schema.String,
  account: Schema.String,
  trackingId: Schema.String,
  lane: Schema.String,
  messageType: Schema.String,
  content: MaskedContent.MaskedContent,
  createdAt: Schema.DateTimeUtc,
  deadline: Schema.optionalKey(Schema.DateTimeUtc)
}

/** A message that ended in a state from which it can be sent again. */
export const ParkedMessage = Schema.Struct({ ...message, end: HistoryEntry })

/** @see ParkedMessage */
export type ParkedMessage = typeof ParkedMessage.Type

/** A message with its history, the oldest entry first. */
export const MessageHistory = Schema.Struct({
  ...message,
  uncertainty: Schema.String,
  state: MessageState,
  entries: Schema.Array(HistoryEntry),
  /** An attempt had no clear answer, and nobody has found out since. */
  mayHaveBeenSent: Schema.Boolean
})

/** @see MessageHistory */
export type MessageHistory = typeof MessageHistory.Type

/** An entry, from a store's row. */
export const entryOf = (row: typeof OutcomeRow.Type): HistoryEntry => ({
  kind: row.kind,
  at: row.at,
  attempts: row.attempt,
  ...(row.reason === null ? {} : { reason: ReasonSummary.of(row.reason) }),
  isDoubtful: isDoubtful(row),
  ...(row.providerMessageId === null ? {} : { providerMessageId: row.providerMessageId }),
  by: row.by
})

const isDoubtful = ({ kind, reason }: typeof OutcomeRow.Type): boolean => {
  switch (kind) {
    case "lapsed":
    case "uncertain":
      return true
    case "retry":
    case "dead":
    case "expired":
      return reason !== null && ReasonSummary.isDoubtful(reason)
    default:
      return false
  }
}

/** The entries because of which a message may have been sent, since somebody last found out. */
export const doubts = (entries: ReadonlyArray<HistoryEntry>): ReadonlyArray<HistoryEntry> =>
  entries
    .slice(entries.findLastIndex(({ kind }) => kind === "resolved") + 1)
    .filter((entry) => entry.isDoubtful)

/** A parked message, from a store's row. */
export const ofParked = (row: typeof ParkedRow.Type): ParkedMessage => ({
  ...aboutMessage(row),
  end: entryOf(row.outcome)
})

/** A message with its history, from a store's row. */
export const of = (row: typeof MessageRow.Type): MessageHistory => {
  const entries = row.outcomes.map(entryOf)
  return {
    ...aboutMessage(row),
    uncertainty: row.uncertainty,
    state: stateOf(row.state),
    entries,
    mayHaveBeenSent: doubts(entries).length > 0
  }
}

const aboutMessage = (row: typeof MessageRow.Type | typeof ParkedRow.Type) => ({
  id: row.id,
  account: row.account,
  trackingId: row.trackingId,
  lane: row.lane,
  messageType: row.messageType,
  content: MaskedContent.of(row.payload, row.createdAt),
  createdAt: row.createdAt,
  ...(row.deadline === null ? {} : { deadline: row.deadline })
})
