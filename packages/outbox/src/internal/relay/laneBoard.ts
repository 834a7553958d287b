/**
 * What a relay knows of its lanes: which are open, which are paused, and which may be tried again.
 *
 * The truth is in the store, where every relay and operator sees it. The board is a copy, read again with each
 * heartbeat, so that the claim can leave a paused lane out without asking. A pause that the store does not take holds for
 * this relay until its end.
 */
import * as CauseSummary from "@effect-cascade/core/CauseSummary"
import * as CascadeEvent from "@effect-cascade/core/CascadeEvent"
import type * as CascadeEvents from "@effect-cascade/core/CascadeEvents"
import * as Reason from "@effect-cascade/core/TransportReason"
import * as Arr from "effect/Array"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import * as Lane from "../../Lane.ts"
import type { StoreError } from "../../OutboxError.ts"
import type { LanePause, LaneRow, OutboxStoreShape } from "../../OutboxStore.ts"
import * as RetryPolicy from "../../RetryPolicy.ts"

/** Whether a lane may be claimed from: freely, one row to see whether it works again, or not. */
export type Access = "open" | "probe" | "paused"

export interface LaneBoard {
  /** Reads the lanes again. */
  readonly refresh: Effect.Effect<void, StoreError>
  /** Those that were paused when they were last read, and still are. */
  readonly paused: Effect.Effect<ReadonlyArray<LaneRow>>
  /**
   * May this lane be claimed from now? Takes the right to probe where its pause is over. The right is there until a
   * probe tells something: a row that turns out to be expired uses none of it up.
   */
  readonly access: (lane: string) => Effect.Effect<Access, StoreError>
  /** Whether the lane is paused by now, for what was claimed before that was known. */
  readonly isPaused: (lane: string) => boolean
  /** An attempt met a reason that every other message of its account would meet too. */
  readonly pause: (lane: string, reason: Reason.TransportReason) => Effect.Effect<void, StoreError>
  /** An attempt of this lane got through, so its account works. */
  readonly recovered: (lane: string) => Effect.Effect<void, StoreError>
  /** An attempt of this lane came to no answer: if it was a probe, the next one has to wait. */
  readonly spent: (lane: string) => Effect.Effect<void>
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

  let begun = 0
  let shown = 0

  const refresh = Effect.suspend(() => {
    const mine = ++begun
    return Effect.map(store.lanes, (rows) => {
      // A reading that was overtaken by a later one would show a lane open that has just been paused.
      if (mine < shown) return
      shown = mine
      lanes = new Map(rows.map((row) => [row.lane, row]))
    })
  })

  const durationOf = Effect.fnUntraced(function* (reason: Reason.TransportReason, trips: number) {
    const asked = Reason.retryAfter(reason)
    // "At once" is no answer to "when": a lane that is tried without a pause is not paused.
    if (asked !== undefined && Duration.isPositive(asked)) return Duration.min(asked, options.maxPause)
    if (reason._tag === "Unauthorized" || reason._tag === "Redirected") return options.unauthorizedPause
    const delay = yield* RetryPolicy.delayAfter(options.backoff, { attempt: trips, reason }).pipe(
      Effect.catchCause((cause) =>
        Effect.as(Effect.logError("outbox: the backoff failed", CauseSummary.of(cause)), undefined)
      )
    )
    return delay ?? options.maxPause
  })

  // The lanes in which this relay has the right to try whether they work again, and until when it has it.
  const rights = new Map<string, DateTime.Utc>()

  const giveUpRights = (lanes: ReadonlyArray<string>) => {
    for (const lane of lanes) rights.delete(lane)
  }

  // Pauses that the store did not take. They hold here all the same: whoever is throttled and cannot write that down must
  // not go on asking.
  const unwritten = new Map<string, Unwritten>()

  const write = Effect.fnUntraced(function* (pause: LanePause, until: DateTime.Utc) {
    for (const lane of pause.lanes) unwritten.set(lane, { until, trips: pause.trips, isOver: false })
    yield* store.pauseLanes(pause)
    yield* refresh
    for (const lane of pause.lanes) unwritten.delete(lane)
  })

  // One change at a time: of batches that meet an obstacle together, all but the first find the lane paused.
  const changes = Semaphore.makeUnsafe(1)

