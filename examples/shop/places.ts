/**
 * Where the shop's data and its messages go: a throw-away Postgres and an emulated provider, unless the environment
 * names others.
 */
import { SmsBatTransport } from "@effect-cascade/core"
import { Outbox, OutboxMigrations, PgOutboxStore } from "@effect-cascade/outbox"
import { SmsBatEmulator } from "@effect-cascade/testing"
import { PgTestDatabase, type PgTestDatabaseError } from "@effect-cascade/testing/PgTestDatabase"
import { PgTestServer, type PgTestServerError } from "@effect-cascade/testing/PgTestServer"
import { NodeHttpClient } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Config, Context, Effect, Layer, Option, Redacted } from "effect"
import { SqlClient, type SqlError } from "effect/sql"

/** The schema that everything of this run is in. */
export class Database extends Context.Service<Database, { readonly schema: string }>()("shop/Database") {}

const poolSize = 24

const given = Config.option(Config.Redacted("DATABASE_URL"))

type Client = Layer.Layer<
  PgClient.PgClient | SqlClient.SqlClient,
  SqlError.SqlError | PgTestServerError | PgTestDatabaseError
>

const client = Layer.unwrap(
  Effect.map(
    given,
    Option.match({
      // Durable, as a user's database would be: it waits for the disk.
      onNone: (): Client =>
        PgTestDatabase.layerNoServer({ poolSize }).pipe(
          Layer.provide(PgTestServer.layer({ durability: "durable" }))
        ),
      onSome: (url): Client => PgClient.layer({ url, maxConnections: poolSize })
    })
  )
)

/** A schema of its own, dropped at the end, so that a given database is left as it was. */
const schema = Layer.effect(
  Database,
  Effect.acquireRelease(
    Effect.sync(() => ({ schema: `cascade_demo_${process.pid}` })),
    ({ schema }) =>
      SqlClient.SqlClient.use((sql) => sql`DROP SCHEMA IF EXISTS ${sql(schema)} CASCADE`).pipe(
        Effect.ignoreCause({ log: "Warn" })
      )
  )
)

/** The outbox on the database, with its tables made. */
export const outbox = Outbox.layer.pipe(
  Layer.provideMerge(
    Layer.unwrap(
      Database.useSync((database) =>
        PgOutboxStore.layer(database).pipe(Layer.provide(OutboxMigrations.layer(database)))
      )
    )
  ),
  Layer.provideMerge(schema),
  Layer.provideMerge(client)
)

/** The emulated provider on a bad day, which refuses any batch with `poison` in a text, and a transport to it. */
export const badDay = (seed: number, poison: string) =>
  Layer.unwrap(
    SmsBatEmulator.SmsBatEmulator.useSync((emulator) =>
      SmsBatTransport.layer({ baseUrl: emulator.url, keys: { apiKey: Redacted.make("test-key") } })
    )
  ).pipe(
    Layer.provide(NodeHttpClient.layerUndici),
    Layer.provideMerge(
      SmsBatEmulator.layer({
        seed,
        faults: [
          "latency:5-25ms",
          "429:0.04:retry-after=1s",
          "429:0.02",
          "500:0.04",
          "500-after:0.03",
          "reset-after:0.04",
          `poison:marker=${poison}`
        ].join(",")
      })
    )
  )

/** The transport to a real provider. */
export const real = SmsBatTransport.layerConfig().pipe(Layer.provide(NodeHttpClient.layerUndici))
