import * as CascadeEvents from "@effect-cascade/core/CascadeEvents"
import { NotFound, StatusLookup } from "@effect-cascade/core/StatusLookup"
import { StoreError } from "@effect-cascade/outbox/OutboxError"
import { StatusStore } from "@effect-cascade/outbox/StatusStore"
import * as StatusTracker from "@effect-cascade/outbox/StatusTracker"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Layer, Schedule, Scope } from "effect"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { hint, inTurn, refuses, report, says, scripted } from "./support/followed.ts"
import { memoryStatusStore } from "./support/memoryStatusStore.ts"
import { ids } from "./support/messages.ts"
import { asState, tracking } from "./support/tracking.ts"

describe("options", () => {
  const wrong: ReadonlyArray<[StatusTracker.StatusTrackerOptions, string]> = [
    [{ concurrency: 0 }, "concurrency"],
    [{ concurrency: 1.5 }, "concurrency"],
    [{ notFoundLimit: 0 }, "notFoundLimit"],
    [{ batch: 0 }, "batch"],
    [{ batch: 1_001 }, "batch"],
    [{ rate: 0 }, "rate"],
    [{ rate: Number.POSITIVE_INFINITY }, "rate"],
    [{ rate: Number.NaN }, "rate"],
    [{ poll: 0 }, "poll"],
    [{ lookupTimeout: 0 }, "lookupTimeout"],
    [{ lookupTimeout: Duration.infinity }, "lookupTimeout"],
    [{ lease: "10 seconds" }, "lease"],
    [{ lease: Duration.infinity }, "lease"],
    [{ pause: { maximum: Duration.infinity } }, "pause.maximum"],
    [{ pause: { unauthorized: 0 } }, "pause.unauthorized"]
  ]
  for (const [options, named] of wrong) {
    it.effect(`${JSON.stringify(options)} is refused, and ${named} named`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(tracking(says("delivered"), options))
        assert.strictEqual(error._tag, "InvalidStatusTrackerOptions")
        assert.include(error.message, named)
        const ofOneRun = yield* Effect.flip(
          StatusTracker.runOnce(options).pipe(
            Effect.provideService(StatusStore, memoryStatusStore().shape),
            Effect.provideService(StatusLookup, scripted(says("delivered")).shape)
          )
        )
        assert.strictEqual(ofOneRun._tag, "InvalidStatusTrackerOptions")
      })
    )
  }

  it.effect("a tracker without any works", () =>
    Effect.gen(function* () {
      const memory = memoryStatusStore()
      const lookup = scripted(says("delivered"))
      yield* memory.follow(["a"])
      yield* StatusTracker.make().pipe(
        Effect.provideService(StatusStore, memory.shape),
        Effect.provideService(StatusLookup, lookup.shape)
      )
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(lookup.asked, ["provider-a"])
    })
  )
})

