/**
 * Level 3, Postgres and HTTP: does the message commit with the order, and what does a lost reply do?
 */
import { assert, layer } from "@effect/vitest"
import { SmsBatTransport } from "@effect-cascade/core"
import { Outbox, OutboxMigrations, PgOutboxStore, Relay } from "@effect-cascade/outbox"
import { EnqueuedMessages, OutboxAssert, SmsBatEmulator } from "@effect-cascade/testing"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import { NodeHttpClient } from "@effect/platform-node"
import { Effect, Layer, Redacted, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { confirmOrder } from "./shop.ts"

/** Runs once for a run of tests; each test file gets a clone of the result. */
const setup = Effect.andThen(
  OutboxMigrations.run(),
  SqlClient.SqlClient.use((sql) => sql`CREATE TABLE orders (id int PRIMARY KEY, phone text NOT NULL)`)
)
const Database = PgTestDatabase.layer({ template: { name: "shop", setup } })

/** The transport of production, pointed at the emulator. */
const Provider = Layer.unwrap(
  SmsBatEmulator.SmsBatEmulator.useSync(({ url }) =>
    SmsBatTransport.layer({ baseUrl: url, keys: { apiKey: Redacted.make("test-key") } })
  )
).pipe(Layer.provide(NodeHttpClient.layerUndici), Layer.provideMerge(SmsBatEmulator.layer()))

const Services = Layer.mergeAll(Outbox.layer, EnqueuedMessages.layerPg(), Provider).pipe(
  Layer.provideMerge(PgOutboxStore.layer()),
  Layer.provideMerge(Database)
)

/** What the service does when a customer orders. */
const placeOrder = Effect.fn("placeOrder")(function* (order: { id: number; phone: string }) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`INSERT INTO orders ${sql.insert(order)}`
  yield* confirmOrder(order)
})

// The database goes by its own clock, so these tests do too. They share it: each has ids of its own.
layer(Services, { excludeTestServices: true })("orders", (it) => {
  it.effect("an order that fails tells nobody", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const emulator = yield* SmsBatEmulator.SmsBatEmulator
      const soldOut = Effect.andThen(placeOrder({ id: 2, phone: "+380501112233" }), Effect.fail("sold out"))

      yield* sql.withTransaction(placeOrder({ id: 1, phone: "+380671112233" }))
      yield* Effect.ignore(sql.withTransaction(soldOut))
      yield* OutboxAssert.assertEnqueued({ id: "order-confirmed:1" })
      yield* OutboxAssert.refuteEnqueued({ id: "order-confirmed:2" })

      yield* Relay.drain()
      assert.strictEqual((yield* emulator.ledger.received("order-confirmed:1")).length, 1)
      assert.strictEqual((yield* emulator.ledger.received("order-confirmed:2")).length, 0)
    })
  )

  it.effect("a lost reply costs a second copy, with its reason on record", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const emulator = yield* SmsBatEmulator.SmsBatEmulator
      yield* sql.withTransaction(placeOrder({ id: 3, phone: "+380671112233" }))

      yield* emulator.nextRequests("reset-after, ok")
      yield* Relay.drain({ retry: Schedule.recurs(1) }) // tries again at once, so that the test need not wait

      assert.deepStrictEqual(yield* emulator.ledger.duplicates, [
        { trackingId: "order-confirmed:3", times: 2 }
      ])
      const { outcomes } = yield* OutboxAssert.assertEnqueued({ id: "order-confirmed:3", state: "sent" })
      assert.deepStrictEqual(
        outcomes.map(({ kind, reason }) => [kind, reason?._tag]),
        [
          ["retry", "ConnectionLost"],
          ["sent", undefined]
        ]
      )
    })
  )
})
