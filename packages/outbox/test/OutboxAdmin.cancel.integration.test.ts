import * as CascadeEvent from "@effect-cascade/core/CascadeEvent"
import * as CascadeEvents from "@effect-cascade/core/CascadeEvents"
import { Outbox } from "@effect-cascade/outbox/Outbox"
import { Operator, OutboxAdmin } from "@effect-cascade/outbox/OutboxAdmin"
import { assert } from "@effect/vitest"
import { DateTime, Duration, Effect, Fiber, Stream } from "effect"
import { SqlClient } from "effect/sql"
import * as statements from "../src/internal/sql/claim.ts"
import * as Tables from "../src/internal/sql/tables.ts"
import * as Operated from "./support/admin.ts"
import { anotherStore } from "./support/database.ts"
import { flashCall, ids, promo, transaction } from "./support/messages.ts"
import { outcomesOf, storyOf, workOf } from "./support/rows.ts"

const lease = Duration.seconds(30)

const { claim, ended, enqueue, oneAfterTheOther, runOutLeases, settle } = Operated

const cancel = (trackingId = "order-1") => OutboxAdmin.use((admin) => admin.cancel("default", trackingId))

const claimOne = Effect.map(claim(1), ([row]) => row ?? assert.fail("nothing claimed"))

Operated.onOperated("cancel", (test) => {
  test("calls off what waits", () =>
    Effect.gen(function* () {
      const id = yield* enqueue()
      assert.deepStrictEqual(yield* cancel().pipe(Effect.provideService(Operator, "olena")), {
        _tag: "Cancelled",
        id,
        mayHaveBeenSent: false
      })
      assert.deepStrictEqual(yield* workOf("order-1"), [])
      assert.deepStrictEqual(yield* claim(), [])
      assert.deepInclude((yield* outcomesOf("order-1"))[0], { kind: "cancelled", attempt: 0, relay: "olena" })
      assert.deepStrictEqual(yield* cancel(), { _tag: "TooLate", id, state: "cancelled" })
    }))

  test("calls off what is scheduled for later", () =>
    Effect.gen(function* () {
      const availableAt = DateTime.add(yield* DateTime.now, { days: 40 })
      yield* enqueue(transaction("order-1"), { availableAt })
      assert.strictEqual((yield* cancel())._tag, "Cancelled")
    }))

  test("keeps the tracking id: the same message is not sent after all", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      yield* enqueue()
      yield* cancel()
      const again = yield* outbox.transaction(outbox.enqueue(transaction("order-1")))
      assert.strictEqual(again._tag, "AlreadyEnqueued")
      assert.deepStrictEqual(yield* claim(), [])
    }))

  test("does not touch what a relay holds, and says until when", () =>
    Effect.gen(function* () {
      const id = yield* enqueue()
      const row = yield* claimOne
      const answer = yield* cancel()
      if (answer._tag !== "InFlight") return assert.fail(answer._tag)
      assert.strictEqual(answer.id, id)
      assert.isTrue(DateTime.isGreaterThan(answer.leaseUntil, yield* DateTime.now))
      assert.isTrue(yield* settle(row, "sent"))
      assert.deepStrictEqual(yield* cancel(), { _tag: "TooLate", id, state: "sent" })
      assert.deepStrictEqual(yield* storyOf("order-1"), ["sent 1"])
    }))

  test("comes too late for every end", () =>
    Effect.gen(function* () {
      for (const kind of ["sent", "dead", "uncertain", "expired"] as const) {
        const id = yield* ended(kind, transaction(kind))
        assert.deepStrictEqual(yield* cancel(kind), { _tag: "TooLate", id, state: kind })
      }
    }))

  test("tells that an attempt before may have got through", () =>
    Effect.gen(function* () {
      yield* ended("retry")
      assert.deepInclude(yield* cancel(), { _tag: "Cancelled", mayHaveBeenSent: true })
      assert.deepStrictEqual(yield* storyOf("order-1"), ["retry 1", "cancelled 1"])
    }))

  test("takes a lease that ran out for an unknown outcome, and fences off who held it", () =>
    Effect.gen(function* () {
      yield* enqueue()
      const row = yield* claimOne
      yield* runOutLeases
      assert.deepInclude(yield* cancel(), { _tag: "Cancelled", mayHaveBeenSent: true })
      assert.deepStrictEqual(yield* storyOf("order-1"), ["lapsed 0", "cancelled 0"])
      assert.isFalse(yield* settle(row, "sent"))
      assert.deepStrictEqual(yield* storyOf("order-1"), ["lapsed 0", "cancelled 0"])
    }))

  test("knows when there is no such message", () =>
    Effect.gen(function* () {
      yield* enqueue(transaction("order-1"), { account: "other" })
      assert.deepInclude(yield* Effect.flip(cancel()), { _tag: "MessageNotFound", trackingId: "order-1" })
    }))

  test("tells who listens, once it is committed", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const stream = yield* CascadeEvents.CascadeEvents.use(({ subscribe }) => subscribe)
      const cancelled = yield* stream.pipe(
        Stream.filter(({ _tag }) => _tag === "Cancelled"),
        Stream.runHead,
        Effect.forkChild({ startImmediately: true })
      )
      yield* enqueue(transaction("order-1"))
      yield* enqueue(flashCall("order-2"))
      yield* Effect.flip(outbox.transaction(Effect.andThen(cancel(), Effect.fail("no"))))
      assert.strictEqual((yield* workOf("order-1")).length, 1)
      yield* cancel("order-2")
      const event = yield* Effect.flatMap(Fiber.join(cancelled), Effect.fromOption)
      assert.instanceOf(event, CascadeEvent.Cancelled)
      assert.deepInclude(event, {
        trackingId: "order-2",
        messageType: "flashcall",
        account: "default",
        toPhone: "+38067*****33"
      })
    }))
})