describe("a tracker", () => {
  it.effect("asks until the end, and never after it", () =>
    Effect.gen(function* () {
      const of = yield* tracking(inTurn(says("scheduled"), says("processing"), says("delivered")))
      yield* of.follow(["a"])
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(of.row("a").state, asState("scheduled"))
      yield* TestClock.adjust("6 seconds")
      assert.deepStrictEqual(of.row("a").state, asState("processing"))
      yield* TestClock.adjust("2 hours")
      assert.deepStrictEqual(of.row("a").state, asState("delivered"))
      assert.strictEqual(of.lookup.asked.length, 3)
      assert.deepInclude(yield* of.tracker.tally, { answered: 3, failed: 0, gaveUp: 0, lost: 0 })
      assert.deepInclude(yield* of.tracker.status("default", "a"), {
        state: asState("delivered"),
        following: false
      })
    })
  )

  it.effect("asks less and less often by default, and gives up after three days", () =>
    Effect.gen(function* () {
      const of = yield* tracking(says("processing"), {
        schedule: StatusTracker.defaultSchedule
      })
      yield* of.follow(["a"])
      const counts: Array<number> = []
      for (const time of ["1 minute", "9 minutes", "50 minutes"] as const) {
        yield* TestClock.adjust(time)
        counts.push(of.lookup.asked.length)
      }
      const [minute = 0, tenMinutes = 0, hour = 0] = counts
      assert.isAtLeast(minute, 4)
      assert.isAtMost(minute, 7)
      assert.isAtMost(tenMinutes, 14)
      assert.isAtMost(hour, 18)
      yield* TestClock.adjust("4 days")
      assert.isAtMost(of.lookup.asked.length, 200)
      assert.deepInclude(yield* of.tracker.status("default", "a"), {
        state: asState("processing"),
        following: false
      })
      assert.deepInclude(yield* of.tracker.tally, { gaveUp: 1 })
    })
  )

  it.effect("gives up what the provider does not know as unrecognised", () =>
    Effect.gen(function* () {
      const of = yield* tracking(refuses(new NotFound({})), { poll: "1 minute" })
      yield* of.follow(["a"])
      yield* TestClock.adjust("1 day")
      assert.strictEqual(of.lookup.asked.length, 5)
      assert.deepStrictEqual(of.row("a").state, asState("unrecognised", false))
      assert.isUndefined(of.row("a").nextAt)
      // A webhook that comes later is believed as far as it goes.
      yield* of.tracker.report(hint("a", "delivered"))
      assert.deepStrictEqual(of.row("a").state, asState("delivered", false))
      yield* TestClock.adjust("1 day")
      assert.strictEqual(of.lookup.asked.length, 5)
    })
  )

  it.effect("keeps to its rate, and asks several at a time", () =>
    Effect.gen(function* () {
      let running = 0
      let most = 0
      const of = yield* tracking(
        (messageId, call) =>
          Effect.acquireUseRelease(
            Effect.sync(() => {
              most = Math.max(most, ++running)
            }),
            () => Effect.delay(says("delivered")(messageId, call), "500 millis"),
            () => Effect.sync(() => running--)
          ),
        { rate: 8, concurrency: 3 }
      )
      yield* of.follow(ids("m", 100))
      yield* TestClock.adjust("10 seconds")
      // Three at a time of half a second each are six a second.
      assert.strictEqual(most, 3)
      assert.isAtMost(of.lookup.asked.length, 63)
      assert.isAtLeast(of.lookup.asked.length, 50)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(of.lookup.asked.length, 100)
      assert.deepInclude(yield* of.tracker.tally, { answered: 100, lost: 0, failed: 0 })

      const slow = yield* tracking(says("delivered"), { rate: 8 })
      yield* slow.follow(ids("m", 100))
      for (let second = 1; second <= 10; second++) {
        yield* TestClock.adjust("1 second")
        assert.isAtMost(slow.lookup.asked.length, 8 * second + 2)
      }
      assert.isAtLeast(slow.lookup.asked.length, 70)
    })
  )

  it.effect("shares its rate with whoever has the same limiter", () =>
    Effect.gen(function* () {
      const limiter = yield* Effect.provide(RateLimiter.make, RateLimiter.layerStoreMemory)
      const both = yield* Effect.all([
        tracking(says("delivered"), { rate: 4 }),
        tracking(says("delivered"), { rate: 4 })
      ]).pipe(Effect.provideService(RateLimiter.RateLimiter, limiter))
      for (const of of both) yield* of.follow(ids("m", 100))
      yield* TestClock.adjust("10 seconds")
      const asked = both.map((of) => of.lookup.asked.length)
      assert.isAtMost(
        asked.reduce((sum, count) => sum + count),
        41
      )
      assert.isAtLeast(
        asked.reduce((sum, count) => sum + count),
        36
      )
    })
  )
})

