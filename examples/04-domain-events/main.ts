/**
 * Turns a service's own domain events into messages: one table says, for every event, what people are told.
 */
import {
  Notifications,
  Outbox,
  OutboxAdmin,
  OutboxMigrations,
  PgOutboxAdminStore,
  PgOutboxStore
} from "@effect-cascade/outbox"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, PubSub, Schema, Stream } from "effect"

const OrderEvent = Schema.Union([
  Schema.TaggedStruct("OrderPlaced", { order: Schema.Int, phone: Schema.String }),
  Schema.TaggedStruct("OrderViewed", { order: Schema.Int }),
  Schema.TaggedStruct("OrderDelivered", { order: Schema.Int, phone: Schema.String, gift: Schema.Boolean })
])
type OrderEvent = typeof OrderEvent.Type

// Leave an event out and it does not compile. Here `event` has the type of its own key.
const notifications = Notifications.make(OrderEvent, {
  id: (event) => event.order,
  table: {
    OrderPlaced: ({ order, phone }) => ({
      _tag: "Transaction",
      fromName: "Shop",
      toPhone: phone,
      text: `Your order ${order} is placed`
    }),
    OrderViewed: Notifications.none,
    // Nobody asks how a present was that is still a secret.
    OrderDelivered: ({ gift, phone }) =>
      gift
        ? Notifications.none
        : {
            _tag: "ViberSurvey",
            fromName: "Shop",
            toPhone: phone,
            text: "How was it?",
            surveyOptions: ["Good", "Bad"],
            options: { route: "tg-viber" }
          }
  }
})

const phone = "+380671112233"
const placed: OrderEvent = { _tag: "OrderPlaced", order: 1, phone }
const events: ReadonlyArray<OrderEvent> = [
  placed,
  { _tag: "OrderViewed", order: 1 },
  { _tag: "OrderDelivered", order: 1, phone, gift: false },
  { _tag: "OrderDelivered", order: 2, phone, gift: true },
  // A bus that delivers at least once: the same event again gives no second message.
  placed
]

const program = Effect.gen(function* () {
  const bus = yield* PubSub.unbounded<OrderEvent>()
  const subscription = yield* PubSub.subscribe(bus)
  yield* PubSub.publishAll(bus, events)

  // Each event in a transaction of its own. Where you record events yourself, call `notifications.publish(event)` in
  // the transaction that records them.
  yield* notifications.consume(Stream.fromSubscription(subscription)).pipe(
    Stream.take(events.length),
    Stream.zip(Stream.fromIterable(events)),
    Stream.runForEach(([published, event]) => Console.log(`${event._tag} ${event.order}: ${published._tag}`))
  )

  // What a relay will send; the tracking id follows from the event.
  const admin = yield* OutboxAdmin.OutboxAdmin
  for (const event of events.filter(({ order }) => order === 1).slice(0, 3)) {
    yield* admin.read("default", notifications.trackingId(event)).pipe(
      Effect.flatMap(({ lane, messageType, trackingId }) =>
        Console.log(`${trackingId}: ${messageType} in lane ${lane}`)
      ),
      Effect.catchTag("MessageNotFound", ({ trackingId }) => Console.log(`${trackingId}: no message`))
    )
  }
})

const Store = Layer.merge(PgOutboxStore.layer(), PgOutboxAdminStore.layer()).pipe(
  Layer.provide(OutboxMigrations.layer()),
  Layer.provide(PgTestDatabase.layer())
)
const Services = Layer.merge(Outbox.layer, OutboxAdmin.layer).pipe(Layer.provide(Store))

program.pipe(Effect.scoped, Effect.provide(Services), NodeRuntime.runMain)
