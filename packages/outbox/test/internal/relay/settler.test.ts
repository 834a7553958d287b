import { StoreError } from "@effect-cascade/outbox/OutboxError"
import type { SettledRow } from "@effect-cascade/outbox/OutboxRow"
import type { OutboxStoreShape } from "@effect-cascade/outbox/OutboxStore"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Duration, Effect, Fiber, Latch } from "effect"
import { TestClock } from "effect/testing"
import * as Settler from "../../../src/internal/relay/settler.ts"
import { fakeStore } from "../../support/fakeStore.ts"

const row = (id: string): SettledRow => ({
  id,
  lease: 1n,
  kind: "sent",
  delayMillis: 0,
  counted: true,
  reason: undefined,
  providerMessageId: "m"
})

const away = new StoreError({ operation: "settle", detail: "away", isRetryable: true })
const refused = new StoreError({ operation: "settle", detail: "refused", isRetryable: false })

const make = (settle: OutboxStoreShape["settle"]) =>
  Settler.make({ store: fakeStore({ settle }), relay: "test" })

const all = (rows: ReadonlyArray<SettledRow>) => new Set(rows.map(({ id }) => id))

/** The end of a lease that began now. */
const leaseEnd = Effect.map(Clock.monotonicTimeNanos, (now) => {
  const end = now + Duration.toNanosUnsafe("30 seconds")
  return () => end
})

