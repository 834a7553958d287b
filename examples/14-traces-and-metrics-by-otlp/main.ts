/**
 * Traces and metrics by OTLP: an order's trace ends with its commit, and the send links back to it.
 */
import { Message, SmsBatTransport, TrackingId } from "@effect-cascade/core"
import { Outbox, OutboxMigrations, PgOutboxStore, Relay } from "@effect-cascade/outbox"
import { SmsBatEmulator } from "@effect-cascade/testing"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import { NodeHttpClient, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Redacted } from "effect"
import { FetchHttpClient, HttpServer } from "effect/http"
import { Otlp } from "effect/observability"
import { SqlClient } from "effect/sql"
import * as collector from "./collector.ts"

const Provider = Layer.unwrap(
  SmsBatEmulator.SmsBatEmulator.useSync(({ url }) =>
    SmsBatTransport.layer({ baseUrl: url, keys: { apiKey: Redacted.make("test-key") } })
  )
).pipe(Layer.provide(SmsBatEmulator.layer()), Layer.provide(NodeHttpClient.layerUndici))

const Services = Layer.merge(Outbox.layer, Provider).pipe(
  Layer.provideMerge(PgOutboxStore.layer()),
  Layer.provide(OutboxMigrations.layer()),
  Layer.provideMerge(PgTestDatabase.layer())
)

/** In production `baseUrl` is that of your collector, and this is all there is to do. */
const Observability = Layer.unwrap(
  HttpServer.addressFormattedWith((baseUrl) =>
    Effect.succeed(Otlp.layerJson({ baseUrl, resource: { serviceName: "shop" } }))
  )
).pipe(Layer.provide(FetchHttpClient.layer))

const placeOrder = Effect.fn("POST /orders")(function* (id: number) {
  const sql = yield* SqlClient.SqlClient
  const outbox = yield* Outbox.Outbox
  const message = yield* Message.make({
    _tag: "Transaction",
    id: TrackingId.of("order-confirmed", id),
    fromName: "Shop",
    toPhone: "+380671112233",
    text: `Your order ${id} is confirmed`
  })
  yield* sql.withTransaction(outbox.enqueue(message))
})

const shop = Effect.gen(function* () {
  yield* placeOrder(1)
  yield* placeOrder(2)
  yield* Relay.drain()
}).pipe(Effect.provide(Observability), Effect.provide(Services))

const program = Effect.gen(function* () {
  // Its layers close with it, and the exporter sends what it still has.
  yield* shop
  const create = collector.spans.filter(({ name }) => name === "create outbox")
  const send = collector.spans.filter(({ name }) => name === "send smsbat")
  const linked = new Set(send.flatMap(({ links }) => links ?? []).map(({ spanId }) => spanId))
  yield* Console.log(`messages created: ${create.length}, each in the trace of its order`)
  yield* Console.log(`requests: ${send.length}`)
  yield* Console.log(
    `linked to the spans that created them: ${create.every(({ spanId }) => linked.has(spanId))}`
  )
  for (const name of [...collector.metrics].filter((name) => name.startsWith("messaging")).sort()) {
    yield* Console.log(`metric ${name}`)
  }
})

program.pipe(Effect.provide(collector.layer), NodeRuntime.runMain)
