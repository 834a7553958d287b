import * as Reason from "@effect-cascade/core/TransportReason"
import * as Delivery from "@effect-cascade/core/Delivery"
import * as Lane from "@effect-cascade/outbox/Lane"
import { Outbox } from "@effect-cascade/outbox/Outbox"
import { assert } from "@effect/vitest"
import { DateTime, Effect, Latch, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { anotherStore, onDatabase } from "./support/database.ts"
import { flashCall, ids, promo, survey, transaction } from "./support/messages.ts"
import { drain, listening, startRelay } from "./support/relay.ts"
import { counts, kinds, outcomesOf, storyOf, workOf } from "./support/rows.ts"
import { acceptAll, failAll, recording } from "./support/transport.ts"

const enqueueAll = (...messages: Parameters<Outbox["Service"]["enqueueAll"]>) =>
  Outbox.use((outbox) => outbox.transaction(outbox.enqueueAll(...messages)))

const zero = { sent: 0, retry: 0, deferred: 0, released: 0, uncertain: 0, dead: 0, expired: 0, lost: 0 }

onDatabase("a relay", (test) => {
  test("sends what commits, and settles it", () =>
    Effect.gen(function* () {
      const sent = recording()
      const heard = yield* listening
      const relay = yield* startRelay({ sent, heard }, { name: "relay-7" })
      yield* enqueueAll([transaction("a"), promo("b"), survey("c"), flashCall("d")])
      yield* heard.heard("Accepted", 4)
      assert.sameMembers(sent.sentIds(), ["a", "b", "c", "d"])
      assert.deepStrictEqual(yield* outcomesOf("a"), [
        { kind: "sent", attempt: 1, reason: null, by: null, relay: "relay-7", messageId: "provider-a" }
      ])
      assert.deepStrictEqual(yield* counts, { message: 4, work: 0, outcome: 4, shop: 0 })
      assert.deepStrictEqual(yield* relay.tally, { ...zero, sent: 4 })
      assert.strictEqual(relay.name, "relay-7")
    }))

  test("never sends what was rolled back", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const sent = recording()
      const heard = yield* listening
      yield* startRelay({ sent, heard })
      yield* Effect.flip(
        outbox.transaction(Effect.andThen(outbox.enqueue(transaction("no")), Effect.fail("no")))
      )
      yield* enqueueAll([transaction("yes")])
      yield* heard.heard("Accepted")
      assert.deepStrictEqual(sent.sentIds(), ["yes"])
    }))

  test("two relays over 2,000 messages never send one twice", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const slowly = recording((batch, call) => Effect.delay(acceptAll(batch, call), "1 millis"))
      const all = ids("m", 1_000)
      yield* enqueueAll(all.map((id) => transaction(id)))
      yield* enqueueAll(all.map((id) => promo(`p-${id}`)))
      const options = { batchSize: { high: 7, low: 11 } }
      const relays = yield* Effect.all([
        startRelay({ sent: slowly, heard }, { ...options, name: "first" }),
        startRelay(
          { sent: slowly, heard, store: (yield* anotherStore()).store },
          { ...options, name: "second" }
        )
      ])
      yield* heard.heard("Accepted", 2_000)
      assert.strictEqual(slowly.sentIds().length, 2_000)
      assert.strictEqual(new Set(slowly.sentIds()).size, 2_000)
      assert.deepStrictEqual(yield* counts, { message: 2_000, work: 0, outcome: 2_000, shop: 0 })
      for (const relay of relays) {
        const tally = yield* relay.tally
        assert.isAbove(tally.sent, 0)
        assert.deepStrictEqual(tally, { ...zero, sent: tally.sent })
      }
    }))

  test("never hands a transport more than it takes", () =>
    Effect.gen(function* () {
      const sent = recording(acceptAll, 3)
      yield* enqueueAll(ids("m", 20).map((id) => transaction(id)))
      assert.deepStrictEqual(yield* drain({ sent }), { ...zero, sent: 20 })
      assert.strictEqual(sent.sentIds().length, 20)
      assert.isTrue(sent.batches.every((batch) => batch.length <= 3))
    }))

  for (const [crowd, one, name] of [
    ["urgent", "low", "codes that never end keep no promo from being sent"],
    ["low", "urgent", "promos without number keep no code waiting"]
  ] as const) {
    test(`${name}: each lane has slots of its own`, () =>
      Effect.gen(function* () {
        const heard = yield* listening
        const gate = yield* Latch.make(false)
        // The crowd's slots are taken and stay so; whatever is claimed, some of it still waits.
        const sent = recording((batch, call) =>
          batch.some(({ trackingId }) => trackingId === "one")
            ? acceptAll(batch, call)
            : Effect.andThen(gate.await, acceptAll(batch, call))
        )
        const slots = { [crowd]: 2 }
        const batchSize = { [crowd]: 5 }
        yield* enqueueAll(
          ids("m", 100).map((id) => transaction(id)),
          { priority: crowd }
        )
        yield* startRelay({ sent, heard }, { slots, batchSize })
        yield* sent.called(2)
        yield* enqueueAll([transaction("one")], { priority: one })
        yield* heard.heard("Accepted", 1, "one")
        assert.lengthOf(sent.batches, 3)
        assert.lengthOf(
          sent.sentIds().filter((id) => id !== "one"),
          10
        )
        yield* gate.open
        yield* heard.heard("Accepted", 101)
      }))
  }

  test("sends each account by its own transport, and leaves alone what it does not serve", () =>
    Effect.gen(function* () {
      const sent = recording()
      const tenant = recording()
      yield* enqueueAll([transaction("a")])
      yield* enqueueAll([transaction("a"), promo("b")], { account: "tenant" })
      yield* enqueueAll([transaction("a")], { account: "stranger" })
      yield* drain({ sent }, { accounts: { tenant: tenant.transport } })
      assert.deepStrictEqual(sent.sentIds(), ["a"])
      assert.sameMembers(tenant.sentIds(), ["a", "b"])
      assert.isTrue(tenant.batches.flat().every(({ account }) => account === "tenant"))
      assert.deepInclude(yield* counts, { message: 4, work: 1 })
    }))

  test("sends what an operator moved to another account by that one", () =>
    Effect.gen(function* () {
      const sent = recording()
      const tenant = recording()
      yield* enqueueAll([transaction("a")])
      yield* SqlClient.SqlClient.use((sql) => sql`UPDATE cascade.work SET lane = 'tenant/high'`)
      const tally = yield* drain({ sent }, { accounts: { tenant: tenant.transport } })
      assert.deepStrictEqual([tally.sent, tally.released], [1, 0])
      assert.deepStrictEqual([sent.sentIds(), tenant.sentIds()], [[], ["a"]])
    }))

  test("a message that cannot be read is dead and visible, while its neighbours are sent", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const sent = recording()
      const heard = yield* listening
      yield* enqueueAll(["a", "b", "c", "d"].map((id) => transaction(id)))
      yield* sql`UPDATE cascade.message SET payload = '{"v":1,' WHERE tracking_id = 'b'`
      yield* sql`UPDATE cascade.message SET payload = NULL WHERE tracking_id = 'd'`
      assert.deepStrictEqual(yield* drain({ sent, heard }), { ...zero, sent: 2, dead: 2 })
      assert.sameMembers(sent.sentIds(), ["a", "c"])
      yield* heard.heard("Dead", 2)
      assert.deepInclude((yield* outcomesOf("b"))[0], { kind: "dead", reason: "Unencodable" })
      assert.deepStrictEqual(
        heard.all.flatMap((event) =>
          event._tag === "Dead"
            ? [[event.trackingId, event.messageType, event.account, event.reason.message]]
            : []
        ),
        [
          ["b", "transaction", "default", "the message cannot be put on the wire: the payload is not JSON"],
          ["d", "transaction", "default", "the message cannot be put on the wire: the payload is missing"]
        ]
      )
    }))

  test("work without its message is dead", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const sent = recording()
      yield* enqueueAll([transaction("gone"), transaction("there")])
      yield* sql`DELETE FROM cascade.message WHERE tracking_id = 'gone'`
      assert.deepStrictEqual(yield* drain({ sent }), { ...zero, sent: 1, dead: 1 })
      assert.deepStrictEqual(sent.sentIds(), ["there"])
      assert.deepStrictEqual(yield* counts, { message: 1, work: 0, outcome: 2, shop: 0 })
    }))

  test("what the provider refuses is dead, and the rest of its batch is sent", () =>
    Effect.gen(function* () {
      const refused = new Reason.Rejected({ status: 400, code: "INVALID_PHONE", field: "toPhone" })
      const sent = recording((batch) =>
        Effect.succeed(
          batch.map(({ trackingId }) =>
            trackingId === "bad"
              ? Delivery.notAccepted(trackingId, refused)
              : Delivery.accepted(trackingId, "m")
          )
        )
      )
      yield* enqueueAll([transaction("a"), transaction("bad"), transaction("b")])
      assert.deepStrictEqual(yield* drain({ sent }), { ...zero, sent: 2, dead: 1 })
      assert.strictEqual(sent.batches.length, 1)
      assert.deepInclude((yield* outcomesOf("bad"))[0], { kind: "dead", attempt: 1, reason: "Rejected" })
    }))

  test("what is past its deadline is expired and never sent", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const sent = recording()
      const heard = yield* listening
      yield* enqueueAll([transaction("late", { ttl: "1 minute" }), transaction("live", { ttl: "1 minute" })])
      yield* sql`UPDATE cascade.message SET deadline = now() WHERE tracking_id = 'late'`
      assert.deepStrictEqual(yield* drain({ sent, heard }), { ...zero, sent: 1, expired: 1 })
      assert.deepStrictEqual(sent.sentIds(), ["live"])
      assert.deepStrictEqual(yield* storyOf("late"), ["expired 0"])
      yield* heard.heard("Expired", 1, "late")
      // The transport sees the deadline, so that it can tell the provider what is left.
      const [envelope] = sent.batches.flat()
      assert.isTrue(
        envelope?.deadline !== undefined && DateTime.isGreaterThan(envelope.deadline, envelope.createdAt)
      )
    }))

  test("does not touch what is due later", () =>
    Effect.gen(function* () {
      const sent = recording()
      const tomorrow = DateTime.addDuration(yield* DateTime.now, "1 day")
      yield* enqueueAll([transaction("later", { scheduledSent: tomorrow }), transaction("now")])
      assert.deepStrictEqual(yield* drain({ sent }), { ...zero, sent: 1 })
      assert.deepInclude((yield* workOf("later"))[0], { lease: 0, started: 0 })
    }))

  test("tells by events what it has written, and nothing else", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const heard = yield* listening
      const reasons = {
        rejected: new Reason.Rejected({ status: 422 }),
        unknown: new Reason.ServerError({ status: 500 })
      }
      const sent = recording((batch) =>
        Effect.succeed(
          batch.map(({ trackingId }) =>
            trackingId === "rejected" || trackingId.startsWith("unknown")
              ? Delivery.notAccepted(trackingId, reasons[trackingId === "rejected" ? "rejected" : "unknown"])
              : Delivery.accepted(trackingId, "m")
          )
        )
      )
      yield* enqueueAll([
        transaction("fine"),
        transaction("rejected"),
        transaction("unknown"),
        promo("unknown-held"),
        transaction("late", { ttl: "1 minute" })
      ])
      yield* sql`UPDATE cascade.message SET deadline = now() WHERE tracking_id = 'late'`
      yield* startRelay({ sent, heard })
      yield* heard.heard("Uncertain", 2)
      const expected = {
        fine: ["sent 1"],
        rejected: ["dead 1"],
        unknown: ["retry 1", "retry 2", "uncertain 3"],
        "unknown-held": ["uncertain 1"],
        late: ["expired 0"]
      }
      for (const [id, story] of Object.entries(expected))
        assert.deepStrictEqual(yield* storyOf(id), story, id)
      assert.sameMembers(heard.told(), [
        "Accepted fine",
        "Dead rejected",
        "RetryScheduled unknown",
        "RetryScheduled unknown",
        "Uncertain unknown",
        "Uncertain unknown-held",
        "Expired late"
      ])
      for (const event of heard.all) {
        if ("toPhone" in event) assert.strictEqual(event.toPhone, "+38067*****33")
        if (event._tag === "RetryScheduled")
          assert.isTrue(DateTime.isGreaterThanOrEqualTo(event.nextAt, event.at))
      }
      assert.deepStrictEqual(
        heard.all.flatMap((event) => (event._tag === "RetryScheduled" ? [event.attempt] : [])),
        [1, 2]
      )
    }))
})

