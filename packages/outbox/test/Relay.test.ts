import * as Reason from "@effect-cascade/core/TransportReason"
import { StoreError } from "@effect-cascade/outbox/OutboxError"
import type { SettledRow } from "@effect-cascade/outbox/OutboxRow"
import { type LaneRow, OutboxStore, type OutboxStoreShape } from "@effect-cascade/outbox/OutboxStore"
import * as Relay from "@effect-cascade/outbox/Relay"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Deferred, Duration, Effect, Exit, Queue, Scope } from "effect"
import { TestClock } from "effect/testing"
import { claimed } from "./support/claimed.ts"
import { fakeStore } from "./support/fakeStore.ts"
import { transaction } from "./support/messages.ts"
import { failAll, recording } from "./support/transport.ts"

const away = new StoreError({ operation: "claim", detail: "away", isRetryable: true })
const missing = new StoreError({ operation: "claim", code: "42P01", detail: "no table", isRetryable: false })

const make = (store: OutboxStoreShape, options?: Relay.RelayOptions, sent = recording()) =>
  Relay.make(options).pipe(Effect.provideService(OutboxStore, store), Effect.provide(sent.layer))

const misspelt = (options: object): Relay.RelayOptions => options

describe("options", () => {
  const wrong: ReadonlyArray<[Relay.RelayOptions, string]> = [
    [{ slots: { high: 0 } }, "slots.high"],
    [{ slots: { low: 1.5 } }, "slots.low"],
    [{ batchSize: { urgent: 0 } }, "batchSize.urgent"],
    [{ batchSize: { normal: 1_001 } }, "batchSize.normal"],
    [{ batchSize: { normal: Number.NaN } }, "batchSize.normal"],
    [{ heartbeat: 0 }, "heartbeat"],
    [{ sendTimeout: 0 }, "sendTimeout"],
    [{ poll: { busy: 0, idle: "1 second" } }, "poll.busy"],
    [{ poll: { busy: "1 second", idle: 0 } }, "poll.idle"],
    [{ lease: "25 seconds" }, "lease"],
    [{ sendTimeout: "25 seconds" }, "lease"],
    // As a program without types may have them.
    [misspelt({ leese: "1 minute" }), "leese is no option"],
    [misspelt({ slots: { hihg: 4 } }), "slots takes no hihg"],
    [misspelt({ batchSize: { lowest: 4 } }), "batchSize takes no lowest"],
    [misspelt({ poll: { busy: "1 second", idel: "1 second" } }), "poll takes no idel"],
    [misspelt({ pause: { max: "1 second" } }), "pause takes no max"],
    [misspelt({ retryByType: { promoo: "1 second" } }), "retryByType takes no promoo"],
    [misspelt({ "380671112233": 1 }), "a name that is not one of them is no option"]
  ]
  for (const [options, named] of wrong) {
    it.effect(`${JSON.stringify(options)} is refused, and ${named} named`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Effect.scoped(make(fakeStore({}), options)))
        assert.strictEqual(error._tag, "InvalidRelayOptions")
        assert.include(error.problem, named)
        const ofDrain = yield* Effect.flip(
          Relay.drain(options).pipe(
            Effect.provideService(OutboxStore, fakeStore({})),
            Effect.provide(recording().layer)
          )
        )
        assert.strictEqual(ofDrain._tag, "InvalidRelayOptions")
      })
    )
  }

  it.effect("a relay without any works, under a name of its own", () =>
    Effect.gen(function* () {
      const relay = yield* make(fakeStore({}))
      assert.match(relay.name, /^relay-[0-9a-f]{8}$/u)
    })
  )
})

/** How often a store was asked to claim, and what it answers. */
const claimsOf = (answer: (time: number) => ReturnType<OutboxStoreShape["claim"]>) => {
  let times = 0
  return {
    times: () => times,
    claim: () => Effect.suspend(() => answer(++times))
  }
}

