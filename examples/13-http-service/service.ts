/**
 * The service, composed of layers: HTTP over the orders, the orders over the outbox, the outbox over Postgres; and a relay
 * beside them in the same process. What it does not name, it asks for: a database, a transport, a port.
 */
import {
  Outbox,
  OutboxAdmin,
  OutboxMigrations,
  PgOutboxAdminStore,
  PgOutboxStore,
  Relay
} from "@effect-cascade/outbox"
import { Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { SqlClient } from "effect/sql"
import { Api } from "./Api.ts"
import { Orders } from "./Orders.ts"

const Handlers = HttpApiBuilder.group(
  Api,
  "orders",
  Effect.fn(function* (handlers) {
    const orders = yield* Orders
    return handlers.handleAll({
      place: ({ payload }) => Effect.as(orders.place(payload), { id: payload.id }),
      message: ({ params }) => Effect.map(orders.messageState(params.id), (state) => ({ state }))
    })
  })
)

const Tables = Layer.effectDiscard(
  SqlClient.SqlClient.use(
    (sql) => sql`CREATE TABLE IF NOT EXISTS orders (id int PRIMARY KEY, phone text NOT NULL)`
  )
)

const Store = Layer.merge(PgOutboxStore.layer(), PgOutboxAdminStore.layer()).pipe(
  Layer.provide(OutboxMigrations.layer())
)

export const Service = HttpRouter.serve(Layer.provide(HttpApiBuilder.layer(Api), Handlers)).pipe(
  Layer.provide(Orders.layer),
  Layer.merge(Relay.layer()),
  Layer.provide([Outbox.layer, OutboxAdmin.layer]),
  Layer.provide([Store, Tables])
)
