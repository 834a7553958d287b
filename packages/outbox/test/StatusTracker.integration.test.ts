import { LaneResumed } from "@effect-cascade/core/CascadeEvent"
import { NotFound, StatusError } from "@effect-cascade/core/StatusLookup"
import * as Reason from "@effect-cascade/core/TransportReason"
import { Outbox } from "@effect-cascade/outbox/Outbox"
import { StatusStore } from "@effect-cascade/outbox/StatusStore"
import { PgClient } from "@effect/sql-pg"
import { assert } from "@effect/vitest"
import { Clock, DateTime, Deferred, Duration, Effect, Exit, Random, Schedule, Scope } from "effect"
import { SqlClient } from "effect/sql"
import { connect, terminateOthers } from "./support/database.ts"
import {
  accepted,
  anotherStatusStore,
  changes,
  endPauses,
  hint,
  intake,
  inTurn,
  makeDue,
  onFollowed,
  refuses,
  report,
  runOnce,
  runOutLeases,
  says,
  scripted,
  settledAs,
  startTracker,
  statusRow
} from "./support/followed.ts"
import { ids, promo, transaction } from "./support/messages.ts"
import { drain, listening } from "./support/relay.ts"
import { acceptAll, recording } from "./support/transport.ts"

onFollowed("a tracker", (test) => {
  test("follows what a relay accepts to its end, and tells of each change once", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const outbox = yield* Outbox
      yield* outbox.transaction(outbox.enqueueAll([transaction("a"), promo("b")]))
      yield* drain({ sent: recording() })
      const lookup = scripted(
        inTurn(says("scheduled"), says("processing"), says("processing"), says("delivered"))
      )
      for (let round = 1; round <= 5; round++) {
        yield* runOnce({ lookup, events: heard.events })
        yield* makeDue
      }
      assert.sameMembers(lookup.asked, Array.from({ length: 4 }, () => ["provider-a", "provider-b"]).flat())
      yield* heard.heard("StatusChanged", 6)
      assert.deepStrictEqual(
        changes(heard.all).filter((line) => line.startsWith("a:")),
        ["a: nothing -> scheduled", "a: scheduled -> processing", "a: processing -> delivered"]
      )
      const event = heard.all.find((event) => event._tag === "StatusChanged" && event.trackingId === "a")
      assert.include(event, { account: "default", messageType: "transaction", messageId: "provider-a" })
      const tracker = yield* intake(yield* StatusStore)
      assert.deepInclude(yield* tracker.status("default", "b"), {
        messageId: "provider-b",
        state: { status: "delivered", confirmed: true },
        following: false,
        checks: 4
      })
    }))

  test("begins nothing that is not written down with the outcome, whatever breaks", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const outbox = yield* Outbox
      yield* outbox.transaction(outbox.enqueueAll(ids("m", 20).map((id) => transaction(id))))
      // The database refuses one of the rows: then the outcome is not there either.
      yield* sql`ALTER TABLE cascade.delivery_status ADD CONSTRAINT broken CHECK (provider_message_id <> 'provider-m-7')`
      yield* drain({ sent: recording() }, { batchSize: { high: 5 } })
      yield* sql`ALTER TABLE cascade.delivery_status DROP CONSTRAINT broken`
      const tables = sql`
        SELECT
          (SELECT count(*)::int FROM cascade.outcome WHERE kind = 'sent') AS sent,
          (SELECT count(*)::int FROM cascade.delivery_status) AS followed,
          (SELECT count(*)::int FROM cascade.work) AS work`
      assert.deepStrictEqual(yield* tables, [{ sent: 15, followed: 15, work: 5 }])
      yield* sql`UPDATE cascade.work SET lease_until = now() - interval '1 second'`
      yield* drain({ sent: recording() })
      assert.deepStrictEqual(yield* tables, [{ sent: 20, followed: 20, work: 0 }])
    }))

  test("shares the work with others, and asks about none twice at a time", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const all = ids("m", 300)
      yield* accepted(all)
      const underWay = new Set<string>()
      const lookup = scripted((messageId, call) =>
        Effect.gen(function* () {
          assert.isFalse(underWay.has(messageId), messageId)
          underWay.add(messageId)
          yield* Effect.sleep("1 millis")
          underWay.delete(messageId)
          return yield* says("delivered")(messageId, call)
        })
      )
      const trackers = yield* Effect.forEach(Array.from({ length: 4 }), () =>
        Effect.flatMap(anotherStatusStore, (store) =>
          startTracker({ lookup, store, events: heard.events }, { batch: 7 })
        )
      )
      yield* heard.heard("StatusChanged", 300)
      assert.strictEqual(lookup.asked.length, 300)
      assert.strictEqual(new Set(changes(heard.all)).size, 300)
      const tallies = yield* Effect.forEach(trackers, (tracker) => tracker.tally)
      assert.strictEqual(
        tallies.reduce((sum, { answered }) => sum + answered, 0),
        300
      )
      assert.isAbove(tallies.filter(({ answered }) => answered > 0).length, 1)
    }))

  test("goes on where another was killed", () =>
    Effect.gen(function* () {
      const store = yield* StatusStore
      yield* accepted(ids("m", 10))
      // Killed: what it held is neither settled nor given back.
      const held = yield* store.claim([{ account: "default", limit: 100 }], Duration.minutes(1))
      assert.strictEqual(held.length, 10)
      const lookup = scripted(says("delivered"))
      yield* runOnce({ lookup })
      assert.deepStrictEqual(lookup.asked, [])
      yield* runOutLeases
      assert.deepInclude(yield* runOnce({ lookup }), { answered: 10 })
      assert.strictEqual(lookup.asked.length, 10)
    }))

  test("gives back what it is asking about when it stops, for others to ask at once", () =>
    Effect.gen(function* () {
      yield* accepted(ids("m", 30))
      const hanging = scripted(() => Effect.never)
      const scope = yield* Scope.make()
      yield* Scope.provide(startTracker({ lookup: hanging }, { concurrency: 4 }), scope)
      yield* hanging.called(4)
      yield* Scope.close(scope, Exit.void)
      const lookup = scripted(says("delivered"))
      assert.deepInclude(yield* runOnce({ lookup }), { answered: 30, lost: 0 })
      assert.include(yield* statusRow("m-0"), { checks: 1, status: "delivered" })
    }))

  test("goes on when the database has thrown everybody out", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      const heard = yield* listening
      yield* accepted(ids("m", 60))
      const gate = yield* Deferred.make<void>()
      const lookup = scripted((id, call) => Effect.andThen(Deferred.await(gate), says("delivered")(id, call)))
      yield* startTracker({ lookup, store: yield* anotherStatusStore, events: heard.events })
      yield* lookup.called(8)
      const watcher = yield* connect({ applicationName: "watcher" })
      yield* terminateOthers(watcher)
      yield* Deferred.succeed(gate, undefined)
      yield* heard.heard("StatusChanged", 60)
      const [row] =
        yield* sql`SELECT count(*)::int AS delivered FROM cascade.delivery_status WHERE status = 'delivered'`
      assert.deepStrictEqual(row, { delivered: 60 })
    }))

  test("lives by the database's clock alone", () =>
    Effect.gen(function* () {
      yield* accepted(["a", "b"])
      yield* accepted(["deadline"], { ttl: "1 hour" })
      const lookup = scripted(says("processing"))
      const clock = yield* Clock.Clock
      for (const off of [-400, 400]) {
        const millis = () => clock.currentTimeMillisUnsafe() + off * 24 * 3_600_000
        const skewed: Clock.Clock = {
          currentTimeMillisUnsafe: millis,
          currentTimeNanosUnsafe: () => BigInt(millis()) * 1_000_000n,
          monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
          currentTimeMillis: Effect.sync(millis),
          currentTimeNanos: Effect.sync(() => BigInt(millis()) * 1_000_000n),
          monotonicTimeNanos: clock.monotonicTimeNanos,
          sleep: (duration) => clock.sleep(duration)
        }
        const tally = yield* runOnce({ lookup }).pipe(Effect.provideService(Clock.Clock, skewed))
        assert.deepInclude(tally, { answered: 3, gaveUp: 0 })
        for (const id of ["a", "b", "deadline"]) {
          const { dueIn } = (yield* statusRow(id)) ?? assert.fail("not followed")
          assert.isAbove(dueIn ?? 0, 0, id)
          assert.isAtMost(dueIn ?? 0, 5_000, id)
        }
        yield* makeDue
      }
      // A deadline that passed more than an hour ago gets one last look.
      const sql = yield* SqlClient.SqlClient
      yield* sql`UPDATE cascade.message SET deadline = now() - interval '61 minutes' WHERE tracking_id = 'deadline'`
      yield* sql`UPDATE cascade.delivery_status SET accepted_at = accepted_at - interval '71 hours'`
      assert.deepInclude(yield* runOnce({ lookup }), { answered: 3, gaveUp: 1 })
      assert.include(yield* statusRow("deadline"), { dueIn: null, status: "processing" })
      yield* sql`UPDATE cascade.delivery_status SET accepted_at = accepted_at - interval '61 minutes'`
      yield* makeDue
      assert.deepInclude(yield* runOnce({ lookup }), { answered: 2, gaveUp: 2 })
    }))
})

