import * as Reason from "@effect-cascade/core/TransportReason"
import * as Lane from "@effect-cascade/outbox/Lane"
import { Outbox } from "@effect-cascade/outbox/Outbox"
import { type LanePause, OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import { assert } from "@effect/vitest"
import { Duration, Effect, Latch, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { anotherStore, onDatabase } from "./support/database.ts"
import { ids, promo, transaction } from "./support/messages.ts"
import { altered, listening, startRelay } from "./support/relay.ts"
import { counts, storyOf, workOf } from "./support/rows.ts"
import { makeSignal } from "./support/signal.ts"
import { acceptAll, failAll, inTurn, recording } from "./support/transport.ts"

const enqueueAll = (...messages: Parameters<Outbox["Service"]["enqueueAll"]>) =>
  Outbox.use((outbox) => outbox.transaction(outbox.enqueueAll(...messages)))

const throttled = (retryAfter: Duration.Input) =>
  failAll(new Reason.Throttled({ status: 429, retryAfter: Duration.fromInputUnsafe(retryAfter) }))
const unreachable = failAll(new Reason.Unreachable({ code: "ECONNREFUSED" }))
const unauthorized = failAll(new Reason.Unauthorized({ status: 401 }))

/** The store, with every pause that relays ask of it. */
const watchedPauses = Effect.gen(function* () {
  const pauses: Array<LanePause> = []
  const signal = makeSignal()
  const store = yield* altered((store) => ({
    pauseLanes: (pause) =>
      Effect.tap(store.pauseLanes(pause), () =>
        Effect.sync(() => {
          pauses.push(pause)
          signal.tick()
        })
      )
  }))
  return { store, pauses, paused: (times: number) => signal.until(() => pauses.length >= times) }
})

/** Lets every pause that has an end be over. */
const endPauses = SqlClient.SqlClient.use(
  (sql) => sql`UPDATE cascade.lane SET paused_until = now() WHERE paused_until IS NOT NULL`
)

onDatabase("a provider that asks to slow down", (test) => {
  test("pauses every lane of its account for as long as it asks, and costs no attempt", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const { paused, pauses, store } = yield* watchedPauses
      const sent = recording(inTurn(throttled("10 minutes"), acceptAll))
      const tenant = recording()
      yield* enqueueAll([transaction("first")])
      yield* startRelay({ sent, heard, store }, { accounts: { tenant: tenant.transport } })
      yield* paused(1)
      assert.deepStrictEqual(pauses, [
        {
          lanes: ["default/urgent", "default/high", "default/normal", "default/low"],
          duration: Duration.minutes(10),
          reason: new Reason.Throttled({ status: 429, retryAfter: Duration.minutes(10) }),
          trips: 1
        }
      ])
      yield* heard.heard("LanePaused", 4)
      // The account waits in all its lanes; another goes on.
      yield* enqueueAll([promo("promo"), transaction("second")])
      yield* enqueueAll(
        ids("t", 5).map((id) => promo(id)),
        { account: "tenant" }
      )
      yield* heard.heard("Accepted", 5)
      assert.strictEqual(tenant.sentIds().length, 5)
      assert.deepStrictEqual(sent.sentIds(), ["first"])
      assert.deepStrictEqual(yield* storyOf("first"), ["deferred 0"])
      assert.deepInclude((yield* workOf("first"))[0], { attempts: 0, leased: false })
      for (const id of ["promo", "second"]) {
        assert.deepInclude((yield* workOf(id))[0], { attempts: 0, leased: false })
        assert.deepStrictEqual(yield* storyOf(id), [])
      }
    }))

  test("is tried again with one message, and goes on when that one gets through", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const gate = yield* Latch.make(false)
      const sent = recording(
        inTurn(throttled("10 minutes"), (batch, call) => gate.whenOpen(acceptAll(batch, call)), acceptAll)
      )
      yield* enqueueAll(ids("m", 50).map((id) => transaction(id)))
      yield* startRelay({ sent, heard })
      yield* heard.heard("LanePaused", 4)
      yield* endPauses
      yield* sent.called(2)
      // While the one is under way, nothing else is tried.
      yield* Effect.sleep("100 millis")
      assert.deepStrictEqual(
        sent.batches.map((batch) => batch.length),
        [50, 1]
      )
      yield* gate.open
      yield* heard.heard("Accepted", 50)
      assert.sameMembers(
        heard.told().filter((line) => line.startsWith("LaneResumed")),
        Lane.ofAccount("default").map((lane) => `LaneResumed ${lane}`)
      )
      const store = yield* OutboxStore
      assert.deepStrictEqual(yield* store.lanes, [])
      assert.deepStrictEqual(yield* storyOf("m-49"), ["deferred 0", "sent 1"])
    }))

  test("stops the relays of other processes too, and is tried by one of them", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const one = recording(inTurn(throttled("10 minutes"), acceptAll))
      const two = recording(inTurn(throttled("10 minutes"), acceptAll))
      const { store } = yield* anotherStore()
      const beats = makeSignal()
      let seen = 0
      const watched = {
        ...store,
        lanes: Effect.tap(store.lanes, (rows) =>
          Effect.sync(() => {
            seen = rows.length
            beats.tick()
          })
        )
      }
      yield* startRelay({ sent: two, heard, store: watched }, { heartbeat: "10 millis" })
      // The other relay meets it, and this one learns of it by its heartbeat.
      const [lane] = Lane.ofAccount("default")
      yield* OutboxStore.use((own) =>
        own.pauseLanes({
          lanes: [lane ?? "", ...Lane.ofAccount("default").slice(1)],
          duration: Duration.minutes(10),
          reason: new Reason.Throttled({ status: 429 }),
          trips: 1
        })
      )
      yield* beats.until(() => seen === 4)
      yield* enqueueAll(ids("m", 20).map((id) => transaction(id)))
      yield* Effect.sleep("50 millis")
      assert.deepStrictEqual(two.batches, [])
      yield* startRelay({ sent: one, heard }, { heartbeat: "10 millis" })
      yield* endPauses
      yield* Effect.raceFirst(one.called(1), two.called(1))
      yield* Effect.sleep("50 millis")
      assert.strictEqual(one.sentIds().length + two.sentIds().length, 1)
    }))

  test("is not kept waiting by messages that died meanwhile", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const heard = yield* listening
      const sent = recording(inTurn(throttled("10 minutes"), acceptAll))
      yield* enqueueAll([transaction("first", { ttl: "1 minute" })])
      yield* startRelay({ sent, heard })
      yield* heard.heard("LanePaused", 4)
      yield* enqueueAll(ids("dead", 60).map((id) => transaction(id, { ttl: "1 minute" })))
      yield* enqueueAll([transaction("live")])
      yield* sql`UPDATE cascade.message SET deadline = now() WHERE deadline IS NOT NULL`
      yield* endPauses
      yield* heard.heard("Accepted", 1, "live")
      assert.strictEqual(heard.told().filter((line) => line.startsWith("Expired")).length, 61)
      assert.deepStrictEqual(sent.sentIds(), ["first", "live"])
    }))
})

