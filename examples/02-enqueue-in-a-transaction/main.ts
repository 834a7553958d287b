/**
 * Writes a message in the transaction of the change that it tells of: both or neither.
 */
import { Message, TrackingId } from "@effect-cascade/core"
import {
  Outbox,
  OutboxAdmin,
  OutboxMigrations,
  PgOutboxAdminStore,
  PgOutboxStore
} from "@effect-cascade/outbox"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import { NodeRuntime } from "@effect/platform-node"
import { Console, Data, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"

class SoldOut extends Data.TaggedError("SoldOut")<{ readonly order: number }> {}

const confirmed = (order: number) => TrackingId.of("order-confirmed", order)

const placeOrder = Effect.fn("placeOrder")(function* (order: {
  id: number
  phone: string
  inStock: boolean
}) {
  const sql = yield* SqlClient.SqlClient
  const outbox = yield* Outbox.Outbox
  const message = yield* Message.make({
    _tag: "Transaction",
    id: confirmed(order.id),
    fromName: "Shop",
    toPhone: order.phone,
    text: `Your order ${order.id} is confirmed`
  })
  return yield* outbox.transaction(
    Effect.gen(function* () {
      yield* sql`INSERT INTO orders (id) VALUES (${order.id}) ON CONFLICT DO NOTHING`
      const { _tag } = yield* outbox.enqueue(message)
      // Too late for a call to the provider, and early enough for a row: it rolls back with the order.
      if (!order.inStock) return yield* new SoldOut({ order: order.id })
      return _tag
    })
  )
})

const program = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const admin = yield* OutboxAdmin.OutboxAdmin
  yield* sql`CREATE TABLE orders (id int PRIMARY KEY)`

  const one = { id: 1, phone: "+380671112233", inStock: true }
  yield* Console.log(`order 1: ${yield* placeOrder(one)}`)
  // A client that asks twice: the tracking id is the dedupe key, so there is one message.
  yield* Console.log(`order 1 again: ${yield* placeOrder(one)}`)

  yield* placeOrder({ id: 2, phone: "+380501112233", inStock: false }).pipe(
    Effect.catchTag("SoldOut", ({ order }) => Console.log(`order ${order}: sold out, rolled back`))
  )

  const orders = yield* sql<{ readonly id: number }>`SELECT id FROM orders`
  yield* Console.log(`orders in the table: ${orders.map(({ id }) => id).join(", ")}`)
  for (const order of [1, 2]) {
    const { _tag } = yield* admin.explain("default", confirmed(order))
    yield* Console.log(`message of order ${order}: ${_tag === "Unknown" ? "there is none" : _tag}`)
  }
})

// A database that lasts as long as the program. Yours is `PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })`.
const Database = PgTestDatabase.layer()
const Store = Layer.merge(PgOutboxStore.layer(), PgOutboxAdminStore.layer()).pipe(
  Layer.provide(OutboxMigrations.layer()),
  Layer.provideMerge(Database)
)
const Services = Layer.merge(Outbox.layer, OutboxAdmin.layer).pipe(Layer.provideMerge(Store))

program.pipe(Effect.provide(Services), NodeRuntime.runMain)
