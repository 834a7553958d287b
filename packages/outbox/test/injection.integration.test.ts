/**
 * Texts that mean something to SQL, to arrays, to terminals or to nobody, through every field that reaches the
 * database: each is stored and read back as it was, or refused with a typed error, and the tables are as before.
 */
import * as DeliveryStatus from "@effect-cascade/core/DeliveryStatus"
import * as Message from "@effect-cascade/core/Message"
import * as Reason from "@effect-cascade/core/TransportReason"
import { StatusLookup } from "@effect-cascade/core/StatusLookup"
import * as TrackingId from "@effect-cascade/core/TrackingId"
import * as Delivery from "@effect-cascade/core/Delivery"
import { Transport } from "@effect-cascade/core/Transport"
import { Outbox } from "@effect-cascade/outbox/Outbox"
import * as OutboxAdmin from "@effect-cascade/outbox/OutboxAdmin"
import { OutboxAdminStore } from "@effect-cascade/outbox/OutboxAdminStore"
import * as OutboxMigrations from "@effect-cascade/outbox/OutboxMigrations"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import * as PgOutboxAdminStore from "@effect-cascade/outbox/PgOutboxAdminStore"
import * as PgOutboxStore from "@effect-cascade/outbox/PgOutboxStore"
import * as PgRateLimiterStore from "@effect-cascade/outbox/PgRateLimiterStore"
import * as PgStatusStore from "@effect-cascade/outbox/PgStatusStore"
import * as Relay from "@effect-cascade/outbox/Relay"
import { StatusStore } from "@effect-cascade/outbox/StatusStore"
import * as StatusTracker from "@effect-cascade/outbox/StatusTracker"
import { assert } from "@effect/vitest"
import { Duration, Effect, Tracer } from "effect"
import { RateLimiter } from "effect/persistence"
import { SqlClient } from "effect/sql"
import { ended, enqueue, onOperated, runOutLeases } from "./support/admin.ts"
import { transaction } from "./support/messages.ts"
import { drain, quick } from "./support/relay.ts"
import { outcomesOf } from "./support/rows.ts"
import { recording } from "./support/transport.ts"

const long = "x'\"\\{".repeat(200_000)

/** Whole texts: a database can hold each of them. */
const whole: Readonly<Record<string, string>> = {
  "a statement": `'; DROP TABLE cascade.message CASCADE; --`,
  "a statement in double quotes": `"; DROP TABLE cascade.message CASCADE; --`,
  "a statement behind a bracket": `') ; DELETE FROM cascade.work; /*`,
  "a quote": "'",
  "a double quote": '"',
  "a parameter": "$1",
  "quotes of dollars": "$$ $a$ x $a$",
  "a backslash": "\\",
  "an escape": "\\'; \\x27 \\u0027",
  "a question mark and names": "? :name @name %s %",
  "an array": "{a,b}",
  "an array of quotes": '{"a","b",NULL}',
  "an empty array": "{}",
  "JSON's array": "[]",
  "a row": "(a,b)",
  NULL: "NULL",
  "a comment": "-- /* */",
  "an escape of a terminal": "\u001b[2J\u001b]0;x\u0007",
  "marks of direction": "\u202e\u2066abc\u2069",
  "line breaks": "a\r\nINFO forged\nb",
  "a blank": " ",
  emoji: "👩‍👩‍👧‍👦 ї ￿",
  "a megabyte": long
}

/** Postgres refuses NUL in text; half of a surrogate pair has no UTF-8 form. */
const broken: Readonly<Record<string, string>> = {
  NUL: "a\u0000b",
  "half a pair": "a\ud800b",
  "the other half": "\udc00"
}

const all: Readonly<Record<string, string>> = { ...whole, ...broken }
// oxlint-disable-next-line no-control-regex -- the very character that is meant
const marks = /[\u0000\p{Surrogate}]/gu

/** A value that a program without types would hand on. */
const untyped = <A>(value: string): A => value as never

const tables = SqlClient.SqlClient.use(
  (sql) => sql<{ readonly name: string }>`
    SELECT relname AS name FROM pg_class
    WHERE relnamespace = 'cascade'::regnamespace AND relkind = 'r' ORDER BY relname`
).pipe(Effect.map((rows) => rows.map(({ name }) => name)))