describe("Settler", () => {
  it.effect("writes what waits together in one statement, and answers each job", () =>
    Effect.gen(function* () {
      const statements: Array<ReadonlyArray<string>> = []
      const first = yield* Deferred.make<void>()
      const gate = yield* Latch.make(false)
      const settler = yield* make((rows) =>
        Effect.suspend(() => {
          statements.push(rows.map(({ id }) => id))
          return Effect.andThen(Deferred.succeed(first, undefined), gate.await).pipe(
            // Row c's lease was lost.
            Effect.as(new Set(rows.map(({ id }) => id).filter((id) => id !== "c")))
          )
        })
      )
      const end = yield* leaseEnd
      const a = yield* Effect.forkChild(settler.settle([row("a")], end))
      yield* Deferred.await(first)
      const b = yield* Effect.forkChild(settler.settle([row("b"), row("c")], end), { startImmediately: true })
      const d = yield* Effect.forkChild(settler.settle([row("d")], end), { startImmediately: true })
      yield* gate.open
      assert.sameMembers([...(yield* Fiber.join(a))], ["a"])
      const settled = new Set([...(yield* Fiber.join(b)), ...(yield* Fiber.join(d))])
      assert.isTrue(settled.has("b") && settled.has("d") && !settled.has("c"))
      assert.deepStrictEqual(statements, [["a"], ["b", "c", "d"]])
    })
  )

  it.effect("never puts two leases of one row into a statement, which answers by id", () =>
    Effect.gen(function* () {
      const statements: Array<ReadonlyArray<bigint>> = []
      const gate = yield* Latch.make(false)
      const settler = yield* make((rows) =>
        Effect.suspend(() => {
          statements.push(rows.map(({ lease }) => lease))
          // The row's lease 1 was lost: it is leased anew.
          return Effect.as(gate.await, all(rows.filter(({ id, lease }) => id !== "a" || lease === 2n)))
        })
      )
      const end = yield* leaseEnd
      const jobs = [row("first"), row("a"), row("b"), { ...row("a"), lease: 2n }]
      const fibers = yield* Effect.forEach(jobs, (job) =>
        Effect.forkChild(settler.settle([job], end), { startImmediately: true })
      )
      yield* gate.open
      const settled = yield* Effect.forEach(fibers, Fiber.join)
      assert.isFalse(settled[1]?.has("a"))
      assert.isTrue(settled[3]?.has("a"))
      assert.isTrue(
        statements.every(
          (leases) => leases.filter((lease) => lease === 2n).length === 0 || leases.length === 1
        )
      )
    })
  )

  it.effect("never puts more than a thousand rows into a statement, nor parts a job", () =>
    Effect.gen(function* () {
      const sizes: Array<number> = []
      const gate = yield* Latch.make(false)
      const settler = yield* make((rows) =>
        Effect.suspend(() => {
          sizes.push(rows.length)
          return Effect.as(gate.await, all(rows))
        })
      )
      const end = yield* leaseEnd
      const jobs = Array.from(
        { length: 7 },
        (_, job) =>
          [row(`${job}`), ...Array.from({ length: 299 }, (_, index) => row(`${job}-${index}`))] as const
      )
      const fibers = yield* Effect.forEach(jobs, ([head, ...tail]) =>
        Effect.forkChild(settler.settle([head, ...tail], end), { startImmediately: true })
      )
      yield* gate.open
      for (const [job, fiber] of fibers.entries()) {
        const settled = yield* Fiber.join(fiber)
        assert.isTrue(jobs[job]?.every(({ id }) => settled.has(id)))
      }
      assert.strictEqual(
        sizes.reduce((sum, size) => sum + size, 0),
        2_100
      )
      assert.isAtMost(Math.max(...sizes), 1_000)
    })
  )

  it.effect("waits for a store that is away, until the lease is over", () =>
    Effect.gen(function* () {
      let tries = 0
      let isAway = true
      const settler = yield* make((rows) =>
        Effect.suspend(() => {
          tries++
          return isAway ? Effect.fail(away) : Effect.succeed(all(rows))
        })
      )
      const patient = yield* Effect.forkChild(settler.settle([row("a")], yield* leaseEnd))
      yield* TestClock.adjust("29 seconds")
      assert.isUndefined(patient.pollUnsafe())
      assert.isAbove(tries, 100)
      isAway = false
      yield* TestClock.adjust("1 second")
      assert.sameMembers([...(yield* Fiber.join(patient))], ["a"])

      isAway = true
      const hopeless = yield* Effect.forkChild(settler.settle([row("b")], yield* leaseEnd))
      yield* TestClock.adjust("31 seconds")
      assert.strictEqual((yield* Fiber.join(hopeless)).size, 0)
    })
  )

  it.effect("the end of the lease is read anew, since a heartbeat moves it", () =>
    Effect.gen(function* () {
      const settler = yield* make(() => Effect.fail(away))
      let end = (yield* leaseEnd)()
      const fiber = yield* Effect.forkChild(settler.settle([row("a")], () => end))
      yield* TestClock.adjust("20 seconds")
      end += Duration.toNanosUnsafe("20 seconds")
      yield* TestClock.adjust("20 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("11 seconds")
      assert.strictEqual((yield* Fiber.join(fiber)).size, 0)
    })
  )

  const poisons: ReadonlyArray<[string, Effect.Effect<never, StoreError>]> = [
    ["is refused", Effect.fail(refused)],
    ["breaks the store", Effect.die(new Error("bug"))],
    ["is interrupted within the store", Effect.interrupt]
  ]
  for (const [name, poison] of poisons) {
    it.effect(`a job that ${name} takes neither its neighbours nor the settler with it`, () =>
      Effect.gen(function* () {
        const first = yield* Deferred.make<void>()
        const gate = yield* Latch.make(false)
        const settler = yield* make((rows) =>
          Deferred.succeed(first, undefined).pipe(
            Effect.andThen(gate.await),
            Effect.andThen(rows.some(({ id }) => id === "bad") ? poison : Effect.succeed(all(rows)))
          )
        )
        const end = yield* leaseEnd
        const ahead = yield* Effect.forkChild(settler.settle([row("ahead")], end))
        yield* Deferred.await(first)
        const good = yield* Effect.forkChild(settler.settle([row("good")], end), { startImmediately: true })
        const bad = yield* Effect.forkChild(settler.settle([row("bad")], end), { startImmediately: true })
        const after = yield* Effect.forkChild(settler.settle([row("after")], end), { startImmediately: true })
        yield* gate.open
        yield* Fiber.join(ahead)
        assert.sameMembers([...(yield* Fiber.join(good))], ["good"])
        assert.sameMembers([...(yield* Fiber.join(after))], ["after"])
        assert.strictEqual((yield* Fiber.join(bad)).size, 0)
        assert.sameMembers([...(yield* settler.settle([row("later")], end))], ["later"])
      })
    )
  }

  it.effect("also when the store throws where it should return an effect", () =>
    Effect.gen(function* () {
      let broken = true
      const settler = yield* make((rows) => {
        if (broken) throw new Error("bug")
        return Effect.succeed(all(rows))
      })
      const end = yield* leaseEnd
      assert.strictEqual((yield* settler.settle([row("a")], end)).size, 0)
      broken = false
      assert.strictEqual((yield* settler.settle([row("b")], end)).size, 1)
    })
  )
})
