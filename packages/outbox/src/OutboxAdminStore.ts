/**
 * The storage seam of those who operate an outbox: what `OutboxAdmin` and `RetentionPruner` ask of a store, in plain
 * values.
 *
 * A service of its own, because its rights are others than those of a writer or a relay: it reads what waits and what
 * failed, moves and ends messages, and deletes old ones. Every move takes a new lease number and appends an outcome,
 * so that a relay which still holds an older lease of the message changes nothing any more, and nothing is forgotten.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { StoreError } from "./OutboxError.ts"

const Instant = Schema.DateTimeUtcFromMillis
const MaybeInstant = Schema.NullOr(Instant)

/** How many messages of one type a lane holds that are not finished. */
export const LaneCount = Schema.Struct({
  lane: Schema.String,
  messageType: Schema.String,
  /** Could be claimed now, were the lane open. */
  due: Schema.Int,
  /** Due later: scheduled, or waiting for another attempt. */
  scheduled: Schema.Int,
  /** Held by a relay. */
  leased: Schema.Int,
  /** For how long the one that waits longest has been due; none where none is. */
  oldestDueMillis: Schema.NullOr(Schema.Finite)
})

/** How many messages of one type and lane wait for an operator. */
export const ParkedCount = Schema.Struct({
  lane: Schema.String,
  messageType: Schema.String,
  dead: Schema.Int,
  uncertain: Schema.Int
})

/** A lane that is not simply open. */
export const HeldLane = Schema.Struct({
  lane: Schema.String,
  /** `false`: its pause is over, and relays try whether it works again. */
  paused: Schema.Boolean,
  /** None for a pause without an end. */
  until: MaybeInstant,
  /** Why relays paused it, encoded; none where an operator did. */
  reason: Schema.NullOr(Schema.Json),
  /** What the operator said to it. */
  note: Schema.NullOr(Schema.String),
  trips: Schema.Int,
  since: Instant
})

/** One row of a message's history, encoded. */
export const OutcomeRow = Schema.Struct({
  kind: Schema.String,
  attempt: Schema.Int,
  reason: Schema.NullOr(Schema.Json),
  providerMessageId: Schema.NullOr(Schema.String),
  by: Schema.String,
  at: Instant
})

const message = {
  id: Schema.String,
  account: Schema.String,
  trackingId: Schema.String,
  lane: Schema.String,
  messageType: Schema.String,
  /** None once it has been scrubbed. */
  payload: Schema.NullOr(Schema.RedactedFromValue(Schema.String)),
  createdAt: Instant,
  deadline: MaybeInstant
}

/** A message whose end stands, newest first in a list. */
export const ParkedRow = Schema.Struct({
  ...message,
  outcome: OutcomeRow,
  /** Where the page after this row begins. */
  cursor: Schema.String
})

/** A message with its whole history. */
export const MessageRow = Schema.Struct({
  ...message,
  uncertainty: Schema.String,
  state: Schema.String,
  outcomes: Schema.Array(OutcomeRow)
})

/** Everything that decides why a message has not gone yet. */
export const ExplainRow = Schema.Struct({
  id: Schema.String,
  messageType: Schema.String,
  deadline: MaybeInstant,
  /** The reading of the database's clock that the rest refers to. */
  asOf: Instant,
  /** Its work row; none when the message is over. */
  work: Schema.NullOr(
    Schema.Struct({
      lane: Schema.String,
      dueAt: Instant,
      attempts: Schema.Int,
      /** As the claim sees it. */
      due: Schema.Boolean,
      /** Nobody holds it. */
      free: Schema.Boolean,
      /** When it was leased; none where that is not known. */
      leasedAt: MaybeInstant,
      leaseUntil: MaybeInstant,
      /** How many rows of its lane come before it, at most one more than asked for. */
      ahead: Schema.Int
    })
  ),
  heldLane: Schema.NullOr(HeldLane),
  newest: Schema.NullOr(OutcomeRow),
  /** The outcomes that say whether it may have been sent. */
  outcomes: Schema.Array(OutcomeRow)
})

/** Why a message did not move. */
export const StateRow = Schema.Struct({
  id: Schema.String,
  /** None where there is no such message. */
  state: Schema.NullOr(Schema.String),
  scrubbed: Schema.Boolean,
  late: Schema.Boolean
})

/** What came of calling a message off. */
export const CancelRow = Schema.Struct({
  id: Schema.String,
  messageType: Schema.String,
  payload: Schema.NullOr(Schema.RedactedFromValue(Schema.String)),
  /** `none`: it has no work row any more. */
  result: Schema.Literals(["cancelled", "leased", "none"]),
  leaseUntil: MaybeInstant
})

/** What one step of retention did. */
export const RetentionStep = Schema.Struct({
  /** How many messages it looked at; fewer than asked for when it came to the end. */
  walked: Schema.Int,
  /** The last of them; none when there was none. */
  last: Schema.NullOr(Schema.String),
  /** The last of them that need not be looked at again by the next run; none when there was none. */
  resume: Schema.NullOr(Schema.String),
  /** How many of them it scrubbed or deleted. */
  changed: Schema.Int
})

/** The states that wait for an operator. */
export type ParkedState = "dead" | "uncertain"

