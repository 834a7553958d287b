import * as Reason from "@effect-cascade/core/TransportReason"
import { Outbox } from "@effect-cascade/outbox/Outbox"
import { StoreError } from "@effect-cascade/outbox/OutboxError"
import * as SqlFailure from "@effect-cascade/outbox/SqlFailure"
import { PgClient } from "@effect/sql-pg"
import { assert } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Schedule, String } from "effect"
import { SqlClient } from "effect/sql"
import { anotherStore, connect, onDatabase, outboxOn } from "./support/database.ts"
import { transaction } from "./support/messages.ts"
import { drain, listening, startRelay } from "./support/relay.ts"
import { storyOf } from "./support/rows.ts"
import { acceptAll, failAll, inTurn, recording } from "./support/transport.ts"

const enqueueAll = (...ids: ReadonlyArray<string>) =>
  Outbox.use((outbox) => outbox.transaction(outbox.enqueueAll(ids.map((id) => transaction(id)))))

const change = (id: string, table: "message" | "work", set: string) =>
  SqlClient.SqlClient.use((sql) =>
    sql.unsafe(`
      UPDATE cascade.${table} SET ${set}
      WHERE ${table === "message" ? "id" : "message_id"} = (SELECT id FROM cascade.message WHERE tracking_id = '${id}')`)
  )

/** The newest outcome, read without what else is in the row. */
const endOf = (id: string) =>
  SqlClient.SqlClient.use((sql) =>
    Effect.map(
      sql<{ readonly kind: string }>`
        SELECT kind FROM cascade.outcome
        WHERE message_id = (SELECT id FROM cascade.message WHERE tracking_id = ${id})
        ORDER BY lease DESC LIMIT 1`,
      ([row]) => row?.kind
    )
  )

onDatabase("a row that somebody changed by hand", (test) => {
  const harmless = {
    "a deadline without an end": ["message", "deadline = 'infinity'"],
    "a creation at no instant": ["message", "created_at = '-infinity'"],
    "due since ever": ["work", "due_at = '-infinity'"],
    "as many attempts as the column holds": ["work", "attempts = 2147483647"],
    "a lease of which nothing else is known": ["work", "lease = 7"],
    "an account that its lane is not of": ["message", "account = 'elsewhere'"]
  } as const
  for (const [name, [table, set]] of Object.entries(harmless)) {
    test(`to ${name} is sent with its neighbours`, () =>
      Effect.gen(function* () {
        const sent = recording()
        yield* enqueueAll("a", "b")
        yield* change("b", table, set)
        yield* drain({ sent })
        assert.sameMembers(sent.sentIds(), ["a", "b"])
        assert.strictEqual(yield* endOf("b"), "sent")
      }))
  }

  const ended = {
    "a deadline before all time": ["message", "deadline = '-infinity'", "expired"],
    "as many starts as the column holds": ["work", "started = 2147483647", "dead"],
    "a payload of a version to come": ["message", `payload = '{"v":2,"message":{}}'`, "dead"],
    "a payload of a version that never was": ["message", `payload = '{"message":{}}'`, "dead"],
    "a payload that is no object": ["message", `payload = '[]'`, "dead"]
  } as const
  for (const [name, [table, set, kind]] of Object.entries(ended)) {
    test(`to ${name} ends as ${kind}, told by an event, and its neighbours are sent`, () =>
      Effect.gen(function* () {
        const sent = recording()
        const heard = yield* listening
        yield* enqueueAll("a", "b", "c")
        yield* change("b", table, set)
        yield* drain({ sent, heard })
        assert.sameMembers(sent.sentIds(), ["a", "c"])
        assert.strictEqual(yield* endOf("b"), kind)
        yield* heard.heard(kind === "dead" ? "Dead" : "Expired", 1, "b")
      }))
  }

  test("is refused by the tables where it could mean nothing", () =>
    Effect.gen(function* () {
      yield* enqueueAll("a")
      const refused = {
        work: ["lease = -1", "finished = 1", "attempts = -1", "finished = -1, started = -1", "lane = NULL"],
        message: ["uncertainty = 'perhaps'", "message_type = 'pigeon'"]
      } as const
      for (const table of ["work", "message"] as const) {
        for (const set of refused[table]) {
          const refusal = yield* Effect.flip(change("a", table, set))
          assert.isTrue(
            SqlFailure.isSqlError(refusal) && SqlFailure.code(refusal)?.startsWith("23") === true,
            set
          )
        }
      }
    }))

  test("to a policy and a type that nobody knows, where the tables let it, is sent with its neighbours", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const sent = recording()
      yield* enqueueAll("a", "b")
      yield* sql`ALTER TABLE cascade.message DROP CONSTRAINT message_uncertainty_known, DROP CONSTRAINT message_type_known`
      yield* change("b", "message", "uncertainty = 'perhaps', message_type = 'pigeon'")
      yield* drain({ sent })
      assert.sameMembers(sent.sentIds(), ["a", "b"])
    }))
})