onFollowed("an obstacle", (test) => {
  test("that one tracker meets stops all of them", () =>
    Effect.gen(function* () {
      yield* accepted(ids("m", 30))
      yield* accepted(["other"], { account: "second" })
      const retryAfter = Duration.minutes(10)
      const throttled = scripted(refuses(new Reason.Throttled({ status: 429, retryAfter })))
      const first = yield* runOnce({ lookup: throttled }, { concurrency: 1 })
      assert.deepInclude(first, { released: 30, answered: 0, failed: 0 })
      assert.strictEqual(throttled.asked.length, 1)
      const sql = yield* SqlClient.SqlClient
      const [pause] = yield* sql<{ readonly left: number }>`
        SELECT extract(epoch FROM paused_until - now())::float8 AS left FROM cascade.status_pause`
      assert.isAtMost(pause?.left ?? 0, 600)
      assert.isAbove(pause?.left ?? 0, 590)

      const lookup = scripted(says("delivered"))
      const store = yield* anotherStatusStore
      assert.deepInclude(yield* runOnce({ lookup, store }, { accounts: { second: lookup.shape } }), {
        answered: 1
      })
      assert.deepStrictEqual(lookup.asked, ["provider-other"])
      yield* endPauses
      assert.deepInclude(yield* runOnce({ lookup, store }), { answered: 30 })
      assert.include(yield* statusRow("m-0"), { checks: 1 })
    }))

  test("of one message alone is that message's own", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      yield* accepted(["known", "unknown", "fails"])
      const lookup = scripted((id, call) => {
        if (id === "provider-unknown") return Effect.fail(new StatusError({ reason: new NotFound({}) }))
        if (id === "provider-fails") return refuses(new Reason.ServerError({ status: 500 }))(id, call)
        return says("delivered")(id, call)
      })
      for (let round = 1; round <= 7; round++) {
        yield* runOnce({ lookup, events: heard.events })
        yield* makeDue
      }
      const times = (id: string) => lookup.asked.filter((asked) => asked === `provider-${id}`).length
      assert.deepStrictEqual([times("known"), times("unknown"), times("fails")], [1, 5, 7])
      assert.include(yield* statusRow("unknown"), {
        status: "unrecognised",
        confirmed: false,
        dueIn: null,
        misses: 5
      })
      assert.include(yield* statusRow("fails"), { status: null, misses: 0, checks: 7 })
      yield* heard.heard("StatusChanged", 2)
      assert.sameMembers(
        [...changes(heard.all)],
        ["known: nothing -> delivered", "unknown: nothing -> unrecognised"]
      )
    }))
})

