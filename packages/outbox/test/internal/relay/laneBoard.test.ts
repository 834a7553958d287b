import * as CascadeEvents from "@effect-cascade/core/CascadeEvents"
import * as Reason from "@effect-cascade/core/TransportReason"
import { StoreError } from "@effect-cascade/outbox/OutboxError"
import type { LanePause, LaneRow } from "@effect-cascade/outbox/OutboxStore"
import type { RetrySchedule } from "@effect-cascade/outbox/RetryPolicy"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Fiber, Latch, Schedule, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as LaneBoard from "../../../src/internal/relay/laneBoard.ts"
import { fakeStore } from "../../support/fakeStore.ts"

const throttled = (retryAfter?: Duration.Input) =>
  new Reason.Throttled({
    status: 429,
    ...(retryAfter === undefined ? {} : { retryAfter: Duration.fromInputUnsafe(retryAfter) })
  })
const unreachable = new Reason.Unreachable({ code: "ECONNREFUSED" })

const lanesOf = (account: string) =>
  [`${account}/urgent`, `${account}/high`, `${account}/normal`, `${account}/low`] as const

/** The lanes of a database, by the rules of the store, on the test's clock. */
const makeLanes = () => {
  const rows = new Map<string, LaneRow>()
  const probes = new Map<string, DateTime.Utc>()
  const pauses: Array<LanePause> = []
  const isOver = (row: LaneRow, now: DateTime.Utc) =>
    row.pausedUntil !== undefined && DateTime.isLessThanOrEqualTo(row.pausedUntil, now)
  const store = fakeStore({
    lanes: Effect.sync(() =>
      Array.from(rows.values(), (row) => {
        const probe = probes.get(row.lane)
        return row.pausedUntil === undefined || probe === undefined
          ? row
          : { ...row, pausedUntil: DateTime.max(row.pausedUntil, probe) }
      })
    ),
    pauseLanes: (pause) =>
      Effect.map(DateTime.now, (now) => {
        pauses.push(pause)
        for (const lane of pause.lanes) {
          const until = pause.duration && DateTime.addDuration(now, pause.duration)
          const old = rows.get(lane)
          const oldStays =
            old !== undefined &&
            (old.pausedUntil === undefined ||
              (until !== undefined && DateTime.isGreaterThan(old.pausedUntil, until)))
          rows.set(lane, {
            lane,
            pausedUntil: oldStays ? old.pausedUntil : until,
            reason: oldStays ? old.reason : pause.reason,
            trips: Math.max(old?.trips ?? 0, pause.trips)
          })
          probes.delete(lane)
        }
      }),
    probeLane: (lane, window) =>
      Effect.map(DateTime.now, (now) => {
        const row = rows.get(lane)
        const probe = probes.get(lane)
        const taken = probe !== undefined && DateTime.isGreaterThan(probe, now)
        if (row === undefined || !isOver(row, now) || taken) return false
        probes.set(lane, DateTime.addDuration(now, window))
        return true
      }),
    reopenLanes: (lanes) =>
      Effect.map(DateTime.now, (now) =>
        lanes.filter((lane) => {
          const row = rows.get(lane)
          if (row?.pausedUntil === undefined) return false
          return (row.reason !== undefined || isOver(row, now)) && rows.delete(lane)
        })
      )
  })
  return { rows, pauses, store }
}

const makeBoard = Effect.fnUntraced(function* (
  options?: { readonly backoff?: RetrySchedule },
  lanes: ReturnType<typeof makeLanes> = makeLanes()
) {
  const events = yield* CascadeEvents.make()
  const told: Array<string> = []
  const stream = yield* events.subscribe
  const listener = yield* Effect.forkChild(
    Stream.runForEach(stream, (event) =>
      Effect.sync(() => {
        if ("lane" in event) told.push(`${event._tag} ${event.lane}`)
      })
    ),
    { startImmediately: true }
  )
  const board = LaneBoard.make({
    store: lanes.store,
    events,
    backoff: Schedule.exponential("1 second", 2),
    maxPause: Duration.minutes(15),
    unauthorizedPause: Duration.minutes(5),
    probeWindow: Duration.seconds(5),
    ...options
  })
  yield* board.refresh
  const access = (account: string) => Effect.forEach(lanesOf(account), board.access)
  return { ...lanes, board, access, told, listener }
})

