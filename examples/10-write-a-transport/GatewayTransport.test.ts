/**
 * Holds the transport to the contract of all transports: one call, fifteen laws.
 */
import { FaultProxy } from "@effect-cascade/testing"
import { suite } from "@effect-cascade/testing/suites/TransportSuite"
import { NodeHttpClient } from "@effect/platform-node"
import { Effect, Layer, Redacted } from "effect"
import * as Gateway from "./gateway.ts"
import * as GatewayTransport from "./GatewayTransport.ts"

suite({
  name: "GatewayTransport",
  make: Effect.gen(function* () {
    const gateway = yield* Gateway.make
    // Between the two, since a server cannot lose its own connections convincingly.
    const proxy = yield* FaultProxy.make({ target: gateway.url })
    const transport = yield* GatewayTransport.make({
      url: proxy.url(gateway.url),
      key: Redacted.make(Gateway.key)
    }).pipe(Effect.provideContext(yield* Layer.build(NodeHttpClient.layerUndici)))
    return { control: { gateway, proxy }, transport }
  }),
  features: {
    received: ({ gateway }) => gateway.received,
    rejects: { toPhone: Gateway.refusedPhone },
    secrets: [Gateway.key],
    faults: {
      throttled: ({ gateway }) => gateway.become("busy"),
      unauthorized: ({ gateway }) => gateway.become("strict"),
      lost: ({ proxy }) => proxy.setToxics("reset_peer"),
      hanging: ({ gateway }) => Effect.as(gateway.become("silent"), { underWay: gateway.awaitUnanswered }),
      restored: ({ gateway, proxy }) => Effect.andThen(gateway.become("well"), proxy.setToxics(""))
    }
  }
})
