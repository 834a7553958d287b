import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Cascade from "../src/Cascade.ts"
import type { Delivery } from "../src/Delivery.ts"
import { Transport } from "../src/Transport.ts"
import { message, scripted, type Scripted } from "./support/scripted.ts"

const client = (transport: Scripted) => Effect.provideService(Cascade.make(), Transport, transport)

const tags = (deliveries: ReadonlyArray<Delivery>) =>
  deliveries.map((one) => (one._tag === "Accepted" ? "Accepted" : `${one._tag} ${one.reason._tag}`))

const ids = (all: ReadonlyArray<{ readonly trackingId: string }>) => all.map(({ trackingId }) => trackingId)

describe("Cascade.sendStream", () => {
  it.effect("holds a few batches, however long the stream is", () =>
    Effect.gen(function* () {
      const count = 100_000
      let pulled = 0
      let answered = 0
      let most = 0
      const transport = scripted(() => "accepted", { before: Effect.yieldNow })
      const send = transport.send
      const forgetful: Scripted = {
        ...transport,
        send: (batch) => Effect.tap(send(batch), () => Effect.sync(() => transport.calls.splice(0)))
      }
      const cascade = yield* client(forgetful)
      const input = Stream.range(0, count - 1).pipe(
        Stream.map((n) => {
          pulled++
          most = Math.max(most, pulled - answered)
          return message(`m${n}`)
        })
      )
      yield* Stream.runForEach(cascade.sendStream(input), ({ trackingId }) =>
        Effect.sync(() => {
          assert.strictEqual(trackingId, `m${answered}`)
          answered++
        })
      )
      assert.strictEqual(answered, count)
      // Four batches under way, and as many again being gathered and handed on.
      assert.isAtMost(most, 10 * 1000)
    })
  )

  it.effect("does not let a message wait for others longer than it may", () =>
    Effect.gen(function* () {
      const transport = scripted(() => "accepted")
      const cascade = yield* client(transport)
      const input = Stream.concat(Stream.make(message("a"), message("b")), Stream.never)
      const fiber = yield* cascade
        .sendStream(input, { within: "1 second" })
        .pipe(Stream.take(2), Stream.runCollect, Effect.forkChild({ startImmediately: true }))
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(transport.calls.length, 0)
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(ids(yield* Fiber.join(fiber)), ["a", "b"])
      assert.strictEqual(transport.calls.length, 1)
    })
  )

  it.effect("answers in order, also where a batch takes longer or fails", () =>
    Effect.gen(function* () {
      const transport = scripted(
        ({ trackingId }, n) =>
          trackingId === "m0" && n === 0 ? "unreachable" : trackingId === "m5" ? "rejected" : "accepted",
        { maxBatchSize: 2 }
      )
      const cascade = yield* client(transport)
      const input = Stream.fromIterable(Array.from({ length: 9 }, (_, n) => message(`m${n}`)))
      const fiber = yield* Effect.forkChild(Stream.runCollect(cascade.sendStream(input)))
      yield* TestClock.adjust("10 seconds")
      const deliveries = yield* Fiber.join(fiber)
      assert.deepStrictEqual(
        ids(deliveries),
        Array.from({ length: 9 }, (_, n) => `m${n}`)
      )
      assert.deepStrictEqual(
        tags(deliveries).filter((tag) => tag !== "Accepted"),
        ["NotSent Rejected"]
      )
    })
  )

  it.effect("answers for what was sent before the stream failed", () =>
    Effect.gen(function* () {
      const transport = scripted(() => "accepted", { maxBatchSize: 2 })
      const cascade = yield* client(transport)
      const answered: Array<string> = []
      const input = Stream.concat(
        Stream.fromIterable(Array.from({ length: 5 }, (_, n) => message(`m${n}`))),
        Stream.fail("the file ends")
      )
      const error = yield* cascade.sendStream(input).pipe(
        Stream.runForEach((delivery) => Effect.sync(() => answered.push(delivery.trackingId))),
        Effect.flip
      )
      assert.strictEqual(error, "the file ends")
      assert.deepStrictEqual(answered, ids(transport.calls.flat()))
    })
  )
})
