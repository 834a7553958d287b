/**
 * Builds the outbox's tables in the database, and brings older ones up to date.
 *
 * Migrations are numbered and append-only. Running them is safe in every process that starts, at the same time; where
 * nothing is missing it only reads. A program that is older than the tables goes on working with them: relays of this
 * version and of the one before run side by side.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"
import * as Grants from "./internal/migrations/grants.ts"
import { migrations } from "./internal/migrations/all.ts"
import * as Migration from "./internal/migrations/migration.ts"
import * as StoreErrors from "./internal/storeErrors.ts"
import * as Tables from "./internal/sql/tables.ts"
import { InvalidName, type StoreError } from "./OutboxError.ts"
import * as SqlFailure from "./SqlFailure.ts"

/** Where the outbox lives. */
export interface OutboxMigrationsOptions {
  /** The schema of its tables, created where it is missing. Defaults to `"cascade"`. */
  readonly schema?: string | undefined
}

/** The schema of the outbox's tables unless another is named. */
export const defaultSchema = "cascade"

/** One migration as plain SQL. */
export interface MigrationSql {
  /** Such as `0001_create_outbox`. */
  readonly name: string
  /** What {@link run} would execute, in one transaction. The last one writes down that the migration was done. */
  readonly statements: ReadonlyArray<string>
  /** The same as one text, each statement with a semicolon behind it. */
  readonly text: string
}

/** How the tables stand to this version of the library. */
export type Verification =
  /** All migrations that this version knows, and no others. */
  | { readonly _tag: "UpToDate" }
  /** These have still to be run. */
  | { readonly _tag: "Missing"; readonly names: ReadonlyArray<string> }
  /** All that this version knows, and these of a newer one. This version works with the tables all the same. */
  | { readonly _tag: "Newer"; readonly names: ReadonlyArray<string> }

/** Who may do what; see {@link grants}. */
export interface GrantsOptions extends OutboxMigrationsOptions {
  /** The role of programs that enqueue: it adds messages, and reads no payload. Defaults to nobody. */
  readonly writer?: string | undefined
  /** The role of relays: it claims and settles, and adds no messages. Defaults to nobody. */
  readonly relay?: string | undefined
  /** The role of `OutboxAdmin` and `RetentionPruner`. Defaults to nobody. */
  readonly admin?: string | undefined
}

/**
 * Runs what has not run yet, all of it or nothing; answers with the names of what it ran. Its role needs `CREATE` on
 * the database where something is missing, and only what {@link grants} gives to every role where nothing is.
 */
export const run = Effect.fn("OutboxMigrations.run")(function* (
  options?: OutboxMigrationsOptions
): Effect.fn.Return<ReadonlyArray<string>, StoreError | InvalidName, SqlClient.SqlClient> {
  const client = (yield* SqlClient.SqlClient).withoutTransforms()
  const schema = yield* schemaOf(options)
  return yield* Effect.gen(function* () {
    if (missing(yield* applied(client, schema)).length === 0) return []
    return yield* (
      client
        .withTransaction(
          Effect.gen(function* () {
            // One process at a time; whoever waited finds nothing to do.
            yield* client`SELECT pg_advisory_xact_lock(hashtext(${`cascade:${schema}`}))`
            const required = missing(yield* applied(client, schema))
            for (const migration of required) yield* execute(client, Migration.complete(migration, schema))
            return required.map(Migration.fullName)
          })
        )
        // Whatever the database's default is: having waited, it has to see what others did meanwhile.
        .pipe(Effect.provideService(SqlClient.BeginTransaction, "BEGIN ISOLATION LEVEL READ COMMITTED"))
    )
  }).pipe(asStoreError("migrate"))
})

/** Runs the migrations while the layer is built, so that what depends on it finds the tables. */
export const layer = (
  options?: OutboxMigrationsOptions
): Layer.Layer<never, StoreError | InvalidName, SqlClient.SqlClient> => Layer.effectDiscard(run(options))

/**
 * The migrations as plain SQL, in their order, for teams who run such things with a tool of their own. Run each in a
 * transaction. They write down that they were done, so that {@link run} finds nothing left to do.
 */