/** What must be there after anything at all: every table, and a message that nobody touched. */
const intact = Effect.gen(function* () {
  assert.deepStrictEqual(yield* tables, [
    "delivery_status",
    "lane",
    "message",
    "migration",
    "outcome",
    "rate_limit",
    "status_pause",
    "work"
  ])
  const admin = yield* OutboxAdmin.OutboxAdmin
  assert.strictEqual((yield* admin.read("untouched", "bystander")).state, "waiting")
})

const guarded = <E, R>(body: Effect.Effect<void, E, R>) =>
  enqueue(transaction("bystander"), { account: "untouched" }).pipe(
    Effect.andThen(body),
    Effect.andThen(intact)
  )

/** Each of these texts, one after another. */
const each = <E, R>(
  texts: Readonly<Record<string, string>>,
  body: (text: string, name: string, index: number) => Effect.Effect<void, E, R>
) =>
  Effect.forEach(Object.entries(texts), ([name, text], index) => body(text, name, index), { discard: true })

const tagOf = <A, E extends { readonly _tag: string }, R>(self: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(self), ({ _tag }) => _tag)

onOperated("texts that mean something to SQL", (test) => {
  test("come back in a message's fields and notes as they went in, and make it another message", () =>
    guarded(
      Effect.gen(function* () {
        const outbox = yield* Outbox
        const sent = recording()
        const messages = new Map<string, Message.Message>()
        yield* each(all, (text, name, index) =>
          Effect.gen(function* () {
            const id = `m-${index}`
            const made = yield* Effect.result(
              Message.make({
                _tag: "Transaction",
                id,
                fromName: text.length > 1000 ? "Shop" : text,
                toPhone: "+380671112233",
                text
              })
            )
            // Control characters and halves are no sender names; without them it is a message.
            const message =
              made._tag === "Success"
                ? made.success
                : !/\p{Surrogate}/u.test(text)
                  ? transaction(id, { text })
                  : transaction(id)
            const headers = { [text]: text, note: text }
            assert.strictEqual(
              (yield* outbox.transaction(outbox.enqueue(message, { headers })))._tag,
              "Enqueued"
            )
            assert.strictEqual(
              (yield* outbox.transaction(outbox.enqueue(message, { headers })))._tag,
              "AlreadyEnqueued",
              name
            )
            const other = outbox.transaction(outbox.enqueue(message, { headers: { ...headers, note: "x" } }))
            assert.strictEqual(yield* tagOf(other), "TrackingIdReused", name)
            messages.set(id, message)
          })
        )
        yield* drain({ sent })
        const texts = Object.values(all)
        for (const envelope of sent.batches.flat()) {
          const text = texts[Number(envelope.trackingId.slice(2))] ?? ""
          assert.deepStrictEqual(envelope.headers, { [text]: text, note: text })
          assert.deepStrictEqual(envelope.message, messages.get(envelope.trackingId))
        }
        assert.strictEqual(sent.sentIds().length, texts.length)
      })
    ))

  test("come back in the answers of a survey", () =>
    guarded(
      Effect.gen(function* () {
        const sent = recording()
        const short = Object.fromEntries(Object.entries(whole).filter(([, text]) => text.length <= 85))
        const made: Array<Message.Message> = []
        yield* each(short, (text, _, index) =>
          Effect.gen(function* () {
            const message = yield* Message.make({
              _tag: "ViberSurvey",
              id: `s-${index}`,
              fromName: "Shop",
              toPhone: "+380671112233",
              text,
              surveyOptions: [text, `${text}!`]
            })
            made.push(message)
            yield* enqueue(message)
          })
        )
        yield* drain({ sent })
        assert.sameDeepMembers(
          sent.batches.flat().map(({ message }) => message),
          made
        )
      })
    ))

  test("are no tracking ids, accounts, lanes, priorities, states, policies or cursors", () =>
    guarded(
      Effect.gen(function* () {
        const outbox = yield* Outbox
        const admin = yield* OutboxAdmin.OutboxAdmin
        yield* each(all, (text, name) =>
          Effect.gen(function* () {
            const message = transaction("fine")
            const id = text === "NULL" ? "a b" : text
            assert.strictEqual(
              yield* tagOf(
                Message.make({
                  _tag: "Transaction",
                  id,
                  fromName: "Shop",
                  toPhone: "+380671112233",
                  text: "x"
                })
              ),
              "InvalidMessage",
              name
            )
            // Made from parts it is one, and a harmless one.
            if (text !== long) yield* enqueue(transaction(TrackingId.of("part", text)))
            if (text !== "NULL") {
              assert.strictEqual(
                yield* tagOf(outbox.transaction(outbox.enqueue(message, { account: text }))),
                "InvalidName",
                name
              )
              assert.strictEqual(yield* tagOf(admin.pause({ account: text })), "InvalidName", name)
              assert.strictEqual(yield* tagOf(admin.resume({ lane: `${text}/high` })), "InvalidName", name)
            }
            assert.strictEqual(yield* tagOf(admin.pause({ lane: text })), "InvalidName", name)
            assert.strictEqual(yield* tagOf(admin.resume({ lane: `default/${text}` })), "InvalidName", name)
            for (const options of [
              { priority: untyped<"low">(text) },
              { route: untyped<"standard">(text) },
              { schedule: untyped<"outbox">(text) },
              { uncertainty: untyped<"hold">(text) }
            ]) {
              assert.include(
                ["InvalidName", "InvalidMessage", "StoreError"],
                yield* tagOf(outbox.transaction(outbox.enqueue(message, options))),
                name
              )
            }
            assert.strictEqual(
              yield* tagOf(admin.list({ state: untyped<"dead">(text) })),
              "InvalidName",
              name
            )
            const choice = { state: untyped<"dead">(text), limit: 10 }
            for (const move of [
              admin.requeue(choice),
              admin.discard(choice),
              admin.requeue({ ids: [text] })
            ]) {
              assert.strictEqual(yield* tagOf(move), "InvalidName", name)
            }
            assert.strictEqual(yield* tagOf(admin.resolve(text, "sent")), "InvalidName", name)
            for (const after of [text, `1:${text}`, `${text}:00000000-0000-0000-0000-000000000000`]) {
              assert.strictEqual(yield* tagOf(admin.list({ state: "dead", after })), "InvalidName", name)
            }
          })
        )
      })
    ))

  test("as the state that a store is asked for, are nothing but a state that no message has", () =>
    guarded(
      Effect.gen(function* () {
        const store = yield* OutboxAdminStore
        yield* ended("dead", transaction("a"))
        const texts = { ...all, "a way out": "dead' OR true --", "another way": "x') OR ('1' = '1" }
        yield* each(texts, (text, name) =>
          Effect.gen(function* () {
            const state = untyped<"dead">(text)
            const query = { state, filter: {}, limit: 10 }
            assert.deepStrictEqual(yield* store.list({ ...query, after: undefined }), [], name)
            assert.deepStrictEqual(yield* store.conclude(query, { by: "x", kind: "discarded" }), [], name)
          })
        )
      })
    ))

  test("find nothing where they are looked for", () =>
    guarded(
      Effect.gen(function* () {
        const admin = yield* OutboxAdmin.OutboxAdmin
        yield* ended("dead", transaction("a"))
        yield* each(all, (text, name) =>
          Effect.gen(function* () {
            for (const [account, id] of [
              [text, "a"],
              ["default", text]
            ] as const) {
              assert.strictEqual(yield* tagOf(admin.read(account, id)), "MessageNotFound", name)
              assert.strictEqual(yield* tagOf(admin.cancel(account, id)), "MessageNotFound", name)
              assert.strictEqual((yield* admin.explain(account, id))._tag, "Unknown", name)
            }
            for (const filter of [{ account: text }, { messageType: text }, { reasonTag: text }]) {
              assert.deepStrictEqual((yield* admin.list({ state: "dead", ...filter })).messages, [], name)
              const choice = { state: "dead", limit: 10, ...filter } as const
              assert.deepStrictEqual(yield* admin.requeue(choice), [], name)
              assert.deepStrictEqual(yield* admin.discard(choice), [], name)
            }
          })
        )
        assert.strictEqual((yield* admin.list({ state: "dead" })).messages.length, 1)
      })
    ))

  test("as an operator's name and note come back, halves and NUL as U+FFFD, and keep no move from being made", () =>
    guarded(
      Effect.gen(function* () {
        const admin = yield* OutboxAdmin.OutboxAdmin
        yield* each(all, (text, name, index) =>
          Effect.gen(function* () {
            const expected = text.replace(marks, "\ufffd")
            const by = Effect.provideService(OutboxAdmin.Operator, text)
            const id = `o-${index}`
            const uuid = yield* ended("uncertain", transaction(id))
            yield* by(admin.resolve(uuid, "not-sent"))
            yield* by(admin.cancel("default", id))
            const told = (yield* outcomesOf(id)).filter(({ kind }) => kind !== "uncertain")
            assert.deepStrictEqual(
              told.map(({ kind, relay }) => [kind, relay === expected]),
              [
                ["resolved", true],
                ["requeued", true],
                ["cancelled", true]
              ],
              name
            )
            yield* admin.pause({ lane: "default/low" }, text)
            const [lane] = (yield* admin.counts).paused
            assert.strictEqual(lane?.note, expected, name)
          })
        )
        yield* admin.resume({ lane: "default/low" })
      })
    ))

  test("as a relay's name, a provider's id and a reason's words keep no outcome from being written", () =>
    guarded(
      each(all, (text, name, index) =>
        Effect.gen(function* () {
          const store = yield* OutboxStore
          const expected = text.replace(marks, "\ufffd")
          const [sentId, deadId] = [`r-${index}`, `d-${index}`]
          const relay = text
          const lease = Duration.seconds(30)
          yield* enqueue(transaction(sentId))
          yield* enqueue(transaction(deadId))
          // Once it holds them and says nothing, which is written down under its name when they are taken again.
          yield* store.claim([{ lane: "default/high", limit: 2 }], { lease, relay })
          yield* runOutLeases
          const rejected = new Reason.Rejected({ status: 400, code: text, field: text })
          const sent = recording((batch) =>
            Effect.succeed(
              batch.map(({ trackingId }) =>
                trackingId === sentId
                  ? Delivery.accepted(trackingId, text)
                  : Delivery.notAccepted(trackingId, rejected)
              )
            )
          )
          yield* drain({ sent }, { name: relay })
          for (const [id, kind] of [
            [sentId, "sent"],
            [deadId, "dead"]
          ] as const) {
            const told = yield* outcomesOf(id)
            assert.deepStrictEqual(
              told.map((row) => [row.kind, row.relay === expected]),
              [
                ["lapsed", true],
                [kind, true]
              ],
              name
            )
            if (kind === "sent") assert.isTrue(told[1]?.messageId === expected, name)
          }
        })
      )
    ))

  test("are no accounts of a relay or a tracker, whose claims they would keep from ever succeeding", () =>
    guarded(
      Effect.gen(function* () {
        const { transport } = recording()
        const lookup = { lookup: () => Effect.die("not asked") }
        const status = yield* PgStatusStore.make()
        yield* each(all, (text, name) =>
          Effect.gen(function* () {
            if (text === "NULL") return
            const relay = Relay.make({ ...quick, accounts: { [text]: transport } })
            assert.strictEqual(
              yield* tagOf(Effect.provideService(relay, Transport, transport)),
              "InvalidRelayOptions",
              name
            )
            const tracker = StatusTracker.make({ accounts: { [text]: lookup } }).pipe(
              Effect.provideService(StatusLookup, lookup),
              Effect.provideService(StatusStore, status)
            )
            assert.strictEqual(yield* tagOf(tracker), "InvalidStatusTrackerOptions", name)
          })
        )
      })
    ))

  test("in a trace are refused or stored, and nothing is half written", () =>
    guarded(
      each(all, (text, name, index) =>
        Effect.gen(function* () {
          const outbox = yield* Outbox
          const id = `t-${index}`
          const exit = yield* outbox
            .transaction(outbox.enqueue(transaction(id)))
            .pipe(
              Effect.withParentSpan(Tracer.externalSpan({ traceId: text, spanId: text, sampled: true })),
              Effect.result
            )
          const admin = yield* OutboxAdmin.OutboxAdmin
          const explained = yield* admin.explain("default", id)
          if (exit._tag === "Success") assert.strictEqual(explained._tag, "Due", name)
          else {
            assert.strictEqual(exit.failure._tag, "StoreError", name)
            assert.strictEqual(explained._tag, "Unknown", name)
          }
        })
      )
    ))

  test("say nothing about the status of anything", () =>
    guarded(
      Effect.gen(function* () {
        const status = yield* PgStatusStore.make()
        const tracker = yield* StatusTracker.make().pipe(
          Effect.provideService(StatusLookup, { lookup: () => Effect.die("not asked") }),
          Effect.provideService(StatusStore, status)
        )
        yield* each(all, (text, name) =>
          Effect.gen(function* () {
            const about = (messageId: string, more: object = {}) =>
              new DeliveryStatus.StatusReport(
                { messageId, status: "delivered", source: "webhook", confirmed: false, ...more },
                { disableChecks: true }
              )
            const moved = [
              yield* status.record("default", about(text)),
              yield* status.record(text, about("a")),
              yield* status.record("default", about("a", { word: text, extendedStatuses: { [text]: text } }))
            ]
            assert.deepStrictEqual(moved, [[], [], []], name)
            assert.isUndefined(yield* status.read(text, "a"), name)
            assert.isUndefined(yield* status.read("default", text), name)
            yield* tracker.report(about(text), { account: text })
          })
        )
        assert.deepStrictEqual(
          yield* tracker.tally.pipe(Effect.map(({ reports, unknown }) => [reports, unknown])),
          [Object.keys(all).length, Object.keys(all).length]
        )
      })
    ))

  test("as the key of a rate limit keep it apart from others, or end in a typed error", () =>
    guarded(
      Effect.gen(function* () {
        const store = yield* PgRateLimiterStore.make()
        const limiter = yield* Effect.provideService(RateLimiter.make, RateLimiter.RateLimiterStore, store)
        yield* each(all, (text, name) =>
          Effect.forEach(["fixed-window", "token-bucket"] as const, (algorithm) =>
            Effect.gen(function* () {
              const taken = yield* Effect.result(
                limiter.consume({ algorithm, key: text, limit: 5, window: "1 minute", onExceeded: "fail" })
              )
              if (taken._tag === "Success") assert.isAtLeast(taken.success.remaining, 0, name)
              else {
                assert.strictEqual(taken.failure._tag, "RateLimiterError")
                assert.include(["NUL", "a megabyte"], name)
              }
            })
          )
        )
      })
    ))

  test("are no schema; a role's name is quoted, or refused", () =>
    guarded(
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const outbox = yield* Outbox
        yield* each(all, (text, name) =>
          Effect.gen(function* () {
            const options = { schema: text }
            for (const self of [
              OutboxMigrations.run(options),
              OutboxMigrations.verify(options),
              OutboxMigrations.sql(options),
              OutboxMigrations.grants(options),
              OutboxMigrations.applyGrants(options),
              PgOutboxStore.make(options),
              PgOutboxAdminStore.make(options),
              PgStatusStore.make(options),
              PgRateLimiterStore.make(options)
            ]) {
              assert.strictEqual(
                yield* tagOf<unknown, { readonly _tag: string }, never>(self as never),
                "InvalidName",
                name
              )
            }
            const granted = OutboxMigrations.applyGrants({ writer: text, relay: text, admin: text })
            assert.include(["InvalidName", "StoreError"], yield* tagOf(granted), name)
          })
        )
        // A role that is really called so, undone so that it stays in no other test's way.
        const role = `ro'le"; DROP TABLE cascade.message CASCADE; --`
        const undone = outbox.transaction(
          Effect.gen(function* () {
            yield* sql.unsafe(`CREATE ROLE "${role.replaceAll('"', '""')}"`)
            yield* OutboxMigrations.applyGrants({ admin: role })
            const [right] = yield* sql<{ readonly has: boolean }>`
              SELECT has_table_privilege(${role}, 'cascade.message', 'DELETE') AS has`
            return yield* Effect.fail({ _tag: "Undone", has: right?.has } as const)
          })
        )
        assert.deepStrictEqual(yield* Effect.flip(undone), { _tag: "Undone", has: true })
      })
    ))

  test("and times that no database can hold are refused, and leave nothing behind", () =>
    guarded(
      Effect.gen(function* () {
        const outbox = yield* Outbox
        const admin = yield* OutboxAdmin.OutboxAdmin
        const availableAt = new Date(-8_640_000_000_000_000)
        assert.include(
          yield* Effect.flip(outbox.transaction(outbox.enqueue(transaction("a"), { availableAt }))),
          {
            _tag: "StoreError",
            code: "22008",
            isRetryable: false
          }
        )
        assert.strictEqual(yield* tagOf(admin.read("default", "a")), "MessageNotFound")
      })
    ))
})
