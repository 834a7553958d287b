/**
 * A service that serves its metrics as Prometheus text, gauges of the outbox included.
 */
import { Message, SmsBatTransport, TrackingId } from "@effect-cascade/core"
import {
  Outbox,
  OutboxMigrations,
  OutboxMonitor,
  PgOutboxAdminStore,
  PgOutboxStore,
  Relay
} from "@effect-cascade/outbox"
import { SmsBatEmulator } from "@effect-cascade/testing"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import { NodeHttpClient, NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Console, DateTime, Effect, Layer, Redacted } from "effect"
import { HttpClient, HttpRouter } from "effect/http"
import { PrometheusMetrics } from "effect/observability"

const Provider = Layer.unwrap(
  SmsBatEmulator.SmsBatEmulator.useSync(({ url }) =>
    SmsBatTransport.layer({ baseUrl: url, keys: { apiKey: Redacted.make("test-key") } })
  )
).pipe(Layer.provide(SmsBatEmulator.layer()), Layer.provide(NodeHttpClient.layerUndici))

const Services = Layer.merge(Outbox.layer, Provider).pipe(
  Layer.provideMerge(Layer.merge(PgOutboxStore.layer(), PgOutboxAdminStore.layer())),
  Layer.provide(OutboxMigrations.layer()),
  Layer.provideMerge(PgTestDatabase.layer())
)

/** `GET /metrics`, for Prometheus to scrape. In production: a port of its own that only Prometheus can reach. */
const Metrics = HttpRouter.serve(PrometheusMetrics.layerHttp(), {
  disableLogger: true,
  disableListenLog: true
})

const order = Effect.fn("order")(function* (id: number, sendAt?: DateTime.Utc) {
  const outbox = yield* Outbox.Outbox
  const message = yield* Message.make({
    _tag: "Transaction",
    id: TrackingId.of("order-confirmed", id),
    fromName: "Shop",
    toPhone: "+380671112233",
    text: `Your order ${id} is confirmed`,
    ...(sendAt === undefined ? {} : { scheduledSent: sendAt })
  })
  yield* outbox.transaction(outbox.enqueue(message))
})

const program = Effect.gen(function* () {
  yield* order(1)
  yield* order(2)
  yield* order(2)
  yield* order(3, DateTime.addDuration(yield* DateTime.now, "1 hour"))
  yield* Relay.drain()

  // What the layer of the monitor does every 15 seconds, once and at once.
  const look = yield* OutboxMonitor.make
  yield* look

  const response = yield* HttpClient.get("/metrics")
  const lines = (yield* response.text).split("\n")
  yield* Console.log(lines.filter(isCount).join("\n"))
})

/** Durations differ from run to run; counts do not. */
const isCount = (line: string) =>
  /^messaging_(?:smsbat|client_sent)/u.test(line) && !line.includes("_bucket") && !line.includes("_sum")

program.pipe(
  Effect.provide(Metrics.pipe(Layer.provideMerge(NodeHttpServer.layerTest))),
  Effect.provide(Services),
  NodeRuntime.runMain
)