const open = ["open", "open", "open", "open"]
const paused = ["paused", "paused", "paused", "paused"]
const probe = ["probe", "probe", "probe", "probe"]

/** The pauses that were asked of the store, in seconds, with the number of the trip. */
const asked = (pauses: ReadonlyArray<LanePause>) =>
  pauses.map(({ duration, trips }) => [trips, duration && Duration.toSeconds(duration)])

describe("pause", () => {
  it.effect("stops every lane of the account, and no other, and says so once", () =>
    Effect.gen(function* () {
      const { access, board, listener, told } = yield* makeBoard()
      assert.deepStrictEqual(yield* access("default"), open)
      yield* board.pause("default/high", throttled("10 seconds"))
      assert.deepStrictEqual(yield* access("default"), paused)
      assert.deepStrictEqual(yield* access("other"), open)
      // Batches that were under way meet the same.
      yield* board.pause("default/low", throttled("10 seconds"))
      yield* board.pause("default/high", throttled("10 seconds"))
      yield* TestClock.adjust("9999 millis")
      assert.deepStrictEqual(yield* access("default"), paused)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* access("default"), probe)
      yield* Effect.yieldNow
      yield* Fiber.interrupt(listener)
      assert.deepStrictEqual(
        told,
        lanesOf("default").map((lane) => `LanePaused ${lane}`)
      )
    })
  )

  const durations: ReadonlyArray<[string, Reason.TransportReason, seconds: number]> = [
    ["Retry-After", throttled("90 seconds"), 90],
    ["Retry-After beyond the maximum", throttled("2 days"), 900],
    ["Retry-After: 0", throttled("0 seconds"), 1],
    ["no Retry-After", throttled(), 1],
    ["unreachable", unreachable, 1],
    ["unauthorized", new Reason.Unauthorized({ status: 401 }), 300],
    ["redirected", new Reason.Redirected({ status: 302 }), 300]
  ]
  for (const [name, reason, seconds] of durations) {
    it.effect(`${name}: ${seconds} seconds`, () =>
      Effect.gen(function* () {
        const { board, pauses } = yield* makeBoard()
        yield* board.pause("default/high", reason)
        assert.deepStrictEqual(asked(pauses), [[1, seconds]])
        assert.deepStrictEqual(pauses[0]?.lanes, lanesOf("default"))
      })
    )
  }

  it.effect("backs off with each failed probe, and begins anew after a success", () =>
    Effect.gen(function* () {
      const { access, board, pauses } = yield* makeBoard()
      yield* board.pause("default/high", unreachable)
      for (const seconds of [1, 2, 4, 8]) {
        yield* TestClock.adjust(Duration.seconds(seconds))
        assert.deepStrictEqual(yield* access("default"), probe)
        // Each lane had a row to try, and each met the same.
        for (const lane of lanesOf("default")) yield* board.pause(lane, unreachable)
      }
      const first = asked(pauses).filter(([trips]) => trips !== 1)
      assert.deepStrictEqual(first, [
        [2, 2],
        [3, 4],
        [4, 8],
        [5, 16]
      ])
      yield* TestClock.adjust("16 seconds")
      yield* access("default")
      yield* board.recovered("default/low")
      assert.deepStrictEqual(yield* access("default"), open)
      yield* board.pause("default/high", unreachable)
      assert.deepStrictEqual(asked(pauses).at(-1), [1, 1])
    })
  )

  it.effect("holds though a reading that began before it comes in after it", () =>
    Effect.gen(function* () {
      const lanes = makeLanes()
      const late = yield* Latch.make(false)
      let slow = false
      const store = {
        ...lanes.store,
        lanes: Effect.suspend(() => {
          const isLate = slow
          slow = false
          return Effect.tap(lanes.store.lanes, () => (isLate ? late.await : Effect.void))
        })
      }
      const { access, board } = yield* makeBoard({}, { ...lanes, store })
      slow = true
      const beat = yield* Effect.forkChild(board.refresh, { startImmediately: true })
      yield* board.pause("default/high", throttled("1 minute"))
      yield* late.open
      yield* Fiber.join(beat)
      assert.deepStrictEqual(yield* access("default"), paused)
    })
  )

  it.effect("holds though the store does not take it, and longer each time, until a send gets through", () =>
    Effect.gen(function* () {
      const lanes = makeLanes()
      const away = new StoreError({ operation: "pause lanes", detail: "away", isRetryable: true })
      let asked = 0
      const store = { ...lanes.store, pauseLanes: () => Effect.suspend(() => Effect.fail((asked++, away))) }
      const { access, board } = yield* makeBoard({}, { ...lanes, store })
      for (const seconds of [1, 2, 4]) {
        // What was under way together met one and the same obstacle.
        for (const lane of lanesOf("default")) yield* Effect.flip(board.pause(lane, unreachable))
        assert.isTrue(board.isPaused("default/urgent"))
        assert.isFalse(board.isPaused("other/urgent"))
        yield* board.refresh
        yield* TestClock.adjust(Duration.seconds(seconds - 0.1))
        assert.deepStrictEqual(yield* access("default"), paused)
        // Of a send that began before the pause.
        yield* board.recovered("default/low")
        yield* TestClock.adjust("100 millis")
        assert.deepStrictEqual(yield* access("default"), open)
        assert.isFalse(board.isPaused("default/urgent"))
      }
      assert.strictEqual(asked, 12)
      yield* board.recovered("default/high")
      yield* Effect.flip(board.pause("default/high", unreachable))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* access("default"), open)
    })
  )

  it.effect("is the store's again as soon as that takes it", () =>
    Effect.gen(function* () {
      const lanes = makeLanes()
      const away = new StoreError({ operation: "pause lanes", detail: "away", isRetryable: true })
      let isAway = true
      const store = {
        ...lanes.store,
        pauseLanes: (pause: LanePause) =>
          Effect.suspend(() => (isAway ? Effect.fail(away) : lanes.store.pauseLanes(pause)))
      }
      const { access, board, rows } = yield* makeBoard({}, { ...lanes, store })
      yield* Effect.flip(board.pause("default/high", throttled("1 minute")))
      isAway = false
      yield* board.pause("default/low", throttled("1 minute"))
      assert.deepStrictEqual(yield* access("default"), paused)
      // An operator opens it.
      rows.clear()
      yield* board.refresh
      assert.deepStrictEqual(yield* access("default"), open)
    })
  )

  it.effect("pauses for the maximum when the backoff ends or breaks", () =>
    Effect.gen(function* () {
      for (const backoff of [
        Schedule.recurs(0),
        Schedule.forever.pipe(Schedule.modifyDelay(() => Effect.die("bug")))
      ] satisfies ReadonlyArray<RetrySchedule>) {
        const { board, pauses } = yield* makeBoard({ backoff })
        yield* board.pause("default/high", unreachable)
        assert.deepStrictEqual(asked(pauses), [[1, 900]])
      }
    })
  )
})

