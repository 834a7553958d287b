import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer, Logger, Schema } from "effect"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import * as RateLimit from "../src/RateLimit.ts"
import * as SmsBatTransport from "../src/SmsBatTransport.ts"
import * as Transport from "../src/Transport.ts"
import { junk, oneOf, pick } from "./support/junk.ts"
import { envelopes, scripted } from "./support/scripted.ts"

const memory = Effect.provide(RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory)))

/** A transport that notes when each request began, in milliseconds. */
const clocked = (name = "clocked") => {
  const times: Array<number> = []
  const before = Effect.map(Clock.currentTimeMillis, (now) => void times.push(now))
  return { times, transport: scripted(() => "accepted", { before, name, maxBatchSize: 9 }) }
}

/** Makes `count` requests at once, and lets an hour pass. */
const rush = (transport: Transport.TransportShape, count: number) =>
  Effect.gen(function* () {
    const batch = yield* envelopes(2)
    const fibers = yield* Effect.forEach(Array.from({ length: count }), () =>
      Effect.forkChild(Transport.deliver(transport, batch))
    )
    yield* TestClock.adjust("1 hour")
    const answers = yield* Effect.forEach(fibers, Fiber.join)
    assert.isTrue(answers.flat().every(({ _tag }) => _tag === "Accepted"))
  })

