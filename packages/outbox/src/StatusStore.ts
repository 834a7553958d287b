/**
 * The storage seam of delivery status: what a `StatusTracker` asks of a store, in plain values.
 *
 * `PgStatusStore` is the one for production. Another store keeps the same promises: `claim` gives a message to one
 * holder at a time and numbers its lease; only the holder of the newest lease says when the next check is due; `settle`
 * and `record` join states by core's `DeliveryStatus.advance`, each in one step, so that a state never goes back and no
 * report is lost between two; a confirmed end ends the checks; a lease runs out by itself.
 */
import type { DeliveryState, StatusReport } from "@effect-cascade/core/DeliveryStatus"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { StoreError } from "./OutboxError.ts"

/** How many messages of an account a tracker can ask about at once. */
export interface CheckCapacity {
  readonly account: string
  readonly limit: number
}

/** A message that this tracker is to ask about. Times are relative to the database's clock at the claim. */
export const DueCheck = Schema.Struct({
  /** The outbox's id of it. */
  id: Schema.String,
  /** The fence: a number that only grows for this message. */
  lease: Schema.BigInt,
  account: Schema.String,
  /** What the provider calls it. */
  providerMessageId: Schema.String,
  /** How often it was asked about, this time included. */
  checks: Schema.Int,
  /** How many of the checks before, in a row, found that the provider does not know it. */
  misses: Schema.Int,
  /** Milliseconds since its acceptance was written down. */
  ageMillis: Schema.Finite,
  /** Milliseconds until its deadline; less than 0 when that has passed; none without one. */
  remainingMillis: Schema.NullOr(Schema.Finite),
  /** None where the message itself has been deleted. */
  trackingId: Schema.NullOr(Schema.String),
  messageType: Schema.NullOr(Schema.String)
})

/** @see DueCheck */
export type DueCheck = typeof DueCheck.Type

/** When a message is to be asked about again: after a while, never, or as if this check had not been. */
export type NextCheck =
  | { readonly kind: "again"; readonly delayMillis: number }
  | { readonly kind: "over" }
  | { readonly kind: "released" }

/** What a tracker writes about a message that it asked about. */
export interface SettledCheck {
  readonly id: string
  readonly lease: bigint
  /** What the check found, to be joined with what is known; none where it found nothing. */
  readonly state: DeliveryState | undefined
  readonly next: NextCheck
  /** The counts from now on. */
  readonly checks: number
  readonly misses: number
}

/** What a state that was found did to what was known. */
export interface StatusMove {
  /** What was known before; `undefined` where nothing was. */
  readonly previous: DeliveryState | undefined
  /** Whether it gave way to what was found. */
  readonly moved: boolean
}

/** What came of settling a check. */
export interface SettledStatus extends StatusMove {
  /** Whether the lease still held. `false`: when the next check is due was left alone. */
  readonly held: boolean
}

/** What a report did to one message. */
export interface RecordedStatus extends StatusMove {
  readonly trackingId: string | undefined
  readonly messageType: string | undefined
}

/** What is known of a message's delivery. */
export interface TrackedStatus {
  /** What the provider calls it. */
  readonly messageId: string
  /** `undefined`: nothing was heard yet. */
  readonly state: DeliveryState | undefined
  /** Whether it is still asked about. `false`: its end is confirmed, or the tracker gave up. */
  readonly following: boolean
  /** How often it was asked about. */
  readonly checks: number
  /** When its acceptance was written down, on the database's clock. */
  readonly acceptedAt: DateTime.Utc
  /** When the state became what it is, on the database's clock. */
  readonly updatedAt: DateTime.Utc
}

/** What a store does. */
export interface StatusStoreShape {
  /**
   * Leases messages that are to be asked about, at most `limit` of each account, the longest due first, and counts the
   * check. Those of a paused account stay.
   */
  readonly claim: (
    capacities: NonEmptyReadonlyArray<CheckCapacity>,
    lease: Duration.Duration
  ) => Effect.Effect<ReadonlyArray<DueCheck>, StoreError>

  /**
   * Joins what a check found with what is known, and says when the next is due if the lease still holds. `undefined`:
   * the message is not followed any more.
   */
  readonly settle: (check: SettledCheck) => Effect.Effect<SettledStatus | undefined, StoreError>

  /**
   * Joins a report with what is known of the messages that it names. A confirmed end ends the checks; an end that is
   * only hinted at moves the next one up. Answers for each; with nothing where none is called so.
   */
  readonly record: (
    account: string,
    report: StatusReport
  ) => Effect.Effect<ReadonlyArray<RecordedStatus>, StoreError>

  /** Pauses the look-ups of an account for every tracker; a longer pause that is there stays. */
  readonly pause: (account: string, duration: Duration.Duration) => Effect.Effect<void, StoreError>

  /** What is known of a message; `undefined` where it is not followed. */
  readonly read: (account: string, trackingId: string) => Effect.Effect<TrackedStatus | undefined, StoreError>
}

/** The store of a program's delivery status. */
export class StatusStore extends Context.Service<StatusStore, StatusStoreShape>()(
  "@effect-cascade/outbox/StatusStore"
) {}
