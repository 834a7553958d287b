/**
 * What a relay tries again by itself, what it gives up, and how an operator sends that again.
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
import { Console, Effect, Layer, Redacted, References, Schedule } from "effect"

// Three more tries at once, so that the example need not wait. The default: ten in all, 1 second doubling to 15 minutes.
const relay: Relay.RelayOptions = { name: "relay", retry: Schedule.recurs(3) }

const program = Effect.gen(function* () {
  const outbox = yield* Outbox.Outbox
  const admin = yield* OutboxAdmin.OutboxAdmin
  const emulator = yield* SmsBatEmulator.SmsBatEmulator
  const enqueue = Effect.fn("enqueue")(function* (id: string) {
    const message = {
      _tag: "Transaction",
      id,
      fromName: "Shop",
      toPhone: "+380671112233",
      text: "Paid"
    } as const
    yield* outbox.transaction(outbox.enqueue(yield* Message.make(message)))
  })
  const tell = Effect.fn("tell")(function* (id: string) {
    const { entries } = yield* admin.read("default", id)
    yield* Console.log(`${id}: ${entries.map(({ by, kind }) => `${kind} (${by})`).join(", ")}`)
  })

  yield* Console.log("The provider fails twice; the message is a transaction, so it is sent again.")
  yield* emulator.nextRequests("500, 500, ok")
  yield* enqueue("payment-1")
  yield* Relay.drain(relay)
  yield* tell("payment-1")

  yield* Console.log(
    "\nThe provider refuses a message. Trying again would not help, so it is dead at once, and visible."
  )
  yield* emulator.setFaults("poison:ids=payment-2")
  yield* enqueue("payment-2")
  yield* Relay.drain(relay)
  const { messages } = yield* admin.list({ state: "dead" })
  for (const { end, trackingId } of messages) {
    yield* Console.log(`${trackingId}: ${end.kind}, ${end.reason?.summary}`)
  }

  yield* Console.log("\nThe cause is mended. An operator sends again what died of it.")
  yield* emulator.setFaults("")
  yield* admin
    .requeue({ state: "dead", reasonTag: "Rejected", limit: 1_000 })
    .pipe(Effect.provideService(OutboxAdmin.Operator, "olena"))
  yield* Relay.drain(relay)
  yield* tell("payment-2")
})

const Database = PgTestDatabase.layer()
const Store = Layer.merge(PgOutboxStore.layer(), PgOutboxAdminStore.layer()).pipe(
  Layer.provide(OutboxMigrations.layer()),
  Layer.provideMerge(Database)
)
const Provider = Layer.unwrap(
  SmsBatEmulator.SmsBatEmulator.useSync(({ url }) =>
    SmsBatTransport.layer({ baseUrl: url, keys: { apiKey: Redacted.make("test-key") } })
  )
).pipe(Layer.provide(NodeHttpClient.layerUndici), Layer.provideMerge(SmsBatEmulator.layer()))
const Services = Layer.mergeAll(Outbox.layer, OutboxAdmin.layer, Provider).pipe(Layer.provideMerge(Store))

// The dead message is logged as a warning, which this example keeps quiet.
program.pipe(
  Effect.provide(Services),
  Effect.provideService(References.MinimumLogLevel, "Error"),
  NodeRuntime.runMain
)
