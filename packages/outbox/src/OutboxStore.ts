/**
 * The storage seam: what the outbox and the relay ask of a store, in plain values.
 *
 * `PgOutboxStore` is the one for production. Another store keeps the same promises: `insert` joins the caller's
 * transaction; `claim` gives a row to one holder at a time and numbers its lease; `settle` and `renew` change a row
 * only for the holder of its newest lease; a lease runs out by itself.
 */
import type { TransportReason } from "@effect-cascade/core/TransportReason"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { NotInTransaction, StoreError } from "./OutboxError.ts"
import type { ClaimedRow, InsertedRow, NewRow, SettledRow } from "./OutboxRow.ts"

/** How many rows of a lane a relay can send at once. */
export interface LaneCapacity {
  readonly lane: string
  readonly limit: number
}

/** A lease that a relay believes it holds. */
export interface HeldLease {
  readonly id: string
  readonly lease: bigint
}

/** A lane that is not simply open. */
export interface LaneRow {
  readonly lane: string
  /** Why a relay paused it; `undefined` where an operator did. */
  readonly reason: TransportReason | undefined
  /**
   * Until when it is paused, or a relay has the right to try it, on the clock of this process; `undefined` until an
   * operator resumes it.
   */
  readonly pausedUntil: DateTime.Utc | undefined
  /** How many pauses in a row ended in another. */
  readonly trips: number
}

/** How a lane is paused. */
export interface LanePause {
  readonly lanes: NonEmptyReadonlyArray<string>
  /** `undefined`: until an operator resumes it. */
  readonly duration: Duration.Duration | undefined
  readonly reason: TransportReason | undefined
  readonly trips: number
}

/** What a relay hears from a store. All of it are hints: what they miss, the poll and the heartbeat find. */
export interface Wakes {
  /** It is worth looking for work: a commit or an opened lane in this process, or word from another. */
  readonly work: Queue.Dequeue<void>
  /** A lane was paused or opened, in this process or another. */
  readonly lanes: Queue.Dequeue<void>
  /** Whether others should be heard and cannot be, so that only looking tells what they did. */
  readonly isDeaf: Effect.Effect<boolean>
}

/** What a store does. */
export interface OutboxStoreShape {
  /**
   * Inserts rows in the caller's open transaction and arranges the wake for after its commit. A tracking id that is
   * there already is left alone and reported. Answers for each row, in order.
   */
  readonly insert: (
    rows: NonEmptyReadonlyArray<NewRow>
  ) => Effect.Effect<ReadonlyArray<InsertedRow>, NotInTransaction | StoreError>

  /** Runs an effect in a transaction of this store; a connection lost on the way is a `StoreError`. */
  readonly transaction: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | StoreError, R>

  /**
   * Runs an effect once the outermost open transaction of this store commits, at once where none is open; drops it
   * where the transaction, or the savepoint it was given in, rolls back.
   */
  readonly afterCommit: (effect: Effect.Effect<void>) => Effect.Effect<void>

  /** Leases due rows, at most `limit` of each lane, the longest due first. */
  readonly claim: (
    capacities: NonEmptyReadonlyArray<LaneCapacity>,
    options: {
      readonly lease: Duration.Duration
      readonly relay: string
      /**
       * Whether it may leave out, for up to a second, what fell due long before the rows that it gave last: a store may
       * then spare itself the walk over what it has given before. Defaults to `false`.
       */
      readonly recent?: boolean | undefined
    }
  ) => Effect.Effect<ReadonlyArray<ClaimedRow>, StoreError>

  /**
   * Writes what became of leased rows; answers with the ids of those whose lease still held. The same settle again
   * changes nothing and is answered as the first. A lease whose time is over holds until another claim takes the row.
   */
  readonly settle: (
    rows: NonEmptyReadonlyArray<SettledRow>,
    options: { readonly relay: string }
  ) => Effect.Effect<ReadonlySet<string>, StoreError>

  /**
   * Moves the end of leases; answers with the ids of those that still held. A lease whose time is over holds until
   * another claim takes the row.
   */
  readonly renew: (
    leases: NonEmptyReadonlyArray<HeldLease>,
    lease: Duration.Duration
  ) => Effect.Effect<ReadonlySet<string>, StoreError>

  /**
   * Ends messages whose deadline has passed while they waited, at most `limit`, as `expired`: in every lane, also one
   * that is paused or that no relay serves. What somebody holds, or may have sent, stays for a claim. Answers with what
   * ended, as a claim would.
   */
  readonly expire: (options: {
    readonly limit: number
    readonly relay: string
  }) => Effect.Effect<ReadonlyArray<ClaimedRow>, StoreError>

  /** Every lane that is paused or on probation. */
  readonly lanes: Effect.Effect<ReadonlyArray<LaneRow>, StoreError>

  /**
   * Pauses lanes for every relay. A longer pause that is already there stays, with its reason; a right to probe that
   * is there ends.
   */
  readonly pauseLanes: (pause: LanePause) => Effect.Effect<void, StoreError>

  /**
   * Takes the right to try a lane whose pause is over, for `window`: one relay at a time gets it. `true` if taken.
   */
  readonly probeLane: (lane: string, window: Duration.Duration) => Effect.Effect<boolean, StoreError>

  /**
   * Opens lanes that a relay paused, and those whose pause is over; a pause by an operator (one without a reason)
   * stays. Answers with the lanes that were opened.
   */
  readonly reopenLanes: (
    lanes: NonEmptyReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<string>, StoreError>

  /** Opens lanes for every relay, whoever paused them. For operators. */
  readonly resumeLanes: (lanes: NonEmptyReadonlyArray<string>) => Effect.Effect<void, StoreError>

  /** Signals for the moments at which it is worth looking, until the scope closes. */
  readonly wakes: Effect.Effect<Wakes, never, Scope.Scope>
}

/** The store of a program's outbox. */
export class OutboxStore extends Context.Service<OutboxStore, OutboxStoreShape>()(
  "@effect-cascade/outbox/OutboxStore"
) {}