Operated.onOperated("cancel in a race", (test) => {
  test("with a claim that has the row: it waits, and then it is in flight", () =>
    Effect.gen(function* () {
      yield* enqueue()
      const sql = yield* SqlClient.SqlClient
      // The bare statement: a claim of the store has ended by itself before anybody can wait for it.
      const claimed = statements.claim(sql, Tables.make(sql, "cascade"), {
        capacities: [{ lane: "default/high", limit: 1 }],
        leaseMillis: Duration.toMillis(lease),
        relay: "another",
        lapseReason: "{}"
      })
      const answer = yield* oneAfterTheOther(claimed, cancel())
      assert.strictEqual(answer._tag, "InFlight")
      assert.strictEqual((yield* workOf("order-1")).length, 1)
    }))

  test("with a claim that comes later: the claim leaves the row out", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const { store } = yield* anotherStore()
      yield* enqueue(transaction("order-1"))
      yield* enqueue(transaction("order-2"))
      yield* outbox.transaction(
        Effect.gen(function* () {
          yield* cancel()
          const rows = yield* store.claim([{ lane: "default/high", limit: 10 }], { lease, relay: "another" })
          assert.deepStrictEqual(
            rows.map(({ trackingId }) => trackingId),
            ["order-2"]
          )
        })
      )
      assert.deepStrictEqual(yield* storyOf("order-1"), ["cancelled 0"])
    }))

  test("with a settle that ends it: it waits, and then it is too late", () =>
    Effect.gen(function* () {
      const id = yield* enqueue()
      const row = yield* claimOne
      const answer = yield* oneAfterTheOther(settle(row, "sent"), cancel())
      assert.deepStrictEqual(answer, { _tag: "TooLate", id, state: "sent" })
    }))

  test("with a settle that gives it back: it waits, and then calls it off", () =>
    Effect.gen(function* () {
      yield* enqueue()
      const row = yield* claimOne
      const answer = yield* oneAfterTheOther(settle(row, "released"), cancel())
      assert.strictEqual(answer._tag, "Cancelled")
      assert.deepStrictEqual(yield* storyOf("order-1"), ["cancelled 0"])
    }))

  test("of many, one calls it off", () =>
    Effect.gen(function* () {
      yield* enqueue()
      const answers = yield* Effect.all(
        Array.from({ length: 10 }, () => cancel()),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(answers.filter(({ _tag }) => _tag === "Cancelled").length, 1)
      assert.strictEqual(answers.filter(({ _tag }) => _tag === "TooLate").length, 9)
    }))

  test("with many claims: each message is called off or claimed, never both", () =>
    Effect.gen(function* () {
      const all = ids("order", 200)
      const outbox = yield* Outbox
      yield* outbox.transaction(outbox.enqueueAll(all.map((id) => promo(id))))
      const [answers, ...claims] = yield* Effect.all(
        [
          Effect.forEach(all, (id) => Effect.map(cancel(id), ({ _tag }) => ({ id, _tag })), {
            concurrency: 8
          }),
          ...Array.from({ length: 60 }, () => claim(5, ["default/low"]))
        ] as const,
        { concurrency: "unbounded" }
      )
      const claimed = claims.flat().map(({ trackingId }) => trackingId)
      const tagged = (tag: string) => answers.flatMap(({ _tag, id }) => (_tag === tag ? [id] : []))
      assert.strictEqual(answers.length, tagged("Cancelled").length + tagged("InFlight").length)
      assert.sameMembers(tagged("InFlight"), claimed)
      assert.strictEqual(new Set(claimed).size, claimed.length)
      const [left] = yield* SqlClient.SqlClient.use(
        (sql) => sql<{ readonly count: number }>`SELECT count(*)::int AS count FROM cascade.work`
      )
      assert.strictEqual(left?.count, claimed.length)
    }))
})