onFollowed("webhooks and look-ups", (test) => {
  test("tell of each change once between them, and end in one state", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const all = ids("m", 60)
      yield* accepted(all)
      const stores = yield* Effect.all([StatusStore, anotherStatusStore, anotherStatusStore])
      const course = ["scheduled", "processing", "delivered"] as const
      const lookup = scripted(inTurn(...(course.map(says) as [ReturnType<typeof says>])))
      const [first, ...others] = stores
      const receivers = yield* Effect.forEach(others, (store) => intake(store, heard.events))

      const reports = all.flatMap((id) => [
        ...course.map((status) => hint(id, status)),
        hint(id, "processing"),
        hint(id, "undeliverable"),
        report(id, "delivered", { source: "webhook" })
      ])
      const shuffled = yield* Random.shuffle(reports)
      const asking = runOnce({ lookup, store: first, events: heard.events }).pipe(
        Effect.andThen(makeDue),
        Effect.repeat({ times: 5 })
      )
      const receiving = Effect.forEach(
        Array.from(shuffled),
        (one, index) => receivers[index % receivers.length]?.report(one) ?? Effect.void,
        { concurrency: 8, discard: true }
      )
      yield* Effect.all([asking, receiving], { concurrency: "unbounded" })

      for (const id of all) {
        assert.include(yield* statusRow(id), {
          status: "delivered",
          confirmed: true,
          dueIn: null,
          leased: false
        })
      }
      // Each message's changes are one chain, told by whoever made them, link by link.
      // All has been told by now; this comes behind it.
      yield* heard.events.publish(new LaneResumed({ lane: "last", at: yield* DateTime.now }))
      yield* heard.heard("LaneResumed")
      const told = changes(heard.all)
      assert.strictEqual(new Set(told).size, told.length)
      for (const id of all) {
        const links = told
          .filter((line) => line.startsWith(`${id}: `))
          .map((line) => line.slice(id.length + 2).split(" -> "))
        const next = new Map(links.map(([from = "", to = ""]) => [from, to]))
        assert.strictEqual(next.size, links.length)
        let at = "nothing"
        for (let step = 0; step < links.length; step++)
          at = next.get(at) ?? assert.fail(`${id} stops at ${at}`)
        assert.strictEqual(at, "delivered")
      }
    }))

  test("agree soon after a hint: what a webhook claims is asked about next", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      yield* accepted(["true", "forged"])
      const asking = scripted(
        inTurn(says("processing"), (id, call) =>
          says(id === "provider-true" ? "delivered" : "undeliverable")(id, call)
        )
      )
      yield* runOnce({ lookup: asking, events: heard.events }, { schedule: Schedule.spaced("1 hour") })
      const tracker = yield* startTracker({ lookup: asking, events: heard.events })
      yield* tracker.report(hint("true", "delivered"))
      yield* tracker.report(hint("forged", "delivered"))
      // No more is done than to wait: the next look-ups were an hour away.
      yield* asking.called(4)
      yield* heard.heard("StatusChanged", 5)
      assert.sameMembers(
        [...changes(heard.all)],
        [
          "true: nothing -> processing",
          "forged: nothing -> processing",
          "true: processing -> delivered",
          "forged: processing -> delivered",
          "forged: delivered -> undeliverable"
        ]
      )
      yield* settledAs(["true", "forged"], (id) => ({
        status: id === "true" ? "delivered" : "undeliverable",
        confirmed: true,
        dueIn: null
      }))
    }))

  test("may come before the outcome is written: then the look-up tells", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const tracker = yield* intake(yield* StatusStore)
      yield* outbox.transaction(outbox.enqueue(transaction("a")))
      const early = recording((batch, call) =>
        Effect.andThen(Effect.orDie(tracker.report(report("a", "delivered"))), acceptAll(batch, call))
      )
      yield* drain({ sent: early })
      assert.deepInclude(yield* tracker.tally, { reports: 1, unknown: 1 })
      assert.include(yield* statusRow("a"), { status: null })
      yield* runOnce({ lookup: scripted(says("delivered")) })
      assert.include(yield* statusRow("a"), { status: "delivered", confirmed: true })
    }))
})
