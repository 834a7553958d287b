import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Logger, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as intake from "../../../src/internal/status/intake.ts"

interface Item {
  readonly key: string
  readonly n: number
}

/** An intake whose handler waits for a sign, and what it has begun and ended. */
const gated = (options: Partial<intake.IntakeOptions<Item, string, never>> = {}) =>
  Effect.gen(function* () {
    const begun: Array<Item> = []
    const ended: Array<Item> = []
    const gate = yield* Deferred.make<void>()
    const offer = yield* intake.make<Item, string, never>({
      name: "Test",
      queueSize: 10,
      concurrency: 2,
      grace: Duration.seconds(5),
      keyOf: ({ key }) => key,
      handle: (item) =>
        Effect.gen(function* () {
          begun.push(item)
          yield* Deferred.await(gate)
          ended.push(item)
        }),
      ...options
    })
    return { begun, ended, gate, offer }
  })

const settle = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })

const logs: Array<string> = []
const logger = Logger.layer([
  Logger.make(({ logLevel, message }) => void logs.push(`${logLevel} ${message}`))
])

describe("intake", () => {
  it.effect("never holds more than it may, and takes in again when there is room", () =>
    Effect.gen(function* () {
      logs.length = 0
      const { ended, gate, offer } = yield* gated({ queueSize: 3 })
      const offered = yield* Effect.forEach([1, 2, 3, 4, 5], (n) => offer({ key: `k${n}`, n }))
      assert.deepStrictEqual(offered, [true, true, true, false, false])
      // Said once, however many are refused.
      assert.deepStrictEqual(logs, ["Warn Test: full, with 3 waiting; refusing more"])
      yield* Deferred.succeed(gate, undefined)
      yield* settle
      assert.strictEqual(ended.length, 3)
      assert.isTrue(yield* offer({ key: "k6", n: 6 }))
    }).pipe(Effect.provide(logger))
  )

  it.effect("handles as many at a time as it may, and those of one key in order", () =>
    Effect.gen(function* () {
      let running = 0
      let most = 0
      const ended: Array<Item> = []
      const { offer } = yield* gated({
        concurrency: 4,
        queueSize: 1000,
        handle: (item) =>
          Effect.gen(function* () {
            most = Math.max(most, ++running)
            // One in four takes longer than those behind it.
            for (let turns = item.n % 4 === 0 ? 20 : 0; turns > 0; turns--) yield* Effect.yieldNow
            ended.push(item)
            running--
          })
      })
      yield* Effect.forEach(Array.from({ length: 210 }), (_, n) => offer({ key: `key-${n % 21}`, n }))
      while (ended.length < 210) yield* Effect.yieldNow
      assert.strictEqual(most, 4)
      for (let key = 0; key < 21; key++) {
        const numbers = ended.filter((item) => item.key === `key-${key}`).map(({ n }) => n)
        assert.deepStrictEqual(
          numbers,
          [...numbers].sort((one, other) => one - other)
        )
      }
    })
  )

  it.effect("logs a failure and a defect, and goes on", () =>
    Effect.gen(function* () {
      logs.length = 0
      const done: Array<number> = []
      const { offer } = yield* gated({
        concurrency: 1,
        handle: ({ n }) =>
          n === 1 ? Effect.fail("no") : n === 2 ? Effect.die("oh") : Effect.sync(() => void done.push(n))
      })
      yield* Effect.forEach([1, 2, 3], (n) => offer({ key: "k", n }))
      yield* settle
      assert.deepStrictEqual(done, [3])
      assert.strictEqual(logs.filter((line) => line.startsWith("Error Test: the handler failed")).length, 2)
    }).pipe(Effect.provide(logger))
  )

  it.effect("handles what it holds before it closes, and takes nothing more", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { ended, gate, offer } = yield* Scope.provide(gated(), scope)
      yield* Effect.forEach([1, 2, 3, 4], (n) => offer({ key: `k${n}`, n }))
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      assert.isFalse(yield* offer({ key: "late", n: 9 }))
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(closing)
      assert.sameMembers(
        ended.map(({ n }) => n),
        [1, 2, 3, 4]
      )
    })
  )

  it.effect("closes when its time is over, and says what is lost", () =>
    Effect.gen(function* () {
      logs.length = 0
      const scope = yield* Scope.make()
      const { ended, offer } = yield* Scope.provide(gated(), scope)
      yield* Effect.forEach([1, 2, 3], (n) => offer({ key: `k${n}`, n }))
      yield* settle
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* TestClock.adjust("4 seconds")
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(closing)
      assert.deepStrictEqual(ended, [])
      assert.deepStrictEqual(logs, ["Warn Test: closed before 3 of those taken in were handled"])
    }).pipe(Effect.provide(logger))
  )
})