/** The states from which a message can be sent again. */
export type RecoverableState = ParkedState | "expired"

/** Narrows a list of parked messages down. Absent members match all. */
export interface ParkedFilter {
  readonly account?: string | undefined
  readonly messageType?: string | undefined
  /** The tag of the reason it ended with, such as `Rejected`. */
  readonly reasonTag?: string | undefined
}

/** Which messages to move: those that are named and in one of these states, or the first that match. */
export type Choice =
  | {
      readonly ids: NonEmptyReadonlyArray<string>
      readonly states: NonEmptyReadonlyArray<RecoverableState>
    }
  | { readonly state: RecoverableState; readonly filter: ParkedFilter; readonly limit: number }

/** How messages become due again. */
export interface RequeueMove {
  readonly by: string
  readonly resetAttempts: boolean
  /** Epoch milliseconds. The deadline stays unless given. */
  readonly newDeadline: number | undefined
  /** Whether somebody found out that they were not sent, which is recorded as an outcome of its own. */
  readonly resolves: boolean
}

/** How parked messages end for good. */
export interface ConcludeMove {
  readonly by: string
  readonly kind: "discarded" | "resolved"
}

/** One step of retention through the messages in the order of their ids, which is about that of their creation. */
export interface RetentionMove {
  /** Begins behind this id. */
  readonly after: string
  readonly batch: number
  /** Looks at what was created longer ago than this, and touches what ended longer ago than this. */
  readonly period: Duration.Duration
  /** What came of age no longer ago than this has to be looked at again: it may have ended a little later. */
  readonly slack: Duration.Duration
  readonly keepParked: boolean
}

/** What a store does for operators. */
export interface OutboxAdminStoreShape {
  /** What waits, by lane and type. */
  readonly countLanes: Effect.Effect<ReadonlyArray<typeof LaneCount.Type>, StoreError>
  /** What waits for an operator, by lane and type. */
  readonly countParked: Effect.Effect<ReadonlyArray<typeof ParkedCount.Type>, StoreError>
  /** Every lane that is paused or on probation. */
  readonly heldLanes: Effect.Effect<ReadonlyArray<typeof HeldLane.Type>, StoreError>

  /** Messages whose end stands, the newest first. */
  readonly list: (query: {
    readonly state: RecoverableState
    readonly filter: ParkedFilter
    readonly limit: number
    /** The cursor of the row before. */
    readonly after: string | undefined
  }) => Effect.Effect<ReadonlyArray<typeof ParkedRow.Type>, StoreError>

  /** Reads a message with its whole history. */
  readonly read: (
    account: string,
    trackingId: string
  ) => Effect.Effect<typeof MessageRow.Type | undefined, StoreError>

  /** Reads what decides whether a message can be claimed now, and how many are ahead of it, to a limit. */
  readonly explain: (
    account: string,
    trackingId: string,
    options: { readonly aheadLimit: number }
  ) => Effect.Effect<typeof ExplainRow.Type | undefined, StoreError>

  /** Says of each id in which state it is, and what else keeps it from being sent again. */
  readonly states: (
    ids: NonEmptyReadonlyArray<string>,
    newDeadline: number | undefined
  ) => Effect.Effect<ReadonlyArray<typeof StateRow.Type>, StoreError>

  /**
   * Makes messages due again; leaves out those whose payload has been scrubbed or whose deadline has passed. Answers
   * with the ids of those that moved. Waits for the move of another operator, and then finds nothing to do.
   */
  readonly requeue: (choice: Choice, move: RequeueMove) => Effect.Effect<ReadonlyArray<string>, StoreError>

  /** Ends parked messages for good. Answers with the ids of those that moved. */
  readonly conclude: (choice: Choice, move: ConcludeMove) => Effect.Effect<ReadonlyArray<string>, StoreError>

  /** Calls a message off unless a relay holds it; none where there is no such message. */
  readonly cancel: (
    account: string,
    trackingId: string,
    by: string
  ) => Effect.Effect<typeof CancelRow.Type | undefined, StoreError>

  /** Pauses lanes until they are resumed. */
  readonly holdLanes: (
    lanes: NonEmptyReadonlyArray<string>,
    note: string | undefined
  ) => Effect.Effect<void, StoreError>

  /** Opens lanes, whoever paused them. Answers with those that were not open. */
  readonly openLanes: (
    lanes: NonEmptyReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<string>, StoreError>

  /** Removes the payload of finished messages. */
  readonly scrub: (move: RetentionMove) => Effect.Effect<typeof RetentionStep.Type, StoreError>

  /** Deletes finished messages and their outcomes. */
  readonly prune: (move: RetentionMove) => Effect.Effect<typeof RetentionStep.Type, StoreError>

  /** Runs an effect in a transaction of this store; a connection lost on the way is a `StoreError`. */
  readonly transaction: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | StoreError, R>

  /** Runs an effect once the caller's open transaction has committed; at once where there is none. */
  readonly afterCommit: (effect: Effect.Effect<void>) => Effect.Effect<void>
}

/** The store of those who operate a program's outbox. */
export class OutboxAdminStore extends Context.Service<OutboxAdminStore, OutboxAdminStoreShape>()(
  "@effect-cascade/outbox/OutboxAdminStore"
) {}
