import * as Delivery from "@effect-cascade/core/Delivery"
import * as Reason from "@effect-cascade/core/TransportReason"
import * as OutboxAdmin from "@effect-cascade/outbox/OutboxAdmin"
import { OutboxAdminStore } from "@effect-cascade/outbox/OutboxAdminStore"
import * as OutboxMigrations from "@effect-cascade/outbox/OutboxMigrations"
import * as Relay from "@effect-cascade/outbox/Relay"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import * as PgOutboxAdminStore from "@effect-cascade/outbox/PgOutboxAdminStore"
import * as PgOutboxStore from "@effect-cascade/outbox/PgOutboxStore"
import * as PgStatusStore from "@effect-cascade/outbox/PgStatusStore"
import * as RetentionPruner from "@effect-cascade/outbox/RetentionPruner"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import { PgClient } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Duration, Effect, Layer, Logger, String } from "effect"
import { SqlClient } from "effect/sql"
import { connect, outboxOn } from "./support/database.ts"
import { transaction } from "./support/messages.ts"
import { quick } from "./support/relay.ts"
import { makeSignal } from "./support/signal.ts"
import { type Recording, recording } from "./support/transport.ts"

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
layer(PgTestDatabase.layer({ poolSize: 20 }), { excludeTestServices: true })("the schema", (it) => {
  it.effect("may have any plain name, and each is an outbox by itself", () =>
    Effect.gen(function* () {
      for (const schema of ["cascade", "other", "_x2", "select", "a".repeat(40)]) {
        yield* OutboxMigrations.run({ schema })
        assert.deepStrictEqual(yield* roundTrip(schema), ["a"])
      }
    })
  )

  it.effect("may have no name that would have to be escaped", () =>
    Effect.gen(function* () {
      const wrong = [
        "",
        "Upper",
        "1st",
        "a-b",
        'a"; DROP SCHEMA public; --',
        "a.b",
        "ä",
        "a".repeat(41),
        "a\n"
      ]
      for (const schema of wrong) {
        const error = yield* Effect.flip(OutboxMigrations.run({ schema }))
        assert.strictEqual(error._tag, "InvalidName")
        assert.include(error.message, "schema name")
        const ofStore = yield* Effect.flip(Effect.scoped(PgOutboxStore.make({ schema })))
        assert.strictEqual(ofStore._tag, "InvalidName")
      }
    })
  )

  it.effect("is migrated by a client with name transforms as by any other", () =>
    Effect.gen(function* () {
      const client = yield* connect({
        transformQueryNames: String.camelToSnake,
        transformResultNames: String.snakeToCamel
      })
      const run = OutboxMigrations.run({ schema: "there" }).pipe(
        Effect.provideService(SqlClient.SqlClient, client)
      )
      assert.isAbove((yield* run).length, 0)
      assert.deepStrictEqual(yield* run, [])
      assert.deepStrictEqual(yield* roundTrip("there"), ["a"])
    })
  )

  it.effect("that was not migrated is named by every operation's error, and the relay waits for it", () =>
    Effect.gen(function* () {
      const store = yield* PgOutboxStore.make({ schema: "forgotten" })
      const outbox = yield* outboxOn(store)
      const lease = Duration.seconds(30)
      const errors = yield* Effect.all([
        Effect.flip(outbox.transaction(outbox.enqueue(transaction("a")))),
        Effect.flip(store.claim([{ lane: "default/high", limit: 1 }], { lease, relay: "x" })),
        Effect.flip(store.renew([{ id: "018d0000-0000-7000-8000-000000000000", lease: 1n }], lease)),
        Effect.flip(store.lanes)
      ])
      for (const error of errors) {
        assert.deepInclude(error, { _tag: "StoreError", code: "42P01", isRetryable: false })
        assert.include(error.message, "provide OutboxMigrations.layer(), or run OutboxMigrations.run()")
        assert.include(error.message, "0001_create_outbox, ")
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

  it.effect("that lacks the newest migration is refused, and the migration named, by whatever is asked", () =>
    Effect.gen(function* () {
      const schema = "behind"
      const sql = yield* SqlClient.SqlClient
      const all = yield* OutboxMigrations.sql({ schema })
      for (const { statements } of all.slice(0, -1)) {
        for (const statement of statements) yield* sql.unsafe(statement)
      }
      const newest = all.at(-1)?.name ?? ""
      const store = yield* PgOutboxStore.make({ schema })
      const outbox = yield* outboxOn(store)
      const lane = { lane: "default/high", limit: 1 }
      const errors = yield* Effect.all([
        Effect.flip(outbox.transaction(outbox.enqueue(transaction("a")))),
        Effect.flip(store.expire({ limit: 1, relay: "x" }))
      ])
      for (const error of errors) {
        assert.deepInclude(error, { _tag: "StoreError", isRetryable: false })
        assert.include(error.message, "provide OutboxMigrations.layer(), or run OutboxMigrations.run()")
        assert.include(error.message, `${newest} is missing`)
      }
      // What does not need it goes on: relays may be brought up to date before the tables are.
      assert.deepStrictEqual(yield* store.claim([lane], { lease: Duration.seconds(30), relay: "x" }), [])

      const status = yield* Effect.flip(
        (yield* PgStatusStore.make({ schema: "nowhere" })).read("default", "a")
      )
      const admin = yield* Effect.flip((yield* PgOutboxAdminStore.make({ schema: "nowhere" })).countLanes)
      for (const { message } of [status, admin]) assert.include(message, `${newest} are missing`)
    })
  )

  it.effect("that lacks something is said also where the pool has no other connection to find out what", () =>
    Effect.gen(function* () {
      const client = yield* connect({ maxConnections: 1 })
      const store = yield* Effect.provideService(
        PgOutboxStore.make({ schema: "nowhere" }),
        PgClient.PgClient,
        client
      )
      const outbox = yield* outboxOn(store)
      const error = yield* Effect.flip(outbox.transaction(outbox.enqueue(transaction("a"))))
      assert.include(error.message, "provide OutboxMigrations.layer(), or run OutboxMigrations.run()")
      assert.lengthOf(yield* client`SELECT 1`, 1)
    })
  )

  it.effect(
    "that a newer version has migrated is one to enqueue into, to drain, to operate and to prune",
    () =>
      Effect.gen(function* () {
        const schema = "ahead"
        const sql = yield* SqlClient.SqlClient
        yield* OutboxMigrations.run({ schema })
        // What a next migration may do: append-only, so that this version need not know of it.
        yield* sql`INSERT INTO ahead.migration (migration_id, name) VALUES (9001, 'from_tomorrow')`
        for (const table of ["message", "work", "outcome", "lane", "delivery_status", "rate_limit"]) {
          yield* sql.unsafe(`ALTER TABLE ahead.${table} ADD COLUMN tomorrow text NOT NULL DEFAULT 'x'`)
          yield* sql.unsafe(`ALTER TABLE ahead.${table} ADD COLUMN later int`)
        }
        yield* sql`CREATE INDEX tomorrow_idx ON ahead.work (later)`

        const store = yield* PgOutboxStore.make({ schema, trackStatus: true })
        const adminStore = yield* PgOutboxAdminStore.make({ schema })
        const admin = yield* Effect.provideService(OutboxAdmin.make, OutboxAdminStore, adminStore)
        const outbox = yield* outboxOn(store)
        yield* outbox.transaction(outbox.enqueueAll(["a", "b", "c"].map((id) => transaction(id))))
        assert.strictEqual((yield* admin.cancel("default", "c"))._tag, "Cancelled")
        const drain = (sent: Recording) =>
          Relay.drain(quick).pipe(Effect.provideService(OutboxStore, store), Effect.provide(sent.layer))

        const refusing = recording((batch) =>
          Effect.succeed(
            batch.map(({ trackingId }) =>
              trackingId === "a"
                ? Delivery.accepted(trackingId, "m-a")
                : Delivery.notAccepted(trackingId, new Reason.Rejected({ status: 400 }))
            )
          )
        )
        assert.deepInclude(yield* drain(refusing), { sent: 1, dead: 1 })
        assert.lengthOf(yield* admin.requeue({ state: "dead", limit: 10 }), 1)
        const sent = recording()
        yield* drain(sent)
        assert.deepStrictEqual(sent.sentIds(), ["b"])
        assert.deepStrictEqual(yield* admin.pause({ lane: "default/low" }), ["default/low"])
        assert.lengthOf(yield* store.lanes, 1)
        assert.include((yield* admin.explain("default", "b")).sentence, "was taken on by the provider")

        const status = yield* PgStatusStore.make({ schema })
        assert.strictEqual((yield* status.read("default", "a"))?.messageId, "m-a")
        const pruned = yield* RetentionPruner.runOnce({ scrubAfter: 0, deleteAfter: 0 }).pipe(
          Effect.provideService(OutboxAdminStore, adminStore)
        )
        assert.deepInclude(pruned, { deleted: 3 })
      })
  )
})
