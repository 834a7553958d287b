/**
 * The machine of a relay: claims what its free slots can take, hands batches to fibers of their own, settles what
 * comes back, renews the leases of what is still under way.
 *
 * A lane has slots of its own, so a full lane never keeps another from sending: a code does not wait behind a million
 * promos, and a promo is not starved by codes. Claiming stops while slots are full, so nothing piles up in memory.
 */
import * as CauseSummary from "@effect-cascade/core/CauseSummary"
import type * as CascadeEvents from "@effect-cascade/core/CascadeEvents"
import type { TransportShape } from "@effect-cascade/core/Transport"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Iterable from "effect/Iterable"
import * as Latch from "effect/Latch"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Lane from "../../Lane.ts"
import type { StoreError } from "../../OutboxError.ts"
import { type ClaimedRow, type SettledRow, toEnvelope } from "../../OutboxRow.ts"
import type { OutboxStoreShape } from "../../OutboxStore.ts"
import * as OutboxTelemetry from "../../OutboxTelemetry.ts"
import type * as RetryPolicy from "../../RetryPolicy.ts"
import * as Settlement from "../../Settlement.ts"
import { type Batch, group } from "./batch.ts"
import { type Decided, deliverBatch } from "./deliverBatch.ts"
import type { LaneBoard } from "./laneBoard.ts"
import { receive } from "./receive.ts"
import { eventOf } from "./settlementEvent.ts"
import type { Settler } from "./settler.ts"
import { warnOfParked } from "./warnOfParked.ts"

export interface EngineOptions {
  readonly relay: string
  readonly store: OutboxStoreShape
  readonly settler: Settler
  readonly board: LaneBoard
  readonly events: CascadeEvents.Publisher
  /** The transport of each account. */
  readonly transports: ReadonlyMap<string, TransportShape>
  readonly slots: Readonly<Record<Lane.Priority, number>>
  readonly batchSize: Readonly<Record<Lane.Priority, number>>
  readonly lease: Duration.Duration
  readonly sendTimeout: Duration.Duration
  readonly retry: (row: ClaimedRow) => RetryPolicy.RetrySchedule
  /** Called when a slot has become free in a lane that may have more to send. */
  readonly onFree: () => void
}

/** How a claim went. */
export interface Claimed {
  readonly rows: number
  /** Whether some lane gave all that was asked of it, so that it may have more. */
  readonly more: boolean
}

/** How many rows ended in each way since the engine was made. */
export type Tally = Readonly<Record<SettledRow["kind"] | "lost", number>>

export interface Engine {
  /** Claims once for every free slot, and starts what it got. Not to be cut short: what is claimed is started. */
  readonly claim: Effect.Effect<Claimed, StoreError>
  /** The same, where it may leave out for a moment what fell due long ago. */
  readonly claimRecent: Effect.Effect<Claimed, StoreError>
  /** Renews the leases of everything under way. */
  readonly renew: Effect.Effect<void, StoreError>
  /** Ends what has waited past its deadline, a bounded number at a time, and tells of it. */
  readonly expire: Effect.Effect<void, StoreError>
  /** Stops sending what has not begun. */
  readonly stop: Effect.Effect<void>
  /** Cuts short what has begun. */
  readonly cut: Effect.Effect<void>
  /** Done when nothing is under way. */
  readonly idle: Effect.Effect<void>
  readonly tally: Effect.Effect<Tally>
}

interface LaneState {
  readonly lane: string
  readonly slots: number
  readonly batchSize: number
  running: number
  /** Whether it may hold more due rows than its slots could take at the last claim. */
  behind: boolean
}