export const sql = (
  options?: OutboxMigrationsOptions
): Effect.Effect<ReadonlyArray<MigrationSql>, InvalidName> =>
  Effect.map(schemaOf(options), (schema) =>
    migrations.map((migration) => {
      const statements = Migration.complete(migration, schema)
      return {
        name: Migration.fullName(migration),
        statements,
        text: statements.map((statement) => `${statement};\n`).join("\n")
      }
    })
  )

/** Compares the tables with what this version of the library knows. Only reads. */
export const verify = Effect.fn("OutboxMigrations.verify")(function* (
  options?: OutboxMigrationsOptions
): Effect.fn.Return<Verification, StoreError | InvalidName, SqlClient.SqlClient> {
  const client = (yield* SqlClient.SqlClient).withoutTransforms()
  const schema = yield* schemaOf(options)
  const found = yield* applied(client, schema).pipe(asStoreError("verify migrations"))
  const lacking = missing(found)
  if (lacking.length > 0) return { _tag: "Missing", names: lacking.map(Migration.fullName) }
  const known = new Set(migrations.map(Migration.fullName))
  const names = found.filter((name) => !known.has(name))
  return names.length === 0 ? { _tag: "UpToDate" } : { _tag: "Newer", names }
})

/**
 * The `GRANT` statements that give each role the least it needs. They are the same however often they are run; run
 * them again after a migration.
 *
 * @example
 * ```ts
 * import { OutboxMigrations } from "@effect-cascade/outbox"
 * import { Effect } from "effect"
 *
 * const setup = OutboxMigrations.run().pipe(
 *   Effect.andThen(OutboxMigrations.applyGrants({ writer: "shop", relay: "shop_relay", admin: "shop_operator" }))
 * )
 * ```
 */
export const grants = Effect.fnUntraced(function* (
  options: GrantsOptions
): Effect.fn.Return<ReadonlyArray<string>, InvalidName> {
  const schema = yield* schemaOf(options)
  const { admin, relay, writer } = options
  for (const role of [writer, relay, admin]) {
    if (role !== undefined && !Grants.isRole(role)) {
      return yield* new InvalidName({ what: "role", rule: Grants.roleRule })
    }
  }
  return Grants.statements(schema, { writer, relay, admin })
})

/** Runs {@link grants}, all of them or none. The roles have to be there; the current one has to own the tables. */
export const applyGrants = Effect.fn("OutboxMigrations.applyGrants")(function* (
  options: GrantsOptions
): Effect.fn.Return<void, StoreError | InvalidName, SqlClient.SqlClient> {
  const client = (yield* SqlClient.SqlClient).withoutTransforms()
  const statements = yield* grants(options)
  yield* client.withTransaction(execute(client, statements)).pipe(asStoreError("grant"))
})

const schemaOf = (options: OutboxMigrationsOptions | undefined): Effect.Effect<string, InvalidName> =>
  Tables.checkSchema(options?.schema ?? defaultSchema)

/** The full names of the migrations that the tables have had. */
const applied = Effect.fnUntraced(function* (
  client: SqlClient.SqlClient,
  schema: string
): Effect.fn.Return<ReadonlyArray<string>, SqlError.SqlError> {
  // Not `to_regclass`: its answer may come from what this session looked up before it waited for another.
  const found = yield* client`
    SELECT FROM pg_catalog.pg_class
    WHERE relname = 'migration' AND relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = ${schema})`
  if (found.length === 0) return []
  const rows = yield* client<{ readonly id: number; readonly name: string }>`
    SELECT migration_id AS id, name FROM ${client.literal(Migration.table(schema, "migration"))} ORDER BY migration_id`
  return rows.map(Migration.fullName)
})

const missing = (found: ReadonlyArray<string>): ReadonlyArray<Migration.Migration> =>
  migrations.filter((migration) => !found.includes(Migration.fullName(migration)))

const execute = (client: SqlClient.SqlClient, statements: ReadonlyArray<string>) =>
  Effect.forEach(statements, (statement) => client.unsafe(statement), { discard: true })

const asStoreError =
  (operation: string) =>
  <A, R>(self: Effect.Effect<A, SqlError.SqlError, R>): Effect.Effect<A, StoreError, R> =>
    self.pipe(SqlFailure.recover, Effect.mapError(StoreErrors.fromSql(operation)))
