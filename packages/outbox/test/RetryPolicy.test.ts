import * as Reason from "@effect-cascade/core/TransportReason"
import * as RetryPolicy from "@effect-cascade/outbox/RetryPolicy"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Random, Schedule, Schema } from "effect"

const reason = new Reason.TimedOut()

/** The delay after each of the first attempts, in milliseconds; `undefined` where there is to be no other. */
const delays = (schedule: RetryPolicy.RetrySchedule, attempts: number) =>
  Effect.forEach(
    Array.from({ length: attempts }, (_, index) => index + 1),
    (attempt) =>
      Effect.map(RetryPolicy.delayAfter(schedule, { attempt, reason }), (delay) =>
        delay === undefined ? undefined : Duration.toMillis(delay)
      )
  )

const Attempt = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 }))

/** The default schedule's delays before the jitter. */
const full = (attempt: number) => Math.min(1_000 * 2 ** (attempt - 1), 15 * 60_000)

/** What a draw of `fraction` makes of every delay. */
const drawing = (fraction: number) =>
  Effect.provideService(Random.Random, { nextDoubleUnsafe: () => fraction, nextIntUnsafe: () => 0 })

describe("the default schedule", () => {
  it.effect("doubles from one second, and ends after ten attempts", () =>
    Effect.gen(function* () {
      const seconds = [1, 2, 4, 8, 16, 32, 64, 128, 256]
      // As if each draw gave the whole delay.
      assert.deepStrictEqual(yield* delays(RetryPolicy.defaultSchedule, 12).pipe(drawing(1)), [
        ...seconds.map((second) => second * 1_000),
        undefined,
        undefined,
        undefined
      ])
    })
  )

  it.effect.prop("draws each delay from zero to its full length", [Attempt], ([attempt]) =>
    Effect.gen(function* () {
      const delay = yield* RetryPolicy.delayAfter(RetryPolicy.defaultSchedule, { attempt, reason })
      assert.isDefined(delay)
      assert.isAtLeast(Duration.toMillis(delay), 0)
      assert.isAtMost(Duration.toMillis(delay), full(attempt))
    })
  )

  it.effect("draws from the whole of that range", () =>
    Effect.gen(function* () {
      const draw = RetryPolicy.delayAfter(RetryPolicy.defaultSchedule, { attempt: 9, reason })
      assert.deepStrictEqual(yield* drawing(0)(draw), Duration.zero)
      assert.deepStrictEqual(yield* drawing(0.25)(draw), Duration.seconds(64))
      const drawn = yield* Effect.replicateEffect(draw, 50)
      assert.isAbove(new Set(drawn.map((delay) => delay && Duration.toMillis(delay))).size, 40)
    })
  )
})

describe("delayAfter", () => {
  const plain = Schedule.min([Schedule.exponential("1 second", 2), Schedule.spaced("15 minutes")])

  it.effect("caps what the schedule caps", () =>
    Effect.gen(function* () {
      const found = yield* delays(plain, 14)
      assert.deepStrictEqual(
        found,
        Array.from({ length: 14 }, (_, index) => full(index + 1))
      )
      assert.strictEqual(found.at(-1), 15 * 60_000)
    })
  )

  it.effect.prop("depends on the number of the attempt alone", [Schema.Array(Attempt)], ([attempts]) =>
    Effect.forEach(attempts, (attempt) =>
      Effect.map(RetryPolicy.delayAfter(plain, { attempt, reason }), (delay) =>
        // Whatever was asked before, in whatever order.
        assert.deepStrictEqual(delay, Duration.millis(full(attempt)))
      )
    )
  )

  it.effect("the end of a schedule means no other attempt", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* delays(Schedule.recurs(0), 2), [undefined, undefined])
      const twice = Schedule.spaced("5 seconds").pipe(Schedule.upTo({ times: 2 }))
      assert.deepStrictEqual(yield* delays(twice, 4), [5_000, 5_000, undefined, undefined])
    })
  )

  it.effect("an endless delay means no other attempt", () =>
    Effect.gen(function* () {
      const never = Schedule.spaced(Duration.infinity)
      assert.deepStrictEqual(yield* delays(never, 2), [undefined, undefined])
    })
  )

  it.effect("tells the schedule which attempt failed and why", () =>
    Effect.gen(function* () {
      const seen: Array<RetryPolicy.FailedAttempt> = []
      const spying: RetryPolicy.RetrySchedule = Schedule.forever.pipe(
        Schedule.setInputType<RetryPolicy.FailedAttempt>(),
        Schedule.tap(({ input }) => Effect.sync(() => seen.push(input)))
      )
      yield* RetryPolicy.delayAfter(spying, { attempt: 3, reason })
      assert.deepStrictEqual(
        seen,
        [1, 2, 3].map((attempt) => ({ attempt, reason }))
      )
    })
  )

  it.effect("a schedule that stops by elapsed time counts the delays", () =>
    Effect.gen(function* () {
      // 10 s + 10 s + 10 s would be past the 25 s.
      const bounded = Schedule.spaced("10 seconds").pipe(Schedule.upTo({ duration: "25 seconds" }))
      const found = yield* delays(bounded, 5)
      assert.deepStrictEqual(found.slice(0, 2), [10_000, 10_000])
      assert.strictEqual(found.at(-1), undefined)
    })
  )
})

describe("fullJitter", () => {
  it.effect.prop(
    "keeps each delay within the schedule's own",
    [Attempt, Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 }))],
    ([attempt, millis]) =>
      Effect.gen(function* () {
        const jittered = RetryPolicy.fullJitter(Schedule.spaced(Duration.millis(millis)))
        const delay = yield* RetryPolicy.delayAfter(jittered, { attempt, reason })
        assert.isDefined(delay)
        assert.isAtLeast(Duration.toMillis(delay), 0)
        assert.isAtMost(Duration.toMillis(delay), millis)
      })
  )
})
