/**
 * The service's own business: an order, and the message that tells of it, in one transaction.
 */
import { Message, TrackingId, Ttl } from "@effect-cascade/core"
import { Outbox, OutboxAdmin } from "@effect-cascade/outbox"
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { type NewOrder, OrderTaken, OrderUnknown } from "./Api.ts"

const confirmation = (id: number) => TrackingId.of("order-confirmed", id)

export class Orders extends Context.Service<Orders>()("shop/Orders", {
  make: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const outbox = yield* Outbox.Outbox
    const admin = yield* OutboxAdmin.OutboxAdmin

    const placeInTransaction = Effect.fnUntraced(function* (order: typeof NewOrder.Type) {
      const message = yield* Message.make({
        _tag: "Transaction",
        id: confirmation(order.id),
        fromName: "Shop",
        toPhone: order.phone,
        text: `Your order ${order.id} is confirmed`,
        ttl: Ttl.transaction
      })
      yield* outbox.transaction(
        Effect.gen(function* () {
          const placed =
            yield* sql`INSERT INTO orders ${sql.insert(order)} ON CONFLICT DO NOTHING RETURNING id`
          if (placed.length === 0) return yield* new OrderTaken({ id: order.id })
          return yield* outbox.enqueue(message)
        })
      )
    })

    // What is no answer to a customer is a defect: it is logged with its cause, and becomes a 500.
    const place = Effect.fn("Orders.place")((order: typeof NewOrder.Type) =>
      placeInTransaction(order).pipe(Effect.catchIf((error) => error._tag !== "OrderTaken", Effect.die))
    )

    const messageState = Effect.fn("Orders.messageState")((id: number) =>
      admin.read("default", confirmation(id)).pipe(
        Effect.map(({ state }) => state),
        Effect.catchTags({ MessageNotFound: () => new OrderUnknown({ id }), StoreError: Effect.die })
      )
    )

    return { place, messageState } as const
  })
}) {
  static readonly layer = Layer.effect(this, this.make)
}
