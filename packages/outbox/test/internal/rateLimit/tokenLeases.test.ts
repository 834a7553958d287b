import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Fiber, Random, Schema } from "effect"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import * as TokenLeases from "../../../src/internal/rateLimit/tokenLeases.ts"

const now = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

/** What the database does, with a way there and back. */
const database = (there: Effect.Effect<void> = Effect.void, back: Effect.Effect<void> = there) => {
  const buckets = new Map<string, number>()
  const requests: Array<TokenLeases.LeaseRequest> = []
  const leaseOver = (there: Effect.Effect<void>, back: Effect.Effect<void>) =>
    Effect.fnUntraced(function* (request: TokenLeases.LeaseRequest) {
      assert.isAtLeast(request.wanted, request.needed)
      yield* there
      requests.push(request)
      const at = yield* now
      const start = Math.max(buckets.get(request.key) ?? 0, at + request.slack)
      const room = request.capacity - (start - at) + 0.01
      const portions = Math.floor(room / request.needed) * request.needed
      const length = request.overflow
        ? request.wanted
        : room < request.needed
          ? 0
          : Math.min(request.wanted, portions)
      if (length > 0) buckets.set(request.key, start + length)
      yield* back
      return { start: start - at, length }
    })
  return { requests, leaseOver, lease: leaseOver(there, back) }
}

/** A limiter of one process, over a database that it shares. */
const limiterOn = (
  lease: (request: TokenLeases.LeaseRequest) => Effect.Effect<TokenLeases.Lease, RateLimiter.RateLimiterError>
) => {
  const leases = TokenLeases.make({ lease, chunk: Duration.millis(100), slack: Duration.millis(50) })
  const unused = () => Effect.die("not in this test")
  return Effect.provideService(RateLimiter.make, RateLimiter.RateLimiterStore, {
    tokenBucket: leases.consume,
    fixedWindow: unused,
    adaptiveConsume: unused,
    adaptiveFeedback: unused
  })
}

/** The most weight that falls into a window of this length, wherever it begins. */
const heaviest = (sends: ReadonlyArray<readonly [at: number, tokens: number]>, window: number) => {
  const inOrder = sends.toSorted(([a], [b]) => a - b)
  let [first, weight, most] = [0, 0, 0]
  for (const [at, tokens] of inOrder) {
    weight += tokens
    for (
      let oldest = inOrder[first];
      oldest !== undefined && oldest[0] < at - window;
      oldest = inOrder[++first]
    ) {
      weight -= oldest[1]
    }
    most = Math.max(most, weight)
  }
  return most
}

const Scenario = Schema.Struct({
  /** Tokens a bucket holds, and how long one takes to come back. */
  limit: Schema.Literals([1, 2, 3, 10, 30, 150]),
  refill: Schema.Literals([0.5, 1, 3, 10, 100]),
  processes: Schema.Literals([1, 2, 8]),
  fibers: Schema.Literals([1, 3, 10]),
  requests: Schema.Literals([1, 5, 20]),
  tokens: Schema.Literals([1, 3, 20]),
  /** How long a request takes, and how long one rests between two, at most. */
  rest: Schema.Literals([0, 1, 20, 200, 2000]),
  travel: Schema.Literals([0, 0.4, 3, 40]),
  seed: Schema.Int
})

type Scenario = { readonly [K in keyof typeof Scenario.Type]: number }

const rush = (scenario: Scenario, onSend: (at: number, tokens: number) => void) =>
  Effect.gen(function* () {
    const { limit, refill } = scenario
    const upTo = (most: number) => Effect.map(Random.next, (part) => part * most)
    const { lease, requests } = database(Effect.flatMap(upTo(scenario.travel), Effect.sleep))
    const fibers = yield* Effect.forEach(Array.from({ length: scenario.processes }), () =>
      Effect.flatMap(limiterOn(lease), (limiter) =>
        Effect.forEach(Array.from({ length: scenario.fibers }), () =>
          Effect.gen(function* () {
            for (let index = 0; index < scenario.requests; index++) {
              yield* Effect.sleep(yield* upTo(scenario.rest))
              const tokens = 1 + Math.floor(yield* upTo(Math.min(scenario.tokens, limit)))
              yield* RateLimiter.sleep(limiter, {
                algorithm: "token-bucket",
                key: "account",
                limit,
                window: limit * refill,
                tokens
              })
              onSend(yield* now, tokens)
            }
          }).pipe(Effect.forkChild)
        )
      )
    )
    yield* TestClock.adjust("1 day")
    yield* Effect.forEach(fibers.flat(), Fiber.join)
    return requests
  }).pipe(Random.withSeed(scenario.seed))

