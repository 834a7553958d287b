import * as Notifications from "@effect-cascade/outbox/Notifications"
import { StoreError } from "@effect-cascade/outbox/OutboxError"
import { OutboxStore, type OutboxStoreShape } from "@effect-cascade/outbox/OutboxStore"
import * as Outbox from "@effect-cascade/outbox/Outbox"
import { MemoryOutbox, layer as memory } from "@effect-cascade/testing/MemoryOutboxStore"
import { assert, it } from "@effect/vitest"
import { Effect, Layer, Schema, Stream } from "effect"

const ShopEvent = Schema.Union([
  Schema.TaggedStruct("OrderPlaced", { order: Schema.Int, phone: Schema.String }),
  Schema.TaggedStruct("OrderViewed", { order: Schema.Int }),
  Schema.TaggedStruct("OrderShipped", { order: Schema.Int, phone: Schema.NullOr(Schema.String) })
])
type ShopEvent = typeof ShopEvent.Type

const notifications = (text: (order: number) => string = (order) => `Your order ${order} is placed`) =>
  Notifications.make(ShopEvent, {
    id: (event) => event.order,
    table: {
      OrderPlaced: ({ order, phone }) => ({
        _tag: "Transaction",
        fromName: "Shop",
        toPhone: phone,
        text: text(order),
        options: { route: "tg-viber" }
      }),
      OrderViewed: Notifications.none,
      OrderShipped: ({ phone }) =>
        phone === null
          ? Notifications.none
          : { _tag: "Promo", fromName: "Shop", toPhone: phone, text: "Shipped" }
    }
  })

const phone = "+380671112233"
const placed = (order: number): ShopEvent => ({ _tag: "OrderPlaced", order, phone })
const outbox = Outbox.layer.pipe(Layer.provideMerge(memory))
const inTransaction = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Outbox.Outbox.use(({ transaction }) => transaction(self))
const enqueued = MemoryOutbox.use(({ messages }) => messages)

it.effect("publishes what an event tells people, under an id made of the event's name and id", () =>
  Effect.gen(function* () {
    const result = yield* inTransaction(notifications().publish(placed(7)))
    assert.strictEqual(result._tag, "Enqueued")
    const [message, ...others] = yield* enqueued
    assert.strictEqual(message?.trackingId, "OrderPlaced:7")
    assert.include(message?.payload, "tg-viber")
    assert.lengthOf(others, 0)
  }).pipe(Effect.provide(outbox))
)

it.effect("writes nothing for an event that tells nobody anything, by its kind or by its content", () =>
  Effect.gen(function* () {
    const { publish } = notifications()
    const events: ReadonlyArray<ShopEvent> = [
      { _tag: "OrderViewed", order: 1 },
      { _tag: "OrderShipped", order: 1, phone: null }
    ]
    const results = yield* inTransaction(Effect.forEach(events, publish))
    assert.deepStrictEqual(
      results.map(({ _tag }) => _tag),
      ["NothingToTell", "NothingToTell"]
    )
    assert.lengthOf(yield* enqueued, 0)
  }).pipe(Effect.provide(outbox))
)

it.effect("gives one message for an event that comes twice, also when its text has changed meanwhile", () =>
  Effect.gen(function* () {
    const first = yield* inTransaction(notifications().publish(placed(7)))
    const second = yield* inTransaction(notifications().publish(placed(7)))
    const third = yield* inTransaction(notifications(() => "Another text").publish(placed(7)))
    assert.strictEqual(first._tag, "Enqueued")
    assert.strictEqual(second._tag, "AlreadyEnqueued")
    assert.deepStrictEqual(third, second)
    assert.lengthOf(yield* enqueued, 1)
  }).pipe(Effect.provide(outbox))
)

it.effect("refuses to publish outside a transaction, and reports a message that cannot be", () =>
  Effect.gen(function* () {
    const { publish } = notifications()
    assert.strictEqual((yield* Effect.flip(publish(placed(7))))._tag, "NotInTransaction")
    const bad: ShopEvent = { _tag: "OrderPlaced", order: 8, phone: "067" }
    assert.strictEqual((yield* Effect.flip(inTransaction(publish(bad))))._tag, "InvalidMessage")
    assert.lengthOf(yield* enqueued, 0)
  }).pipe(Effect.provide(outbox))
)

