import * as Outbox from "@effect-cascade/outbox/Outbox"
import * as OutboxMigrations from "@effect-cascade/outbox/OutboxMigrations"
import * as PgOutboxStore from "@effect-cascade/outbox/PgOutboxStore"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import type { PgClient } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { migrations } from "../src/internal/migrations/all.ts"
import * as Migration from "../src/internal/migrations/migration.ts"
import { connect } from "./support/database.ts"
import { dumpSchema, freshDump } from "./support/dumpSchema.ts"
import { transaction } from "./support/messages.ts"

const names = migrations.map(Migration.fullName)

const as = (client: PgClient.PgClient) => Effect.provideService(SqlClient.SqlClient, client)

layer(PgTestDatabase.layer({ poolSize: 5 }), { excludeTestServices: true })("migrations", (it) => {
  it.effect("run once, in their order", () =>
    Effect.gen(function* () {
      const schema = "once"
      assert.deepStrictEqual(yield* OutboxMigrations.run({ schema }), names)
      assert.deepStrictEqual(yield* OutboxMigrations.run({ schema }), [])
      const sql = yield* SqlClient.SqlClient
      const rows = yield* sql<{ readonly id: number; readonly name: string }>`
        SELECT migration_id AS id, name FROM once.migration ORDER BY migration_id`
      assert.deepStrictEqual(rows.map(Migration.fullName), names)
    })
  )

  it.effect("run once in ten processes that start together", () =>
    Effect.gen(function* () {
      const schema = "together"
      const results = yield* Effect.forEach(
        Array.from({ length: 10 }),
        () =>
          Effect.flatMap(connect({ maxConnections: 1 }), (client) =>
            as(client)(OutboxMigrations.run({ schema }))
          ),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(results.flat(), names)
      assert.deepStrictEqual(yield* OutboxMigrations.verify({ schema }), { _tag: "UpToDate" })
    })
  )

  it.effect("run once together where transactions begin with a frozen view of the database", () =>
    Effect.gen(function* () {
      const schema = "frozen"
      const startupParameters = { default_transaction_isolation: "serializable" }
      const results = yield* Effect.forEach(
        Array.from({ length: 4 }),
        () =>
          Effect.flatMap(connect({ maxConnections: 1, startupParameters }), (client) =>
            as(client)(OutboxMigrations.run({ schema }))
          ),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(results.flat(), names)
    })
  )

  it.effect("leave nothing behind when one of them fails", () =>
    Effect.gen(function* () {
      const schema = "halfway"
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE SCHEMA halfway`
      yield* sql`CREATE TABLE halfway.rate_limit ()`
      const error = yield* Effect.flip(OutboxMigrations.run({ schema }))
      assert.deepInclude(error, { _tag: "StoreError", operation: "migrate", code: "42P07" })
      assert.deepStrictEqual(yield* sql`SELECT to_regclass('halfway.message') AS found`, [{ found: null }])
      yield* sql`DROP TABLE halfway.rate_limit`
      assert.deepStrictEqual(yield* OutboxMigrations.run({ schema }), names)
    })
  )

  it.effect("can be run as plain SQL, with the same result, and are then up to date", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* OutboxMigrations.run({ schema: "by_run" })
      const parts = yield* OutboxMigrations.sql({ schema: "by_hand" })
      assert.deepStrictEqual(
        parts.map(({ name }) => name),
        names
      )
      for (const { statements, text } of parts) {
        assert.deepStrictEqual(`${text}\n`.split(";\n\n").slice(0, -1), statements)
        for (const statement of statements) yield* sql.unsafe(statement)
      }
      assert.strictEqual(
        yield* dumpSchema("by_hand"),
        (yield* dumpSchema("by_run")).replaceAll("by_run", "by_hand")
      )
      assert.deepStrictEqual(yield* OutboxMigrations.verify({ schema: "by_hand" }), { _tag: "UpToDate" })
      assert.deepStrictEqual(yield* OutboxMigrations.run({ schema: "by_hand" }), [])
    })
  )

  it.effect("go on where another tool stopped", () =>
    Effect.gen(function* () {
      const schema = "stopped"
      const sql = yield* SqlClient.SqlClient
      const [first] = yield* OutboxMigrations.sql({ schema })
      for (const statement of first?.statements ?? []) yield* sql.unsafe(statement)
      assert.deepStrictEqual(yield* OutboxMigrations.verify({ schema }), {
        _tag: "Missing",
        names: names.slice(1)
      })
      assert.deepStrictEqual(yield* OutboxMigrations.run({ schema }), names.slice(1))
    })
  )

  it.effect("say all are missing where there is no schema, and change nothing by saying so", () =>
    Effect.gen(function* () {
      const missing = { _tag: "Missing", names } as const
      assert.deepStrictEqual(yield* OutboxMigrations.verify({ schema: "nowhere" }), missing)
      assert.deepStrictEqual(yield* OutboxMigrations.verify({ schema: "nowhere" }), missing)
    })
  )

  it.effect("of a newer version are named, left alone, and do not break this one", () =>
    Effect.gen(function* () {
      const schema = "newer"
      const sql = yield* SqlClient.SqlClient
      yield* OutboxMigrations.run({ schema })
      yield* sql`INSERT INTO newer.migration (migration_id, name) VALUES (9001, 'from_tomorrow')`
      yield* sql`ALTER TABLE newer.message ADD COLUMN tomorrow text NOT NULL DEFAULT 'x'`
      assert.deepStrictEqual(yield* OutboxMigrations.verify({ schema }), {
        _tag: "Newer",
        names: ["9001_from_tomorrow"]
      })
      assert.deepStrictEqual(yield* OutboxMigrations.run({ schema }), [])
      const enqueued = yield* Outbox.Outbox.use((outbox) =>
        outbox.transaction(outbox.enqueue(transaction("a")))
      ).pipe(Effect.provide(Outbox.layer.pipe(Layer.provide(PgOutboxStore.layer({ schema })))))
      assert.strictEqual(enqueued._tag, "Enqueued")
    })
  )

  it.effect("that are missing are told even where newer ones are there", () =>
    Effect.gen(function* () {
      const schema = "gap"
      const sql = yield* SqlClient.SqlClient
      yield* OutboxMigrations.run({ schema })
      yield* sql`INSERT INTO gap.migration (migration_id, name) VALUES (9001, 'from_tomorrow')`
      yield* sql`DELETE FROM gap.migration WHERE migration_id = 2`
      assert.deepStrictEqual(yield* OutboxMigrations.verify({ schema }), {
        _tag: "Missing",
        names: ["0002_rate_limit"]
      })
    })
  )

  it.effect("are nothing to a role that may only look", () =>
    Effect.gen(function* () {
      const schema = "readonly"
      yield* OutboxMigrations.run({ schema })
      const client = yield* connect({ startupParameters: { default_transaction_read_only: "on" } })
      assert.deepStrictEqual(yield* as(client)(OutboxMigrations.run({ schema })), [])
      const error = yield* Effect.flip(as(client)(OutboxMigrations.run({ schema: "not_there" })))
      assert.deepInclude(error, { _tag: "StoreError", code: "25006" })
    })
  )

  it.effect("take a schema that is called like a word of SQL, and none that would need quoting", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* OutboxMigrations.run({ schema: "order" }), names)
      for (const schema of ["", "With-Dash", `x"; drop schema once`, "1st", "a".repeat(41)]) {
        assert.strictEqual((yield* Effect.flip(OutboxMigrations.run({ schema })))._tag, "InvalidName")
        assert.strictEqual((yield* Effect.flip(OutboxMigrations.sql({ schema })))._tag, "InvalidName")
        assert.strictEqual((yield* Effect.flip(OutboxMigrations.verify({ schema })))._tag, "InvalidName")
        assert.strictEqual((yield* Effect.flip(OutboxMigrations.grants({ schema })))._tag, "InvalidName")
      }
    })
  )

  it.effect("work through a client that renames columns", () =>
    Effect.gen(function* () {
      const client = yield* connect({
        transformQueryNames: (name) => name.toUpperCase(),
        transformResultNames: (name) => `${name}X`
      })
      assert.deepStrictEqual(yield* as(client)(OutboxMigrations.run({ schema: "renamed" })), names)
      assert.deepStrictEqual(yield* as(client)(OutboxMigrations.verify({ schema: "renamed" })), {
        _tag: "UpToDate"
      })
    })
  )

  it.effect("run while the layer is built", () =>
    Effect.gen(function* () {
      yield* Effect.provide(Effect.void, OutboxMigrations.layer({ schema: "built" }))
      assert.deepStrictEqual(yield* OutboxMigrations.verify({ schema: "built" }), { _tag: "UpToDate" })
    })
  )

  it.effect("make what schema.sql says, with the rights that it says", () =>
    Effect.gen(function* () {
      const file = readFileSync(new URL("../schema.sql", import.meta.url), "utf8")
      assert.strictEqual(yield* freshDump("node scripts/dump-schema.ts"), file)
    })
  )

  it.effect("are numbered without gaps, and their names fit into a statement", () =>
    Effect.sync(() => {
      assert.deepStrictEqual(
        migrations.map(({ id }) => id),
        migrations.map((_, index) => index + 1)
      )
      for (const { name } of migrations) assert.match(name, /^[a-z_]+$/u)
    })
  )
})
