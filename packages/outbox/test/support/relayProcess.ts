/** A relay in a process of its own, which kills itself with SIGKILL in the midst of its second send. */
import { Transport } from "@effect-cascade/core/Transport"
import * as PgOutboxStore from "@effect-cascade/outbox/PgOutboxStore"
import * as Relay from "@effect-cascade/outbox/Relay"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted } from "effect"

let sends = 0
const transport = Layer.succeed(Transport, {
  name: "killer",
  maxBatchSize: 1_000,
  send: () =>
    Effect.suspend(() => {
      if (++sends === 2) process.kill(process.pid, "SIGKILL")
      return Effect.never
    })
})

const relay = Relay.layer({
  name: "killed",
  lease: "5 seconds",
  sendTimeout: "2 seconds",
  heartbeat: "100 millis"
}).pipe(
  Layer.provide([transport, PgOutboxStore.layer()]),
  Layer.provide(PgClient.layer({ url: Redacted.make(process.env["OUTBOX_URL"] ?? "") }))
)

Effect.runFork(Layer.launch(relay))
