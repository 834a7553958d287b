import * as CascadeEvent from "@effect-cascade/core/CascadeEvent"
import * as CascadeEvents from "@effect-cascade/core/CascadeEvents"
import * as Reason from "@effect-cascade/core/TransportReason"
import { Outbox } from "@effect-cascade/outbox/Outbox"
import { OutboxAdmin, Operator } from "@effect-cascade/outbox/OutboxAdmin"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import { PgClient } from "@effect/sql-pg"
import { assert } from "@effect/vitest"
import { DateTime, Duration, Effect, Queue, Stream } from "effect"
import { SqlClient } from "effect/sql"
import * as Operated from "./support/admin.ts"
import { anotherStore, outboxOn } from "./support/database.ts"
import { ids as idsOf, promo, transaction } from "./support/messages.ts"
import { outcomesOf, storyOf, workOf } from "./support/rows.ts"

const { claim, ended, enqueue, settle } = Operated
const rejected = new Reason.Rejected({ status: 400, code: "INVALID_PHONE", field: "toPhone" })
const unknownId = "018d0000-0000-7000-8000-000000000000"

const stateOf = (trackingId: string) =>
  OutboxAdmin.use((admin) => Effect.map(admin.read("default", trackingId), ({ state }) => state))

const sql = (statement: string) => SqlClient.SqlClient.use((client) => client.unsafe(statement))