export const make = Effect.fnUntraced(function* (
  options: EngineOptions
): Effect.fn.Return<Engine, never, Scope.Scope> {
  const { board, relay, settler, store } = options
  const scope = yield* Effect.scope
  const lanes = new Map(
    Array.from(options.transports).flatMap(([account, transport]) =>
      Lane.priorities.map((priority): [string, LaneState] => {
        const lane = Lane.of(account, priority)
        return [
          lane,
          {
            lane,
            slots: options.slots[priority],
            batchSize: Math.max(1, Math.min(options.batchSize[priority], transport.maxBatchSize)),
            running: 0,
            behind: false
          }
        ]
      })
    )
  )
  const underWay = new Set<Batch>()
  const idle = yield* Latch.make(true)
  const cut = yield* Deferred.make<void>()
  const tally = { sent: 0, retry: 0, deferred: 0, released: 0, uncertain: 0, dead: 0, expired: 0, lost: 0 }
  let stopping = false

  const begin = (batch: Batch) => {
    underWay.add(batch)
    const state = lanes.get(batch.lane)
    if (state !== undefined) state.running++
    Latch.closeUnsafe(idle)
  }
  const end = (batch: Batch) => {
    underWay.delete(batch)
    const state = lanes.get(batch.lane)
    if (state !== undefined) {
      state.running--
      if (state.behind) options.onFree()
    }
    if (underWay.size === 0) Latch.openUnsafe(idle)
  }

  const run = Effect.fnUntraced(function* (batch: Batch) {
    const transport = options.transports.get(batch.account)
    const decided =
      transport === undefined
        ? batch.rows.map((row): Decided => ({
            row,
            envelope: undefined,
            settlement: { kind: "released" }
          }))
        : yield* deliverBatch(batch, {
            relay,
            transport,
            sendTimeout: options.sendTimeout,
            retry: options.retry,
            cut,
            isHalted: () => stopping || board.isPaused(batch.lane)
          })
    yield* judgeLane(batch.lane, decided)
    const rows = decided.map(toSettledRow)
    if (!Arr.isReadonlyArrayNonEmpty(rows)) return
    const settled = yield* settler.settle(rows, () => batch.leaseEnd)
    yield* report(decided, settled)
  })

  // Before the rows are settled: once they are free again, the lane must already be known to be paused.
  const judgeLane = (lane: string, decided: ReadonlyArray<Decided>): Effect.Effect<void> => {
    const deferred = decided.find(({ settlement }) => settlement.kind === "deferred")?.settlement
    const verdict =
      deferred?.kind === "deferred"
        ? board.pause(lane, deferred.reason)
        : decided.some(({ settlement }) => reachedProvider(settlement))
          ? board.recovered(lane)
          : decided.some(({ settlement }) => isInDoubt(settlement))
            ? board.spent(lane)
            : Effect.void
    // Whatever goes wrong here, and however long it takes, the outcomes are written.
    return verdict.pipe(
      Effect.interruptible,
      Effect.timeout(Duration.divideUnsafe(options.lease, 4)),
      Effect.raceFirst(Deferred.await(cut)),
      Effect.catchCause((cause) =>
        Effect.logWarning("outbox: the state of a lane could not be written", CauseSummary.of(cause)).pipe(
          Effect.annotateLogs({ lane })
        )
      )
    )
  }

  const report = Effect.fnUntraced(function* (decided: ReadonlyArray<Decided>, settled: ReadonlySet<string>) {
    const at = yield* DateTime.now
    const lost: Array<Decided> = []
    const held: Array<Decided> = []
    for (const one of decided) {
      if (settled.has(one.row.id)) {
        held.push(one)
        tally[one.settlement.kind]++
      } else {
        lost.push(one)
      }
    }
    tally.lost += lost.length
    yield* OutboxTelemetry.countSettled(
      held.map(({ row: { account, messageType }, settlement }) => ({
        account,
        messageType,
        outcome: settlement.kind
      }))
    )
    if (lost.length > 0) {
      yield* OutboxTelemetry.countLost(lost.map(({ row }) => row))
      yield* Effect.logWarning(
        "outbox: leases lost before their outcome was written; nothing was changed"
      ).pipe(Effect.annotateLogs({ relay, rows: lost.length, kinds: countKinds(lost) }))
    }
    yield* warnOfParked(relay, held)
    yield* options.events.publishAll(
      Iterable.flatMap(held, (one) => {
        const event = eventOf(one, at)
        return event === undefined ? [] : [event]
      })
    )
  })

  const capacities = Effect.gen(function* () {
    const wanted: Array<{ readonly lane: string; readonly limit: number }> = []
    for (const state of lanes.values()) {
      const free = state.slots - state.running
      state.behind = free <= 0
      if (free <= 0) continue
      const access = yield* board.access(state.lane)
      if (access === "paused") continue
      if (access === "probe" && state.running > 0) {
        state.behind = true
        continue
      }
      wanted.push({ lane: state.lane, limit: access === "probe" ? 1 : free * state.batchSize })
    }
    return wanted
  })

  const claimWith = (recent: boolean) =>
    Effect.gen(function* () {
      if (stopping) return nothingClaimed
      const wanted = yield* Effect.withTracerEnabled(capacities, false)
      if (!Arr.isArrayNonEmpty(wanted)) return nothingClaimed
      // The clock is read before the claim: what is told as a distance from the database's clock (the end of a lease, a
      // deadline) may then only be taken for nearer than it is.
      const before = yield* Clock.monotonicTimeNanos
      const rows = yield* receive(relay, store.claim(wanted, { lease: options.lease, relay, recent }))
      if (rows.length === 0) return nothingClaimed
      const batches = group(rows, {
        size: (lane) => lanes.get(lane)?.batchSize ?? 1,
        claimedAt: before,
        leaseEnd: before + Duration.toNanosUnsafe(options.lease)
      })
      for (const batch of batches) begin(batch)
      yield* Effect.forEach(
        batches,
        (batch) =>
          run(batch).pipe(
            Effect.tapCause((cause) =>
              Effect.logError("outbox: a batch failed; its leases will run out", CauseSummary.of(cause))
            ),
            Effect.ensuring(Effect.sync(() => end(batch))),
            Effect.forkIn(scope, { uninterruptible: true })
          ),
        { discard: true }
      )
      const taken = new Map<string, number>()
      for (const row of rows) taken.set(row.lane, (taken.get(row.lane) ?? 0) + 1)
      const full = wanted.filter(({ lane, limit }) => (taken.get(lane) ?? 0) >= limit)
      for (const { lane } of full) {
        const state = lanes.get(lane)
        if (state !== undefined) state.behind = true
      }
      return { rows: rows.length, more: full.length > 0 }
    }).pipe(Effect.uninterruptible)

  const renew = Effect.gen(function* () {
    const batches = Array.from(underWay)
    const held = batches.flatMap((batch) => batch.rows.map((row) => ({ id: row.id, lease: row.lease })))
    if (!Arr.isArrayNonEmpty(held)) return
    const before = yield* Clock.monotonicTimeNanos
    const renewed = yield* store.renew(held, options.lease)
    for (const batch of batches) {
      if (batch.rows.some((row) => renewed.has(row.id))) {
        batch.leaseEnd = before + Duration.toNanosUnsafe(options.lease)
      }
    }
  })

  // Not to be cut short: what has been expired is told of, also by a relay that is just stopping.
  const expire = Effect.gen(function* () {
    const now = yield* DateTime.now
    const rows = yield* store.expire({ limit: expireLimit, relay })
    if (rows.length === 0) return
    tally.expired += rows.length
    yield* OutboxTelemetry.countSettled(rows.map((row) => ({ ...row, outcome: "expired" })))
    yield* options.events.publishAll(
      rows.flatMap((row) => {
        const envelope = Result.getOrUndefined(toEnvelope(row, now))
        return eventOf({ row, envelope, settlement: { kind: "expired", reason: undefined } }, now) ?? []
      })
    )
  }).pipe(Effect.uninterruptible)

  return {
    claim: claimWith(false),
    claimRecent: claimWith(true),
    renew,
    expire,
    stop: Effect.sync(() => {
      stopping = true
    }),
    cut: Effect.andThen(Deferred.succeed(cut, undefined), settler.hurry),
    idle: Latch.await(idle),
    tally: Effect.sync(() => ({ ...tally }))
  }
})

