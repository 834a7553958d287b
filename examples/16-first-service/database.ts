/**
 * The database that every process of the service uses, and its tables.
 */
import { OutboxMigrations } from "@effect-cascade/outbox"
import { NodeRuntime } from "@effect/platform-node"
import { PgClient } from "@effect/sql-pg"
import { Config, Effect } from "effect"
import { SqlClient } from "effect/sql"

export const Database = PgClient.layerConfig({ url: Config.Redacted("DATABASE_URL") })

/** The outbox's tables and our own. Run it as a step of its own, before the processes start. */
export const migrate = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* OutboxMigrations.run()
  yield* sql`
    CREATE TABLE IF NOT EXISTS orders (
      id int PRIMARY KEY, phone text NOT NULL, cancelled boolean NOT NULL DEFAULT false
    )`
})

if (import.meta.main) migrate.pipe(Effect.provide(Database), NodeRuntime.runMain)
