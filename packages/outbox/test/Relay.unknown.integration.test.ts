import * as Delivery from "@effect-cascade/core/Delivery"
import * as Reason from "@effect-cascade/core/TransportReason"
import { Outbox } from "@effect-cascade/outbox/Outbox"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import { lapseLimit } from "@effect-cascade/outbox/Settlement"
import { assert } from "@effect/vitest"
import { Duration, Effect, Schedule } from "effect"
import { onDatabase } from "./support/database.ts"
import { promo, transaction } from "./support/messages.ts"
import { drain, listening, startRelay } from "./support/relay.ts"
import { expireLeases, outcomesOf, storyOf, workOf } from "./support/rows.ts"
import { acceptAll, failAll, inTurn, recording } from "./support/transport.ts"

const enqueueAll = (...messages: Parameters<Outbox["Service"]["enqueueAll"]>) =>
  Outbox.use((outbox) => outbox.transaction(outbox.enqueueAll(...messages)))

const serverError = failAll(new Reason.ServerError({ status: 502 }))

onDatabase("an unknown outcome", (test) => {
  test("is tried again by the schedule, until it is known", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const sent = recording(inTurn(serverError, failAll(new Reason.TimedOut()), acceptAll))
      yield* enqueueAll([transaction("a")])
      yield* startRelay({ sent, heard })
      yield* heard.heard("Accepted")
      assert.deepStrictEqual(sent.sentIds(), ["a", "a", "a"])
      assert.deepStrictEqual(yield* storyOf("a"), ["retry 1", "retry 2", "sent 3"])
      assert.deepStrictEqual(
        (yield* outcomesOf("a")).map(({ reason }) => reason),
        ["ServerError", "TimedOut", null]
      )
    }))

  test("is due again after the delay, and not before", () =>
    Effect.gen(function* () {
      const sent = recording(serverError)
      yield* enqueueAll([transaction("a")])
      yield* drain({ sent }, { retry: Schedule.spaced("1 hour") })
      const [work] = yield* workOf("a")
      assert.deepInclude(work, { attempts: 1, leased: false })
      assert.approximately(work?.dueIn ?? 0, 3_600_000, 60_000)
      yield* drain({ sent }, { retry: Schedule.spaced("1 hour") })
      assert.strictEqual(sent.batches.length, 1)
    }))

  test("is uncertain when there are to be no more attempts", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const sent = recording(serverError)
      yield* enqueueAll([transaction("a")])
      yield* startRelay({ sent, heard }, { retry: Schedule.recurs(3) })
      yield* heard.heard("Uncertain")
      assert.deepStrictEqual(yield* storyOf("a"), ["retry 1", "retry 2", "retry 3", "uncertain 4"])
      assert.strictEqual(sent.batches.length, 4)
      assert.deepStrictEqual(yield* workOf("a"), [])
    }))

  test("under hold is uncertain at once, and nothing is sent again", () =>
    Effect.gen(function* () {
      const sent = recording(serverError)
      yield* enqueueAll([promo("a")])
      yield* enqueueAll([transaction("b")], { uncertainty: "hold" })
      assert.deepInclude(yield* drain({ sent }), { uncertain: 2, retry: 0 })
      yield* drain({ sent })
      assert.sameMembers(sent.sentIds(), ["a", "b"])
      assert.deepStrictEqual(yield* storyOf("a"), ["uncertain 1"])
    }))

  test("concerns those messages of a batch that it is true of", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const sent = recording((batch, call) =>
        call > 1
          ? acceptAll(batch, call)
          : Effect.succeed(
              batch.flatMap(({ trackingId }): ReadonlyArray<Delivery.Delivery> => {
                if (trackingId === "unanswered") return []
                return trackingId === "lost"
                  ? [Delivery.notAccepted(trackingId, new Reason.ConnectionLost({}))]
                  : [Delivery.accepted(trackingId, "m")]
              })
            )
      )
      yield* enqueueAll(["a", "unanswered", "b", "lost"].map((id) => transaction(id)))
      yield* startRelay({ sent, heard })
      yield* heard.heard("Accepted", 4)
      for (const id of ["a", "b"]) assert.deepStrictEqual(yield* storyOf(id), ["sent 1"])
      for (const id of ["lost", "unanswered"])
        assert.deepStrictEqual(yield* storyOf(id), ["retry 1", "sent 2"])
      assert.strictEqual((yield* outcomesOf("unanswered"))[0]?.reason, "UnreadableReply")
    }))

  test("follows the schedule of its type", () =>
    Effect.gen(function* () {
      const sent = recording(serverError)
      yield* enqueueAll([promo("promo"), transaction("transaction")], { uncertainty: "resend" })
      yield* drain({ sent }, { retry: Schedule.recurs(0), retryByType: { promo: Schedule.spaced("1 hour") } })
      assert.deepStrictEqual(yield* storyOf("promo"), ["retry 1"])
      assert.deepStrictEqual(yield* storyOf("transaction"), ["uncertain 1"])
    }))

  test("is expired when the next attempt would be past the deadline", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const sent = recording(serverError)
      yield* enqueueAll([transaction("a", { ttl: "1 minute" })])
      yield* drain({ sent, heard }, { retry: Schedule.spaced("2 minutes") })
      assert.deepInclude((yield* outcomesOf("a"))[0], { kind: "expired", attempt: 1, reason: "ServerError" })
      yield* heard.heard("Expired", 1, "a")
      assert.deepStrictEqual(yield* workOf("a"), [])
    }))

  for (const [name, script] of [
    ["dies", () => Effect.die(new Error("bug"))],
    [
      "throws",
      () => {
        throw new Error("bug")
      }
    ]
  ] as const) {
    test(`is what a transport leaves that ${name}`, () =>
      Effect.gen(function* () {
        const heard = yield* listening
        const sent = recording((batch, call) => (call <= 2 ? script() : acceptAll(batch, call)))
        yield* enqueueAll([transaction("resend"), promo("hold")])
        yield* startRelay({ sent, heard })
        yield* heard.heard("Accepted", 1, "resend")
        const cut = { reason: "CutShort", by: "defect" }
        assert.deepInclude((yield* outcomesOf("resend"))[0], { kind: "retry", ...cut })
        assert.deepInclude((yield* outcomesOf("hold"))[0], { kind: "uncertain", ...cut })
      }))
  }

  test("is what a send leaves that takes too long", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const sent = recording(inTurn(() => Effect.never, acceptAll))
      yield* enqueueAll([transaction("a")])
      yield* startRelay({ sent, heard }, { sendTimeout: "50 millis" })
      yield* heard.heard("Accepted")
      assert.deepInclude((yield* outcomesOf("a"))[0], { kind: "retry", attempt: 1, reason: "TimedOut" })
    }))
})

