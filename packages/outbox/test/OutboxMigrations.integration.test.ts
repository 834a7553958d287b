import * as OutboxMigrations from "@effect-cascade/outbox/OutboxMigrations"
import * as Relay from "@effect-cascade/outbox/Relay"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import * as PgOutboxStore from "@effect-cascade/outbox/PgOutboxStore"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import { assert, layer } from "@effect/vitest"
import { Duration, Effect, Layer, Logger, String } from "effect"
import { SqlClient } from "effect/sql"
import { connect, outboxOn } from "./support/database.ts"
import { transaction } from "./support/messages.ts"
import { quick } from "./support/relay.ts"
import { recording } from "./support/transport.ts"
import { makeSignal } from "./support/signal.ts"

const tables = (schema: string) =>
  SqlClient.SqlClient.use((sql) =>
    Effect.map(
      sql<{ readonly name: string }>`
        SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ${schema} ORDER BY table_name`,
      (rows) => rows.map(({ name }) => name)
    )
  )

/** Every migration that there is, in order. */
const everyMigration = (ran: ReadonlyArray<string>) => {
  assert.strictEqual(ran[0], "0001_create_outbox")
  assert.deepStrictEqual(
    ran.map((name) => Number(name.slice(0, 4))),
    ran.map((_, index) => index + 1)
  )
}

const everyTable = (names: ReadonlyArray<string>) =>
  assert.includeMembers([...names], ["lane", "message", "migration", "outcome", "work"])

/** Enqueues and sends one message in a schema. */
const roundTrip = (schema: string) =>
  Effect.gen(function* () {
    const store = yield* PgOutboxStore.make({ schema })
    const outbox = yield* outboxOn(store)
    const sent = recording()
    yield* outbox.transaction(outbox.enqueue(transaction("a")))
    yield* Relay.drain().pipe(Effect.provideService(OutboxStore, store), Effect.provide(sent.layer))
    return sent.sentIds()
  })

// Each test takes a schema of its own.
layer(PgTestDatabase.layer({ poolSize: 20 }), { excludeTestServices: true })("OutboxMigrations", (it) => {
  it.effect("build the tables once", () =>
    Effect.gen(function* () {
      everyMigration(yield* OutboxMigrations.run())
      everyTable(yield* tables("cascade"))
      assert.deepStrictEqual(yield* roundTrip("cascade"), ["a"])
      assert.deepStrictEqual(yield* OutboxMigrations.run(), [])
      const sql = yield* SqlClient.SqlClient
      assert.deepStrictEqual(yield* sql`SELECT count(*)::int AS count FROM cascade.outcome`, [{ count: 1 }])
    })
  )

  it.effect("run in ten processes at once", () =>
    Effect.gen(function* () {
      const clients = yield* Effect.replicateEffect(connect({ maxConnections: 1 }), 10)
      const ran = yield* Effect.forEach(
        clients,
        (client) =>
          OutboxMigrations.run({ schema: "ten" }).pipe(Effect.provideService(SqlClient.SqlClient, client)),
        { concurrency: "unbounded" }
      )
      everyMigration(ran.flat())
      everyTable(yield* tables("ten"))
    })
  )

  it.effect("build them in the schema that is named, each by itself", () =>
    Effect.gen(function* () {
      for (const schema of ["other", "_x2", "select", "a".repeat(40)]) {
        everyMigration(yield* OutboxMigrations.run({ schema }))
        everyTable(yield* tables(schema))
        assert.deepStrictEqual(yield* roundTrip(schema), ["a"])
      }
    })
  )

  it.effect("work on a client with name transforms, and in a schema that is there", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE SCHEMA there`
      const client = yield* connect({
        transformQueryNames: String.camelToSnake,
        transformResultNames: String.snakeToCamel
      })
      const run = OutboxMigrations.run({ schema: "there" }).pipe(
        Effect.provideService(SqlClient.SqlClient, client)
      )
      everyMigration(yield* run)
      assert.deepStrictEqual(yield* run, [])
      everyTable(yield* tables("there"))
    })
  )

  it.effect("refuse a name that would have to be quoted or escaped, as the store does", () =>
    Effect.gen(function* () {
      for (const schema of [
        "",
        "Upper",
        "1st",
        "a-b",
        'a"; DROP SCHEMA public; --',
        "a.b",
        "ä",
        "a".repeat(41)
      ]) {
        const error = yield* Effect.flip(OutboxMigrations.run({ schema }))
        assert.strictEqual(error._tag, "InvalidName")
        assert.include(error.message, "schema name")
        const ofStore = yield* Effect.flip(Effect.scoped(PgOutboxStore.make({ schema })))
        assert.strictEqual(ofStore._tag, "InvalidName")
      }
    })
  )

  it.effect("are there before what depends on their layer", () =>
    Effect.gen(function* () {
      const names = yield* tables("layered").pipe(
        Effect.provide(OutboxMigrations.layer({ schema: "layered" }))
      )
      everyTable(names)
    })
  )

  it.effect("leave nothing behind when they fail", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE SCHEMA half`
      yield* sql`CREATE TABLE half.outcome (nothing int)`
      const error = yield* Effect.flip(OutboxMigrations.run({ schema: "half" }))
      assert.deepInclude(error, {
        _tag: "StoreError",
        operation: "migrate",
        code: "42P07",
        isRetryable: false
      })
      assert.deepStrictEqual(yield* tables("half"), ["outcome"])
      yield* sql`DROP TABLE half.outcome`
      everyMigration(yield* OutboxMigrations.run({ schema: "half" }))
    })
  )

  it.effect("that were forgotten are named by every operation's error, and the relay waits for them", () =>
    Effect.gen(function* () {
      const store = yield* PgOutboxStore.make({ schema: "forgotten" })
      const outbox = yield* outboxOn(store)
      const errors = yield* Effect.all([
        Effect.flip(outbox.transaction(outbox.enqueue(transaction("a")))),
        Effect.flip(
          store.claim([{ lane: "default/high", limit: 1 }], { lease: Duration.seconds(30), relay: "x" })
        ),
        Effect.flip(store.lanes)
      ])
      for (const error of errors) {
        assert.deepInclude(error, { _tag: "StoreError", code: "42P01", isRetryable: false })
        assert.include(error.message, "run OutboxMigrations")
      }

      const sent = recording()
      const warned = makeSignal()
      let warnings = 0
      const logger = Logger.make(({ logLevel }) => {
        if (logLevel === "Warn") warnings++
        warned.tick()
      })
      yield* Relay.make(quick).pipe(
        Effect.provideService(OutboxStore, store),
        Effect.provide(Layer.merge(sent.layer, Logger.layer([logger])))
      )
      yield* warned.until(() => warnings >= 2)
      yield* OutboxMigrations.run({ schema: "forgotten" })
      yield* outbox.transaction(outbox.enqueue(transaction("a")))
      yield* sent.called(1)
    })
  )
})
