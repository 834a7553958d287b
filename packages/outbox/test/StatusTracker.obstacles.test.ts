import * as Reason from "@effect-cascade/core/TransportReason"
import { StoreError } from "@effect-cascade/outbox/OutboxError"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import { type LookupScript, refuses, says, scripted } from "./support/followed.ts"
import { ids } from "./support/messages.ts"
import { asState, tracking } from "./support/tracking.ts"

describe("an obstacle", () => {
  it.effect("that names its time stops all of the account for so long", () =>
    Effect.gen(function* () {
      let isOver = false
      const refusal = refuses(new Reason.Throttled({ status: 429, retryAfter: Duration.seconds(30) }))
      const throttled: LookupScript = (id, call) => Effect.delay(refusal(id, call), "10 millis")
      const of = yield* tracking((id, call) => (isOver ? says("delivered") : throttled)(id, call), {
        concurrency: 4
      })
      yield* of.follow(ids("m", 50))
      yield* TestClock.adjust("29 seconds")
      // No more than were under way together.
      assert.isAtMost(of.lookup.asked.length, 4)
      assert.strictEqual(of.logged.filter((line) => line.includes("paused")).length, 1)
      // None of it counts as a check.
      assert.isTrue(Array.from(of.rows.values()).every(({ checks }) => checks === 0))
      const before = of.lookup.asked.length
      yield* TestClock.adjust("29 seconds")
      // One look-up shows that it is not over yet.
      assert.strictEqual(of.lookup.asked.length, before + 1)
      isOver = true
      yield* TestClock.adjust("30 seconds")
      assert.isTrue(Array.from(of.rows.values()).every(({ state }) => state?.status === "delivered"))
    })
  )

  for (const [name, reason, least, most] of [
    ["refused keys", new Reason.Unauthorized({ status: 401 }), 12, 13],
    ["a redirect", new Reason.Redirected({ status: 302 }), 12, 13],
    ["no connection", new Reason.Unreachable({ code: "ECONNREFUSED" }), 50, 80],
    ["a throttle without a time", new Reason.Throttled({ status: 429 }), 50, 80],
    ["a throttle of no time", new Reason.Throttled({ status: 429, retryAfter: Duration.zero }), 50, 80],
    ["a throttle of ages", new Reason.Throttled({ status: 429, retryAfter: Duration.days(9) }), 4, 5]
  ] as const) {
    it.effect(`such as ${name} makes nobody ask in a loop, and loses nothing`, () =>
      Effect.gen(function* () {
        let isOver = false
        const of = yield* tracking((id, call) => (isOver ? says("delivered") : refuses(reason))(id, call), {
          concurrency: 1
        })
        yield* of.follow(ids("m", 20))
        yield* TestClock.adjust("1 hour")
        assert.isAtLeast(of.lookup.asked.length, least)
        assert.isAtMost(of.lookup.asked.length, most)
        isOver = true
        yield* TestClock.adjust("20 minutes")
        assert.isTrue(Array.from(of.rows.values()).every(({ state }) => state?.status === "delivered"))
      })
    )
  }

  it.effect("is kept to even where the store cannot be told of it", () =>
    Effect.gen(function* () {
      const away = new StoreError({ operation: "pause status checks", detail: "away", isRetryable: true })
      const of = yield* tracking(
        refuses(new Reason.Unauthorized({ status: 403 })),
        { concurrency: 1 },
        () => ({ pause: () => Effect.fail(away) })
      )
      yield* of.follow(ids("m", 20))
      yield* TestClock.adjust("1 hour")
      assert.isAtMost(of.lookup.asked.length, 13)
    })
  )

  it.effect("of one account does not hold up another", () =>
    Effect.gen(function* () {
      const second = scripted(says("delivered"))
      const of = yield* tracking(refuses(new Reason.Unauthorized({ status: 401 })), {
        accounts: { second: second.shape }
      })
      yield* of.follow(["a", "b"])
      yield* of.follow(["c", "d"], { account: "second" })
      yield* of.follow(["e"], { account: "third" })
      yield* TestClock.adjust("1 second")
      assert.sameMembers(second.asked, ["provider-c", "provider-d"])
      assert.deepStrictEqual(of.row("c").state, asState("delivered"))
      assert.strictEqual(of.row("e").lease, 0n)
    })
  )

  it.effect("that is a limiter out of reach stops everything, gently", () =>
    Effect.gen(function* () {
      const broken = yield* Effect.provide(RateLimiter.make, RateLimiter.layerStoreMemory)
      const error = new RateLimiter.RateLimiterError({
        reason: new RateLimiter.RateLimitStoreError({ message: "away", cause: "away" })
      })
      const of = yield* tracking(says("delivered"), { concurrency: 2 }).pipe(
        Effect.provideService(RateLimiter.RateLimiter, { ...broken, consume: () => Effect.fail(error) })
      )
      yield* of.follow(ids("m", 10))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(of.lookup.asked, [])
      assert.isAtMost(of.calls.settles, 30)
      assert.isTrue(Array.from(of.rows.values()).every(({ nextAt }) => nextAt !== undefined))
    })
  )
})
