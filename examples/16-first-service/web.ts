/**
 * The first process: takes orders over HTTP. It sends nothing.
 */
import { PhoneNumber } from "@effect-cascade/core"
import { Outbox, OutboxAdmin, PgOutboxAdminStore, PgOutboxStore } from "@effect-cascade/outbox"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Config, Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import { Database } from "./database.ts"
import { cancel, place } from "./orders.ts"

const Order = Schema.Struct({ id: Schema.Int, phone: PhoneNumber.PhoneNumber })
const Id = Schema.Struct({ id: Schema.FiniteFromString })

const Routes = HttpRouter.addAll([
  HttpRouter.route(
    "POST",
    "/orders",
    Effect.gen(function* () {
      const order = yield* HttpServerRequest.schemaBodyJson(Order)
      return yield* HttpServerResponse.json({ order: yield* place(order) })
    })
  ),
  HttpRouter.route(
    "DELETE",
    "/orders/:id",
    Effect.gen(function* () {
      const { id } = yield* HttpRouter.schemaPathParams(Id)
      return yield* HttpServerResponse.json({ reminder: yield* cancel(id) })
    })
  )
])

/** Every layer once, at the top. What it still asks for is a server. */
export const Web = HttpRouter.serve(Routes).pipe(
  Layer.provide([Outbox.layer, OutboxAdmin.layer]),
  Layer.provide([PgOutboxStore.layer(), PgOutboxAdminStore.layer()]),
  Layer.provide(Database)
)

const Server = NodeHttpServer.layerConfig(() => createServer(), {
  port: Config.Port("PORT").pipe(Config.withDefault(3000))
})

if (import.meta.main) NodeRuntime.runMain(Layer.launch(Layer.provide(Web, Server)))
