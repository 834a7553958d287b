/**
 * A message that may be sent once only, an outcome that nobody knows, and the person who finds out.
 */
import { Message, SmsBatTransport } from "@effect-cascade/core"
import {
  Outbox,
  OutboxAdmin,
  OutboxMigrations,
  PgOutboxAdminStore,
  PgOutboxStore,
  Relay
} from "@effect-cascade/outbox"
import { SmsBatEmulator } from "@effect-cascade/testing"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import { NodeHttpClient, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Redacted, References } from "effect"

const program = Effect.gen(function* () {
  const outbox = yield* Outbox.Outbox
  const admin = yield* OutboxAdmin.OutboxAdmin
  const emulator = yield* SmsBatEmulator.SmsBatEmulator

  const send = Effect.fn("send")(function* (id: string) {
    const message = yield* Message.make({
      _tag: "Promo",
      id,
      fromName: "Shop",
      toPhone: "+380671112233",
      text: "20 % off this week"
    })
    // For a promo `hold` is the default: rather nobody than twice. For a transaction it is `resend`.
    yield* outbox.transaction(outbox.enqueue(message, { uncertainty: "hold" }))
    yield* Relay.drain()
  })

  // Two connections that break. Seen from here they are alike; only the first message was taken on.
  yield* emulator.nextRequests("reset-after, reset")
  yield* send("promo-1")
  yield* send("promo-2")

  const { messages } = yield* admin.list({ state: "uncertain" })
  for (const { end, id, trackingId } of messages.toReversed()) {
    yield* Console.log(`${trackingId}: ${end.kind}, ${end.reason?.tag}`)

    // Find out: in the provider's cabinet, from its support, by asking the person. Here its ledger tells.
    const arrived = (yield* emulator.ledger.received(trackingId)).length > 0
    yield* admin
      .resolve(id, arrived ? "sent" : "not-sent")
      .pipe(Effect.provideService(OutboxAdmin.Operator, "olena"))
    yield* Console.log(`${trackingId}: olena finds out that it was ${arrived ? "sent" : "not sent"}`)
  }

  // What was not sent is due again.
  yield* Relay.drain()
  for (const id of ["promo-1", "promo-2"]) {
    const { state } = yield* admin.read("default", id)
    const copies = (yield* emulator.ledger.received(id)).length
    yield* Console.log(`${id}: ${state}, ${copies} on the provider's ledger`)
  }
})

const Store = Layer.merge(PgOutboxStore.layer(), PgOutboxAdminStore.layer()).pipe(
  Layer.provide(OutboxMigrations.layer()),
  Layer.provide(PgTestDatabase.layer())
)
const Provider = Layer.unwrap(
  SmsBatEmulator.SmsBatEmulator.useSync(({ url }) =>
    SmsBatTransport.layer({ baseUrl: url, keys: { apiKey: Redacted.make("test-key") } })
  )
).pipe(Layer.provide(NodeHttpClient.layerUndici), Layer.provideMerge(SmsBatEmulator.layer()))
const Services = Layer.mergeAll(Outbox.layer, OutboxAdmin.layer, Provider).pipe(Layer.provideMerge(Store))

// Each uncertain message is logged as a warning, which this example keeps quiet.
program.pipe(
  Effect.provide(Services),
  Effect.provideService(References.MinimumLogLevel, "Error"),
  NodeRuntime.runMain
)
