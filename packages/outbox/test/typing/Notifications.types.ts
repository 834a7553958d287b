/** Compiles only if the table of notifications is complete and each entry gets the event of its own name. */
import type { TrackingId } from "@effect-cascade/core"
import * as Notifications from "@effect-cascade/outbox/Notifications"
import type { Outbox } from "@effect-cascade/outbox/Outbox"
import { type Effect, Schema, type Stream } from "effect"

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <_Claim extends true>(): void => undefined

const Event = Schema.Union([
  Schema.TaggedStruct("Placed", { order: Schema.Int, phone: Schema.String }),
  Schema.TaggedStruct("Viewed", { order: Schema.Int })
])

const text = (order: number, toPhone: string) =>
  ({ _tag: "Transaction", fromName: "Shop", toPhone, text: `Order ${order}` }) as const

Notifications.make(Event, {
  id: (event) => event.order,
  table: { Placed: ({ order, phone }) => text(order, phone), Viewed: Notifications.none }
})

Notifications.make(Event, {
  id: (event) => event.order,
  // @ts-expect-error nobody has decided what Viewed means to people
  table: { Placed: ({ order, phone }) => text(order, phone) }
})

Notifications.make(Event, {
  id: (event) => event.order,
  table: {
    Placed: ({ order, phone }) => text(order, phone),
    // @ts-expect-error Viewed has no phone
    Viewed: ({ order, phone }) => text(order, phone)
  }
})

Notifications.make(Event, {
  id: (event) => event.order,
  table: {
    Placed: ({ order, phone }) => text(order, phone),
    Viewed: Notifications.none,
    // @ts-expect-error there is no such event
    Lost: Notifications.none
  }
})

Notifications.make(Event, {
  id: (event) => event.order,
  table: {
    // @ts-expect-error a draft is a whole message but for its id
    Placed: () => ({ _tag: "Transaction", text: "Hello" }),
    Viewed: Notifications.none
  }
})

type Event = typeof Event.Type
type Told = Notifications.Published
declare const notifications: Notifications.Notifications<Event>
declare const event: Event
declare const events: Stream.Stream<Event, "closed", "bus">
declare const json: Stream.Stream<unknown, "closed", "bus">

export const channels = (): void => {
  const made = Notifications.make(Event, {
    id: ({ order }) => order,
    table: { Placed: () => Notifications.none, Viewed: Notifications.none }
  })
  holds<Equals<typeof made, typeof notifications>>()
  const id = notifications.trackingId(event)
  holds<Equals<typeof id, TrackingId.TrackingId>>()
  const published = notifications.publish(event)
  holds<Equals<typeof published, Effect.Effect<Told, Notifications.PublishError, Outbox>>>()
  // A stream keeps its own error and needs.
  const consumed = notifications.consume(events)
  type Consumed<E> = Stream.Stream<Told, "closed" | Notifications.PublishError | E, "bus" | Outbox>
  holds<Equals<typeof consumed, Consumed<never>>>()
  const decoded = notifications.consumeEncoded(json)
  holds<Equals<typeof decoded, Consumed<Schema.SchemaError>>>()
  // @ts-expect-error not an event of the schema
  void notifications.publish({ _tag: "Lost", order: 1 })
}