describe("probe", () => {
  it.effect("one relay at a time has the right to it", () =>
    Effect.gen(function* () {
      const lanes = makeLanes()
      const a = yield* makeBoard({}, lanes)
      const b = yield* makeBoard({}, lanes)
      yield* a.board.pause("default/high", throttled("1 second"))
      yield* b.board.refresh
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* a.board.access("default/high"), "probe")
      assert.strictEqual(yield* b.board.access("default/high"), "paused")
      // Nobody heard of it again: the other one tries.
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* b.board.access("default/high"), "probe")
      assert.strictEqual(yield* a.board.access("default/high"), "paused")
    })
  )

  it.effect("a success opens the whole account for every relay, and says so once", () =>
    Effect.gen(function* () {
      const lanes = makeLanes()
      const a = yield* makeBoard({}, lanes)
      const b = yield* makeBoard({}, lanes)
      yield* a.board.pause("default/high", throttled("1 second"))
      yield* b.board.refresh
      yield* TestClock.adjust("1 second")
      yield* a.access("default")
      for (const lane of lanesOf("default")) yield* a.board.recovered(lane)
      assert.deepStrictEqual(yield* a.access("default"), open)
      yield* b.board.refresh
      assert.deepStrictEqual(yield* b.access("default"), open)
      yield* Effect.yieldNow
      assert.deepStrictEqual(
        a.told.filter((event) => event.startsWith("LaneResumed")),
        lanesOf("default").map((lane) => `LaneResumed ${lane}`)
      )
    })
  )

  it.effect("an old success opens nothing", () =>
    Effect.gen(function* () {
      const { access, board } = yield* makeBoard()
      yield* board.pause("default/high", throttled("1 minute"))
      yield* board.recovered("default/high")
      assert.deepStrictEqual(yield* access("default"), paused)
    })
  )

  it.effect("a success opens nothing that another relay has paused anew meanwhile", () =>
    Effect.gen(function* () {
      const lanes = makeLanes()
      const a = yield* makeBoard({}, lanes)
      const b = yield* makeBoard({}, lanes)
      yield* a.board.pause("default/high", throttled("1 second"))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* a.board.access("default/high"), "probe")
      yield* b.board.pause("default/low", throttled("1 minute"))
      yield* a.board.recovered("default/high")
      assert.deepStrictEqual(yield* a.access("default"), paused)
      yield* TestClock.adjust("59 seconds")
      assert.deepStrictEqual(yield* a.access("default"), paused)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* a.access("default"), probe)
    })
  )

  it.effect("a success opens the account also where another relay tries it by now", () =>
    Effect.gen(function* () {
      const lanes = makeLanes()
      const a = yield* makeBoard({}, lanes)
      const b = yield* makeBoard({}, lanes)
      yield* a.board.pause("default/high", throttled("1 second"))
      yield* b.board.refresh
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* a.board.access("default/high"), "probe")
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* b.board.access("default/high"), "probe")
      yield* a.board.recovered("default/high")
      assert.deepStrictEqual(yield* a.access("default"), open)
    })
  )

  it.effect("is not sent any more when an operator has paused the lane since it was claimed", () =>
    Effect.gen(function* () {
      const { board, store } = yield* makeBoard()
      yield* board.pause("default/high", throttled("1 second"))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* board.access("default/high"), "probe")
      assert.isFalse(board.isPaused("default/high"))
      yield* store.pauseLanes({
        lanes: ["default/high"],
        duration: undefined,
        reason: undefined,
        trips: 0
      })
      yield* board.refresh
      assert.isTrue(board.isPaused("default/high"))
    })
  )

  it.effect("the right is there until a probe tells something", () =>
    Effect.gen(function* () {
      const { board } = yield* makeBoard()
      yield* board.pause("default/high", throttled("1 second"))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* board.access("default/high"), "probe")
      // A row that was expired: the next one, at once.
      assert.strictEqual(yield* board.access("default/high"), "probe")
      // A request that came to no answer: not before another turn.
      yield* board.spent("default/high")
      assert.strictEqual(yield* board.access("default/high"), "paused")
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* board.access("default/high"), "probe")
    })
  )

  it.effect("the right is gone when somebody pauses the lane anew", () =>
    Effect.gen(function* () {
      for (const duration of [undefined, Duration.seconds(30)]) {
        const { board, store } = yield* makeBoard()
        yield* board.pause("default/high", throttled("1 second"))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* board.access("default/high"), "probe")
        yield* store.pauseLanes({ lanes: ["default/high"], duration, reason: undefined, trips: 0 })
        yield* board.refresh
        assert.strictEqual(yield* board.access("default/high"), "paused")
      }
    })
  )
})