  const pause = Effect.fnUntraced(function* (lane: string, reason: Reason.TransportReason) {
    const affected = Lane.ofAccount(Lane.accountOf(lane))
    if (!Arr.isReadonlyArrayNonEmpty(affected)) return
    const now = yield* DateTime.now
    const known = lanes.get(lane)
    const held = unwritten.get(lane)
    // What was under way together met one and the same obstacle; only the first failed probe is another.
    const probed = rights.has(lane)
    giveUpRights(affected)
    const trips = probed
      ? (known?.trips ?? 0) + 1
      : held === undefined
        ? 1
        : held.trips + (held.isOver ? 1 : 0)
    const news = probed || known === undefined || !isAhead(known, now)
    const duration = yield* durationOf(reason, trips)
    const until = DateTime.addDuration(now, duration)
    yield* write({ lanes: affected, duration, reason, trips }, until)
    if (!news) return
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
  }, changes.withPermit)

  const reopen = Effect.fnUntraced(function* (names: Arr.NonEmptyReadonlyArray<string>) {
    const opened = yield* store.reopenLanes(names)
    yield* refresh
    if (opened.length === 0) return
    const at = yield* DateTime.now
    yield* Effect.logInfo("outbox: lanes resumed").pipe(Effect.annotateLogs({ lanes: opened.join(", ") }))
    yield* events.publishAll(opened.map((name) => new CascadeEvent.LaneResumed({ lane: name, at })))
  })

  const recovered = Effect.fnUntraced(function* (lane: string) {
    const affected = Lane.ofAccount(Lane.accountOf(lane))
    for (const name of affected) if (unwritten.get(name)?.isOver === true) unwritten.delete(name)
    if (!rights.has(lane)) return
    giveUpRights(affected)
    // Another relay may have met the obstacle while the probe was under way. Its word is the newer one.
    yield* refresh
    const row = lanes.get(lane)
    const isNew = row?.reason !== undefined && outlastsProbe(row, yield* DateTime.now)
    if (!isNew && Arr.isReadonlyArrayNonEmpty(affected)) yield* reopen(affected)
  }, changes.withPermit)

  const access = Effect.fnUntraced(function* (lane: string): Effect.fn.Return<Access, StoreError> {
    const held = unwritten.get(lane)
    if (held !== undefined) {
      if (DateTime.isGreaterThan(held.until, yield* DateTime.now)) return "paused"
      held.isOver = true
    }
    const row = lanes.get(lane)
    if (row === undefined) {
      rights.delete(lane)
      return "open"
    }
    if (isAhead(row, yield* DateTime.now)) return hasRight(row) ? "probe" : "paused"
    // A person's pause says nothing about the provider: when it is over, it is over.
    if (row.reason === undefined) {
      yield* reopen([lane])
    } else if (yield* store.probeLane(lane, options.probeWindow)) {
      rights.set(lane, DateTime.addDuration(yield* DateTime.now, options.probeWindow))
      yield* refresh
      return "probe"
    } else {
      yield* refresh
    }
    return lanes.has(lane) ? "paused" : "open"
  })

  // Somebody may have paused the lane anew while this relay had the right to try it; then the pause ends later.
  const hasRight = (row: LaneRow): boolean => {
    const until = rights.get(row.lane)
    return (
      until !== undefined &&
      row.pausedUntil !== undefined &&
      DateTime.isLessThan(row.pausedUntil, DateTime.addDuration(until, clockSlack))
    )
  }

  /** Whether it is paused for longer than any right to probe, its own or another's, could be. */
  const outlastsProbe = (row: LaneRow, now: DateTime.Utc): boolean =>
    isAhead(row, DateTime.addDuration(now, Duration.sum(options.probeWindow, clockSlack)))

  const spent = (lane: string) => Effect.sync(() => giveUpRights([lane]))

  // A lane that may be sent from has no row, unless this relay is to try it.
  const isPaused = (lane: string) => {
    const row = lanes.get(lane)
    return unwritten.get(lane)?.isOver === false || (row !== undefined && !hasRight(row))
  }

  const paused = Effect.map(DateTime.now, (now) =>
    Array.from(lanes.values()).filter((row) => isAhead(row, now))
  )

  return { refresh, paused, access, isPaused, pause, recovered, spent }
}

/** A pause that this relay alone knows of. */
interface Unwritten {
  readonly until: DateTime.Utc
  readonly trips: number
  /** It has been found to be over, and the lane is tried. Kept for the number of trips, until a send gets through. */
  isOver: boolean
}

/** By how much two readings of the same instant may differ, because time passes while they are made. */
const clockSlack = Duration.seconds(1)

const isAhead = (row: LaneRow, now: DateTime.Utc): boolean =>
  row.pausedUntil === undefined || DateTime.isGreaterThan(row.pausedUntil, now)
