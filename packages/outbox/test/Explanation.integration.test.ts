import * as Reason from "@effect-cascade/core/TransportReason"
import { Outbox } from "@effect-cascade/outbox/Outbox"
import { OutboxAdmin } from "@effect-cascade/outbox/OutboxAdmin"
import { OutboxAdminStore } from "@effect-cascade/outbox/OutboxAdminStore"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import { assert } from "@effect/vitest"
import { DateTime, Duration, Effect } from "effect"
import { SqlClient } from "effect/sql"
import * as Operated from "./support/admin.ts"
import { ids, promo, transaction } from "./support/messages.ts"

const { claim, ended, enqueue, runOutLeases, settle } = Operated

const explain = (trackingId = "order-1") => OutboxAdmin.use((admin) => admin.explain("default", trackingId))

const sql = (statement: string) => SqlClient.SqlClient.use((client) => client.unsafe(statement))

const pauseByRelay = (duration: Duration.Duration) =>
  OutboxStore.use((store) =>
    store.pauseLanes({
      lanes: ["default/high"],
      duration,
      reason: new Reason.Throttled({ status: 429 }),
      trips: 1
    })
  )

Operated.onOperated("explain", (test) => {
  test("a message that nobody knows", () =>
    Effect.gen(function* () {
      const explanation = yield* explain()
      assert.strictEqual(explanation._tag, "Unknown")
      assert.match(explanation.sentence, /there is no message order-1 of account default/u)
    }))

  test("one that is scheduled", () =>
    Effect.gen(function* () {
      const now = yield* DateTime.now
      const availableAt = DateTime.add(now, { hours: 2 })
      yield* enqueue(transaction("order-1", { ttl: "3 hours" }), { availableAt })
      const explanation = yield* explain()
      if (explanation._tag !== "Waiting") return assert.fail(explanation._tag)
      assert.strictEqual(explanation.because, "scheduled")
      assert.strictEqual(DateTime.toEpochMillis(explanation.until), DateTime.toEpochMillis(availableAt))
      assert.approximately(Duration.toHours(explanation.ttlLeft ?? Duration.zero), 3, 0.1)
      assert.deepInclude(explanation, {
        attempts: 0,
        mayHaveBeenSent: false,
        evidence: [],
        lane: "default/high"
      })
    }))

  test("one that waits for another attempt", () =>
    Effect.gen(function* () {
      yield* ended("retry")
      const explanation = yield* explain()
      if (explanation._tag !== "Waiting") return assert.fail(explanation._tag)
      assert.deepInclude(explanation, { because: "retry", attempts: 1, mayHaveBeenSent: true })
      assert.strictEqual(explanation.lastReason?.tag, "ServerError")
      assert.deepStrictEqual(
        explanation.evidence.map(({ kind }) => kind),
        ["retry"]
      )
      // Given back by a lane at fault later on, it is due again, and its doubt stays.
      yield* sql(`UPDATE cascade.work SET due_at = now()`)
      const [row] = yield* claim()
      yield* settle(row ?? assert.fail(), "deferred", new Reason.Unreachable({ code: "ECONNREFUSED" }))
      const deferred = yield* explain()
      if (deferred._tag !== "Due") return assert.fail(deferred._tag)
      assert.strictEqual(deferred.lastReason?.tag, "Unreachable")
      assert.deepStrictEqual(
        deferred.evidence.map(({ kind }) => kind),
        ["retry"]
      )
    }))

  test("one that is due, with those before it", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      yield* Effect.forEach(ids("before", 7), (id) => enqueue(transaction(id)))
      yield* enqueue(transaction("order-1"))
      yield* enqueue(transaction("after"))
      yield* enqueue(promo("elsewhere"))
      yield* enqueue(transaction("later"), { availableAt: DateTime.add(yield* DateTime.now, { hours: 1 }) })
      yield* outbox.transaction(outbox.enqueue(transaction("other"), { account: "other" }))
      // Those in flight are taken already.
      yield* claim(2)
      const explanation = yield* explain()
      assert.deepInclude(explanation, { _tag: "Due", ahead: 5, onProbation: false, lane: "default/high" })
      // By the claim's own order: it comes after just as many.
      const rows = yield* claim(6)
      assert.strictEqual(rows.at(-1)?.trackingId, "order-1")
    }))

  test("counts no further than it has to", () =>
    Effect.gen(function* () {
      const store = yield* OutboxAdminStore
      yield* Effect.forEach(ids("before", 7), (id) => enqueue(transaction(id)))
      yield* enqueue(transaction("order-1"))
      const row = yield* store.explain("default", "order-1", { aheadLimit: 3 })
      assert.strictEqual(row?.work?.ahead, 3)
    }))

  test("one whose lane is paused, by a relay and by an operator", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      yield* enqueue()
      yield* pauseByRelay(Duration.hours(1))
      const throttled = yield* explain()
      if (throttled._tag !== "LanePaused") return assert.fail(throttled._tag)
      assert.deepInclude(throttled.pause, { state: "paused", lane: "default/high", trips: 1 })
      assert.strictEqual(throttled.pause.reason?.tag, "Throttled")
      assert.isDefined(throttled.pause.until)

      yield* admin.pause({ lane: "default/high" }, "wrong text")
      const held = yield* explain()
      if (held._tag !== "LanePaused") return assert.fail(held._tag)
      assert.deepInclude(held.pause, { note: "wrong text" })
      assert.notProperty(held.pause, "until")

      yield* admin.resume({ lane: "default/high" })
      assert.strictEqual((yield* explain())._tag, "Due")
      yield* admin.pause({ lane: "default/low" })
      assert.strictEqual((yield* explain())._tag, "Due")
    }))

  test("one whose lane is being tried again", () =>
    Effect.gen(function* () {
      yield* enqueue()
      yield* pauseByRelay(Duration.hours(1))
      yield* sql(`UPDATE cascade.lane SET paused_until = now() - interval '1 s'`)
      assert.deepInclude(yield* explain(), { _tag: "Due", onProbation: true })
    }))

  test("one that a relay has", () =>
    Effect.gen(function* () {
      yield* enqueue()
      yield* claim()
      const explanation = yield* explain()
      if (explanation._tag !== "InFlight") return assert.fail(explanation._tag)
      assert.strictEqual(
        Math.round(Duration.toSeconds(DateTime.distance(explanation.asOf, explanation.leaseUntil)) / 30),
        1
      )
      assert.isFalse(explanation.mayHaveBeenSent)
      yield* sql(`UPDATE cascade.work SET leased_at = '2026-03-01 12:00:00+00'`)
      const dated = yield* explain()
      assert.strictEqual(
        dated._tag === "InFlight" && dated.since && DateTime.formatIso(dated.since),
        "2026-03-01T12:00:00.000Z"
      )
    }))

  test("one whose relay died: it is due, and may have been sent", () =>
    Effect.gen(function* () {
      yield* enqueue()
      yield* claim()
      yield* runOutLeases
      const explanation = yield* explain()
      assert.deepInclude(explanation, { _tag: "Due", mayHaveBeenSent: true })
      // The next claim writes it down; then it is the same doubt, not another.
      const [row] = yield* claim()
      const again = yield* explain()
      assert.deepInclude(again, { _tag: "InFlight", mayHaveBeenSent: true })
      assert.deepStrictEqual(again._tag === "Unknown" ? [] : again.evidence.map(({ kind }) => kind), [
        "lapsed"
      ])
      assert.isTrue(row?.lapsed)
    }))

  test("one that is over, or waits for an operator", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      for (const kind of ["sent", "dead", "uncertain", "expired"] as const) {
        yield* ended(kind, transaction(kind))
        const explanation = yield* explain(kind)
        if (explanation._tag !== "Ended") return assert.fail(explanation._tag)
        assert.strictEqual(explanation.state, kind)
        assert.strictEqual(explanation.end?.kind, kind)
        assert.deepStrictEqual(explanation.mayHaveBeenSent, kind !== "sent")
      }
      yield* enqueue(transaction("cancelled"))
      yield* admin.cancel("default", "cancelled")
      yield* admin.discard({ state: "dead", limit: 1 })
      yield* admin.resolve((yield* admin.read("default", "uncertain")).id, "sent")
      const states = yield* Effect.forEach(["cancelled", "dead", "uncertain"], (id) =>
        Effect.map(explain(id), (explanation) => explanation._tag === "Ended" && explanation.state)
      )
      assert.deepStrictEqual(states, ["cancelled", "discarded", "resolved"])
    }))

  test("one that was changed by hand", () =>
    Effect.gen(function* () {
      yield* enqueue()
      yield* sql(`DELETE FROM cascade.work`)
      assert.deepInclude(yield* explain(), { _tag: "Ended", state: "lost" })
    }))

  test("agrees with the claim about every row", () =>
    Effect.gen(function* () {
      const all = ids("order", 40)
      yield* Effect.forEach(all, (id) => enqueue(transaction(id)))
      // Each in another state of due time and lease, the borders included.
      yield* sql(`
        WITH numbered AS (SELECT message_id, row_number() OVER (ORDER BY message_id) AS n FROM cascade.work)
        UPDATE cascade.work AS work
        SET
          due_at = now() + ((n % 4) - 2) * interval '1 hour',
          lease_until = CASE n % 5
            WHEN 0 THEN NULL WHEN 1 THEN now() WHEN 2 THEN now() - interval '1 h' ELSE now() + interval '1 h'
          END
        FROM numbered WHERE numbered.message_id = work.message_id`)
      const explanations = yield* Effect.forEach(all, (id) =>
        Effect.map(explain(id), ({ _tag }) => ({ id, _tag }))
      )
      const due = explanations.flatMap(({ _tag, id }) => (_tag === "Due" ? [id] : []))
      const claimed = (yield* claim(100)).map(({ trackingId }) => trackingId)
      assert.sameMembers(due, claimed)
      assert.isAbove(due.length, 5)
      assert.isBelow(due.length, 35)
    }))
})