Operated.onOperated("requeue", (test) => {
  test("makes a dead message due again, with all its attempts, under a lease that goes on", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const id = yield* ended("dead")
      assert.deepStrictEqual(yield* workOf("order-1"), [])
      assert.deepStrictEqual(yield* admin.requeue({ ids: [id] }), [id])
      const [work] = yield* workOf("order-1")
      assert.deepInclude(work, {
        lane: "default/high",
        lease: 2,
        attempts: 0,
        started: 0,
        finished: 0,
        leased: false
      })
      const [row] = yield* claim()
      assert.deepInclude(row, { id, lease: 3n, attempts: 0, lapses: 0, lapsed: false })
      assert.isTrue(yield* settle(row ?? assert.fail(), "sent"))
      assert.deepStrictEqual(yield* storyOf("order-1"), ["dead 1", "requeued 1", "sent 1"])
      assert.strictEqual(yield* stateOf("order-1"), "sent")
    }))

  test("keeps the attempts that were used, if asked to", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const id = yield* ended("dead")
      yield* admin.requeue({ ids: [id] }, { resetAttempts: false })
      assert.deepInclude((yield* workOf("order-1"))[0], { attempts: 1 })
    }))

  test("fences off the relay that ended it", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const id = yield* enqueue()
      const [row] = yield* claim()
      if (row === undefined) return assert.fail("nothing claimed")
      assert.isTrue(yield* settle(row, "uncertain"))
      yield* admin.requeue({ ids: [id] })
      // The same relay, with what it knew before.
      assert.isFalse(yield* settle(row, "sent"))
      const [again] = yield* claim()
      assert.isFalse(yield* settle(row, "dead"))
      assert.isTrue(yield* settle(again ?? assert.fail(), "sent"))
      assert.deepStrictEqual(yield* storyOf("order-1"), ["uncertain 1", "requeued 1", "sent 1"])
    }))

  test("records who did it", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const id = yield* ended("dead")
      yield* admin.requeue({ ids: [id] }).pipe(Effect.provideService(Operator, "olena"))
      assert.deepInclude((yield* outcomesOf("order-1"))[1], { kind: "requeued", relay: "olena" })
    }))

  test("gives an expired message a new deadline, and needs one", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const id = yield* ended("expired", transaction("order-1", { ttl: "1 minute" }))
      yield* sql(`UPDATE cascade.message SET deadline = now() - interval '1 second'`)
      const refused = yield* Effect.flip(admin.requeue({ ids: [id] }))
      assert.deepInclude(refused, { _tag: "MoveRefused", refused: [{ id, because: "deadline-passed" }] })
      const now = yield* DateTime.now
      const past = yield* Effect.flip(
        admin.requeue({ ids: [id] }, { newDeadline: DateTime.subtract(now, { hours: 1 }) })
      )
      assert.deepInclude(past, { _tag: "MoveRefused", refused: [{ id, because: "deadline-passed" }] })
      assert.deepStrictEqual(yield* storyOf("order-1"), ["expired 1"])

      const newDeadline = DateTime.add(now, { hours: 1 })
      assert.deepStrictEqual(yield* admin.requeue({ ids: [id] }, { newDeadline }), [id])
      const [row] = yield* claim()
      assert.approximately(row?.remainingMillis ?? 0, 3_600_000, 60_000)
      const { deadline } = yield* admin.read("default", "order-1")
      assert.strictEqual(
        DateTime.toEpochMillis(deadline ?? assert.fail()),
        DateTime.toEpochMillis(newDeadline)
      )
    }))

  test("refuses what cannot be sent again, and then moves nothing", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const dead = yield* ended("dead", transaction("dead"))
      const scrubbed = yield* ended("expired", transaction("scrubbed"))
      const sent = yield* ended("sent", transaction("sent"))
      const cancelled = yield* enqueue(transaction("cancelled"))
      yield* admin.cancel("default", "cancelled")
      const waiting = yield* enqueue(transaction("waiting"))
      const inFlight = yield* enqueue(promo("in-flight"))
      yield* claim(1, ["default/low"])
      yield* sql(`UPDATE cascade.message SET payload = NULL WHERE id = '${scrubbed}'`)

      const error = yield* Effect.flip(
        admin.requeue({ ids: [dead, scrubbed, sent, cancelled, waiting, inFlight, unknownId] })
      )
      if (error._tag !== "MoveRefused") return assert.fail(error._tag)
      assert.deepStrictEqual(Object.fromEntries(error.refused.map(({ because, id }) => [id, because])), {
        [scrubbed]: "scrubbed",
        [sent]: "sent",
        [cancelled]: "cancelled",
        [waiting]: "waiting",
        [inFlight]: "in-flight",
        [unknownId]: "unknown"
      })
      assert.strictEqual(yield* stateOf("dead"), "dead")
      assert.deepStrictEqual(yield* admin.requeue({ ids: [dead] }), [dead])
    }))

  test("does not repeat what is no id", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const error = yield* Effect.flip(admin.requeue({ ids: ["+380501234567"] }))
      assert.strictEqual(error._tag, "InvalidName")
      assert.notInclude(JSON.stringify(error) + error.message, "380501234567")
      assert.include(error.message, "must be a UUID; `list` or `read` gives it")
      assert.deepStrictEqual(yield* admin.requeue({ ids: [] }), [])
    }))

  test("by a filter moves the first that match, and leaves out what could not be sent", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      for (const id of idsOf("rejected", 4)) yield* ended("dead", transaction(id), rejected)
      for (const id of idsOf("other", 2)) yield* ended("dead", transaction(id))
      yield* ended("dead", promo("promo"), rejected)
      yield* ended("uncertain", transaction("uncertain"), rejected)
      yield* sql(
        `UPDATE cascade.message SET deadline = now() - interval '1 s' WHERE tracking_id = 'rejected-0'`
      )

      const filter = {
        state: "dead",
        reasonTag: "Rejected",
        messageType: "transaction",
        account: "default"
      } as const
      assert.strictEqual((yield* admin.requeue({ ...filter, limit: 2 })).length, 2)
      assert.deepStrictEqual(yield* Effect.forEach(idsOf("rejected", 4), stateOf), [
        "dead",
        "waiting",
        "waiting",
        "dead"
      ])
      assert.strictEqual((yield* admin.requeue({ ...filter, limit: 10 })).length, 1)
      assert.deepStrictEqual(yield* admin.requeue({ ...filter, limit: 10 }), [])
      assert.deepStrictEqual(yield* admin.requeue({ ...filter, account: "other", limit: 10 }), [])
      const states = yield* Effect.forEach(["other-0", "promo", "uncertain"], stateOf)
      assert.deepStrictEqual(states, ["dead", "dead", "uncertain"])
    }))

  test("of two operators at once, one moves each message", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const ids = yield* Effect.forEach(idsOf("order", 20), (id) => ended("dead", transaction(id)))
      const results = yield* Effect.all(
        Array.from({ length: 8 }, () => Effect.result(admin.requeue({ ids }))),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(results.filter(({ _tag }) => _tag === "Success").length, 1)
      assert.strictEqual((yield* claim()).length, 20)

      const others = yield* Effect.forEach(idsOf("other", 20), (id) => ended("dead", transaction(id)))
      const moved = yield* Effect.all(
        Array.from({ length: 8 }, () => admin.requeue({ state: "dead", limit: 5 })),
        { concurrency: "unbounded" }
      )
      const rest = yield* admin.requeue({ state: "dead", limit: 100 })
      assert.sameMembers([...moved.flat(), ...rest], others)
    }))

  test("waits for another session's move, and then finds nothing to do", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const id = yield* ended("dead")
      const error = yield* Operated.oneAfterTheOther(
        admin.discard({ ids: [id] }),
        Effect.flip(admin.requeue({ ids: [id] }))
      )
      assert.deepInclude(error, { _tag: "MoveRefused", refused: [{ id, because: "discarded" }] })
    }))

  test("joins the caller's transaction", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const outbox = yield* Outbox
      const id = yield* ended("dead")
      yield* Effect.flip(outbox.transaction(Effect.andThen(admin.requeue({ ids: [id] }), Effect.fail("no"))))
      assert.strictEqual(yield* stateOf("order-1"), "dead")
    }))

  test("by a filter does not wait for what another session moves, but takes others", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const [first, ...others] = yield* Effect.forEach(idsOf("order", 3), (id) =>
        ended("dead", transaction(id))
      )
      const moved = yield* Operated.meanwhile(
        admin.requeue({ ids: [first ?? assert.fail()] }),
        admin.requeue({ state: "dead", limit: 10 })
      )
      assert.deepStrictEqual(moved, others)
    }))
})

