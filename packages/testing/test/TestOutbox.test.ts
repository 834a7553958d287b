import { CascadeEvents, Message } from "@effect-cascade/core"
import { Outbox, OutboxStore } from "@effect-cascade/outbox"
import { assert, describe, it } from "@effect/vitest"
import { Clock, DateTime, Duration, Effect, Layer, Stream } from "effect"
import * as FakeCascade from "../src/FakeCascade.ts"
import * as OutboxAssert from "../src/OutboxAssert.ts"
import * as TestOutbox from "../src/TestOutbox.ts"

const services = (options?: TestOutbox.TestOutboxOptions) =>
  Layer.merge(TestOutbox.layer(options), FakeCascade.layer())

const fields = (id: string) => ({
  id,
  fromName: "Shop",
  toPhone: "+380671112233",
  text: "Your order is confirmed"
})

/** The service under test: it knows the outbox, and nothing of tests. */
const confirm = Effect.fn("confirm")(function* (
  id: string,
  more?: Partial<Message.MessageInput>,
  options?: Outbox.EnqueueOptions
) {
  const outbox = yield* Outbox.Outbox
  const message = yield* Message.make({ ...fields(id), ...more, _tag: "Transaction" })
  return yield* outbox.transaction(outbox.enqueue(message, options))
})

const advertise = Effect.fn("advertise")(function* (id: string) {
  const outbox = yield* Outbox.Outbox
  const message = yield* Message.make({ ...fields(id), _tag: "Promo" })
  return yield* outbox.transaction(outbox.enqueue(message))
})

const fake = FakeCascade.FakeCascade
const ids = (messages: ReadonlyArray<{ readonly trackingId: string }>) =>
  messages.map(({ trackingId }) => trackingId)

describe("a test outbox", () => {
  it.effect("holds what a service enqueues until it is drained, and sends it then", () =>
    Effect.gen(function* () {
      yield* confirm("order-1")
      yield* OutboxAssert.assertEnqueued({ id: "order-1", state: "waiting" })
      assert.deepStrictEqual((yield* fake).sent, [])
      assert.deepStrictEqual(ids(yield* TestOutbox.pending), ["order-1"])
      assert.deepInclude(yield* TestOutbox.drain, { sent: 1, retry: 0, lost: 0 })
      ;(yield* fake).assertSent({ id: "order-1" }, 1)
      assert.deepStrictEqual(yield* TestOutbox.pending, [])
      assert.deepStrictEqual(
        (yield* TestOutbox.allEnqueued).map(({ state, trackingId }) => [trackingId, state]),
        [["order-1", "sent"]]
      )
      assert.deepInclude(yield* TestOutbox.drain, { sent: 0 })
      ;(yield* fake).assertSent({ id: "order-1" }, 1)
    }).pipe(Effect.provide(services()))
  )

  it.effect("sends nothing of what was rolled back", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox.Outbox
      const failure = yield* Effect.flip(
        outbox.transaction(Effect.andThen(confirm("order-1"), Effect.fail("sold out" as const)))
      )
      assert.strictEqual(failure, "sold out")
      yield* TestOutbox.drain
      ;(yield* fake).assertNothingElse()
      assert.deepStrictEqual(yield* TestOutbox.allEnqueued, [])
    }).pipe(Effect.provide(services()))
  )

  it.effect("tells the dead and the uncertain apart from what is to be sent still", () =>
    Effect.gen(function* () {
      ;(yield* fake).when({ id: "bad" }, FakeCascade.reject("INVALID_PHONE", "toPhone"))
      ;(yield* fake).when({ id: "doubtful" }, FakeCascade.unknown)
      ;(yield* fake).when({ id: "again" }, FakeCascade.unknown)
      yield* confirm("bad")
      yield* advertise("doubtful")
      yield* confirm("again")
      yield* confirm("later", { scheduledSent: DateTime.makeUnsafe(60_000) })
      yield* TestOutbox.drain
      assert.deepStrictEqual(ids(yield* TestOutbox.dead), ["bad"])
      assert.deepStrictEqual(ids(yield* TestOutbox.uncertain), ["doubtful"])
      assert.deepStrictEqual(ids(yield* TestOutbox.pending), ["again", "later"])
    }).pipe(Effect.provide(services()))
  )

  it.effect("publishes events", () =>
    Effect.gen(function* () {
      const events = yield* CascadeEvents.CascadeEvents
      const stream = yield* events.subscribe
      yield* confirm("order-1")
      // Its own, whatever else there is.
      yield* Effect.provide(TestOutbox.drain, CascadeEvents.layer())
      const seen = yield* Stream.runCollect(Stream.take(stream, 2))
      assert.deepStrictEqual(
        seen.map(({ _tag }) => _tag),
        ["Enqueued", "Accepted"]
      )
    }).pipe(Effect.provide(services()))
  )

  it.effect("is another for each layer that is built", () =>
    Effect.gen(function* () {
      yield* Effect.provide(confirm("order-1"), TestOutbox.layer())
      const messages = yield* Effect.provide(TestOutbox.allEnqueued, TestOutbox.layer())
      assert.deepStrictEqual(messages, [])
    })
  )

  it.effect("refuses options with which no relay can work", () =>
    Effect.gen(function* () {
      const failure = yield* Effect.flip(TestOutbox.drain)
      assert.strictEqual(failure._tag, "InvalidRelayOptions")
    }).pipe(Effect.provide(services({ relay: { lease: "1 second" } })))
  )
})