onDatabase("a lease that ran out", (test) => {
  /** As a relay leaves it that was killed in the midst of its work. */
  const abandoned = (times: number) =>
    Effect.gen(function* () {
      const store = yield* OutboxStore
      for (let time = 0; time < times; time++) {
        yield* store.claim(
          [
            { lane: "default/high", limit: 10 },
            { lane: "default/low", limit: 10 }
          ],
          { lease: Duration.seconds(30), relay: "killed" }
        )
        yield* expireLeases
      }
    })

  test("is an unknown outcome: sent again under resend, held under hold", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const sent = recording()
      yield* enqueueAll([transaction("resend"), promo("hold")])
      yield* abandoned(1)
      yield* drain({ sent, heard })
      assert.deepStrictEqual(sent.sentIds(), ["resend"])
      assert.deepStrictEqual(yield* storyOf("resend"), ["lapsed 0", "sent 1"])
      assert.deepStrictEqual(yield* storyOf("hold"), ["lapsed 0", "uncertain 1"])
      yield* heard.heard("Uncertain", 1, "hold")
      assert.deepInclude((yield* outcomesOf("hold"))[1], { reason: "CutShort", by: "lease" })
    }))

  test("three times over: the message may be what kills its relays, and is dead", () =>
    Effect.gen(function* () {
      const sent = recording()
      yield* enqueueAll([transaction("killer")])
      yield* abandoned(1)
      yield* enqueueAll([transaction("neighbour")])
      yield* abandoned(lapseLimit - 1)
      yield* drain({ sent })
      assert.deepStrictEqual(sent.sentIds(), ["neighbour"])
      assert.deepStrictEqual(yield* storyOf("killer"), ["lapsed 0", "lapsed 0", "lapsed 0", "dead 0"])
      assert.deepStrictEqual(yield* storyOf("neighbour"), ["lapsed 0", "lapsed 0", "sent 1"])
      assert.deepInclude((yield* outcomesOf("killer")).at(-1), { reason: "CutShort", by: "lease" })
    }))

  test("counts no attempt, so that the schedule begins where it was", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const sent = recording(serverError)
      yield* enqueueAll([transaction("a")])
      yield* abandoned(2)
      yield* startRelay({ sent, heard }, { retry: Schedule.recurs(1) })
      yield* heard.heard("Uncertain")
      assert.deepStrictEqual(yield* storyOf("a"), ["lapsed 0", "lapsed 0", "retry 1", "uncertain 2"])
    }))
})
