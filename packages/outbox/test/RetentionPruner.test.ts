import {
  OutboxAdminStore,
  type OutboxAdminStoreShape,
  type RetentionMove,
  type RetentionStep
} from "@effect-cascade/outbox/OutboxAdminStore"
import { StoreError } from "@effect-cascade/outbox/OutboxError"
import * as RetentionPruner from "@effect-cascade/outbox/RetentionPruner"
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Logger } from "effect"
import { TestClock } from "effect/testing"

const away = new StoreError({ operation: "scrub", detail: "the database is away", isRetryable: true })
const nothing = { walked: 0, last: null, resume: null, changed: 0 }

const storeOf = (parts: Partial<OutboxAdminStoreShape>) =>
  Layer.mock(OutboxAdminStore, {
    scrub: () => Effect.succeed(nothing),
    prune: () => Effect.succeed(nothing),
    ...parts
  })

const recordingLogs = () => {
  const lines: Array<string> = []
  const logger = Logger.make<unknown, void>(({ logLevel, message }) => {
    lines.push(`${logLevel} ${[message].flat().join(" ")}`)
  })
  return { lines, layer: Logger.layer([logger]) }
}

it.effect("runs by itself, and goes on after a failure, which it says", () => {
  const logs = recordingLogs()
  let runs = 0
  const store = storeOf({
    scrub: () => Effect.suspend(() => (++runs === 2 ? Effect.fail(away) : Effect.succeed(nothing)))
  })
  return Effect.gen(function* () {
    assert.strictEqual(runs, 0)
    // Every minute, give or take a quarter.
    yield* TestClock.adjust("76 seconds")
    assert.strictEqual(runs, 1)
    yield* TestClock.adjust("150 seconds")
    assert.isAtLeast(runs, 3)
    assert.deepStrictEqual(
      logs.lines.filter((line) => line.startsWith("Warn")),
      [
        "Warn outbox: retention failed, trying again with the next run StoreError: the outbox store failed to scrub: the database is away"
      ]
    )
  }).pipe(Effect.provide(RetentionPruner.layer().pipe(Layer.provide(store))), Effect.provide(logs.layer))
})

for (const [name, breakage] of [
  ["a defect", Effect.die("broken")],
  ["an interruption", Effect.interrupt]
] as const) {
  it.effect(`survives ${name} of its store, and says so`, () => {
    const logs = recordingLogs()
    let runs = 0
    const store = storeOf({
      scrub: () => Effect.suspend(() => (++runs === 1 ? breakage : Effect.succeed(nothing)))
    })
    return Effect.gen(function* () {
      yield* TestClock.adjust("10 minutes")
      assert.isAtLeast(runs, 7)
      assert.isAtMost(runs, 14)
      assert.lengthOf(
        logs.lines.filter((line) => line.startsWith("Warn")),
        1
      )
    }).pipe(Effect.provide(RetentionPruner.layer().pipe(Layer.provide(store))), Effect.provide(logs.layer))
  })
}

it.effect("starts over every few hours, and begins where it was in between", () => {
  const begun: Array<string> = []
  const last = "018d0000-0000-7000-8000-000000000009"
  const store = storeOf({
    scrub: ({ after }: RetentionMove) =>
      Effect.sync(() => {
        begun.push(after)
        return { walked: 1, last, resume: last, changed: 0 }
      })
  })
  return Effect.gen(function* () {
    const pruner = yield* RetentionPruner.make()
    const first = "00000000-0000-0000-0000-000000000000"
    yield* pruner.runOnce
    yield* TestClock.adjust("5 hours")
    yield* pruner.runOnce
    yield* TestClock.adjust("1 hour")
    yield* pruner.runOnce
    yield* pruner.runOnce
    assert.deepStrictEqual(begun, [first, last, first, last])
  }).pipe(Effect.provide(store))
})

it.effect("asks for nothing where a period has no end", () => {
  const store = storeOf({
    scrub: () => Effect.die("not to be called"),
    prune: () => Effect.die("not to be called")
  })
  return Effect.gen(function* () {
    const figures = yield* RetentionPruner.runOnce({
      scrubAfter: Duration.infinity,
      deleteAfter: Duration.infinity
    })
    assert.deepStrictEqual(figures, { scrubbed: 0, deleted: 0, walked: 0 })
  }).pipe(Effect.provide(store))
})

it.effect("goes on where a failed run ended", () => {
  const begun: Array<string> = []
  const second = "018d0000-0000-7000-8000-000000000002"
  let fails = true
  const store = storeOf({
    scrub: ({ after, batch }: RetentionMove) =>
      Effect.suspend((): Effect.Effect<typeof RetentionStep.Type, StoreError> => {
        begun.push(after)
        if (after !== second)
          return Effect.succeed({ walked: batch, last: second, resume: second, changed: batch })
        return fails ? Effect.fail(away) : Effect.succeed(nothing)
      })
  })
  return Effect.gen(function* () {
    const pruner = yield* RetentionPruner.make({ batch: 10 })
    const failing = yield* Effect.forkChild(Effect.flip(pruner.runOnce), { startImmediately: true })
    yield* TestClock.adjust("1 second")
    assert.strictEqual(yield* Effect.map(Effect.exit(Fiber.join(failing)), ({ _tag }) => _tag), "Success")
    fails = false
    yield* pruner.runOnce
    assert.deepStrictEqual(begun.slice(1), [second, second])
  }).pipe(Effect.provide(store))
})
