/**
 * Follows messages after the provider took them on: a receiver for its webhooks, a tracker that keeps one state for each.
 */
import { CascadeEvents, Message, SmsBatStatus, SmsBatTransport, SmsBatWebhook } from "@effect-cascade/core"
import {
  Outbox,
  OutboxMigrations,
  PgOutboxStore,
  PgStatusStore,
  Relay,
  StatusTracker
} from "@effect-cascade/outbox"
import { SmsBatEmulator } from "@effect-cascade/testing"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import { NodeHttpClient, NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Redacted, References, Stream } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"

const program = Effect.gen(function* () {
  const outbox = yield* Outbox.Outbox
  const tracker = yield* StatusTracker.StatusTracker
  const events = yield* (yield* CascadeEvents.CascadeEvents).subscribe

  const message = (id: string, toPhone: string) =>
    Message.make({ _tag: "Transaction", id, fromName: "Shop", toPhone, text: "Your order is on its way" })
  const messages = [
    yield* message("order-1", "+380671112233"),
    // A number of the emulator's that nothing is delivered to.
    yield* message("order-2", "+380000000001")
  ]
  yield* outbox.transaction(outbox.enqueueAll(messages))
  yield* Relay.drain()

  // Each change is told once, by whichever report came first: the webhook's, or the answer to a look-up.
  yield* events.pipe(
    Stream.filter((event) => event._tag === "StatusChanged" && ends.has(event.status)),
    Stream.take(messages.length),
    Stream.runDrain
  )
  for (const { id } of messages) {
    const { state } = (yield* tracker.status("default", id)) ?? {}
    yield* Console.log(`${id}: ${state?.status}, ${state?.confirmed ? "confirmed by a look-up" : "a hint"}`)
  }
})

const ends = new Set(["delivered", "undeliverable", "permanenterror"])

// The last segment of the webhook's address, and all that keeps strangers out: draw one of your own.
const secret = Redacted.make("k3mJ8cV0w1ZxQ7rT5yB2nA")
const path = "/hooks/smsbat"

const Server = NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" })

const Emulator = Layer.unwrap(
  HttpServer.HttpServer.useSync(({ address }) =>
    SmsBatEmulator.layer({
      lifeCycle: { scheduled: "200 millis", processing: "200 millis" },
      webhook: {
        url: `${HttpServer.formatAddress(address)}${Redacted.value(SmsBatWebhook.pathWithSecret(path, secret))}`
      }
    })
  )
)
const Provider = Layer.unwrap(
  SmsBatEmulator.SmsBatEmulator.useSync(({ url }) => {
    const options = { baseUrl: url, keys: { apiKey: Redacted.make("test-key") } }
    return Layer.merge(SmsBatTransport.layer(options), SmsBatStatus.layer(options))
  })
).pipe(Layer.provide(NodeHttpClient.layerUndici), Layer.provide(Emulator))

// What is sent is followed from the statement that writes its outcome.
const Store = Layer.merge(PgOutboxStore.layer({ trackStatus: true }), PgStatusStore.layer()).pipe(
  Layer.provide(OutboxMigrations.layer()),
  Layer.provide(PgTestDatabase.layer())
)

// Asks by itself, too: a webhook may never come.
const Tracker = StatusTracker.layer().pipe(Layer.provideMerge(Layer.merge(Store, Provider)))

// An end is asked for before it is believed, since a webhook is not signed.
const Webhook = Layer.unwrap(
  StatusTracker.StatusTracker.useSync((tracker) =>
    HttpRouter.serve(SmsBatWebhook.route({ path, secret, onReport: tracker.report }), {
      disableListenLog: true
    })
  )
).pipe(Layer.provide(SmsBatWebhook.layerUntraced(path)))

const Services = Layer.merge(Outbox.layer, Webhook).pipe(
  Layer.provideMerge(Tracker),
  Layer.provideMerge(Layer.merge(CascadeEvents.layer(), Server))
)

program.pipe(
  Effect.scoped,
  Effect.provide(Services),
  Effect.provideService(References.MinimumLogLevel, "Warn"),
  NodeRuntime.runMain
)
