import * as Outbox from "@effect-cascade/outbox/Outbox"
import * as OutboxMigrations from "@effect-cascade/outbox/OutboxMigrations"
import { OutboxStore, type OutboxStoreShape } from "@effect-cascade/outbox/OutboxStore"
import * as PgOutboxStore from "@effect-cascade/outbox/PgOutboxStore"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import { PgClient } from "@effect/sql-pg"
import { layer } from "@effect/vitest"
import { Effect, Layer, type Scope } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient } from "effect/sql"

/** The outbox's tables and one of a shop. */
const setup = Effect.andThen(
  OutboxMigrations.run(),
  SqlClient.SqlClient.use((sql) => sql`CREATE TABLE shop_order (id int PRIMARY KEY, phone text NOT NULL)`)
)

/** A database with the outbox's tables and a table of a shop, cloned for each layer. */
export const database = PgTestDatabase.layer({ template: { name: "outbox", setup }, poolSize: 20 })

/** As `database`, on a server of the caller's choice. */
export const databaseNoServer = PgTestDatabase.layerNoServer({
  template: { name: "outbox", setup },
  poolSize: 20
})

/** The write side and the store. */
export const outboxNoDatabase = Outbox.layer.pipe(Layer.provideMerge(PgOutboxStore.layer()))

/** The write side and the store, on a fresh database. */
const outbox = outboxNoDatabase.pipe(Layer.provideMerge(database))

/** What the tests of a file find. */
export type Services = Layer.Success<typeof outbox>

/** Empties the tables. */
export const reset = SqlClient.SqlClient.use(
  (sql) => sql`TRUNCATE cascade.message, cascade.work, cascade.outcome, cascade.lane, shop_order`
)

/** A test in real time that finds the tables of its file's database empty. */
export type Test = <E>(name: string, body: () => Effect.Effect<void, E, Services | Scope.Scope>) => void

/** The tests of a file, one after another on one database. */
export const onDatabase = (name: string, define: (test: Test) => void): void =>
  layer(outbox, { excludeTestServices: true })(name, (it) =>
    define((title, body) => it.effect(title, () => Effect.andThen(reset, body())))
  )

/** Another client on the same database, as another process would have. */
export const connect = (options?: Partial<PgClient.PgPoolConfig>) =>
  PgTestDatabase.use(({ url }) => PgClient.make({ url, maxConnections: 5, ...options })).pipe(
    Effect.provide(Reactivity.layer)
  )

/** Another store on the same database, with a client of its own, as another process would have. */
export const anotherStore = (
  options?: PgOutboxStore.PgOutboxStoreOptions & { readonly client?: Partial<PgClient.PgPoolConfig> }
) =>
  Effect.flatMap(connect(options?.client), (client) =>
    Effect.map(Effect.provideService(PgOutboxStore.make(options), PgClient.PgClient, client), (store) => ({
      client,
      store
    }))
  )

/** The write side over a store. */
export const outboxOn = (store: OutboxStoreShape) => Effect.provideService(Outbox.make, OutboxStore, store)

/** Ends every session on the database but those of `sparing`. */
export const terminateOthers = (sparing: PgClient.PgClient, where = "") =>
  Effect.map(
    sparing<{ readonly ended: boolean }>`
      SELECT pg_terminate_backend(pid) AS ended
      FROM pg_stat_activity
      WHERE datname = current_database()
        AND pid <> pg_backend_pid()
        AND application_name <> ${sparing.config.applicationName ?? ""}
        AND query ILIKE ${`${where}%`}`,
    (rows) => rows.filter(({ ended }) => ended).length
  )
