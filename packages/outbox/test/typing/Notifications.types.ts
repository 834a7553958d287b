/** Compiles only if the table of notifications is complete and each entry gets the event of its own name. */
import * as Notifications from "@effect-cascade/outbox/Notifications"
import { Schema } from "effect"

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