/** The most that is expired at once: a statement that takes little, however much has piled up. */
const expireLimit = 1_000

const nothingClaimed: Claimed = { rows: 0, more: false }

/** Whether the outcome shows that the provider can be reached and knows the account. */
const reachedProvider = (settlement: Settlement.Settlement): boolean =>
  settlement.kind === "sent" || (settlement.kind === "dead" && settlement.reason._tag === "Rejected")

/** Whether a request may have been made that came to no answer. */
const isInDoubt = (settlement: Settlement.Settlement): boolean =>
  "reason" in settlement && settlement.reason?.certainty === "Unknown" && Settlement.counts(settlement)

const toSettledRow = ({ row, settlement }: Decided): SettledRow => ({
  id: row.id,
  lease: row.lease,
  kind: settlement.kind,
  delayMillis: settlement.kind === "retry" ? Duration.toMillis(settlement.delay) : 0,
  counted: Settlement.counts(settlement),
  reason: "reason" in settlement ? settlement.reason : undefined,
  providerMessageId: settlement.kind === "sent" ? settlement.providerMessageId : undefined
})

const countKinds = (decided: ReadonlyArray<Decided>): string => {
  const counts = new Map<string, number>()
  for (const { settlement } of decided) counts.set(settlement.kind, (counts.get(settlement.kind) ?? 0) + 1)
  return Array.from(counts, ([kind, count]) => `${kind} ${count}`).join(", ")
}
