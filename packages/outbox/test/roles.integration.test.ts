import type * as Message from "@effect-cascade/core/Message"
import * as Reason from "@effect-cascade/core/TransportReason"
import * as Outbox from "@effect-cascade/outbox/Outbox"
import { OutboxAdminStore } from "@effect-cascade/outbox/OutboxAdminStore"
import * as OutboxMigrations from "@effect-cascade/outbox/OutboxMigrations"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import type { SettledKind } from "@effect-cascade/outbox/OutboxRow"
import * as PgOutboxAdminStore from "@effect-cascade/outbox/PgOutboxAdminStore"
import * as PgOutboxStore from "@effect-cascade/outbox/PgOutboxStore"
import * as PgRateLimiterStore from "@effect-cascade/outbox/PgRateLimiterStore"
import { PgClient } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Duration, Effect, Layer, Queue, type Scope } from "effect"
import { RateLimiter } from "effect/persistence"
import { SqlClient } from "effect/sql"
import { reset } from "./support/database.ts"
import { canary, ids, promo, transaction } from "./support/messages.ts"
import { drain } from "./support/relay.ts"
import { denied, type Duty, isDenied, Roles, roles } from "./support/roles.ts"
import { kinds, workOf } from "./support/rows.ts"
import { recording } from "./support/transport.ts"

type Services = Layer.Success<typeof roles> | Scope.Scope

/** The outbox as a program of this role has it. */
const as = (duty: Duty) =>
  Layer.mergeAll(
    Outbox.layer.pipe(Layer.provideMerge(PgOutboxStore.layer())),
    PgOutboxAdminStore.layer()
  ).pipe(
    Layer.provide(
      Layer.effect(
        PgClient.PgClient,
        Effect.map(Roles, (clients) => clients[duty])
      )
    )
  )

const enqueue = (...messages: ReadonlyArray<Message.Message>) =>
  Outbox.Outbox.use((outbox) => outbox.transaction(outbox.enqueueAll(messages)))

const columns = "id, account, tracking_id, lane, message_type, uncertainty, payload, created_at"
const values = "gen_random_uuid(), 'default', 'x', 'default/high', 'transaction', 'resend', '{}', now()"

const tables = ["message", "work", "outcome", "lane", "rate_limit", "migration"]

/** What is nobody's business but the owner's. */
const ofTheOwner = tables.flatMap((table) => [
  `TRUNCATE cascade.${table}`,
  `ALTER TABLE cascade.${table} ADD COLUMN mine text`,
  `DROP TABLE cascade.${table}`,
  `CREATE TRIGGER mine BEFORE INSERT ON cascade.${table} EXECUTE FUNCTION suppress_redundant_updates_trigger()`
])

