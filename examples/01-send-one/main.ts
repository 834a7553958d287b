/**
 * Sends one message without an outbox: message in, delivery out.
 */
import { Cascade, ConsoleTransport, Delivery, Message, TrackingId, Ttl } from "@effect-cascade/core"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer } from "effect"

const sayThatItIsReady = Effect.fn("sayThatItIsReady")(function* (order: { id: number; phone: string }) {
  const message = yield* Message.make({
    _tag: "Transaction",
    id: TrackingId.of("order-ready", order.id),
    fromName: "Shop",
    toPhone: order.phone,
    text: `Your order ${order.id} is ready`,
    ttl: Ttl.transaction
  })
  const delivery = yield* Cascade.send(message)

  // Three outcomes, never two: only `NotSent` is safe to send again.
  return Delivery.Delivery.match(delivery, {
    Accepted: ({ messageId }) => `order ${order.id}: the provider took it on as ${messageId}`,
    NotSent: ({ reason }) => `order ${order.id}: nobody was told, ${reason.message}`,
    Unknown: ({ reason }) => `order ${order.id}: perhaps told, perhaps not, ${reason.message}`
  })
})

const program = Effect.gen(function* () {
  yield* Console.log(yield* sayThatItIsReady({ id: 1042, phone: "+380671112233" }))

  // A message that cannot be right is never made. The error has every problem of it, and shows no number in full.
  yield* sayThatItIsReady({ id: 1043, phone: "380671112233" }).pipe(
    Effect.catchTag("InvalidMessage", (error) => Console.log(error.message))
  )
})

// The console stands in for the provider. With an account it is `SmsBatTransport.layerConfig()` over an HTTP client.
const CascadeLive = Cascade.layer.pipe(Layer.provide(ConsoleTransport.layer))

program.pipe(Effect.provide(CascadeLive), NodeRuntime.runMain)