describe("a store that fails", () => {
  for (const [name, failure, perHalfMinute] of [
    // One that is away may be back at any moment.
    ["is away", Effect.fail(away), 30],
    ["has no tables", Effect.fail(missing), 6],
    ["breaks", Effect.die(new Error("bug")), 6],
    ["is interrupted from within", Effect.interrupt, 6]
  ] as const) {
    it.effect(`and ${name} is asked ever more seldom, whatever wakes the relay`, () =>
      Effect.gen(function* () {
        const claims = claimsOf(() => failure)
        const work = yield* Queue.sliding<void>(1)
        const lanes = yield* Queue.sliding<void>(1)
        const store = fakeStore({
          claim: claims.claim,
          wakes: Effect.succeed({ work, lanes, isDeaf: Effect.succeed(false) })
        })
        yield* make(store)
        // A busy service: something is committed all the time.
        yield* Queue.offer(work, undefined).pipe(
          Effect.andThen(Effect.sleep("5 millis")),
          Effect.forever,
          Effect.forkScoped
        )
        yield* TestClock.adjust("1 second")
        // At 0, 100, 300, 700 milliseconds.
        assert.strictEqual(claims.times(), 4)
        yield* TestClock.adjust("30 seconds")
        const before = claims.times()
        yield* TestClock.adjust("30 seconds")
        assert.strictEqual(claims.times() - before, perHalfMinute)
      })
    )
  }

  it.effect("and cannot hear of work is asked as fast as the poll may be, until it hears", () =>
    Effect.gen(function* () {
      let deaf = true
      const claims = claimsOf(() => Effect.succeed([]))
      const wakes = Effect.all({
        work: Queue.unbounded<void>(),
        lanes: Queue.unbounded<void>(),
        isDeaf: Effect.succeed(Effect.sync(() => deaf))
      })
      yield* make(fakeStore({ claim: claims.claim, wakes }))
      yield* TestClock.adjust("10 seconds")
      // Every 25 milliseconds, give or take a quarter.
      assert.isAtLeast(claims.times(), 300)
      deaf = false
      yield* TestClock.adjust("2 seconds")
      const before = claims.times()
      yield* TestClock.adjust("10 seconds")
      assert.isAtMost(claims.times() - before, 14)
    })
  )

  it.effect("is asked as before once it answers again", () =>
    Effect.gen(function* () {
      const claims = claimsOf((time) => (time <= 5 ? Effect.fail(away) : Effect.succeed([])))
      yield* make(fakeStore({ claim: claims.claim }))
      yield* TestClock.adjust("10 seconds")
      const before = claims.times()
      yield* TestClock.adjust("10 seconds")
      // Idle: about once a second.
      assert.isAtLeast(claims.times() - before, 7)
      assert.isAtMost(claims.times() - before, 14)
    })
  )

  it.effect("fails a drain", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Relay.drain().pipe(
          Effect.provideService(OutboxStore, fakeStore({ claim: () => Effect.fail(missing) })),
          Effect.provide(recording().layer)
        )
      )
      assert.strictEqual(error, missing)
    })
  )
})

describe("the poll", () => {
  it.effect("is quick after work, and slows down to idle", () =>
    Effect.gen(function* () {
      const claims = claimsOf((time) =>
        Effect.succeed(time % 50 === 1 ? [claimed(transaction("a"), { id: `row-${time}` })] : [])
      )
      yield* make(fakeStore({ claim: claims.claim }), {
        poll: { busy: "10 millis", idle: "1 second" },
        slots: { high: 9 }
      })
      // 10, 20, 40, 80 … each by a quarter shorter or longer.
      yield* TestClock.adjust("200 millis")
      assert.isAtLeast(claims.times(), 4)
      assert.isAtMost(claims.times(), 7)
      yield* TestClock.adjust("20 seconds")
      const before = claims.times()
      yield* TestClock.adjust("10 seconds")
      assert.isAtLeast(claims.times() - before, 7)
      assert.isAtMost(claims.times() - before, 14)
    })
  )
})

