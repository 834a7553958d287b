/**
 * A service process whose whole work is a relay, as you would deploy it.
 */
import { SmsBatTransport } from "@effect-cascade/core"
import { PgOutboxStore, Relay } from "@effect-cascade/outbox"
import { NodeHttpClient, NodeRuntime } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Config, Layer } from "effect"

const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })
const Provider = SmsBatTransport.layerConfig().pipe(Layer.provide(NodeHttpClient.layerUndici))

const Service = Relay.layer({
  // One message at a time, so that one is under way when the signal comes, and others wait.
  slots: { high: 1 },
  batchSize: { high: 1 },
  // Keep it below the time that your platform gives a process between SIGTERM and SIGKILL (Kubernetes: 30 seconds).
  gracePeriod: "10 seconds"
}).pipe(Layer.provide([PgOutboxStore.layer().pipe(Layer.provide(Database)), Provider]))

// On SIGTERM and SIGINT `runMain` closes the layers in order: first the relay, which finishes what is under way and
// writes it down, then the connections that it needs for that.
NodeRuntime.runMain(Layer.launch(Service))