onDatabase("an account that cannot send", (test) => {
  test("pauses for long when its keys are refused, and loses no attempt", () =>
    Effect.gen(function* () {
      const { paused, pauses, store } = yield* watchedPauses
      const sent = recording(inTurn(unauthorized, unauthorized, unauthorized, acceptAll))
      const heard = yield* listening
      yield* enqueueAll(ids("m", 3).map((id) => transaction(id)))
      yield* startRelay({ sent, heard, store }, { pause: { unauthorized: "20 millis" } })
      yield* paused(3)
      yield* heard.heard("Accepted", 3)
      assert.deepStrictEqual(
        pauses.map(({ duration, trips }) => [duration, trips]),
        [1, 2, 3].map((trip) => [Duration.millis(20), trip])
      )
      assert.deepStrictEqual(
        sent.batches.slice(0, 4).map((batch) => batch.length),
        [3, 1, 1, 1]
      )
      const story = yield* storyOf(sent.batches[3]?.[0]?.trackingId ?? "")
      assert.strictEqual(story.at(-1), "sent 1")
    }))

  test("backs off while the provider cannot be reached: twice as long each time, in whatever lanes there is work", () =>
    Effect.gen(function* () {
      const { pauses, store } = yield* watchedPauses
      const heard = yield* listening
      const sent = recording((batch, call) =>
        pauses.some(({ trips }) => trips >= 5) ? acceptAll(batch, call) : unreachable(batch, call)
      )
      yield* enqueueAll([transaction("high"), promo("low")])
      yield* startRelay({ sent, heard, store }, { pause: { backoff: Schedule.exponential("10 millis", 2) } })
      yield* heard.heard("Accepted", 2)
      // What is no failed probe of its own (a batch that was under way with it) counts as the first.
      const backedOff = pauses.filter(({ trips }) => trips > 1)
      assert.deepStrictEqual(
        backedOff.map(({ duration, trips }) => [trips, duration && Duration.toMillis(duration)]),
        [
          [2, 20],
          [3, 40],
          [4, 80],
          [5, 160]
        ]
      )
      assert.deepStrictEqual((yield* storyOf("high")).at(-1), "sent 1")
      assert.deepInclude(yield* counts, { work: 0 })
    }))

  test("holds a probe without an answer for one of its own, and tries another later", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const sent = recording(inTurn(throttled("10 minutes"), failAll(new Reason.TimedOut()), acceptAll))
      yield* enqueueAll([transaction("a")])
      yield* startRelay({ sent, heard }, { retry: Schedule.spaced("1 millis") })
      yield* heard.heard("LanePaused", 4)
      yield* endPauses
      yield* heard.heard("RetryScheduled")
      yield* Effect.sleep("50 millis")
      assert.strictEqual(sent.batches.length, 2)
      // The right to probe runs out, and is taken again.
      yield* SqlClient.SqlClient.use((sql) => sql`UPDATE cascade.lane SET probe_until = now()`)
      yield* heard.heard("Accepted")
      assert.deepStrictEqual(yield* storyOf("a"), ["deferred 0", "retry 1", "sent 2"])
    }))
})