onDatabase("drain", (test) => {
  test("ends when nothing is due, and where there is nothing", () =>
    Effect.gen(function* () {
      const sent = recording()
      assert.deepStrictEqual(yield* drain({ sent }), zero)
      yield* enqueueAll(ids("m", 500).map((id) => promo(id)))
      assert.deepStrictEqual(yield* drain({ sent }), { ...zero, sent: 500 })
      assert.deepStrictEqual(yield* drain({ sent }), zero)
    }))

  test("leaves the rows of a lane that pauses, and ends", () =>
    Effect.gen(function* () {
      const sent = recording(failAll(new Reason.Throttled({ status: 429 })))
      yield* enqueueAll(ids("m", 500).map((id) => transaction(id)))
      const heard = yield* listening
      const tally = yield* drain(
        { sent, heard },
        { pause: { backoff: Schedule.spaced("1 hour") }, batchSize: { high: 100 } }
      )
      // Four batches were claimed together. Those that had begun met one and the same obstacle; the others were given
      // back once it was known.
      assert.deepStrictEqual(tally, { ...zero, deferred: tally.deferred, released: 400 - tally.deferred })
      assert.isAtLeast(tally.deferred, 100)
      yield* heard.heard("LanePaused", 4)
      assert.sameMembers(
        heard.told(),
        Lane.ofAccount("default").map((lane) => `LanePaused ${lane}`)
      )
      assert.deepInclude(yield* counts, { work: 500 })
      assert.deepStrictEqual(Object.keys(yield* kinds), ["deferred"])
    }))
})
