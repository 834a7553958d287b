/**
 * Starts the service as a process, stops it with SIGTERM in the middle of a send, and counts.
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
import { NodeHttpClient, NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, Layer, Redacted } from "effect"
import { ChildProcess } from "effect/process"

const program = Effect.gen(function* () {
  const outbox = yield* Outbox.Outbox
  const admin = yield* OutboxAdmin.OutboxAdmin
  const emulator = yield* SmsBatEmulator.SmsBatEmulator
  const database = yield* PgTestDatabase

  const messages = yield* Effect.forEach([1, 2, 3], (order) =>
    Message.make({
      _tag: "Transaction",
      id: `order-${order}`,
      fromName: "Shop",
      toPhone: "+380671112233",
      text: `Your order ${order} is confirmed`
    })
  )
  yield* outbox.transaction(outbox.enqueueAll(messages))

  // The provider takes its time with the first message.
  yield* emulator.nextRequests("latency-after:4s")
  const service = yield* ChildProcess.make(process.execPath, [`${import.meta.dirname}/service.ts`], {
    env: {
      DATABASE_URL: Redacted.value(database.url),
      SMSBAT_BASE_URL: emulator.url,
      SMSBAT_API_KEY: "test-key"
    },
    extendEnv: true,
    stdout: "ignore",
    stderr: "inherit"
  })
  yield* emulator.awaitReceived(1)
  yield* Console.log("a send is under way: SIGTERM")
  yield* service.kill({ killSignal: "SIGTERM" })
  yield* Console.log(`the service has ended with ${yield* service.exitCode}`)

  // Nothing is in doubt: what was under way is recorded, what was not begun is there for the next relay, at once.
  const { total } = yield* admin.counts
  const { messages: received } = yield* emulator.ledger.counts
  yield* Console.log(
    `the provider has ${received}; waiting ${total.due}, held ${total.leased}, in doubt ${total.uncertain}`
  )

  yield* Relay.drain()
  const ledger = yield* emulator.ledger.counts
  yield* Console.log(`after another relay it has ${ledger.messages}, of which ${ledger.extra} twice`)
})

const Store = Layer.merge(PgOutboxStore.layer(), PgOutboxAdminStore.layer()).pipe(
  Layer.provide(OutboxMigrations.layer()),
  Layer.provideMerge(PgTestDatabase.layer())
)
const Provider = Layer.unwrap(
  SmsBatEmulator.SmsBatEmulator.useSync(({ url }) =>
    SmsBatTransport.layer({ baseUrl: url, keys: { apiKey: Redacted.make("test-key") } })
  )
).pipe(Layer.provide(NodeHttpClient.layerUndici), Layer.provideMerge(SmsBatEmulator.layer()))
const Services = Layer.mergeAll(Outbox.layer, OutboxAdmin.layer, Provider, NodeServices.layer).pipe(
  Layer.provideMerge(Store)
)

program.pipe(Effect.scoped, Effect.provide(Services), NodeRuntime.runMain)
