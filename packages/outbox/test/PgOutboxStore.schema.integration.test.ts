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
import { makeSignal } from "./support/signal.ts"
import { recording } from "./support/transport.ts"

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
