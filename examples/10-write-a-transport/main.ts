/**
 * The transport at work below the `Cascade` client, as it would be below a relay.
 */
import { Cascade, Message } from "@effect-cascade/core"
import { NodeHttpClient, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Redacted } from "effect"
import * as Gateway from "./gateway.ts"
import * as GatewayTransport from "./GatewayTransport.ts"

const program = Effect.gen(function* () {
  const gateway = yield* Gateway.make
  const CascadeLive = Cascade.layer.pipe(
    Layer.provide(GatewayTransport.layer({ url: gateway.url, key: Redacted.make(Gateway.key) })),
    Layer.provide(NodeHttpClient.layerUndici)
  )
  const message = (id: string, toPhone: string) =>
    Message.make({ _tag: "Transaction", id, fromName: "Shop", toPhone, text: "Your order is on its way" })

  const deliveries = yield* Cascade.sendAll([
    yield* message("order-1", "+380671112233"),
    yield* message("order-2", Gateway.refusedPhone)
  ]).pipe(Effect.provide(CascadeLive))

  for (const delivery of deliveries) {
    const why = delivery._tag === "Accepted" ? `as ${delivery.messageId}` : delivery.reason.message
    yield* Console.log(`${delivery.trackingId}: ${delivery._tag}, ${why}`)
  }
})

NodeRuntime.runMain(Effect.scoped(program))
