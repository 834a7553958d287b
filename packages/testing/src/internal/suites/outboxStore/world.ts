/**
 * What a test of the conformance suite works with: a store, an account of its own in it, and a way to let time pass.
 *
 * Tests share a store and may share a database with others, so each keeps to its own account, which no other has.
 */
import * as Lane from "@effect-cascade/outbox/Lane"
import type { NotInTransaction, StoreError } from "@effect-cascade/outbox/OutboxError"
import type {
  ClaimedRow,
  InsertedRow,
  NewRow,
  SettledKind,
  SettledRow
} from "@effect-cascade/outbox/OutboxRow"
import type { HeldLease, LaneRow, OutboxStoreShape } from "@effect-cascade/outbox/OutboxStore"
import * as Arr from "effect/Array"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"
import type { EnqueuedMessage } from "../../../EnqueuedMessages.ts"

/** How a claim of a test differs from the usual one. */
export interface ClaimOptions {
  /** Defaults to 100. */
  readonly limit?: number
  /** Defaults to the lane of the world. */
  readonly lanes?: Arr.NonEmptyReadonlyArray<string>
  /** Defaults to 10 minutes, in which no test ends. */
  readonly lease?: Duration.Input
  readonly relay?: string
  readonly store?: OutboxStoreShape
}

export interface World {
  readonly store: OutboxStoreShape
  readonly account: string
  /** `<account>/high`. */
  readonly lane: Lane.Lane
  readonly laneOf: (priority: Lane.Priority) => Lane.Lane
  /** A row of the account that nothing else is like. */
  readonly row: (more?: Partial<NewRow>) => NewRow
  /** A row that says the same as another, as a caller's second attempt does: its id is another. */
  readonly again: (row: NewRow) => NewRow
  readonly rows: (count: number, more?: Partial<NewRow>) => Arr.NonEmptyArray<NewRow>
  /** Inserts rows and commits. */
  readonly enqueue: (
    ...rows: Arr.NonEmptyArray<NewRow>
  ) => Effect.Effect<ReadonlyArray<InsertedRow>, NotInTransaction | StoreError>
  readonly claim: (options?: ClaimOptions) => Effect.Effect<ReadonlyArray<ClaimedRow>, StoreError>
  readonly settle: (
    ...rows: Arr.NonEmptyArray<SettledRow>
  ) => Effect.Effect<ReadonlyArray<string>, StoreError>
  readonly renew: (
    lease: Duration.Input,
    ...rows: Arr.NonEmptyArray<HeldLease>
  ) => Effect.Effect<ReadonlyArray<string>, StoreError>
  /** The lanes of the account that are not simply open. */
  readonly lanes: Effect.Effect<ReadonlyArray<LaneRow>, StoreError>
  /** Lets a little time pass, on whichever clock the store has. */
  readonly moment: Effect.Effect<void>
  /** Makes what happens next happen later than what has happened; on a clock of its own it does by itself. */
  readonly tick: Effect.Effect<void>
  /** Tries again and again until there is an answer. */
  readonly until: <A, E, R>(attempt: Effect.Effect<A | undefined, E, R>) => Effect.Effect<A, E, R>
  /** A store of another process on the same data, where the suite was given one. */
  readonly another: Effect.Effect<OutboxStoreShape, unknown, Scope.Scope> | undefined
  /** The messages of the account, where the suite was given a way to read them. */
  readonly messages: Effect.Effect<ReadonlyArray<EnqueuedMessage>, unknown> | undefined
}

const relay = "relay-a"

export interface WorldOptions {
  readonly store: OutboxStoreShape
  readonly clock: "test" | "live"
  readonly another: Effect.Effect<OutboxStoreShape, unknown, Scope.Scope> | undefined
  readonly messages: Effect.Effect<ReadonlyArray<EnqueuedMessage>, unknown> | undefined
}

export const make = ({ another, clock, messages, store }: WorldOptions): World => {
  const account = `suite-${SecureRandom.uuidV4Unsafe()}`
  const lane = Lane.of(account, "high")
  let serial = 0

  const row: World["row"] = (more) => {
    const trackingId = `message-${serial++}`
    return {
      id: SecureRandom.uuidV7Unsafe(),
      account,
      trackingId,
      lane,
      messageType: "transaction",
      uncertainty: "resend",
      payload: `payload of ${trackingId}`,
      availableAt: undefined,
      ttlFrom: undefined,
      ttlMillis: undefined,
      traceparent: undefined,
      ...more
    }
  }

  const moment = clock === "test" ? TestClock.adjust("5 millis") : Effect.sleep("5 millis")

  const tick = clock === "test" ? TestClock.adjust("1 milli") : Effect.void

  return {
    store,
    account,
    lane,
    laneOf: (priority) => Lane.of(account, priority),
    row,
    again: ({ lane, payload, trackingId }) => row({ lane, payload, trackingId }),
    rows: (count, more) => Arr.makeBy(count, () => row(more)),
    enqueue: (...rows) => Effect.tap(store.transaction(store.insert(rows)), () => tick),
    claim: (options = {}) =>
      (options.store ?? store).claim(
        Arr.map(options.lanes ?? Arr.of<string>(lane), (name) => ({
          lane: name,
          limit: options.limit ?? 100
        })),
        { lease: Duration.fromInputUnsafe(options.lease ?? "10 minutes"), relay: options.relay ?? relay }
      ),
    settle: (...rows) => Effect.map(store.settle(rows, { relay }), sorted),
    renew: (lease, ...leases) => Effect.map(store.renew(leases, Duration.fromInputUnsafe(lease)), sorted),
    lanes: Effect.map(store.lanes, (lanes) => lanes.filter((held) => Lane.accountOf(held.lane) === account)),
    moment,
    tick,
    until: (attempt) =>
      Effect.gen(function* () {
        while (true) {
          const answer = yield* attempt
          if (answer !== undefined) return answer
          yield* moment
        }
      }),
    another,
    messages:
      messages === undefined
        ? undefined
        : Effect.map(messages, (all) => all.filter((message) => message.account === account))
  }
}

const sorted = (ids: ReadonlySet<string>): ReadonlyArray<string> => Array.from(ids).sort()

/** The ids of rows, in one order, to be compared with others. */
export const idsOf = (rows: ReadonlyArray<{ readonly id: string }>): ReadonlyArray<string> =>
  rows.map(({ id }) => id).sort()

/** What a relay writes about a row that it holds. */
export const settled = (row: HeldLease, kind: SettledKind, more?: Partial<SettledRow>): SettledRow => ({
  id: row.id,
  lease: row.lease,
  kind,
  delayMillis: 0,
  counted: kind !== "released" && kind !== "deferred",
  reason: undefined,
  providerMessageId: kind === "sent" ? `provider-${row.id}` : undefined,
  ...more
})

/** The only one of a list. */
export const only = <A>(values: ReadonlyArray<A>): Effect.Effect<A> =>
  values.length === 1 && values[0] !== undefined
    ? Effect.succeed(values[0])
    : Effect.die(`expected one, found ${values.length}`)

/** What a claim gave, or nothing when that is nothing: for `until`. */
export const nonEmpty = <A, E>(claim: Effect.Effect<ReadonlyArray<A>, E>) =>
  Effect.map(claim, (rows) => (rows.length > 0 ? rows : undefined))

/** Declares one test. */
export type DefineTest = (
  name: string,
  body: (world: World) => Effect.Effect<void, unknown, Scope.Scope>
) => void

/** Declares the tests of one part of the seam. */
export type DefineTests = (test: DefineTest) => void