layer(roles, { excludeTestServices: true })("roles", (it) => {
  const test = <E>(name: string, body: () => Effect.Effect<void, E, Services>) =>
    it.effect(name, () => Effect.andThen(reset, body()))

  test("a writer enqueues, and other processes are told", () =>
    Effect.gen(function* () {
      const owner = yield* PgClient.PgClient
      const notifications = yield* owner.listen("cascade_wake")
      yield* Effect.gen(function* () {
        const enqueued = yield* enqueue(transaction("a"), promo("b"))
        assert.deepStrictEqual(
          enqueued.map(({ _tag }) => _tag),
          ["Enqueued", "Enqueued"]
        )
        assert.strictEqual((yield* Queue.take(notifications)).channel, "cascade_wake")
      }).pipe(Effect.provide(as("writer")))
      assert.strictEqual((yield* workOf("a")).length, 1)
    }))

  test("a writer is told whether a message is there already, and never what it says", () =>
    Effect.gen(function* () {
      yield* enqueue(transaction("a", { text: canary.text })).pipe(Effect.provide(as("writer")))
      const owner = yield* SqlClient.SqlClient
      const [row] = yield* owner<{ readonly id: string; readonly payload: string }>`
        SELECT id::text AS id, payload FROM cascade.message`
      const { writer } = yield* Roles
      const ask = (payload: string) => writer`
        SELECT * FROM cascade.find_existing(
          ${["asked", "other"]}::text[], ${["default", "default"]}::text[], ${["a", "not-there"]}::text[],
          ${[payload, payload]}::text[]
        )`
      assert.deepStrictEqual(yield* ask(row?.payload ?? ""), [{ asked: "asked", id: row?.id, same: true }])
      assert.deepStrictEqual(yield* ask("{}"), [{ asked: "asked", id: row?.id, same: false }])
      yield* owner`UPDATE cascade.message SET payload = NULL`
      assert.deepStrictEqual(yield* ask("{}"), [{ asked: "asked", id: row?.id, same: true }])
    }))

  test("a writer enqueues a message twice, and learns that an id is another message's", () =>
    Effect.gen(function* () {
      yield* enqueue(transaction("a"))
      const [again] = yield* enqueue(transaction("a"))
      assert.strictEqual(again?._tag, "AlreadyEnqueued")
      const error = yield* Effect.flip(enqueue(transaction("a", { text: "another text" })))
      assert.strictEqual(error._tag, "TrackingIdReused")
    }).pipe(Effect.provide(as("writer"))))

  test("a writer does nothing else", () =>
    Effect.gen(function* () {
      yield* enqueue(transaction("a")).pipe(Effect.provide(as("writer")))
      yield* isDenied("writer", [
        ...ofTheOwner,
        `SELECT payload FROM cascade.message`,
        `SELECT * FROM cascade.message`,
        `SELECT tracking_id FROM cascade.message WHERE payload LIKE '%7%'`,
        `SELECT id FROM cascade.message FOR UPDATE`,
        `INSERT INTO cascade.message (${columns}) VALUES (${values}) RETURNING payload`,
        `INSERT INTO cascade.message (${columns}) VALUES (${values})
          ON CONFLICT ON CONSTRAINT message_tracking_id_key DO UPDATE SET lane = excluded.lane`,
        `UPDATE cascade.message SET payload = payload`,
        `DELETE FROM cascade.message`,
        `SELECT * FROM cascade.work`,
        `INSERT INTO cascade.work (message_id, lane, due_at, lease) VALUES (gen_random_uuid(), 'x', now(), 9)`,
        `UPDATE cascade.work SET due_at = now()`,
        `DELETE FROM cascade.work`,
        `SELECT * FROM cascade.outcome`,
        `INSERT INTO cascade.outcome (message_id, lease, kind, attempt, relay) VALUES (gen_random_uuid(), 1, 'sent', 1, 'x')`,
        `SELECT * FROM cascade.lane`,
        `INSERT INTO cascade.lane (lane) VALUES ('default/high')`,
        `SELECT * FROM cascade.rate_limit`,
        `INSERT INTO cascade.migration (migration_id, name) VALUES (9, 'x')`
      ])
      const errors = yield* Effect.gen(function* () {
        const store = yield* OutboxStore
        const admin = yield* OutboxAdminStore
        return [
          yield* Effect.flip(
            store.claim([{ lane: "default/high", limit: 1 }], { lease: Duration.seconds(1), relay: "x" })
          ),
          yield* Effect.flip(store.lanes),
          yield* Effect.flip(admin.countLanes),
          yield* Effect.flip(admin.read("default", "a"))
        ]
      }).pipe(Effect.provide(as("writer")))
      assert.deepStrictEqual(
        errors.map(({ code }) => code),
        [denied, denied, denied, denied]
      )
    }))

  test("what a writer calls in the outbox's name cannot be led astray", () =>
    Effect.gen(function* () {
      yield* enqueue(transaction("a")).pipe(Effect.provide(as("writer")))
      const { names, writer } = yield* Roles
      const owner = yield* SqlClient.SqlClient
      yield* owner.unsafe(`CREATE SCHEMA mine AUTHORIZATION ${names.writer}`)
      // An operator of its own, in front of the real one.
      const call = Effect.forEach(
        [
          `CREATE FUNCTION mine.yes(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'`,
          `CREATE OPERATOR mine.= (LEFTARG = text, RIGHTARG = text, FUNCTION = mine.yes)`,
          `SET LOCAL search_path = mine, pg_catalog`,
          `SELECT 'a'::text = 'b'::text AS same`,
          `SELECT same FROM cascade.find_existing('{x}'::text[], '{default}'::text[], '{a}'::text[], '{guess}'::text[])`
        ],
        (statement) => writer.unsafe(statement)
      )
      // Undone, so that the role owns nothing when it goes.
      const answers = yield* Effect.flip(writer.withTransaction(Effect.flatMap(call, Effect.fail)))
      yield* owner`DROP SCHEMA mine CASCADE`
      assert.deepStrictEqual(Array.isArray(answers) ? answers.slice(-2) : answers, [
        [{ same: true }],
        [{ same: false }]
      ])
    }))

  test("a relay claims, renews, settles, and minds the lanes", () =>
    Effect.gen(function* () {
      const settled: ReadonlyArray<SettledKind> = [
        "sent",
        "retry",
        "deferred",
        "released",
        "uncertain",
        "dead",
        "expired"
      ]
      yield* enqueue(...ids("a", settled.length).map((id) => transaction(id)))
      yield* Effect.gen(function* () {
        const store = yield* OutboxStore
        const reason = new Reason.Throttled({ status: 429 })
        const options = { lease: Duration.seconds(30), relay: "x" }
        const rows = yield* store.claim([{ lane: "default/high", limit: 10 }], options)
        const [first] = rows
        assert.strictEqual(rows.length, settled.length)
        if (first === undefined) return
        assert.strictEqual((yield* store.renew([first], Duration.seconds(30))).size, 1)
        for (const [index, kind] of settled.entries()) {
          const row = rows[index] ?? first
          const settlement = {
            id: row.id,
            lease: row.lease,
            kind,
            delayMillis: 0,
            counted: true,
            reason: kind === "sent" ? undefined : reason,
            providerMessageId: kind === "sent" ? "1" : undefined
          }
          assert.strictEqual((yield* store.settle([settlement], options)).size, 1)
          // Once more, as after an answer that was lost.
          yield* store.settle([settlement], options)
        }
        // What ran out is recorded by who takes it next.
        const again = yield* store.claim([{ lane: "default/high", limit: 10 }], {
          ...options,
          lease: Duration.zero
        })
        assert.isAbove(again.length, 0)
        assert.strictEqual(
          (yield* store.claim([{ lane: "default/high", limit: 10 }], options)).length,
          again.length
        )

        const lanes = ["default/high"] as const
        yield* store.pauseLanes({ lanes, duration: Duration.zero, reason, trips: 1 })
        yield* store.pauseLanes({ lanes, duration: Duration.zero, reason, trips: 2 })
        assert.strictEqual((yield* store.lanes).length, 1)
        assert.isTrue(yield* store.probeLane("default/high", Duration.seconds(1)))
        assert.deepStrictEqual(yield* store.reopenLanes(lanes), ["default/high"])
        yield* store.wakes

        yield* enqueue(transaction("late", { ttl: Duration.seconds(1) })).pipe(Effect.provide(as("writer")))
        let ended = 0
        while (ended === 0) ended = (yield* store.expire({ limit: 10, relay: "relay" })).length
      }).pipe(Effect.provide(as("relay")), Effect.scoped)
      assert.containsAllKeys(yield* kinds, ["sent", "lapsed", "expired"])
    }).pipe(Effect.provide(as("writer"))))

  test("a relay drains the outbox", () =>
    Effect.gen(function* () {
      yield* enqueue(...ids("a", 30).map((id) => transaction(id))).pipe(Effect.provide(as("writer")))
      const sent = recording()
      yield* drain({ sent }).pipe(Effect.provide(as("relay")))
      assert.strictEqual(new Set(sent.sentIds()).size, 30)
      assert.deepStrictEqual(yield* kinds, { sent: 30 })
    }))

  test("a relay shares rate limits", () =>
    Effect.gen(function* () {
      const { relay } = yield* Roles
      const limiter = yield* RateLimiter.make.pipe(
        Effect.provide(PgRateLimiterStore.layer()),
        Effect.provideService(PgClient.PgClient, relay)
      )
      const options = { key: "a", limit: 10, window: "1 hour" } as const
      assert.strictEqual((yield* limiter.consume({ ...options, algorithm: "token-bucket" })).remaining, 9)
      assert.strictEqual((yield* limiter.consume({ ...options, algorithm: "fixed-window" })).remaining, 9)
      yield* limiter.adaptiveFeedback({
        key: "a",
        epoch: 0,
        tokens: 1,
        status: 429,
        retryAfter: Duration.seconds(1)
      })
    }))

  test("a relay does nothing else", () =>
    Effect.gen(function* () {
      yield* enqueue(transaction("a")).pipe(Effect.provide(as("writer")))
      yield* isDenied("relay", [
        ...ofTheOwner,
        `INSERT INTO cascade.message (${columns}) VALUES (${values})`,
        `UPDATE cascade.message SET payload = NULL`,
        `SELECT id FROM cascade.message FOR UPDATE`,
        `DELETE FROM cascade.message`,
        `INSERT INTO cascade.work (message_id, lane, due_at) VALUES (gen_random_uuid(), 'x', now())`,
        `UPDATE cascade.work SET lane = 'x'`,
        `SELECT reason FROM cascade.outcome`,
        `SELECT provider_message_id FROM cascade.outcome`,
        `UPDATE cascade.outcome SET superseded = true`,
        `DELETE FROM cascade.outcome`,
        `INSERT INTO cascade.lane (lane, note) VALUES ('x', 'x')`,
        `UPDATE cascade.lane SET note = 'x'`,
        `SELECT * FROM cascade.find_existing('{}', '{}', '{}', '{}')`,
        `INSERT INTO cascade.migration (migration_id, name) VALUES (9, 'x')`
      ])
      const error = yield* Effect.flip(enqueue(transaction("b"))).pipe(Effect.provide(as("relay")))
      assert.deepInclude(error, { _tag: "StoreError", code: denied })
    }))

  test("an admin does what operators and retention need", () =>
    Effect.gen(function* () {
      const owner = yield* SqlClient.SqlClient
      yield* enqueue(...ids("a", 6).map((id) => transaction(id))).pipe(Effect.provide(as("writer")))
      const rows = yield* OutboxStore.use((store) =>
        Effect.gen(function* () {
          const options = { lease: Duration.seconds(30), relay: "x" }
          const rows = yield* store.claim([{ lane: "default/high", limit: 4 }], options)
          for (const [index, row] of rows.entries()) {
            const kind = index < 2 ? "dead" : "uncertain"
            const reason = new Reason.ServerError({ status: 500 })
            yield* store.settle(
              [
                {
                  id: row.id,
                  lease: row.lease,
                  kind,
                  delayMillis: 0,
                  counted: true,
                  reason,
                  providerMessageId: undefined
                }
              ],
              options
            )
          }
          return rows.map(({ id }) => id)
        })
      ).pipe(Effect.provide(as("relay")))
      const [dead = "", other = "", uncertain = "", second = ""] = rows

      yield* Effect.gen(function* () {
        const admin = yield* OutboxAdminStore
        const move = { by: "op", resetAttempts: true, newDeadline: Date.UTC(2099), resolves: false }
        assert.strictEqual((yield* admin.countLanes).length, 1)
        assert.strictEqual((yield* admin.countParked).length, 1)
        assert.strictEqual(
          (yield* admin.list({ state: "dead", filter: {}, limit: 9, after: undefined })).length,
          2
        )
        assert.strictEqual((yield* admin.read("default", "a-0"))?.trackingId, "a-0")
        assert.strictEqual(
          (yield* admin.explain("default", "a-5", { aheadLimit: 9 }))?.messageType,
          "transaction"
        )
        assert.strictEqual((yield* admin.states([dead], undefined)).length, 1)
        assert.deepStrictEqual(yield* admin.requeue({ ids: [dead], states: ["dead"] }, move), [dead])
        assert.deepStrictEqual(
          yield* admin.conclude({ ids: [other], states: ["dead"] }, { by: "op", kind: "discarded" }),
          [other]
        )
        assert.deepStrictEqual(
          yield* admin.requeue({ ids: [uncertain], states: ["uncertain"] }, { ...move, resolves: true }),
          [uncertain]
        )
        assert.deepStrictEqual(
          yield* admin.conclude({ state: "uncertain", filter: {}, limit: 9 }, { by: "op", kind: "resolved" }),
          [second]
        )
        assert.strictEqual((yield* admin.cancel("default", "a-5", "op"))?.result, "cancelled")
        yield* admin.holdLanes(["default/low"], "for a test")
        yield* admin.holdLanes(["default/low"], "for another")
        assert.strictEqual((yield* admin.heldLanes).length, 1)
        assert.deepStrictEqual(yield* admin.openLanes(["default/low"]), ["default/low"])
      }).pipe(Effect.provide(as("admin")))

      yield* owner`UPDATE cascade.message SET id = overlay(id::text PLACING '00000000-0000' FROM 1 FOR 13)::uuid WHERE id = ${other}::uuid`
      const old = other.replace(/^.{13}/u, "00000000-0000")
      yield* owner`UPDATE cascade.outcome SET message_id = ${old}::uuid, at = now() - interval '1 day' WHERE message_id = ${other}::uuid`
      yield* Effect.gen(function* () {
        const admin = yield* OutboxAdminStore
        const step = {
          after: "00000000-0000-0000-0000-000000000000",
          batch: 10,
          period: Duration.hours(1),
          slack: Duration.zero,
          keepParked: true
        }
        assert.strictEqual((yield* admin.scrub(step)).changed, 1)
        assert.strictEqual((yield* admin.prune(step)).changed, 1)
      }).pipe(Effect.provide(as("admin")))
    }))

  test("an admin adds no messages, and leaves what only relays write", () =>
    Effect.gen(function* () {
      yield* isDenied("admin", [
        ...ofTheOwner,
        `INSERT INTO cascade.message (${columns}) VALUES (${values})`,
        `UPDATE cascade.message SET tracking_id = 'x'`,
        `UPDATE cascade.work SET lease_until = NULL`,
        `UPDATE cascade.outcome SET kind = 'sent'`,
        `INSERT INTO cascade.outcome (message_id, lease, kind, attempt, relay, provider_message_id)
          VALUES (gen_random_uuid(), 1, 'sent', 1, 'x', '1')`,
        `SELECT * FROM cascade.rate_limit`,
        `DELETE FROM cascade.migration`
      ])
      const error = yield* Effect.flip(enqueue(transaction("b"))).pipe(Effect.provide(as("admin")))
      assert.deepInclude(error, { _tag: "StoreError", code: denied })
    }))

  test("each role may see that the migrations are up to date", () =>
    Effect.gen(function* () {
      const clients = yield* Roles
      for (const duty of ["writer", "relay", "admin"] as const) {
        const verified = yield* OutboxMigrations.verify().pipe(
          Effect.provideService(SqlClient.SqlClient, clients[duty])
        )
        assert.deepStrictEqual(verified, { _tag: "UpToDate" }, duty)
        const ran = yield* OutboxMigrations.run().pipe(
          Effect.provideService(SqlClient.SqlClient, clients[duty])
        )
        assert.deepStrictEqual(ran, [], duty)
      }
    }))

  test("a role without rights has none", () =>
    Effect.gen(function* () {
      yield* isDenied("nobody", [
        ...tables.map((table) => `SELECT * FROM cascade.${table}`),
        `SELECT * FROM cascade.find_existing('{}', '{}', '{}', '{}')`
      ])
      const { nobody } = yield* Roles
      const error = yield* OutboxMigrations.verify().pipe(
        Effect.provideService(SqlClient.SqlClient, nobody),
        Effect.flip
      )
      assert.deepInclude(error, { _tag: "StoreError", code: denied })
    }))

  test("granting again changes nothing", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { names } = yield* Roles
      const rights = sql`
        SELECT relname, relacl::text, array_agg(attacl::text ORDER BY attnum) AS columns
        FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
        WHERE relnamespace = 'cascade'::regnamespace AND relkind = 'r' GROUP BY 1, 2 ORDER BY 1`
      const before = yield* rights
      yield* OutboxMigrations.applyGrants({ writer: names.writer, relay: names.relay, admin: names.admin })
      assert.deepStrictEqual(yield* rights, before)
    }))

  test("grants are text too, for the roles that were named and no others", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* OutboxMigrations.grants({}), [])
      const statements = yield* OutboxMigrations.grants({ schema: "mine", writer: `odd "name"` })
      assert.isAbove(statements.length, 0)
      for (const statement of statements) {
        assert.match(statement, /^GRANT .* TO "odd ""name"""$/u)
        assert.include(statement, `"mine"`)
      }
      for (const role of ["", "a\nb", "a\0b", "я".repeat(32)]) {
        assert.strictEqual((yield* Effect.flip(OutboxMigrations.grants({ relay: role })))._tag, "InvalidName")
      }
      const error = yield* Effect.flip(OutboxMigrations.applyGrants({ writer: "there is no such role" }))
      assert.deepInclude(error, { _tag: "StoreError", operation: "grant", code: "42704" })
    }))
})
