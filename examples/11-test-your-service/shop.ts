/**
 * The service under test: it calls a phone number to verify a login, and confirms orders.
 */
import { Cascade, Message, TrackingId, Ttl } from "@effect-cascade/core"
import { Outbox } from "@effect-cascade/outbox"
import { Effect } from "effect"

/** Sent at once, without an outbox: who gets no call asks for another. Answers whether a call may come. */
export const verifyLogin = Effect.fn("verifyLogin")(function* (login: { id: number; phone: string }) {
  const message = yield* Message.make({
    _tag: "FlashCall",
    id: TrackingId.of("login", login.id),
    fromName: "Shop",
    toPhone: login.phone,
    ttl: Ttl.verification
  })
  const delivery = yield* Cascade.send(message)
  return delivery._tag !== "NotSent"
})

/** Enqueued in the caller's transaction, if one is open: the order and its confirmation commit together. */
export const confirmOrder = Effect.fn("confirmOrder")(function* (order: { id: number; phone: string }) {
  const outbox = yield* Outbox.Outbox
  const message = yield* Message.make({
    _tag: "Transaction",
    id: TrackingId.of("order-confirmed", order.id),
    fromName: "Shop",
    toPhone: order.phone,
    text: `Your order ${order.id} is confirmed`,
    ttl: Ttl.transaction
  })
  yield* outbox.transaction(outbox.enqueue(message))
})