describe("advance", () => {
  it.effect("sends a scheduled message at its instant, and not before", () =>
    Effect.gen(function* () {
      const at = DateTime.makeUnsafe(3_600_000)
      yield* confirm("order-1", { scheduledSent: at })
      yield* TestOutbox.advance("59 minutes")
      ;(yield* fake).assertNotSent({ id: "order-1" })
      yield* TestOutbox.advance("10 minutes")
      assert.deepStrictEqual(
        (yield* fake).sent.map((one) => one.at),
        [at]
      )
      assert.strictEqual(yield* Clock.currentTimeMillis, 69 * 60_000)
    }).pipe(Effect.provide(services()))
  )

  it.effect("sends what is due before the clock moves", () =>
    Effect.gen(function* () {
      yield* confirm("code", { ttl: "5 minutes" })
      assert.deepInclude(yield* TestOutbox.advance("1 hour"), { sent: 1, expired: 0 })
    }).pipe(Effect.provide(services()))
  )

  it.effect(
    "stops at every instant on the way: a message that is worth sending for a minute is sent in it",
    () =>
      Effect.gen(function* () {
        const at = DateTime.makeUnsafe(86_400_000)
        yield* confirm("order-1", { scheduledSent: at, ttl: "1 minute" })
        assert.deepInclude(yield* TestOutbox.advance("30 days"), { sent: 1, expired: 0 })
      }).pipe(Effect.provide(services()))
  )

  it.effect("goes through all retries, each at its time, and takes the same course every time", () =>
    Effect.gen(function* () {
      const course = Effect.gen(function* () {
        ;(yield* fake).when({}, FakeCascade.unknown)
        yield* confirm("order-1")
        const tally = yield* TestOutbox.advance("6 hours")
        assert.deepInclude(tally, { retry: 9, uncertain: 1, sent: 0 })
        const times = (yield* fake).attempts.map(({ at }) => DateTime.toEpochMillis(at))
        assert.deepStrictEqual(
          times,
          [...times].sort((a, b) => a - b)
        )
        // Ten attempts with delays of at most 1, 2, 4, … seconds.
        assert.isAtMost((times.at(-1) ?? Infinity) - (times[0] ?? 0), 511_000)
        return times.map((at) => at - (times[0] ?? 0))
      })
      const one = yield* Effect.provide(course, services())
      assert.lengthOf(one, 10)
      assert.deepStrictEqual(yield* Effect.provide(course, services()), one)
      assert.notDeepEqual(yield* Effect.provide(course, services({ seed: "another" })), one)
    })
  )

  it.effect("waits as long as the provider asks for", () =>
    Effect.gen(function* () {
      ;(yield* fake).nextCalls(FakeCascade.throttle("90 seconds"))
      yield* confirm("order-1")
      yield* confirm("order-2")
      yield* TestOutbox.advance("80 seconds")
      assert.deepStrictEqual((yield* fake).sent, [])
      yield* TestOutbox.advance("1 minute")
      ;(yield* fake).assertSent({ id: "order-1" }, 1)
      ;(yield* fake).assertSent({ id: "order-2" }, 1)
      const attempts = (yield* TestOutbox.allEnqueued).map(({ attempts }) => attempts)
      assert.deepStrictEqual(attempts, [1, 1])
    }).pipe(Effect.provide(services()))
  )

  it.effect("outlives an outage of hours in which nothing is given up", () =>
    Effect.gen(function* () {
      ;(yield* fake).nextCalls(FakeCascade.down("3 hours"))
      yield* confirm("order-1")
      yield* advertise("promo-1")
      const tally = yield* TestOutbox.advance("4 hours")
      assert.deepInclude(tally, { sent: 2, dead: 0, uncertain: 0, expired: 0 })
      ;(yield* fake).assertSent({ id: "order-1" }, 1)
      ;(yield* fake).assertSent({ id: "promo-1" }, 1)
    }).pipe(Effect.provide(services()))
  )

  it.effect("lets a message expire at its deadline", () =>
    Effect.gen(function* () {
      ;(yield* fake).nextCalls(FakeCascade.down("1 hour"))
      yield* confirm("code", { ttl: "5 minutes" })
      assert.deepInclude(yield* TestOutbox.advance("2 hours"), { sent: 0, expired: 1 })
      ;(yield* fake).assertNothingElse()
    }).pipe(Effect.provide(services()))
  )

  it.effect("takes over what a relay that was killed held, when its lease runs out", () =>
    Effect.gen(function* () {
      yield* confirm("order-1")
      yield* advertise("promo-1")
      const store = yield* OutboxStore.OutboxStore
      yield* store.claim(
        [
          { lane: "default/high", limit: 1 },
          { lane: "default/low", limit: 1 }
        ],
        { lease: Duration.seconds(30), relay: "killed" }
      )
      assert.deepInclude(yield* TestOutbox.advance("29 seconds"), { sent: 0 })
      assert.deepInclude(yield* TestOutbox.advance("1 second"), { sent: 1, uncertain: 1 })
      // It may have been sent before: the one kind is sent again, the other waits for a decision.
      ;(yield* fake).assertSent({ id: "order-1" }, 1)
      ;(yield* fake).assertNotSent({ id: "promo-1" })
    }).pipe(Effect.provide(services()))
  )

  it.live("says what is missing where there is no TestClock", () =>
    Effect.gen(function* () {
      const cause = yield* Effect.sandbox(TestOutbox.advance("1 hour")).pipe(Effect.flip)
      assert.include(String(cause), "TestClock")
    }).pipe(Effect.provide(services()))
  )
})
