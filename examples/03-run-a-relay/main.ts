/**
 * Runs a relay, which sends what was enqueued, and watches it work through `CascadeEvents`.
 */
import { CascadeEvents, Message, SmsBatTransport } from "@effect-cascade/core"
import { Outbox, OutboxMigrations, PgOutboxStore, Relay } from "@effect-cascade/outbox"
import { SmsBatEmulator } from "@effect-cascade/testing"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import { NodeHttpClient, NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Redacted, References, Stream } from "effect"

const program = Effect.gen(function* () {
  const outbox = yield* Outbox.Outbox
  const events = yield* (yield* CascadeEvents.CascadeEvents).subscribe

  const messages = yield* Effect.forEach(["order-1", "order-2", "order-3"], (id) =>
    Message.make({
      _tag: "Transaction",
      id,
      fromName: "Shop",
      toPhone: "+380671112233",
      text: `Thank you for ${id}`
    })
  )
  // The commit wakes the relay below; nobody calls it.
  yield* outbox.transaction(outbox.enqueueAll(messages))

  const accepted = yield* events.pipe(
    Stream.filter((event) => event._tag === "Accepted"),
    Stream.take(messages.length),
    Stream.runCollect
  )
  // No order between messages is promised, so this one is ours.
  for (const line of accepted.map(({ toPhone, trackingId }) => `${trackingId} to ${toPhone}`).sort()) {
    yield* Console.log(`accepted: ${line}`)
  }

  const emulator = yield* SmsBatEmulator.SmsBatEmulator
  const { messages: received } = yield* emulator.ledger.counts
  yield* Console.log(`on the provider's ledger: ${received}`)
})

const Database = PgTestDatabase.layer()
const Store = PgOutboxStore.layer().pipe(
  Layer.provide(OutboxMigrations.layer()),
  Layer.provideMerge(Database)
)

// An emulator of the provider. In production: `SmsBatTransport.layerConfig()`, which reads SMSBAT_API_KEY and its like.
const Provider = Layer.unwrap(
  SmsBatEmulator.SmsBatEmulator.useSync(({ url }) =>
    SmsBatTransport.layer({ baseUrl: url, keys: { apiKey: Redacted.make("test-key") } })
  )
).pipe(Layer.provide(NodeHttpClient.layerUndici), Layer.provideMerge(SmsBatEmulator.layer()))

// Any number of processes may run a relay over one database; each may also be without one, and only enqueue.
const Messaging = Layer.merge(Outbox.layer, Relay.layer()).pipe(
  Layer.provideMerge(Layer.mergeAll(Provider, Store, CascadeEvents.layer()))
)

program.pipe(
  Effect.scoped,
  Effect.provide(Messaging),
  Effect.provideService(References.MinimumLogLevel, "Warn"),
  NodeRuntime.runMain
)
