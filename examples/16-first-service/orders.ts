/**
 * The service's own business: each order with its messages, in one transaction.
 */
import { Message, TrackingId, Ttl } from "@effect-cascade/core"
import { Outbox, OutboxAdmin } from "@effect-cascade/outbox"
import { DateTime, Effect } from "effect"
import { SqlClient } from "effect/sql"

const confirmation = (order: number) => TrackingId.of("order-confirmed", order)
const reminder = (order: number) => TrackingId.of("order-reminder", order)

/** Places an order: a confirmation that goes at once, and a reminder for tomorrow. */
export const place = Effect.fn("place")(function* (order: { readonly id: number; readonly phone: string }) {
  const sql = yield* SqlClient.SqlClient
  const outbox = yield* Outbox.Outbox
  const common = {
    _tag: "Transaction",
    fromName: "Shop",
    toPhone: order.phone,
    ttl: Ttl.transaction
  } as const
  const messages = [
    yield* Message.make({
      ...common,
      id: confirmation(order.id),
      text: `Your order ${order.id} is confirmed`
    }),
    yield* Message.make({
      ...common,
      id: reminder(order.id),
      text: `Your order ${order.id} waits for you`,
      scheduledSent: DateTime.addDuration(yield* DateTime.now, "1 day")
    })
  ]
  return yield* outbox.transaction(
    Effect.gen(function* () {
      const placed = yield* sql`
        INSERT INTO orders ${sql.insert({ id: order.id, phone: order.phone })}
        ON CONFLICT DO NOTHING RETURNING id`
      if (placed.length === 0) return "taken"
      yield* outbox.enqueueAll(messages)
      return "placed"
    })
  )
})

/** Cancels an order, and calls its reminder off: both or neither. */
export const cancel = Effect.fn("cancel")(function* (id: number) {
  const sql = yield* SqlClient.SqlClient
  const outbox = yield* Outbox.Outbox
  const admin = yield* OutboxAdmin.OutboxAdmin
  return yield* outbox.transaction(
    Effect.gen(function* () {
      const found = yield* sql`UPDATE orders SET cancelled = true WHERE id = ${id} RETURNING id`
      if (found.length === 0) return "unknown"
      // `Cancelled`; or `InFlight` or `TooLate`, and then the reminder goes or has gone.
      const { _tag } = yield* admin.cancel("default", reminder(id))
      return _tag
    })
  )
})
