/**
 * The combinators of the library, and a transport in memory that they are put around, held to the contract.
 */
import { RateLimit, RouteTransport } from "@effect-cascade/core"
import * as ConsoleTransport from "@effect-cascade/core/ConsoleTransport"
import * as Failover from "@effect-cascade/core/Failover"
import * as Mode from "@effect-cascade/core/Mode"
import type { TransportShape } from "@effect-cascade/core/Transport"
import { Effect, Layer } from "effect"
import { RateLimiter } from "effect/persistence"
import { phones } from "../src/suites/TransportLaws.ts"
import { suite } from "../src/suites/TransportSuite.ts"
import { featuresOf, makeProvider, type Provider, refusedPhone, soundTransport } from "./support/provider.ts"

const features = featuresOf((providers: ReadonlyArray<Provider>) => providers)

const memoryLimiter = RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))

/** A transport over so many providers, which all fail together. */
const over = <E>(
  count: number,
  build: (transports: ReadonlyArray<TransportShape>) => Effect.Effect<TransportShape, E>
) =>
  Effect.suspend(() => {
    const control = Array.from({ length: count }, makeProvider)
    const transports = control.map((provider, index) => soundTransport(provider, { name: `sound-${index}` }))
    return Effect.map(build(transports), (transport) => ({ control, transport }))
  })

const never = soundTransport(makeProvider())
const at = (transports: ReadonlyArray<TransportShape>, index: number) => transports[index] ?? never

suite({
  name: "a transport in memory",
  make: over(1, (all) => Effect.succeed(at(all, 0))),
  features
})

suite({
  name: "a transport of one at a time",
  make: Effect.sync(() => {
    const provider = makeProvider()
    return { control: [provider], transport: soundTransport(provider, { maxBatchSize: 1 }) }
  }),
  features
})

suite({
  name: "ConsoleTransport",
  make: Effect.succeed({ control: undefined, transport: ConsoleTransport.transport })
})

suite({
  name: "Failover",
  make: over(2, (all) => Effect.sync(() => Failover.failover([at(all, 0), at(all, 1)]))),
  features
})

for (const fault of ["throttled", "unreachable", "unauthorized"] as const) {
  suite({
    name: `Failover, the first one always ${fault}`,
    make: Effect.sync(() => {
      const main = makeProvider()
      main.fault = fault
      const spare = makeProvider()
      const transport = Failover.failover([
        soundTransport(main, { name: "main", maxBatchSize: 20 }),
        soundTransport(spare, { name: "spare", maxBatchSize: 50 })
      ])
      return { control: [spare], transport }
    }),
    features: {
      ...features,
      faults: {
        lost: features.faults.lost,
        hanging: features.faults.hanging,
        restored: features.faults.restored
      }
    }
  })
}

suite({
  name: "RouteTransport",
  make: over(3, (all) =>
    Effect.sync(() =>
      RouteTransport.route(({ message }) =>
        at(all, message._tag === "Promo" ? 0 : message._tag === "FlashCall" ? 1 : 2)
      )
    )
  ),
  features
})

suite({
  name: "RateLimit",
  make: over(1, (all) =>
    RateLimit.withRateLimit(at(all, 0), { limit: 100_000 }).pipe(Effect.provide(memoryLimiter))
  ),
  features
})

suite({
  name: "Mode, live",
  make: over(1, (all) => Mode.withMode(at(all, 0), "live")),
  features
})

suite({
  name: "Mode, with an allow list",
  make: over(1, (all) => Mode.withMode(at(all, 0), { allowlist: phones })),
  features: { ...features, rejects: { toPhone: "+380631112266" } }
})

suite({
  name: "Mode, dry run",
  make: over(1, (all) => Mode.withMode(at(all, 0), "dryRun")),
  features: { received: features.received, accepts: false }
})

suite({
  name: "all of them together",
  make: over(4, (all) =>
    Effect.gen(function* () {
      const one = Failover.failover([at(all, 0), at(all, 1)])
      const two = yield* RateLimit.withRateLimit(Failover.failover([at(all, 2), at(all, 3)]), {
        limit: 100_000
      })
      const routed = RouteTransport.route(({ route }) => (route === "standard" ? one : two))
      return yield* Mode.withMode(routed, { allowlist: [...phones, refusedPhone] })
    }).pipe(Effect.provide(memoryLimiter))
  ),
  features
})
