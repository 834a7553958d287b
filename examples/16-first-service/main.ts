/**
 * Runs the service as it would be deployed, against an emulated provider: the migrations, the relay in a process of its
 * own, HTTP in this one, and an operator.
 */
import { SmsBatEmulator } from "@effect-cascade/testing"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import { NodeHttpClient, NodeHttpServer, NodeRuntime, NodeServices } from "@effect/platform-node"
import { ConfigProvider, Console, Effect, Layer, Redacted, References } from "effect"
import { HttpBody, HttpClient, type HttpClientResponse, HttpServer } from "effect/http"
import { ChildProcess } from "effect/process"
import { createServer } from "node:http"
import { Web } from "./web.ts"

const program = Effect.gen(function* () {
  const emulator = yield* SmsBatEmulator.SmsBatEmulator
  const { url } = yield* PgTestDatabase
  const { address } = yield* HttpServer.HttpServer
  const orders = `${HttpServer.formatAddress(address)}/orders`
  const start = (file: string, ...args: ReadonlyArray<string>) =>
    ChildProcess.make(process.execPath, [`${import.meta.dirname}/${file}`, ...args], {
      env: {
        DATABASE_URL: Redacted.value(url),
        SMSBAT_BASE_URL: emulator.url,
        SMSBAT_API_KEY: "test-key",
        METRICS_PORT: "0"
      },
      extendEnv: true,
      stdout: args.length > 0 ? "inherit" : "ignore",
      stderr: "inherit"
    })

  const migrated = yield* start("database.ts")
  yield* Console.log(`migrations end with ${yield* migrated.exitCode}`)

  const counts = Effect.flatMap(start("operator.ts", "counts"), ({ exitCode }) => exitCode)
  const show = Effect.fnUntraced(function* (answer: HttpClientResponse.HttpClientResponse) {
    yield* Console.log(`${answer.status} ${yield* answer.text}`)
  })

  const order = HttpBody.jsonUnsafe({ id: 1042, phone: "+380671112233" })
  yield* show(yield* HttpClient.post(orders, { body: order }))
  yield* show(yield* HttpClient.post(orders, { body: order }))
  yield* counts

  const relay = yield* start("relay.ts")
  yield* emulator.awaitReceived(1)
  yield* Console.log("the provider has the confirmation")
  yield* show(yield* HttpClient.del(`${orders}/1042`))
  // It finishes what is under way, and writes it down.
  yield* relay.kill({ killSignal: "SIGTERM" })
  yield* Console.log(`the relay ends with ${yield* relay.exitCode}`)
  yield* counts
})

const Running = Layer.unwrap(
  PgTestDatabase.useSync(({ url }) =>
    Web.pipe(
      Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ DATABASE_URL: Redacted.value(url) })))
    )
  )
).pipe(
  Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" })),
  Layer.provideMerge(
    Layer.mergeAll(
      PgTestDatabase.layer(),
      SmsBatEmulator.layer(),
      NodeHttpClient.layerUndici,
      NodeServices.layer
    )
  )
)

program.pipe(
  Effect.scoped,
  Effect.provide(Running),
  Effect.provideService(References.MinimumLogLevel, "Warn"),
  NodeRuntime.runMain
)