describe("token leases", () => {
  it.effect.prop(
    "never let more through within any window than the limit and a bucket",
    [Scenario],
    ([scenario]) =>
      Effect.gen(function* () {
        const sends: Array<readonly [number, number]> = []
        yield* rush(scenario, (at, tokens) => sends.push([at, tokens]))
        assert.strictEqual(sends.length, scenario.processes * scenario.fibers * scenario.requests)
        const { limit, refill, travel } = scenario
        const slack = Math.min(50, (limit * refill) / 10, (limit - 1) * refill)
        // How late a request may go because of its way to the database: beyond the slack where it was granted at once,
        // beyond what it leaves of the bucket where it had to wait, for which timers take up to 2 ms more.
        const spare = (limit - Math.min(scenario.tokens, limit)) * refill
        const late = Math.max(0, 2 * travel - slack, 2 * travel + 2 - spare)
        for (const window of [0, refill, 100, 1000, limit * refill]) {
          const most = Math.floor((window + late) / refill + limit + 1e-3)
          assert.isAtMost(heaviest(sends, window), most, `in ${window} ms`)
        }
      }),
    { arbitrary: { runs: 150 } }
  )

  const scenario = { rest: 0, travel: 1, seed: 1, tokens: 1 } as const

  it.effect("leave room for grants that come late from the database", () =>
    Effect.gen(function* () {
      const { leaseOver } = database()
      const slow = yield* limiterOn(leaseOver(Effect.void, Effect.sleep("40 millis")))
      const quick = yield* limiterOn(leaseOver(Effect.void, Effect.void))
      const options = { algorithm: "token-bucket", key: "account", limit: 10, window: "1 second" } as const
      const sends: Array<readonly [number, number]> = []
      const send = (limiter: RateLimiter.RateLimiter, tokens: number) =>
        RateLimiter.sleep(limiter, { ...options, tokens }).pipe(
          Effect.andThen(now),
          Effect.map((at) => sends.push([at, tokens])),
          Effect.forkChild({ startImmediately: true })
        )
      const fibers = [yield* send(slow, 5), yield* send(slow, 5)]
      yield* TestClock.adjust("41 millis")
      fibers.push(yield* send(quick, 1))
      yield* TestClock.adjust("1 minute")
      yield* Effect.forEach(fibers, Fiber.join)
      // Without it: five at 40 ms, five at 80, and one more at 101.
      assert.isAtMost(heaviest(sends, 61), 10)
    })
  )

  it.effect("get nearly everything through that the limit allows, in few leases", () =>
    Effect.gen(function* () {
      const start = yield* now
      let last = 0
      const requests = yield* rush(
        { ...scenario, limit: 150, refill: 10, processes: 8, fibers: 10, requests: 20 },
        (at) => (last = at - start)
      )
      const ideal = (1600 - 150) * 10
      assert.isAtMost(last, ideal * 1.05)
      assert.isAtMost(requests.length, 300)
    })
  )

  it.effect("lease one by one where a bucket has room for no more", () =>
    Effect.gen(function* () {
      const requests = yield* rush(
        { ...scenario, limit: 1, refill: 10, processes: 2, fibers: 3, requests: 10 },
        () => {}
      )
      assert.deepStrictEqual(
        requests.map(({ wanted }) => wanted),
        Array.from({ length: 60 }, () => 10)
      )
    })
  )

  const bucket = { algorithm: "token-bucket", key: "account", limit: 100, window: "1 second" } as const

  it.effect("lease more by more, up to a chunk, while it is used at once, and no more when it is not", () =>
    Effect.gen(function* () {
      const { lease, requests } = database()
      const limiter = yield* limiterOn(lease)
      for (let index = 0; index < 40; index++) yield* limiter.consume(bucket)
      yield* TestClock.adjust("1 second")
      yield* limiter.consume(bucket)
      assert.deepStrictEqual(
        requests.map(({ wanted }) => wanted / 10),
        [1, 2, 4, 8, 10, 10, 10, 1]
      )
    })
  )

  it.effect("serve from one lease all who wait for the one before", () =>
    Effect.gen(function* () {
      const { lease, requests } = database(Effect.sleep("5 millis"))
      const limiter = yield* limiterOn(lease)
      const fibers = yield* Effect.forEach(Array.from({ length: 20 }), () =>
        Effect.forkChild(limiter.consume({ ...bucket, onExceeded: "delay" }), { startImmediately: true })
      )
      yield* TestClock.adjust("20 millis")
      yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(
        requests.map(({ wanted }) => wanted / 10),
        [1, 19]
      )
    })
  )

  it.effect("answer as a bucket of one's own would: so many at once, then when the next one comes", () =>
    Effect.gen(function* () {
      const limiter = yield* limiterOn(database().lease)
      const options = { ...bucket, limit: 3 }
      const results = yield* Effect.forEach([3, 2, 1], () => limiter.consume(options))
      assert.deepStrictEqual(
        results.map(({ delay, remaining }) => [Duration.toMillis(delay), remaining]),
        [
          [0, 2],
          [0, 1],
          [0, 0]
        ]
      )
      const { reason } = yield* Effect.flip(limiter.consume(options))
      assert.deepInclude(reason, { _tag: "RateLimitExceeded", limit: 3, remaining: 0 })
      assert.approximately(
        reason._tag === "RateLimitExceeded" ? Duration.toMillis(reason.retryAfter) : 0,
        1000 / 3,
        0.01
      )
      yield* TestClock.adjust("334 millis")
      assert.strictEqual((yield* limiter.consume(options)).remaining, 0)
      yield* Effect.flip(limiter.consume(options))
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* limiter.consume({ ...options, tokens: 2 })).remaining, 1)
    })
  )

  it.effect("do not ask again before there can be any, where none were left", () =>
    Effect.gen(function* () {
      const { lease, requests } = database()
      const limiter = yield* limiterOn(lease)
      const options = { ...bucket, limit: 2 }
      yield* limiter.consume({ ...options, tokens: 2 })
      for (let index = 0; index < 10; index++) yield* Effect.flip(limiter.consume(options))
      assert.strictEqual(requests.length, 2)
    })
  )

  it.effect("take nothing for who was interrupted in the queue", () =>
    Effect.gen(function* () {
      const { lease, requests } = database(Effect.sleep("1 second"))
      const limiter = yield* limiterOn(lease)
      const consume = Effect.forkChild(limiter.consume({ ...bucket, limit: 1, onExceeded: "delay" }), {
        startImmediately: true
      })
      const [first, second, third] = [yield* consume, yield* consume, yield* consume]
      yield* Fiber.interrupt(second)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(first)
      yield* Fiber.join(third)
      assert.strictEqual(requests.length, 2)
    })
  )

  it.effect("pass on what the store fails with, and work again when it does", () =>
    Effect.gen(function* () {
      const { lease } = database()
      let isDown = true
      const failure = new RateLimiter.RateLimiterError({
        reason: new RateLimiter.RateLimitStoreError({ message: "away" })
      })
      const limiter = yield* limiterOn((request) =>
        Effect.suspend(() => (isDown ? Effect.fail(failure) : lease(request)))
      )
      for (const onExceeded of ["fail", "delay"] as const) {
        assert.strictEqual(yield* Effect.flip(limiter.consume({ ...bucket, onExceeded })), failure)
      }
      isDown = false
      assert.strictEqual((yield* limiter.consume(bucket)).remaining, 99)
    })
  )
})