Operated.onOperated("relays in other processes", (test) => {
  test("are told of what is due again", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      // Enqueues without telling anybody.
      const { store } = yield* anotherStore({ wake: "poll" })
      const outbox = yield* outboxOn(store)
      const id = yield* ended("dead").pipe(
        Effect.provideService(OutboxStore, store),
        Effect.provideService(Outbox, outbox)
      )
      const notifications = yield* PgClient.PgClient.use((client) => client.listen("cascade_wake"))
      yield* admin.requeue({ ids: [id] })
      assert.strictEqual((yield* Queue.take(notifications)).channel, "cascade_wake")
    }))
})

Operated.onOperated("discard", (test) => {
  test("ends a dead or an uncertain message for good", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const dead = yield* ended("dead", transaction("dead"))
      const uncertain = yield* ended("uncertain", transaction("uncertain"))
      const expired = yield* ended("expired", transaction("expired"))
      const refused = yield* Effect.flip(admin.discard({ ids: [dead, uncertain, expired] }))
      assert.deepInclude(refused, { refused: [{ id: expired, because: "expired" }] })
      assert.strictEqual(yield* stateOf("dead"), "dead")

      assert.sameMembers([...(yield* admin.discard({ ids: [dead, uncertain] }))], [dead, uncertain])
      assert.deepStrictEqual(yield* storyOf("dead"), ["dead 1", "discarded 1"])
      assert.deepStrictEqual(yield* storyOf("uncertain"), ["uncertain 1", "discarded 1"])
      assert.strictEqual(yield* stateOf("dead"), "discarded")
      const again = yield* Effect.flip(admin.requeue({ ids: [dead] }))
      assert.deepInclude(again, { refused: [{ id: dead, because: "discarded" }] })
      assert.deepInclude((yield* admin.counts).total, { dead: 0, uncertain: 0 })
    }))

  test("by a filter", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      for (const id of idsOf("order", 3)) yield* ended("dead", transaction(id))
      assert.strictEqual((yield* admin.discard({ state: "dead", limit: 2 })).length, 2)
      assert.deepStrictEqual(yield* Effect.forEach(idsOf("order", 3), stateOf), [
        "discarded",
        "discarded",
        "dead"
      ])
    }))
})

