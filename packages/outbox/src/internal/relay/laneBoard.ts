/**
 * What a relay knows of its lanes: which are open, which are paused, and which may be tried again.
 *
 * The truth is in the store, where every relay and operator sees it. The board is a copy, read again with each
 * heartbeat, so that the claim can leave a paused lane out without asking.
 */
import * as CascadeEvent from "@effect-cascade/core/CascadeEvent"
import type * as CascadeEvents from "@effect-cascade/core/CascadeEvents"
import * as Reason from "@effect-cascade/core/TransportReason"
import * as Arr from "effect/Array"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Lane from "../../Lane.ts"
import type { StoreError } from "../../OutboxError.ts"
import type { LaneRow, OutboxStoreShape } from "../../OutboxStore.ts"
import * as RetryPolicy from "../../RetryPolicy.ts"

/** Whether a lane may be claimed from: freely, one row to see whether it works again, or not. */
export type Access = "open" | "probe" | "paused"

export interface LaneBoard {
  /** Reads the lanes again. */
  readonly refresh: Effect.Effect<void, StoreError>
  /** May this lane be claimed from now? Takes the right to probe where its pause is over. */
  readonly access: (lane: string) => Effect.Effect<Access, StoreError>
  /** An attempt met a reason that every other message of its account would meet too. */
  readonly pause: (lane: string, reason: Reason.TransportReason) => Effect.Effect<void, StoreError>
  /** An attempt of this lane got through, so its account works. */
  readonly recovered: (lane: string) => Effect.Effect<void, StoreError>
}

export interface LaneBoardOptions {
  readonly store: OutboxStoreShape
  readonly events: CascadeEvents.Publisher
  /** The pauses of a lane that is throttled without a word on how long, or unreachable, one after another. */
  readonly backoff: RetryPolicy.RetrySchedule
  /** The longest pause that a provider can ask for. */
  readonly maxPause: Duration.Duration
  /** How often a lane whose keys are refused is tried. */
  readonly unauthorizedPause: Duration.Duration
  /** How long the right to probe lasts. */
  readonly probeWindow: Duration.Duration
}

export const make = (options: LaneBoardOptions): LaneBoard => {
  const { events, store } = options
  let lanes: ReadonlyMap<string, LaneRow> = new Map()

  const refresh = Effect.map(store.lanes, (rows) => {
    lanes = new Map(rows.map((row) => [row.lane, row]))
  })

  const durationOf = Effect.fnUntraced(function* (reason: Reason.TransportReason, trips: number) {
    const asked = Reason.retryAfter(reason)
    if (asked !== undefined) return Duration.min(asked, options.maxPause)
    if (reason._tag === "Unauthorized" || reason._tag === "Redirected") return options.unauthorizedPause
    const delay = yield* RetryPolicy.delayAfter(options.backoff, { attempt: trips, reason })
    return delay ?? options.maxPause
  })

  // Lanes in which this relay has the right to try whether they work again.
  const probing = new Set<string>()

  const pause = Effect.fnUntraced(function* (lane: string, reason: Reason.TransportReason) {
    const affected = Lane.ofAccount(Lane.accountOf(lane))
    if (!Arr.isReadonlyArrayNonEmpty(affected)) return
    const now = yield* DateTime.now
    const known = lanes.get(lane)
    const probed = probing.delete(lane)
    // Batches that were under way together meet one and the same obstacle; only a failed probe is another.
    const trips = probed ? (known?.trips ?? 0) + 1 : 1
    const news = probed || known === undefined || !isAhead(known, now)
    const duration = yield* durationOf(reason, trips)
    yield* store.pauseLanes({ lanes: affected, duration, reason, trips })
    yield* refresh
    if (!news) return
    const until = DateTime.addDuration(now, duration)
    yield* Effect.logWarning(`outbox: lanes paused: ${reason.message}`).pipe(
      Effect.annotateLogs({
        account: Lane.accountOf(lane),
        reason: reason._tag,
        until: DateTime.formatIso(until)
      })
    )
    yield* events.publishAll(
      affected.map((name) => new CascadeEvent.LanePaused({ lane: name, reason, until, at: now }))
    )
  })

  const recovered = Effect.fnUntraced(function* (lane: string) {
    if (!probing.delete(lane)) return
    // A lane that an operator paused has no reason, and stays paused.
    const mine = Lane.ofAccount(Lane.accountOf(lane)).filter((name) => lanes.get(name)?.reason !== undefined)
    if (!Arr.isReadonlyArrayNonEmpty(mine)) return
    yield* store.resumeLanes(mine)
    yield* refresh
    const at = yield* DateTime.now
    yield* Effect.logInfo("outbox: lanes resumed").pipe(
      Effect.annotateLogs({ account: Lane.accountOf(lane) })
    )
    yield* events.publishAll(mine.map((name) => new CascadeEvent.LaneResumed({ lane: name, at })))
  })

  const access = Effect.fnUntraced(function* (lane: string): Effect.fn.Return<Access, StoreError> {
    const row = lanes.get(lane)
    if (row === undefined) return "open"
    if (isAhead(row, yield* DateTime.now)) return "paused"
    if (!(yield* store.probeLane(lane, options.probeWindow))) {
      yield* refresh
      return lanes.has(lane) ? "paused" : "open"
    }
    yield* refresh
    probing.add(lane)
    return "probe"
  })

  return { refresh, access, pause, recovered }
}

const isAhead = (row: LaneRow, now: DateTime.Utc): boolean =>
  row.pausedUntil === undefined || DateTime.isGreaterThan(row.pausedUntil, now)