describe("an operator's pause", () => {
  it.effect("stays while the account recovers around it", () =>
    Effect.gen(function* () {
      const { board, store } = yield* makeBoard()
      yield* board.pause("default/high", throttled("1 second"))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* board.access("default/high"), "probe")
      // While the probe is under way, so that the board's own copy does not know of it.
      yield* store.pauseLanes({ lanes: ["default/low"], duration: undefined, reason: undefined, trips: 0 })
      yield* board.recovered("default/high")
      assert.strictEqual(yield* board.access("default/high"), "open")
      assert.strictEqual(yield* board.access("default/low"), "paused")
      yield* TestClock.adjust("1 day")
      assert.strictEqual(yield* board.access("default/low"), "paused")
    })
  )

  it.effect("with an end is over at its end, without a probe", () =>
    Effect.gen(function* () {
      const { board, rows, store } = yield* makeBoard()
      const lane = "default/low"
      yield* store.pauseLanes({ lanes: [lane], duration: Duration.hours(2), reason: undefined, trips: 0 })
      yield* board.refresh
      yield* board.pause("default/high", throttled("1 second"))
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* board.access("default/high"), "probe")
      yield* board.recovered("default/high")
      assert.strictEqual(yield* board.access(lane), "paused")
      yield* TestClock.adjust("2 hours")
      assert.strictEqual(yield* board.access(lane), "open")
      assert.strictEqual(rows.size, 0)
    })
  )
})