onDatabase("a database that refuses to write", (test) => {
  test("because it is read-only, as one that a failover left behind: says so, and may be tried again", () =>
    Effect.gen(function* () {
      const { store } = yield* anotherStore({
        client: { startupParameters: { default_transaction_read_only: "on" } }
      })
      const outbox = yield* outboxOn(store)
      const failures = [
        yield* Effect.flip(outbox.transaction(outbox.enqueue(transaction("a")))),
        yield* Effect.flip(
          store.claim([{ lane: "default/high", limit: 1 }], { lease: Duration.seconds(30), relay: "test" })
        ),
        yield* Effect.flip(
          store.renew([{ id: "00000000-0000-0000-0000-000000000000", lease: 1n }], Duration.seconds(1))
        )
      ]
      for (const error of failures) {
        assert.instanceOf(error, StoreError)
        assert.strictEqual("code" in error ? error.code : undefined, "25006")
        assert.include(error.message, "the database is read-only")
        assert.isTrue("isRetryable" in error && error.isRetryable)
      }
    }))

  test("because its disk is full: the outcome waits in memory, and is written when there is room", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const sent = recording()
      const heard = yield* listening
      yield* sql`
        CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$`
      yield* sql`CREATE TRIGGER full_disk BEFORE INSERT ON cascade.outcome FOR EACH ROW EXECUTE FUNCTION full_disk()`
      yield* enqueueAll("a")
      yield* startRelay({ sent, heard })
      yield* sent.called(1)
      yield* sql`DROP TRIGGER full_disk ON cascade.outcome`
      yield* heard.heard("Accepted", 1, "a")
      assert.deepStrictEqual(yield* storyOf("a"), ["sent 1"])
      assert.deepStrictEqual(sent.sentIds(), ["a"])
    }))

  test("because a column is not there: says which, and that the tables are not this library's", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const { store } = yield* anotherStore()
      const outbox = yield* outboxOn(store)
      yield* sql`ALTER TABLE cascade.work RENAME COLUMN deadline TO later`
      const older = yield* Effect.flip(outbox.transaction(outbox.enqueue(transaction("a"))))
      yield* sql`ALTER TABLE cascade.work RENAME COLUMN later TO deadline`
      assert.include(older.message, "provide OutboxMigrations.layer(), or run OutboxMigrations.run()")
      assert.isTrue("isRetryable" in older && !older.isRetryable)
    }))
})