Operated.onOperated("resolve", (test) => {
  test("sent: it is over", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const id = yield* ended("uncertain", promo("order-1"))
      yield* admin.resolve(id, "sent")
      const { entries, mayHaveBeenSent, state } = yield* admin.read("default", "order-1")
      assert.deepStrictEqual([state, mayHaveBeenSent], ["resolved", false])
      assert.deepStrictEqual(
        entries.map(({ kind }) => kind),
        ["uncertain", "resolved"]
      )
      assert.deepStrictEqual(yield* claim(), [])
    }))

  test("not sent: it is due again, and no longer in doubt", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const id = yield* ended("uncertain", promo("order-1"))
      yield* admin.resolve(id, "not-sent")
      assert.deepStrictEqual(yield* storyOf("order-1"), ["uncertain 1", "resolved 1", "requeued 1"])
      assert.isFalse((yield* admin.read("default", "order-1")).mayHaveBeenSent)
      const [row] = yield* claim()
      assert.deepInclude(row, { id, lease: 4n })
      assert.isTrue(yield* settle(row ?? assert.fail(), "sent"))
      assert.strictEqual(yield* stateOf("order-1"), "sent")
    }))

  test("is for uncertain messages alone", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const id = yield* ended("dead")
      for (const verdict of ["sent", "not-sent"] as const) {
        const error = yield* Effect.flip(admin.resolve(id, verdict))
        assert.deepInclude(error, {
          _tag: "MoveRefused",
          move: "resolve",
          refused: [{ id, because: "dead" }]
        })
      }
      assert.deepStrictEqual(yield* storyOf("order-1"), ["dead 1"])
    }))
})

Operated.onOperated("pause and resume", (test) => {
  const names = ["default/urgent", "default/high", "default/normal", "default/low"]

  test("an account's lanes, until somebody resumes them", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const store = yield* OutboxStore
      assert.deepStrictEqual(yield* admin.pause({ account: "default" }, "wrong text"), names)
      const { paused } = yield* admin.counts
      assert.sameMembers(
        paused.map(({ lane }) => lane),
        names
      )
      assert.deepInclude(paused[0], { state: "paused", note: "wrong text", trips: 0 })
      assert.notProperty(paused[0], "until")
      // A relay sees it as without an end and without a reason of its own, and does not open it.
      assert.deepStrictEqual(
        (yield* store.lanes).map(({ pausedUntil, reason }) => [pausedUntil, reason]),
        names.map(() => [undefined, undefined])
      )
      assert.deepStrictEqual(yield* store.reopenLanes(["default/high"]), [])

      assert.deepStrictEqual(yield* admin.resume({ lane: "default/low" }), ["default/low"])
      assert.deepStrictEqual(yield* admin.resume({ lane: "default/low" }), [])
      assert.sameMembers([...(yield* admin.resume({ account: "default" }))], names.slice(0, 3))
      assert.deepStrictEqual((yield* admin.counts).paused, [])
    }))

  test("takes over what relays paused, and opens it too", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const store = yield* OutboxStore
      const throttled = new Reason.Throttled({ status: 429 })
      yield* store.pauseLanes({
        lanes: ["default/low"],
        duration: Duration.hours(1),
        reason: throttled,
        trips: 3
      })
      const [before] = (yield* admin.counts).paused
      assert.deepInclude(before, { state: "paused", trips: 3 })
      assert.strictEqual(before?.reason?.tag, "Throttled")
      assert.property(before, "until")
      yield* admin.pause({ lane: "default/low" })
      const [after] = (yield* admin.counts).paused
      assert.notProperty(after, "until")
      assert.notProperty(after, "reason")
      assert.deepStrictEqual(yield* admin.resume({ lane: "default/low" }), ["default/low"])
    }))

  test("knows what a lane is", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      for (const target of [
        { lane: "default" },
        { lane: "default/soon" },
        { lane: "a b/low" },
        { account: "" }
      ]) {
        assert.strictEqual((yield* Effect.flip(admin.pause(target)))._tag, "InvalidName")
        assert.strictEqual((yield* Effect.flip(admin.resume(target)))._tag, "InvalidName")
      }
    }))

  test("says so to who listens, once it is committed", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const outbox = yield* Outbox
      const stream = yield* CascadeEvents.CascadeEvents.use(({ subscribe }) => subscribe)
      yield* Effect.flip(
        outbox.transaction(Effect.andThen(admin.pause({ lane: "default/high" }), Effect.fail("no")))
      )
      yield* admin.pause({ lane: "default/low" }, "night")
      yield* admin.resume({ lane: "default/low" })
      const [paused, resumed] = yield* Stream.runCollect(Stream.take(stream, 2))
      assert.instanceOf(paused, CascadeEvent.LanePaused)
      assert.deepInclude(paused, { lane: "default/low" })
      assert.notProperty(paused, "until")
      assert.instanceOf(resumed, CascadeEvent.LaneResumed)
    }))
})
