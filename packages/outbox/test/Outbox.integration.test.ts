import * as CascadeEvents from "@effect-cascade/core/CascadeEvents"
import { type EnqueueOptions, Outbox } from "@effect-cascade/outbox/Outbox"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import { assert } from "@effect/vitest"
import { DateTime, Deferred, Effect, Exit, Fiber, Latch, Result, Tracer } from "effect"
import { SqlClient } from "effect/sql"
import { connect, onDatabase, outboxOn } from "./support/database.ts"
import { flashCall, ids, promo, survey, transaction } from "./support/messages.ts"
import { listening } from "./support/relay.ts"
import { counts, workOf } from "./support/rows.ts"

const placeOrder = (id: number) =>
  SqlClient.SqlClient.use((sql) => sql`INSERT INTO shop_order (id, phone) VALUES (${id}, '+380671112233')`)

/** An order and its confirmation, without a transaction around them. */
const order = (id: number) =>
  Effect.andThen(
    placeOrder(id),
    Outbox.use((outbox) => outbox.enqueue(transaction(`order-${id}`)))
  )

const nothing = { message: 0, work: 0, outcome: 0, shop: 0 }

onDatabase("enqueue", (test) => {
  test("commits with the order", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const enqueued = yield* outbox.transaction(order(1))
      assert.strictEqual(enqueued._tag, "Enqueued")
      assert.strictEqual(enqueued.trackingId, "order-1")
      assert.deepStrictEqual(yield* counts, { message: 1, work: 1, outcome: 0, shop: 1 })
      const sql = yield* SqlClient.SqlClient
      assert.deepStrictEqual(yield* sql`SELECT id::text AS id FROM cascade.message`, [{ id: enqueued.id }])
    }))

  test("works in a transaction of the client as well", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql.withTransaction(order(1))
      assert.deepStrictEqual(yield* counts, { message: 1, work: 1, outcome: 0, shop: 1 })
    }))

  test("rolls back with a typed failure, which passes as it is", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const failure = yield* Effect.flip(
        outbox.transaction(Effect.andThen(order(1), Effect.fail("sold out" as const)))
      )
      assert.strictEqual(failure, "sold out")
      assert.deepStrictEqual(yield* counts, nothing)
    }))

  test("rolls back with a defect, which passes as it is", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const bug = new Error("bug")
      const exit = yield* Effect.exit(outbox.transaction(Effect.andThen(order(1), Effect.die(bug))))
      assert.deepStrictEqual(exit, Exit.die(bug))
      assert.deepStrictEqual(yield* counts, nothing)
    }))

  test("rolls back with an interruption", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const written = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(
        outbox.transaction(
          order(1).pipe(Effect.andThen(Deferred.succeed(written, undefined)), Effect.andThen(Effect.never))
        )
      )
      yield* Deferred.await(written)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* counts, nothing)
    }))

  test("rolls back with its savepoint while the transaction around it commits", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      yield* outbox.transaction(
        Effect.gen(function* () {
          yield* order(1)
          const inner = yield* Effect.result(
            outbox.transaction(Effect.andThen(order(2), Effect.fail("no" as const)))
          )
          assert.deepStrictEqual(inner, Result.fail("no"))
          yield* outbox.transaction(order(3))
        })
      )
      assert.deepStrictEqual(yield* counts, { message: 2, work: 2, outcome: 0, shop: 2 })
      assert.deepStrictEqual(yield* workOf("order-2"), [])
    }))

  test("outside a transaction it fails and writes nothing", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const failure = yield* Effect.flip(outbox.enqueue(transaction("a")))
      assert.strictEqual(failure._tag, "NotInTransaction")
      assert.include(failure.message, "Outbox.transaction")
      // A transaction of another client is none of the outbox's.
      const other = yield* connect()
      const elsewhere = yield* Effect.flip(other.withTransaction(outbox.enqueue(transaction("a"))))
      assert.strictEqual(elsewhere._tag, "NotInTransaction")
      assert.deepStrictEqual(yield* counts, nothing)
    }))

  test("after its transaction has ended it fails too", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const over = yield* Latch.make(false)
      const late = yield* outbox.transaction(
        Effect.forkDetach(over.whenOpen(outbox.enqueue(transaction("late"))), { startImmediately: true })
      )
      yield* over.open
      assert.isTrue(Exit.isFailure(yield* Fiber.await(late)))
      assert.deepStrictEqual(yield* counts, nothing)
    }))

  test("writes 12,000 messages in one call, and answers in their order", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const all = ids("many", 12_000)
      const enqueued = yield* outbox.transaction(outbox.enqueueAll(all.map((id) => promo(id))))
      assert.deepStrictEqual(
        enqueued.map(({ trackingId }) => trackingId),
        all
      )
      assert.isTrue(enqueued.every(({ _tag }) => _tag === "Enqueued"))
      assert.strictEqual(new Set(enqueued.map(({ id }) => id)).size, 12_000)
      assert.deepStrictEqual(yield* counts, { message: 12_000, work: 12_000, outcome: 0, shop: 0 })
      assert.deepStrictEqual(yield* outbox.transaction(outbox.enqueueAll([])), [])
    }))

  test("puts each kind into its lane, with its policy, unless told otherwise", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const sql = yield* SqlClient.SqlClient
      yield* outbox.transaction(
        Effect.gen(function* () {
          yield* outbox.enqueueAll([transaction("t"), promo("p"), survey("s"), flashCall("f")])
          yield* outbox.enqueue(promo("other"), {
            account: "tenant-1",
            priority: "urgent",
            uncertainty: "resend"
          })
        })
      )
      const rows = yield* sql`
        SELECT message.tracking_id AS id, work.lane, message.account, message.message_type AS type, message.uncertainty
        FROM cascade.message JOIN cascade.work ON work.message_id = message.id AND work.lane = message.lane
        ORDER BY message.id`
      assert.deepStrictEqual(rows, [
        { id: "t", lane: "default/high", account: "default", type: "transaction", uncertainty: "resend" },
        { id: "p", lane: "default/low", account: "default", type: "promo", uncertainty: "hold" },
        { id: "s", lane: "default/normal", account: "default", type: "viber_survey", uncertainty: "hold" },
        { id: "f", lane: "default/urgent", account: "default", type: "flashcall", uncertainty: "resend" },
        { id: "other", lane: "tenant-1/urgent", account: "tenant-1", type: "promo", uncertainty: "resend" }
      ])
    }))

  test("takes its times from the database, and a deadline from the schedule where there is one", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const sql = yield* SqlClient.SqlClient
      const day = 24 * 60 * 60 * 1_000
      const inDays = (days: number) => DateTime.makeUnsafe(Date.UTC(2040, 0, 1) + days * day)
      const ttl = "1 hour"
      yield* outbox.transaction(
        Effect.gen(function* () {
          yield* sql`SELECT pg_sleep(0.05)`
          yield* outbox.enqueue(transaction("plain"))
          yield* outbox.enqueue(transaction("ttl", { ttl }))
          yield* outbox.enqueue(transaction("scheduled", { ttl, scheduledSent: inDays(1) }))
          yield* outbox.enqueue(transaction("available", { ttl }), { availableAt: inDays(1) })
          yield* outbox.enqueue(transaction("both", { scheduledSent: inDays(1) }), { availableAt: inDays(2) })
          yield* outbox.enqueue(transaction("held", { scheduledSent: inDays(2) }), { availableAt: inDays(1) })
          yield* outbox.enqueue(transaction("past", { scheduledSent: inDays(-9_999), ttl }))
          yield* outbox.enqueue(transaction("early"), { availableAt: new Date(0) })
          yield* outbox.enqueue(
            transaction("handed", { scheduledSent: DateTime.addDuration(yield* DateTime.now, "1 day") }),
            { schedule: "provider" }
          )
        })
      )
      const rows = yield* sql<{
        readonly id: string
        readonly due: string
        readonly deadline: string | null
      }>`
        WITH instants AS (
          SELECT tracking_id AS id, created_at, due_at, message.deadline, message.id AS position
          FROM cascade.message JOIN cascade.work ON work.message_id = message.id
        ),
        -- The transaction began at one instant, and took longer than that.
        began AS (SELECT min(created_at) AS at FROM instants HAVING max(created_at) = min(created_at))
        SELECT
          id,
          CASE WHEN due_at = began.at THEN 'at once' ELSE (due_at AT TIME ZONE 'UTC')::date::text END AS due,
          CASE
            WHEN deadline < '2040-01-01Z' AND deadline > '2020-01-01Z' THEN (deadline - began.at)::text
            ELSE to_char(deadline AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')
          END AS deadline
        FROM instants, began ORDER BY position`
      assert.deepStrictEqual(
        rows.map(({ deadline, due, id }) => [id, due, deadline]),
        [
          ["plain", "at once", null],
          ["ttl", "at once", "01:00:00"],
          ["scheduled", "2040-01-02", "2040-01-02 01:00"],
          ["available", "2040-01-02", "01:00:00"],
          ["both", "2040-01-03", null],
          ["held", "2040-01-03", null],
          ["past", "at once", "2012-08-16 01:00"],
          ["early", "at once", null],
          ["handed", "at once", null]
        ]
      )
    }))

  test("refuses names and instants that it cannot use, and writes nothing", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const message = transaction("a")
      const failing = (options: EnqueueOptions) =>
        Effect.flip(outbox.transaction(outbox.enqueue(message, options)))
      assert.strictEqual((yield* failing({ account: "a/b" }))._tag, "InvalidName")
      assert.strictEqual((yield* failing({ account: "" }))._tag, "InvalidName")
      const badDate = yield* failing({ availableAt: new Date(Number.NaN) })
      assert.strictEqual(badDate._tag, "InvalidMessage")
      assert.include(badDate.message, "availableAt")
      // As a program without types may have them.
      const untyped = (options: object) => failing(options)
      for (const [options, path] of [
        [{ uncertainty: "holld" }, "options.uncertainty: expected one of resend, hold"],
        [{ route: "viber" }, "options.route: expected one of standard, tg-viber"],
        [{ schedule: "relay" }, "options.schedule: expected one of outbox, provider"],
        [{ uncertanty: "hold" }, "received uncertanty"],
        [{ "380671112233": "hold" }, "received a name that is not one of them"]
      ] as const) {
        const error = yield* untyped(options)
        assert.strictEqual(error._tag, "InvalidMessage", error.message)
        assert.include(error.message, path)
        assert.notInclude(error.message, "380671112233")
      }
      const priority = yield* untyped({ priority: "lowest" })
      assert.strictEqual(priority._tag, "InvalidName")
      assert.include(priority.message, "priority")
      const tooFar = yield* Effect.flip(
        outbox.transaction(
          outbox.enqueue(
            transaction("far", { scheduledSent: DateTime.addDuration(yield* DateTime.now, "31 days") }),
            { schedule: "provider" }
          )
        )
      )
      assert.strictEqual(tooFar._tag, "InvalidMessage")
      assert.deepStrictEqual(yield* counts, nothing)
    }))

  test("tells of what it has written, and of nothing that was there before", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const store = yield* OutboxStore
      const outbox = yield* outboxOn(store).pipe(
        Effect.provideService(CascadeEvents.CascadeEvents, heard.events)
      )
      yield* outbox.transaction(outbox.enqueueAll([transaction("a"), transaction("a"), promo("b")]))
      yield* outbox.transaction(outbox.enqueueAll([transaction("a"), promo("c")], { account: "default" }))
      yield* heard.heard("Enqueued", 3)
      assert.deepStrictEqual(heard.told(), ["Enqueued a", "Enqueued b", "Enqueued c"])
      const [first] = heard.all
      assert.deepInclude(first, {
        _tag: "Enqueued",
        trackingId: "a",
        messageType: "transaction",
        account: "default",
        toPhone: "+38067*****33"
      })
    }))

  test("keeps the trace of the span that enqueued", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const sql = yield* SqlClient.SqlClient
      const traceId = "0af7651916cd43dd8448eb211c80319c"
      const parent = Tracer.externalSpan({ traceId, spanId: "b7ad6b7169203331", sampled: true })
      yield* outbox.transaction(outbox.enqueue(transaction("traced"))).pipe(Effect.withParentSpan(parent))
      const [row] = yield* sql<{ readonly traceparent: string }>`SELECT traceparent FROM cascade.message`
      assert.match(row?.traceparent ?? "", new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`, "u"))
    }))
})
