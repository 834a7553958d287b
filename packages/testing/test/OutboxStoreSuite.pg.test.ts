import * as OutboxMigrations from "@effect-cascade/outbox/OutboxMigrations"
import * as PgOutboxStore from "@effect-cascade/outbox/PgOutboxStore"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer } from "effect"
import { Reactivity } from "effect/reactivity"
import * as EnqueuedMessages from "../src/EnqueuedMessages.ts"
import { PgTestDatabase } from "../src/PgTestDatabase.ts"
import { suite } from "../src/suites/OutboxStoreSuite.ts"

const database = PgTestDatabase.layer({
  template: { name: "outbox_store_suite", setup: OutboxMigrations.run() },
  poolSize: 20
})

/** A store with a client of its own, as another process would have. */
const another = PgTestDatabase.use(({ url }) => PgClient.make({ url, maxConnections: 5 })).pipe(
  Effect.provide(Reactivity.layer),
  Effect.flatMap((client) => Effect.provideService(PgOutboxStore.make(), PgClient.PgClient, client))
)

suite({
  name: "PgOutboxStore",
  layer: Layer.merge(PgOutboxStore.layer(), EnqueuedMessages.layerPg()).pipe(Layer.provideMerge(database)),
  features: { clock: "live", runs: 20, another }
})
