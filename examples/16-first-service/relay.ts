/**
 * The second process: sends what was written, and serves its metrics.
 */
import { SmsBatTransport } from "@effect-cascade/core"
import { OutboxMonitor, PgOutboxAdminStore, PgOutboxStore, Relay } from "@effect-cascade/outbox"
import { NodeHttpClient, NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Config, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { createServer } from "node:http"
import { Database } from "./database.ts"

const Provider = SmsBatTransport.layerConfig().pipe(Layer.provide(NodeHttpClient.layerUndici))

/** `GET /metrics`: counters are of the process that has them, so this one needs a port for its own. */
const Metrics = HttpRouter.serve(PrometheusMetrics.layerHttp(), { disableLogger: true }).pipe(
  Layer.provide(
    NodeHttpServer.layerConfig(() => createServer(), {
      port: Config.Int("METRICS_PORT").pipe(Config.withDefault(9464))
    })
  )
)

const Process = Layer.mergeAll(Relay.layer(), OutboxMonitor.layer(), Metrics).pipe(
  Layer.provide([PgOutboxStore.layer(), PgOutboxAdminStore.layer(), Provider]),
  Layer.provide(Database)
)

NodeRuntime.runMain(Layer.launch(Process))