it.effect("rolls back with the change that the event tells of", () =>
  Effect.gen(function* () {
    yield* inTransaction(
      Effect.andThen(notifications().publish(placed(7)), Effect.fail("out of stock"))
    ).pipe(Effect.flip)
    assert.lengthOf(yield* enqueued, 0)
  }).pipe(Effect.provide(outbox))
)

it.effect("consumes a stream in which events come more than once", () =>
  Effect.gen(function* () {
    const results = yield* notifications()
      .consume(Stream.make(placed(1), placed(2), placed(1), { _tag: "OrderViewed", order: 1 }))
      .pipe(Stream.runCollect)
    assert.deepStrictEqual(
      results.map(({ _tag }) => _tag),
      ["Enqueued", "Enqueued", "AlreadyEnqueued", "NothingToTell"]
    )
    assert.deepStrictEqual(
      (yield* enqueued).map(({ trackingId }) => trackingId),
      ["OrderPlaced:1", "OrderPlaced:2"]
    )
  }).pipe(Effect.provide(outbox))
)

it.effect("tells of an event only when its message is committed, so that it can be acknowledged then", () =>
  Effect.gen(function* () {
    const committed: Array<number> = []
    yield* notifications()
      .consume(Stream.make(placed(1), placed(2), placed(3)))
      .pipe(Stream.runForEach(() => Effect.map(enqueued, ({ length }) => void committed.push(length))))
    // One after another, none ahead of what is taken of it.
    assert.deepStrictEqual(committed, [1, 2, 3])
  }).pipe(Effect.provide(outbox))
)

it.effect("gives one message for each event, however often the stream breaks and is begun again", () =>
  Effect.gen(function* () {
    const store = yield* OutboxStore
    const away = new StoreError({ operation: "transaction", detail: "away", isRetryable: true })
    const transactions = { asked: 0 }
    // Before the commit, as a database that is gone, and after it, as one whose answer is lost.
    const unsteady: OutboxStoreShape = {
      ...store,
      transaction: (self) =>
        Effect.suspend(() => {
          const time = ++transactions.asked
          if (time % 5 === 2) return Effect.fail(away)
          return store
            .transaction(self)
            .pipe(Effect.flatMap((done) => (time % 5 === 4 ? Effect.fail(away) : Effect.succeed(done))))
        })
    }
    const unsteadyOutbox = yield* Effect.provideService(Outbox.make, OutboxStore, unsteady)
    let acknowledged = 0
    // A bus gives again, from the first event on that was not acknowledged.
    const bus = Stream.suspend(() =>
      Stream.fromIterable([1, 2, 3, 4, 5, 6, 7].slice(acknowledged).map(placed))
    )
    yield* notifications()
      .consume(bus)
      .pipe(
        Stream.runForEach(() => Effect.sync(() => void acknowledged++)),
        Effect.retry({ while: (error) => error._tag === "StoreError" && error.isRetryable, times: 20 }),
        Effect.provideService(Outbox.Outbox, unsteadyOutbox)
      )
    assert.strictEqual(acknowledged, 7)
    assert.isAbove(transactions.asked, 7)
    assert.deepStrictEqual(
      (yield* enqueued).map(({ trackingId }) => trackingId),
      [1, 2, 3, 4, 5, 6, 7].map((order) => `OrderPlaced:${order}`)
    )
  }).pipe(Effect.provide(outbox))
)

it.effect(
  "an event that cannot be published ends the stream with its error, and what came before it stands",
  () =>
    Effect.gen(function* () {
      const bad: ShopEvent = { _tag: "OrderPlaced", order: 2, phone: "067" }
      const error = yield* notifications()
        .consume(Stream.make(placed(1), bad, placed(3)))
        .pipe(Stream.runDrain, Effect.flip)
      assert.strictEqual(error._tag, "InvalidMessage")
      assert.lengthOf(yield* enqueued, 1)
    }).pipe(Effect.provide(outbox))
)

it.effect("decodes events from outside, and says so when one is none of the schema's", () =>
  Effect.gen(function* () {
    const { consumeEncoded } = notifications()
    yield* Stream.runDrain(consumeEncoded(Stream.make({ _tag: "OrderPlaced", order: 3, phone })))
    const error = yield* Effect.flip(Stream.runDrain(consumeEncoded(Stream.make({ _tag: "OrderLost" }))))
    assert.strictEqual(error._tag, "SchemaError")
    assert.lengthOf(yield* enqueued, 1)
  }).pipe(Effect.provide(outbox))
)
