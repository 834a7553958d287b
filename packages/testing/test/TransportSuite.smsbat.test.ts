/**
 * The library's own transport, over real sockets to the emulator, held to the contract.
 */
import { SmsBatTransport } from "@effect-cascade/core"
import { NodeHttpClient } from "@effect/platform-node"
import { Effect, Layer, Redacted } from "effect"
import { FetchHttpClient, type HttpClient } from "effect/http"
import * as FaultProxy from "../src/FaultProxy.ts"
import * as SmsBatEmulator from "../src/SmsBatEmulator.ts"
import type { TransportFeatures } from "../src/suites/TransportLaws.ts"
import { suite } from "../src/suites/TransportSuite.ts"

interface Control {
  readonly emulator: SmsBatEmulator.SmsBatEmulatorShape
  readonly proxy: FaultProxy.FaultProxyShape
}

const key = "secret-api-key"

const over = (
  client: Layer.Layer<HttpClient.HttpClient>,
  settings: SmsBatTransport.SmsBatSettings = {},
  emulation: Parameters<typeof SmsBatEmulator.make>[0] = {}
) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(client)
    const emulator = yield* SmsBatEmulator.make({ accounts: { [key]: "default" }, ...emulation })
    const proxy = yield* FaultProxy.make({ target: emulator.url })
    const transport = yield* SmsBatTransport.make({
      ...settings,
      baseUrl: proxy.url(emulator.url),
      keys: { apiKey: Redacted.make(key) }
    }).pipe(Effect.provideContext(context))
    return { control: { emulator, proxy }, transport }
  })

/**
 * A connection that a client keeps for later is reset as well, and a request on it might have been carried out: until
 * the client has seen that, which takes it a turn of the loop, it cannot say that nobody was reached.
 */
const down = ({ proxy }: Control) =>
  Effect.andThen(
    proxy.setToxics("down"),
    Effect.callback<void>((resume) => void setImmediate(() => setImmediate(() => resume(Effect.void))))
  )

const features: TransportFeatures<Control> = {
  received: ({ emulator }) =>
    Effect.map(emulator.ledger.all, (all) => all.map(({ trackingId }) => trackingId)),
  // A number that the emulator refuses.
  rejects: { toPhone: "+380000000007" },
  secrets: [key],
  faults: {
    throttled: ({ emulator }) => emulator.setFaults("429:retry-after=1s"),
    unreachable: down,
    unauthorized: ({ emulator }) => emulator.setFaults("401"),
    lost: ({ emulator }) => emulator.setFaults("reset-after"),
    hanging: ({ emulator }) =>
      Effect.gen(function* () {
        const { requests } = yield* emulator.requestCounts
        yield* emulator.setFaults("latency-after:1h")
        return {
          underWay: emulator.awaitRequest(({ accepted, number }) => number > requests && accepted > 0),
          givenUp: emulator.awaitRequest(({ number, outcome }) => number > requests && outcome === "gone")
        }
      }),
    restored: ({ emulator, proxy }) => Effect.andThen(emulator.setFaults(""), proxy.setToxics(""))
  }
}

for (const [name, client] of [
  ["fetch", FetchHttpClient.layer],
  ["undici", NodeHttpClient.layerUndici]
] as const) {
  suite({ name: `SmsBatTransport over ${name}`, make: over(client), features })

  suite({
    name: `SmsBatTransport over ${name}, a few messages in each request, refused without a word`,
    make: over(client, { maxBatchSize: 30, maxBodyBytes: 600 }, { errorShape: "empty", shuffle: true }),
    features: {
      ...features,
      faults: {
        ...features.faults,
        throttled: ({ emulator }) => emulator.setFaults("503:retry-after=1s"),
        unauthorized: ({ emulator }) => emulator.setFaults("403"),
        // The reply is lost on the way, and not by the other side.
        lost: ({ proxy }) => proxy.setToxics("reset_peer"),
        restored: ({ emulator, proxy }) => Effect.andThen(emulator.setFaults(""), proxy.setToxics(""))
      }
    }
  })
}
