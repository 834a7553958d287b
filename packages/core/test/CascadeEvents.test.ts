import { assert, describe, it } from "@effect/vitest"
import { DateTime, Deferred, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import * as CascadeEvent from "../src/CascadeEvent.ts"
import * as CascadeEvents from "../src/CascadeEvents.ts"

const at = DateTime.makeUnsafe(0)
const event = (n: number) => new CascadeEvent.LaneResumed({ lane: String(n), at })
const events = (count: number) => Array.from({ length: count }, (_, n) => event(n))
const lanes = (all: ReadonlyArray<CascadeEvent.CascadeEvent>) =>
  all.map((one) => (one._tag === "LaneResumed" ? Number(one.lane) : -1))
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => from + n)

describe("CascadeEvents", () => {
  it.effect("hands every event to every subscriber, in order", () =>
    Effect.gen(function* () {
      const service = yield* CascadeEvents.CascadeEvents
      const first = yield* service.subscribe
      const second = yield* service.subscribe
      yield* service.publish(event(0))
      yield* service.publishAll(events(10).slice(1))
      for (const stream of [first, second]) {
        assert.deepStrictEqual(lanes(yield* Stream.runCollect(Stream.take(stream, 10))), numbers(0, 10))
      }
      assert.strictEqual(yield* service.lost, 0)
    }).pipe(Effect.provide(CascadeEvents.layer()))
  )

  it.effect("drops the oldest of a slow subscriber, counts them, and holds up nobody", () =>
    Effect.gen(function* () {
      const service = yield* CascadeEvents.CascadeEvents
      const slow = yield* service.subscribe
      const quick = yield* service.subscribe
      const read: Array<number> = []
      for (const one of events(100)) {
        yield* service.publish(one)
        read.push(...lanes(yield* Stream.runCollect(Stream.take(quick, 1))))
      }
      assert.deepStrictEqual(read, numbers(0, 100))
      assert.strictEqual(yield* service.lost, 92)
      assert.deepStrictEqual(lanes(yield* Stream.runCollect(Stream.take(slow, 8))), numbers(92, 100))
    }).pipe(Effect.provide(CascadeEvents.layer({ capacity: 8 })))
  )

  it.effect("keeps 1,024 events for each subscriber by default", () =>
    Effect.gen(function* () {
      const service = yield* CascadeEvents.CascadeEvents
      const stream = yield* service.subscribe
      yield* service.publishAll(events(1024))
      assert.strictEqual(yield* service.lost, 0)
      yield* service.publish(event(1024))
      assert.strictEqual(yield* service.lost, 1)
      assert.deepStrictEqual(lanes(yield* Stream.runCollect(Stream.take(stream, 1))), [1])
    }).pipe(Effect.provide(CascadeEvents.layer()))
  )

  it.effect("holds a bounded number of them whatever its capacity is said to be", () =>
    Effect.gen(function* () {
      for (const capacity of [Number.NaN, 0, -1, 0.5, "many", null, {}]) {
        const service = yield* CascadeEvents.make({ capacity: capacity as never })
        const slow = yield* service.subscribe
        yield* service.publishAll(events(2000))
        const kept = capacity === null ? 1024 : 1
        assert.strictEqual(yield* service.lost, 2000 - kept)
        assert.deepStrictEqual(lanes(yield* Stream.runCollect(Stream.take(slow, 1))), [2000 - kept])
      }
    })
  )

  it.effect("forgets a subscriber whose scope is closed", () =>
    Effect.gen(function* () {
      const service = yield* CascadeEvents.CascadeEvents
      yield* Effect.scoped(service.subscribe)
      yield* Effect.scoped(Effect.asVoid(Stream.runCollect(Stream.take(service.stream, 0))))
      yield* service.publishAll(events(50))
      assert.strictEqual(yield* service.lost, 0)
    }).pipe(Effect.provide(CascadeEvents.layer({ capacity: 2 })))
  )

  it.effect("streams from the moment it is run, to any number of runs", () =>
    Effect.gen(function* () {
      const service = yield* CascadeEvents.CascadeEvents
      const ready = yield* Deferred.make<void>()
      const fiber = yield* service.stream.pipe(
        Stream.tap(() => Deferred.succeed(ready, undefined)),
        Stream.take(3),
        Stream.runCollect,
        Effect.forkChild({ startImmediately: true })
      )
      while (!(yield* Deferred.isDone(ready))) {
        yield* service.publish(event(7))
        yield* Effect.yieldNow
      }
      yield* service.publishAll([event(7), event(7)])
      assert.deepStrictEqual(lanes(yield* Fiber.join(fiber)), [7, 7, 7])
    }).pipe(Effect.provide(CascadeEvents.layer()))
  )

  it.effect("ends its streams with the layer, after what is still to be read", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const service = yield* Scope.provide(CascadeEvents.make(), scope)
      const stream = yield* service.subscribe
      yield* service.publishAll(events(3))
      yield* Scope.close(scope, Exit.void)
      yield* service.publish(event(3))
      assert.deepStrictEqual(lanes(yield* Stream.runCollect(stream)), [0, 1, 2])
      assert.deepStrictEqual(yield* Stream.runCollect(service.stream), [])
    })
  )
})

describe("CascadeEvents.publish", () => {
  it.effect("does nothing without the service", () =>
    Effect.andThen(CascadeEvents.publish(event(1)), CascadeEvents.publishAll(events(2)))
  )

  it.effect("finds the service of its fiber", () =>
    Effect.gen(function* () {
      const stream = yield* (yield* CascadeEvents.CascadeEvents).subscribe
      yield* CascadeEvents.publish(event(1))
      yield* CascadeEvents.publishAll([event(2), event(3)])
      assert.deepStrictEqual(lanes(yield* Stream.runCollect(Stream.take(stream, 3))), [1, 2, 3])
    }).pipe(Effect.provide(CascadeEvents.layer()))
  )

  it.effect("prefers the service that a layer was built with", () =>
    Effect.gen(function* () {
      const own = yield* CascadeEvents.make()
      const others = yield* CascadeEvents.make()
      const stream = yield* own.subscribe
      const publisher = yield* Effect.provideService(
        CascadeEvents.publisher,
        CascadeEvents.CascadeEvents,
        own
      )
      yield* Effect.provideService(publisher.publish(event(1)), CascadeEvents.CascadeEvents, others)
      assert.deepStrictEqual(lanes(yield* Stream.runCollect(Stream.take(stream, 1))), [1])

      const late = yield* CascadeEvents.publisher
      yield* Effect.provideService(late.publish(event(2)), CascadeEvents.CascadeEvents, own)
      assert.deepStrictEqual(lanes(yield* Stream.runCollect(Stream.take(stream, 1))), [2])
      yield* late.publishAll(events(1))
    }).pipe(Effect.provide(Layer.empty))
  )
})
