/**
 * Builds the outbox's tables in the database, and brings older ones up to date.
 *
 * Migrations are numbered and append-only. Running them is safe in every process that starts, at the same time.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Migrator from "effect/sql/Migrator"
import * as SqlClient from "effect/sql/SqlClient"
import { createOutbox } from "./internal/migrations/0001_create_outbox.ts"
import * as StoreErrors from "./internal/storeErrors.ts"
import * as Tables from "./internal/sql/tables.ts"
import type { InvalidName, StoreError } from "./OutboxError.ts"
import * as SqlFailure from "./SqlFailure.ts"

/** Where the outbox lives. */
export interface OutboxMigrationsOptions {
  /** The schema of its tables, created where it is missing. Defaults to `"cascade"`. */
  readonly schema?: string | undefined
}

/** The schema of the outbox's tables unless another is named. */
export const defaultSchema = "cascade"

/** Runs what has not run yet; answers with the names of what it ran. */
export const run = Effect.fn("OutboxMigrations.run")(function* (
  options?: OutboxMigrationsOptions
): Effect.fn.Return<ReadonlyArray<string>, StoreError | InvalidName, SqlClient.SqlClient> {
  const client = yield* SqlClient.SqlClient
  const sql = client.withoutTransforms()
  const schema = yield* Tables.checkSchema(options?.schema ?? defaultSchema)
  const tables = Tables.make(sql, schema)

  const migrate = Migrator.make({})({
    table: `${schema}.migration`,
    loader: Migrator.fromRecord({ "0001_create_outbox": createOutbox(sql, tables) })
  }).pipe(Effect.provideService(SqlClient.SqlClient, sql))

  const completed = yield* client
    .withTransaction(
      // One process at a time: `create schema if not exists` is not safe when several run it at once.
      sql`SELECT pg_advisory_xact_lock(hashtext(${`cascade:${schema}`}))`.pipe(
        Effect.andThen(sql`CREATE SCHEMA IF NOT EXISTS ${sql.literal(`"${schema}"`)}`),
        Effect.andThen(migrate)
      )
    )
    .pipe(
      SqlFailure.recover,
      Effect.catchTags({
        SqlError: (error) => Effect.fail(StoreErrors.fromSql("migrate")(error)),
        MigrationError: (error) => Effect.fail(StoreErrors.fromMigration(error))
      })
    )
  return completed.map(([id, name]) => `${String(id).padStart(4, "0")}_${name}`)
})

/** Runs the migrations while the layer is built, so that what depends on it finds the tables. */
export const layer = (
  options?: OutboxMigrationsOptions
): Layer.Layer<never, StoreError | InvalidName, SqlClient.SqlClient> => Layer.effectDiscard(run(options))