describe("a look-up", () => {
  it.effect("that never answers is cut short, and holds up no other", () =>
    Effect.gen(function* () {
      const of = yield* tracking(
        (id, call) => (id === "provider-hangs" ? Effect.never : says("delivered")(id, call)),
        { lookupTimeout: "10 seconds" }
      )
      yield* of.follow(["hangs", ...ids("m", 200)])
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(Array.from(of.rows.values()).filter(({ state }) => state === undefined).length, 1)
      yield* TestClock.adjust("11 seconds")
      assert.strictEqual(of.row("hangs").checks, 2)
      assert.deepInclude(yield* of.tracker.tally, { failed: 1, answered: 200 })
    })
  )

  it.effect("that dies, or throws, is said in the log, and tried again later", () =>
    Effect.gen(function* () {
      const of = yield* tracking((id, call) => {
        if (call === 1) return Effect.die("first")
        if (call === 2) throw new TypeError("second")
        return says("delivered")(id, call)
      })
      yield* of.follow(["a"])
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(of.lookup.asked.length, 1)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(of.lookup.asked.length, 3)
      assert.deepStrictEqual(of.row("a").state, asState("delivered"))
      assert.strictEqual(of.logged.filter((line) => line.includes("broke its contract")).length, 2)
    })
  )

  it.effect("under way when the tracker stops is given back, and counts for nothing", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const of = yield* Scope.provide(
        tracking(() => Effect.never),
        scope
      )
      yield* of.follow(ids("m", 20))
      yield* TestClock.adjust("1 second")
      assert.isAbove(of.lookup.asked.length, 0)
      yield* Scope.close(scope, Exit.void)
      for (const row of of.rows.values()) {
        assert.strictEqual(row.leaseUntil, undefined)
        assert.strictEqual(row.checks, 0)
        assert.strictEqual(row.misses, 0)
      }
      const asked = of.lookup.asked.length
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(of.lookup.asked.length, asked)
    })
  )

  it.effect("is not begun when the lease might end before it does", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const of = yield* tracking(
        (id, call) => Effect.andThen(Deferred.await(gate), says("delivered")(id, call)),
        { concurrency: 1, lease: "25 seconds", lookupTimeout: "10 seconds" }
      )
      yield* of.follow(ids("m", 4))
      // The first two hang for ten seconds each; then there are five seconds left for the others.
      yield* TestClock.adjust("19 seconds")
      assert.strictEqual(of.lookup.asked.length, 2)
      yield* Deferred.succeed(gate, undefined)
      yield* TestClock.adjust("1 minute")
      assert.isTrue(Array.from(of.rows.values()).every(({ state }) => state?.status === "delivered"))
      assert.deepInclude(yield* of.tracker.tally, { lost: 0 })
      assert.isAbove((yield* of.tracker.tally).released, 0)
    })
  )

  it.effect("of which the schedule breaks is put off, not forgotten", () =>
    Effect.gen(function* () {
      const of = yield* tracking(says("processing"), {
        schedule: Schedule.spaced("1 second").pipe(Schedule.tap(() => Effect.die("broken")))
      })
      yield* of.follow(["a"])
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(of.lookup.asked.length, 1)
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(of.lookup.asked.length, 2)
    })
  )
})

describe("a store", () => {
  it.effect("that cannot be claimed from is asked less and less often, and used again when it is back", () =>
    Effect.gen(function* () {
      let claims = 0
      let isAway = true
      const away = new StoreError({ operation: "claim status checks", detail: "away", isRetryable: true })
      const of = yield* tracking(says("delivered"), {}, (store) => ({
        claim: (...given) =>
          Effect.suspend(() => {
            claims++
            // The first time by an interruption from within the store, which must not end the tracker.
            if (claims === 1) return Effect.interrupt
            return isAway ? Effect.fail(away) : store.claim(...given)
          })
      }))
      yield* of.follow(["a"])
      yield* TestClock.adjust("1 minute")
      assert.isAtMost(claims, 20)
      assert.isTrue(of.logged.some((line) => line.includes("claiming status checks failed")))
      isAway = false
      yield* TestClock.adjust("6 seconds")
      assert.deepStrictEqual(of.row("a").state, asState("delivered"))
    })
  )

  it.effect("that cannot be written to is tried again, then left to the end of the lease", () =>
    Effect.gen(function* () {
      const away = new StoreError({ operation: "settle a status check", detail: "away", isRetryable: true })
      let failing = 3
      const of = yield* tracking(says("delivered"), {}, (store) => ({
        settle: (check) => Effect.suspend(() => (failing-- > 0 ? Effect.fail(away) : store.settle(check)))
      }))
      yield* of.follow(["a"])
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(of.row("a").state, asState("delivered"))
      assert.strictEqual(of.lookup.asked.length, 1)

      failing = 10
      yield* of.follow(["b"])
      yield* TestClock.adjust("30 seconds")
      assert.isUndefined(of.row("b").state)
      assert.deepInclude(yield* of.tracker.tally, { lost: 1 })
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(of.row("b").state, asState("delivered"))
    })
  )
})

