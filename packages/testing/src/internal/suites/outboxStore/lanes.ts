/**
 * Promises about lanes that are paused or on probation.
 */
import { assert } from "@effect/vitest"
import type { LanePause, LaneRow } from "@effect-cascade/outbox/OutboxStore"
import * as Reason from "@effect-cascade/core/TransportReason"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type DefineTests, only, type World } from "./world.ts"

const throttled = new Reason.Throttled({ status: 429, retryAfter: Duration.seconds(7) })
const unreachable = new Reason.Unreachable({ code: "ECONNREFUSED" })

export const lanes: DefineTests = (test) => {
  test("a lane that nobody paused is not listed, cannot be probed, and need not be opened", ({
    lane,
    lanes,
    store
  }) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* lanes, [])
      assert.isFalse(yield* store.probeLane(lane, minute))
      assert.deepStrictEqual(yield* store.reopenLanes([lane]), [])
      yield* store.resumeLanes([lane])
      assert.deepStrictEqual(yield* lanes, [])
    }))

  test("a paused lane is listed with its reason, its trips and its end", ({ laneOf, lanes, store }) =>
    Effect.gen(function* () {
      const [a, b] = [laneOf("high"), laneOf("low")]
      const before = yield* Clock.currentTimeMillis
      yield* store.pauseLanes({ lanes: [b, a], duration: minute, reason: throttled, trips: 3 })
      const listed = yield* lanes
      const after = yield* Clock.currentTimeMillis
      assert.deepStrictEqual(new Set(listed.map(({ lane }) => lane)), new Set([a, b]))
      for (const { pausedUntil, reason, trips } of listed) {
        assert.strictEqual(trips, 3)
        assert.strictEqual(reason?._tag, "Throttled")
        assert.deepStrictEqual(
          reason?._tag === "Throttled" ? reason.retryAfter : undefined,
          throttled.retryAfter
        )
        const until = pausedUntil === undefined ? assert.fail("no end") : DateTime.toEpochMillis(pausedUntil)
        assert.isAtLeast(until, before + 60_000 - skew)
        assert.isAtMost(until, after + 60_000 + skew)
      }
    }))

  test("of two pauses the longer one stays, with its reason; trips only grow", (world) =>
    Effect.gen(function* () {
      yield* pause(world, { duration: minute, reason: throttled, trips: 2 })
      yield* pause(world, { duration: second, reason: unreachable, trips: 1 })
      assert.deepStrictEqual(yield* shown(world), { reason: "Throttled", length: "minute", trips: 2 })
      yield* pause(world, { duration: hour, reason: unreachable, trips: 3 })
      assert.deepStrictEqual(yield* shown(world), { reason: "Unreachable", length: "hour", trips: 3 })
    }))

  test("a pause without an end outlasts every other, whichever came first", (world) =>
    Effect.gen(function* () {
      yield* pause(world, { duration: hour, reason: throttled, trips: 1 })
      yield* pause(world, { duration: undefined, reason: undefined, trips: 0 })
      assert.deepStrictEqual(yield* shown(world), { reason: undefined, length: "endless", trips: 1 })
      yield* pause(world, { duration: hour, reason: unreachable, trips: 1 })
      assert.deepStrictEqual(yield* shown(world), { reason: undefined, length: "endless", trips: 1 })
    }))

  test("a paused lane can be probed when its pause is over, by one relay at a time", (world) =>
    Effect.gen(function* () {
      const { lane, lanes, store, until } = world
      const probe = (window: Duration.Duration) => store.probeLane(lane, window)
      yield* pause(world, { duration: Duration.millis(100), reason: throttled, trips: 1 })
      const before = yield* Clock.currentTimeMillis
      yield* until(Effect.map(probe(Duration.millis(100)), (taken) => taken || undefined))
      assert.isAtLeast(yield* Clock.currentTimeMillis, before)
      // When the window is over somebody may try again; of many who do, one.
      const taken = yield* until(
        Effect.map(
          Effect.forEach(Array.from({ length: 5 }), () => probe(minute), { concurrency: "unbounded" }),
          (answers) => (answers.includes(true) ? answers.filter(Boolean) : undefined)
        )
      )
      assert.lengthOf(taken, 1)
      assert.isFalse(yield* probe(minute))
      // Still listed: who has no right to try leaves it alone until then.
      assert.deepStrictEqual(yield* shown(world), { reason: "Throttled", length: "minute", trips: 1 })
      assert.lengthOf(yield* lanes, 1)
    }))

  test("a lane whose pause is not over, or has no end, cannot be probed", (world) =>
    Effect.gen(function* () {
      yield* pause(world, { duration: minute, reason: throttled, trips: 1 })
      assert.isFalse(yield* world.store.probeLane(world.lane, minute))
      yield* pause(world, { duration: undefined, reason: undefined, trips: 0 })
      assert.isFalse(yield* world.store.probeLane(world.lane, minute))
    }))

  test("a pause ends a right to probe", (world) =>
    Effect.gen(function* () {
      const over = Duration.millis(1)
      const probe = world.until(
        Effect.map(world.store.probeLane(world.lane, hour), (taken) => taken || undefined)
      )
      yield* pause(world, { duration: over, reason: throttled, trips: 1 })
      yield* probe
      yield* pause(world, { duration: over, reason: throttled, trips: 2 })
      yield* probe
      yield* pause(world, { duration: minute, reason: throttled, trips: 2 })
      assert.deepStrictEqual(yield* shown(world), { reason: "Throttled", length: "minute", trips: 2 })
    }))

  test("reopening opens what a relay paused, also before its time, and says what it opened", (world) =>
    Effect.gen(function* () {
      const other = world.laneOf("low")
      yield* pause(world, { duration: hour, reason: throttled, trips: 1 })
      assert.deepStrictEqual(yield* world.store.reopenLanes([world.lane, other]), [world.lane])
      assert.deepStrictEqual(yield* world.lanes, [])
    }))

  test("reopening leaves an operator's pause alone until its time", (world) =>
    Effect.gen(function* () {
      const reopen = world.store.reopenLanes([world.lane])
      yield* pause(world, { duration: undefined, reason: undefined, trips: 0 })
      assert.deepStrictEqual(yield* reopen, [])
      yield* world.store.resumeLanes([world.lane])
      yield* pause(world, { duration: hour, reason: undefined, trips: 0 })
      assert.deepStrictEqual(yield* reopen, [])
      yield* world.store.resumeLanes([world.lane])
      yield* pause(world, { duration: Duration.millis(50), reason: undefined, trips: 0 })
      const opened = yield* world.until(Effect.map(reopen, (names) => names[0]))
      assert.strictEqual(opened, world.lane)
      assert.deepStrictEqual(yield* world.lanes, [])
    }))

  test("resuming opens a lane, whoever paused it", (world) =>
    Effect.gen(function* () {
      yield* pause(world, { duration: undefined, reason: undefined, trips: 0 })
      const other = world.laneOf("low")
      yield* world.store.pauseLanes({ lanes: [other], duration: hour, reason: throttled, trips: 1 })
      yield* world.store.resumeLanes([world.lane])
      assert.strictEqual((yield* only(yield* world.lanes)).lane, other)
      yield* world.store.resumeLanes([other, world.lane])
      assert.deepStrictEqual(yield* world.lanes, [])
    }))
}

const second = Duration.seconds(1)
const minute = Duration.minutes(1)
const hour = Duration.hours(1)

/** By how much the clocks of a store and of this process may differ, and what is rounded. */
const skew = 5

const pause = ({ lane, store }: World, options: Omit<LanePause, "lanes">) =>
  store.pauseLanes({ lanes: [lane], ...options })

/** The only paused lane of a world, in short. */
const shown = (world: World) =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const { pausedUntil, reason, trips } = yield* only(yield* world.lanes)
    return { reason: reason?._tag, length: lengthOf(pausedUntil, now), trips }
  })

const lengthOf = (until: LaneRow["pausedUntil"], now: number): string => {
  if (until === undefined) return "endless"
  const left = DateTime.toEpochMillis(until) - now
  return left > 1_800_000 ? "hour" : left > 10_000 ? "minute" : "short"
}