onDatabase("a caller's transaction that meets another", (test) => {
  const orders = SqlClient.SqlClient.use((sql) => sql`INSERT INTO shop_order VALUES (1, 'x'), (2, 'x')`)

  test("and cannot be serialized is a StoreError that can be retried, and enqueues once", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const outbox = yield* Outbox
      yield* orders
      let tries = 0
      const body = Effect.gen(function* () {
        tries++
        yield* sql`SELECT phone FROM shop_order WHERE id = 1`
        // Somebody else is quicker, the first time.
        if (tries === 1) {
          const other = yield* connect({ maxConnections: 1 })
          yield* other`UPDATE shop_order SET phone = 'y' WHERE id = 1`
        }
        yield* outbox.enqueue(transaction("a"))
        yield* sql`UPDATE shop_order SET phone = 'z' WHERE id = 1`
      })
      const failures: Array<unknown> = []
      yield* outbox.transaction(body).pipe(
        Effect.provideService(SqlClient.BeginTransaction, "BEGIN ISOLATION LEVEL REPEATABLE READ"),
        Effect.tapError((error) => Effect.sync(() => failures.push(error))),
        Effect.retry({ times: 2 })
      )
      assert.strictEqual(tries, 2)
      assert.strictEqual(failures.length, 1)
      const sent = recording()
      yield* drain({ sent })
      assert.deepStrictEqual(sent.sentIds(), ["a"])
    }))

  test("and deadlocks: the one that is ended enqueues nothing, and both do when it is tried again", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const outbox = yield* Outbox
      yield* orders
      const first = yield* Deferred.make<void>()
      const second = yield* Deferred.make<void>()
      const cross = (
        id: string,
        mine: number,
        yours: number,
        here: Deferred.Deferred<void>,
        there: Deferred.Deferred<void>
      ) =>
        outbox
          .transaction(
            Effect.gen(function* () {
              yield* outbox.enqueue(transaction(id))
              yield* sql`UPDATE shop_order SET phone = 'y' WHERE id = ${mine}`
              yield* Deferred.succeed(here, undefined)
              yield* Deferred.await(there)
              yield* sql`UPDATE shop_order SET phone = 'y' WHERE id = ${yours}`
            })
          )
          .pipe(Effect.retry({ times: 3, schedule: Schedule.spaced("5 millis") }))
      const one = yield* Effect.forkChild(cross("a", 1, 2, first, second))
      yield* cross("b", 2, 1, second, first)
      yield* Fiber.join(one)
      const sent = recording()
      yield* drain({ sent })
      assert.sameMembers(sent.sentIds(), ["a", "b"])
    }))
})

onDatabase("a client that renames columns and keys", (test) => {
  test("changes no key of a message, its notes or its reasons", () =>
    Effect.gen(function* () {
      const { store } = yield* anotherStore({
        client: {
          transformQueryNames: String.camelToSnake,
          transformResultNames: String.snakeToCamel,
          transformJson: true
        }
      })
      const outbox = yield* outboxOn(store)
      const headers = { tenantId: "a", tenant_group: "b" }
      const sent = recording(
        inTurn(failAll(new Reason.Throttled({ status: 429, retryAfter: Duration.millis(1) })), acceptAll)
      )
      yield* outbox.transaction(outbox.enqueue(transaction("a", { ttl: "1 minute" }), { headers }))
      assert.strictEqual(
        (yield* outbox.transaction(outbox.enqueue(transaction("a", { ttl: "1 minute" }), { headers })))._tag,
        "AlreadyEnqueued"
      )
      const heard = yield* listening
      yield* startRelay({ sent, heard, store })
      yield* heard.heard("Accepted", 1, "a")
      const envelope = sent.batches[1]?.[0]
      assert.deepStrictEqual(envelope?.headers, headers)
      assert.deepStrictEqual(envelope?.message, transaction("a", { ttl: "1 minute" }))
      const [row] = yield* SqlClient.SqlClient.use(
        (sql) => sql<{ readonly keys: string }>`
          SELECT (SELECT string_agg(key, ' ' ORDER BY key) FROM jsonb_object_keys(reason) AS key) AS keys
          FROM cascade.outcome WHERE kind = 'deferred'`
      )
      assert.include(row?.keys ?? "", "retryAfter")
    }))
})