describe("a report", () => {
  it.effect("is tried again while the store is away, for a few seconds", () =>
    Effect.gen(function* () {
      const away = new StoreError({ operation: "record a status", detail: "away", isRetryable: true })
      let failing = 3
      const of = yield* tracking(
        () => Effect.never,
        {},
        (store) => ({
          record: (...given) =>
            Effect.suspend(() => (failing-- > 0 ? Effect.fail(away) : store.record(...given)))
        })
      )
      yield* of.follow(["a"])
      const first = yield* Effect.forkChild(of.tracker.report(report("a", "processing")))
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(first.pollUnsafe(), Exit.void)
      assert.deepStrictEqual(of.row("a").state, asState("processing"))
      failing = 100
      const second = yield* Effect.forkChild(Effect.flip(of.tracker.report(report("a", "delivered"))))
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(second.pollUnsafe(), Exit.succeed(away))
    })
  )

  it.effect("of a message that is not followed is counted, and tells nothing", () =>
    Effect.gen(function* () {
      const of = yield* tracking(() => Effect.never)
      yield* of.follow(["a"])
      const answers = [
        yield* of.tracker.report(report("a", "delivered")),
        yield* of.tracker.report(report("b", "delivered")),
        yield* of.tracker.report(report("a", "delivered"), { account: "second" })
      ]
      assert.deepStrictEqual(answers, [undefined, undefined, undefined])
      assert.deepInclude(yield* of.tracker.tally, { reports: 3, unknown: 2 })
    })
  )

  it.effect("is taken in by a process that asks nobody", () =>
    Effect.gen(function* () {
      const memory = memoryStatusStore()
      yield* memory.follow(["a"])
      const tracker = yield* StatusTracker.StatusTracker.pipe(
        Effect.provide(Layer.provide(StatusTracker.layerNoPolling, Layer.succeed(StatusStore, memory.shape)))
      )
      yield* tracker.report(hint("a", "delivered"))
      assert.deepInclude(yield* tracker.status("default", "a"), { state: asState("delivered", false) })
      assert.deepStrictEqual(yield* tracker.tally, {
        answered: 0,
        failed: 0,
        released: 0,
        gaveUp: 0,
        lost: 0,
        reports: 1,
        unknown: 0
      })
      assert.strictEqual(memory.calls.claims, 0)
    })
  )

  it.effect("goes to the events that the tracker was built with, whoever reports", () =>
    Effect.gen(function* () {
      const memory = memoryStatusStore()
      yield* memory.follow(["a"])
      const events = yield* CascadeEvents.make()
      const told: Array<string> = []
      const publish: typeof events.publish = (event) =>
        Effect.sync(() => told.push(event._tag)).pipe(Effect.andThen(events.publish(event)))
      const tracker = yield* StatusTracker.StatusTracker.pipe(
        Effect.provide(Layer.provide(StatusTracker.layerNoPolling, Layer.succeed(StatusStore, memory.shape))),
        Effect.provideService(CascadeEvents.CascadeEvents, { ...events, publish })
      )
      yield* tracker.report(report("a", "delivered"))
      assert.deepStrictEqual(told, ["StatusChanged"])
    })
  )
})
