/**
 * Starts the service on a free port, with an emulated provider and a database of its own, and is its first customer.
 */
import { PhoneNumber, SmsBatTransport } from "@effect-cascade/core"
import { SmsBatEmulator } from "@effect-cascade/testing"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import { NodeHttpClient, NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Redacted, References } from "effect"
import { HttpServer } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { createServer } from "node:http"
import { Api } from "./Api.ts"
import { Service } from "./service.ts"

const program = Effect.gen(function* () {
  const { address } = yield* HttpServer.HttpServer
  const emulator = yield* SmsBatEmulator.SmsBatEmulator
  // The client follows from the same description as the server.
  const { orders } = yield* HttpApiClient.make(Api, { baseUrl: HttpServer.formatAddress(address) })

  const order = { id: 1042, phone: PhoneNumber.PhoneNumber.make("+380671112233") }
  const { id } = yield* orders.place({ payload: order })
  yield* Console.log(`order ${id} is placed`)
  yield* orders
    .place({ payload: order })
    .pipe(Effect.catchTag("OrderTaken", (error) => Console.log(`order ${error.id} is taken`)))

  yield* emulator.awaitReceived(1)
  // The provider has it; the relay writes that down within milliseconds.
  const state = yield* orders.message({ params: { id } }).pipe(
    Effect.map(({ state }) => state),
    Effect.repeat({ until: (state) => state === "sent" })
  )
  yield* Console.log(`its message is ${state}`)
  yield* orders
    .message({ params: { id: 7 } })
    .pipe(Effect.catchTag("OrderUnknown", (error) => Console.log(`order ${error.id} is unknown`)))
})

// In production three other layers: `PgClient.layerConfig`, `SmsBatTransport.layerConfig` and a server on your port;
// and `NodeRuntime.runMain(Layer.launch(…))` in the place of this program.
const Provider = Layer.unwrap(
  SmsBatEmulator.SmsBatEmulator.useSync(({ url }) =>
    SmsBatTransport.layer({ baseUrl: url, keys: { apiKey: Redacted.make("test-key") } })
  )
).pipe(Layer.provideMerge(SmsBatEmulator.layer()))
const Server = NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" })

const Running = Service.pipe(
  Layer.provide(PgTestDatabase.layer()),
  Layer.provideMerge(Layer.merge(Provider, Server)),
  Layer.provideMerge(NodeHttpClient.layerUndici)
)

program.pipe(
  Effect.provide(Running),
  Effect.provideService(References.MinimumLogLevel, "Warn"),
  NodeRuntime.runMain
)