describe("withRateLimit", () => {
  it.effect("delays requests to the rate, after a burst, and refuses none", () =>
    Effect.gen(function* () {
      const { times, transport } = clocked()
      const limited = yield* RateLimit.withRateLimit(transport, { limit: 10, window: "1 second", burst: 15 })
      yield* rush(limited, 20)
      assert.deepStrictEqual(times, [...Array.from({ length: 15 }, () => 0), 100, 200, 300, 400, 500])
      assert.deepInclude(limited, { name: "clocked", maxBatchSize: 9 })
    }).pipe(memory)
  )

  it.effect("takes the limit for the burst, and a second for the window", () =>
    Effect.gen(function* () {
      const { times, transport } = clocked()
      yield* rush(yield* RateLimit.withRateLimit(transport, { limit: 4 }), 6)
      assert.deepStrictEqual(times, [0, 0, 0, 0, 250, 500])
    }).pipe(memory)
  )

  it.effect("shares a rate by its key", () =>
    Effect.gen(function* () {
      const [a, b, c] = [clocked("a"), clocked("b"), clocked("c")]
      const options = { limit: 1, window: "1 minute" } as const
      const together = { ...options, key: "account" }
      const batch = yield* envelopes(1)
      yield* (yield* RateLimit.withRateLimit(a.transport, together)).send(batch)
      const second = yield* RateLimit.withRateLimit(b.transport, together)
      const fiber = yield* Effect.forkChild(second.send(batch), { startImmediately: true })
      yield* (yield* RateLimit.withRateLimit(c.transport, options)).send(batch)
      yield* TestClock.adjust("1 hour")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual([a.times, b.times, c.times], [[0], [60_000], [0]])
    }).pipe(memory)
  )

  it.effect("can be interrupted while it waits, and then nothing has been sent", () =>
    Effect.gen(function* () {
      const { transport } = clocked()
      const limited = yield* RateLimit.withRateLimit(transport, { limit: 1, window: "1 hour" })
      const batch = yield* envelopes(1)
      yield* limited.send(batch)
      const fiber = yield* Effect.forkChild(limited.send(batch), { startImmediately: true })
      yield* TestClock.adjust("59 minutes")
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("2 hours")
      assert.strictEqual(transport.calls.length, 1)
    }).pipe(memory)
  )

  it.effect("sends nothing where its store fails", () =>
    Effect.gen(function* () {
      const { transport } = clocked()
      const broken = new RateLimiter.RateLimiterError({
        reason: new RateLimiter.RateLimitStoreError({ message: "canary", cause: "canary" })
      })
      const limiter = Layer.mock(RateLimiter.RateLimiter, {
        [RateLimiter.TypeId]: RateLimiter.TypeId,
        consume: () => Effect.fail(broken)
      })
      const limited = yield* Effect.provide(RateLimit.withRateLimit(transport, { limit: 1 }), limiter)
      const error = yield* Effect.flip(limited.send(yield* envelopes(1)))
      assert.deepInclude(error.reason, { _tag: "Unreachable", code: "RATE_LIMIT_STORE" })
      assert.strictEqual(transport.calls.length, 0)
    }).pipe(Effect.provide(Logger.layer([])))
  )

  const Options = Schema.Struct({
    limit: Schema.Literals([1, 2, 5, 10]),
    burst: Schema.Literals([1, 3, 10]),
    count: Schema.Literals([1, 10, 40])
  })

  it.effect.prop(
    "never lets more begin within a window than the limit and the burst",
    [Options],
    ([{ burst, count, limit }]) =>
      Effect.gen(function* () {
        const { times, transport } = clocked()
        const start = yield* Clock.currentTimeMillis
        yield* rush(yield* RateLimit.withRateLimit(transport, { limit, burst }), count)
        assert.strictEqual(times.length, count)
        for (const from of times) {
          assert.isAtMost(times.filter((at) => at >= from && at < from + 1000).length, limit + burst)
        }
        // Nor does anything wait longer than it has to.
        assert.isAtMost((times.at(-1) ?? 0) - start, (Math.max(0, count - burst) * 1000) / limit)
      }).pipe(memory),
    { arbitrary: { runs: 50 } }
  )

  it.effect("keeps SMSBAT at 100 a second, and never above 150 in any second", () =>
    Effect.gen(function* () {
      const { times, transport } = clocked()
      yield* rush(yield* RateLimit.withRateLimit(transport, SmsBatTransport.rateLimit), 1000)
      assert.strictEqual(times.length, 1000)
      const most = times.map((from) => times.filter((at) => at >= from && at < from + 1000).length)
      assert.isAtMost(Math.max(...most), 150)
      // Slower than it has to be would be wrong too: 50 at once, then 100 a second.
      assert.strictEqual(times.at(-1), 9500)
    }).pipe(memory)
  )

  it.effect("takes no options for 'no limit', and names those that it cannot use", () =>
    Effect.gen(function* () {
      for (const limit of [Number.NaN, 0, -5, 0.5, Number.POSITIVE_INFINITY, "100", undefined]) {
        const lines: Array<string> = []
        const logger = Logger.layer([Logger.map(Logger.formatJson, (line) => void lines.push(line))])
        const { times, transport } = clocked()
        const limited = yield* RateLimit.withRateLimit(transport, {
          limit: limit as never,
          key: String(limit)
        }).pipe(Effect.provide(logger))
        const start = yield* Clock.currentTimeMillis
        yield* rush(limited, 3)
        assert.deepStrictEqual(
          times.map((at) => at - start),
          [0, 1000, 2000]
        )
        assert.include(lines[0], '"unusable":["limit"]')
      }
    }).pipe(memory)
  )

  const number = oneOf<unknown>(pick<unknown>([1, 2, 7, 1.5, 1e9]), junk)
  it.effect.prop(
    "never lets more begin at once than its burst, whatever it is given",
    [number, number, oneOf<unknown>(pick<unknown>(["1 second", 1, "0 millis", "1 day"]), junk)],
    ([limit, burst, window]) =>
      Effect.gen(function* () {
        const { times, transport } = clocked()
        const options = { limit, burst, window } as never
        const limited = yield* Effect.provide(RateLimit.withRateLimit(transport, options), Logger.layer([]))
        const batch = yield* envelopes(1)
        const fibers = yield* Effect.forEach(Array.from({ length: 10 }), () =>
          Effect.forkChild(limited.send(batch), { startImmediately: true })
        )
        yield* TestClock.adjust(0)
        const isCount = (value: unknown) => Number.isFinite(value) && Number(value) >= 1
        const most = Math.floor(Number(isCount(burst) ? burst : isCount(limit) ? limit : 1))
        assert.strictEqual(times.length, Math.min(10, most))
        yield* Fiber.interruptAll(fibers)
      }).pipe(memory),
    { arbitrary: { runs: 2000 } }
  )
})