describe("the heartbeat", () => {
  it.effect("renews what is under way, so that a slow send keeps its lease", () =>
    Effect.gen(function* () {
      const renewed: Array<ReadonlyArray<string>> = []
      const claims = claimsOf((time) => Effect.succeed(time === 1 ? [claimed(transaction("a"))] : []))
      const store = fakeStore({
        claim: claims.claim,
        renew: (leases) =>
          Effect.sync(() => {
            renewed.push(leases.map(({ id }) => id))
            return new Set(leases.map(({ id }) => id))
          })
      })
      const sent = recording(() => Effect.never)
      yield* make(store, { heartbeat: "5 seconds", gracePeriod: 0 }, sent)
      yield* sent.called(1)
      yield* TestClock.adjust("16 seconds")
      assert.deepStrictEqual(renewed, [["row-a"], ["row-a"], ["row-a"]])
      // The send is over: nothing is left to renew.
      yield* TestClock.adjust("14 seconds")
      assert.strictEqual(renewed.length, 3)
    })
  )

  it.effect("goes on after it failed", () =>
    Effect.gen(function* () {
      let reads = 0
      const store = fakeStore({
        lanes: Effect.suspend(() => (++reads % 2 === 0 ? Effect.fail(away) : Effect.die(new Error("bug"))))
      })
      yield* make(store, { heartbeat: "1 second" })
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(reads, 11)
    })
  )
})

describe("a lane that is paused while it is claimed from", () => {
  it.effect("sends nothing of what the claim brings", () =>
    Effect.gen(function* () {
      const claiming = yield* Deferred.make<void>()
      const paused = yield* Deferred.make<void>()
      const given = yield* Deferred.make<ReadonlyArray<SettledRow>>()
      let lanes: ReadonlyArray<LaneRow> = []
      const claims = claimsOf((time) => {
        if (time === 1) return Effect.succeed([claimed(transaction("first"))])
        if (time > 2) return Effect.succeed([])
        // On its way while the first batch meets the obstacle.
        return Deferred.succeed(claiming, undefined).pipe(
          Effect.andThen(Deferred.await(paused)),
          Effect.as([claimed(transaction("second"))])
        )
      })
      const store = fakeStore({
        claim: claims.claim,
        lanes: Effect.sync(() => lanes),
        pauseLanes: (pause) =>
          Effect.map(DateTime.now, (now) => {
            lanes = pause.lanes.map((lane) => ({
              lane,
              reason: pause.reason,
              trips: pause.trips,
              pausedUntil: DateTime.addDuration(now, "1 hour")
            }))
          }),
        settle: (rows) =>
          Effect.as(
            rows[0].kind === "deferred" ? Deferred.succeed(paused, undefined) : Deferred.succeed(given, rows),
            new Set(rows.map(({ id }) => id))
          )
      })
      const throttled = failAll(new Reason.Throttled({ status: 429 }))
      const sent = recording((batch, call) =>
        Effect.andThen(Deferred.await(claiming), throttled(batch, call))
      )
      yield* make(store, undefined, sent)
      yield* TestClock.adjust("1 second")
      const rows = yield* Deferred.await(given)
      assert.deepStrictEqual(
        rows.map(({ counted, id, kind }) => [id, kind, counted]),
        [["row-second", "released", false]]
      )
      assert.deepStrictEqual(sent.sentIds(), ["first"])
    })
  )
})

describe("a pause that cannot be written", () => {
  it.effect("keeps a relay from asking a provider again and again that has told it to wait", () =>
    Effect.gen(function* () {
      const pause = new StoreError({
        operation: "pause lanes",
        code: "42501",
        detail: "no",
        isRetryable: false
      })
      const claims = claimsOf(() => Effect.succeed([claimed(transaction("a"))]))
      const sent = recording(failAll(new Reason.Throttled({ status: 429, retryAfter: Duration.seconds(10) })))
      yield* make(fakeStore({ claim: claims.claim, pauseLanes: () => Effect.fail(pause) }), undefined, sent)
      yield* TestClock.adjust("9 seconds")
      // What had been claimed before the first answer came is given back.
      assert.lengthOf(sent.batches, 1)
      yield* TestClock.adjust("1 minute")
      assert.isAtMost(sent.batches.length, 8)
      assert.isAtLeast(sent.batches.length, 5)
    })
  )
})

describe("the layer", () => {
  it.effect("stops its relay when it is closed", () =>
    Effect.gen(function* () {
      const claims = claimsOf(() => Effect.succeed([]))
      const scope = yield* Scope.make()
      yield* Scope.provide(make(fakeStore({ claim: claims.claim })), scope)
      yield* TestClock.adjust("1 second")
      yield* Scope.close(scope, Exit.void)
      const before = claims.times()
      assert.isAbove(before, 0)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(claims.times(), before)
    })
  )
})