onDatabase("a lane that an operator paused", (test) => {
  const pauseByHand = (lane: string) =>
    SqlClient.SqlClient.use(
      (sql) => sql`
        INSERT INTO cascade.lane (lane, paused_until, reason) VALUES (${lane}, NULL, NULL)
        ON CONFLICT (lane) DO UPDATE SET paused_until = NULL, reason = NULL`
    )

  test("waits until the operator resumes it, while the others go on", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const sent = recording()
      yield* pauseByHand("default/low")
      yield* startRelay({ sent, heard })
      yield* enqueueAll([promo("promo"), transaction("transaction")])
      yield* heard.heard("Accepted", 1, "transaction")
      assert.deepStrictEqual(sent.sentIds(), ["transaction"])
      yield* OutboxStore.use((store) => store.resumeLanes(["default/low"]))
      yield* heard.heard("Accepted", 1, "promo")
    }))

  test("stays paused through a throttle of its account and the probes after it", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const gate = yield* Latch.make(false)
      const sent = recording(
        inTurn(throttled("10 minutes"), (batch, call) => gate.whenOpen(acceptAll(batch, call)), acceptAll)
      )
      yield* pauseByHand("default/low")
      yield* enqueueAll([transaction("a"), promo("promo")])
      yield* startRelay({ sent, heard })
      yield* heard.heard("LanePaused", 4)
      yield* endPauses
      yield* sent.called(2)
      // While the probe is under way, another lane is paused by hand.
      yield* pauseByHand("default/normal")
      yield* gate.open
      yield* heard.heard("LaneResumed", 1, "default/high")
      yield* enqueueAll([transaction("b"), transaction("c", {})], { priority: "urgent" })
      yield* heard.heard("Accepted", 3)
      yield* enqueueAll([transaction("normal")], { priority: "normal" })
      assert.deepStrictEqual(
        heard
          .told()
          .filter((line) => line.startsWith("LaneResumed"))
          .toSorted(),
        ["LaneResumed default/high", "LaneResumed default/urgent"]
      )
      const store = yield* OutboxStore
      assert.deepStrictEqual(
        (yield* store.lanes).map(({ lane, pausedUntil, reason }) => [lane, pausedUntil, reason]),
        [
          ["default/low", undefined, undefined],
          ["default/normal", undefined, undefined]
        ]
      )
      assert.notInclude(sent.sentIds(), "promo")
    }))
})
