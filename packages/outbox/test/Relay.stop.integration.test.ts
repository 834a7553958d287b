import { Outbox } from "@effect-cascade/outbox/Outbox"
import { assert } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Latch, Scope } from "effect"
import { onDatabase } from "./support/database.ts"
import { ids, promo, transaction } from "./support/messages.ts"
import { altered, drain, listening, quick, startRelay } from "./support/relay.ts"
import { counts, kinds, outcomesOf, storyOf, workOf } from "./support/rows.ts"
import { acceptAll, inTurn, recording, type Script } from "./support/transport.ts"

const enqueueAll = (...messages: Parameters<Outbox["Service"]["enqueueAll"]>) =>
  Outbox.use((outbox) => outbox.transaction(outbox.enqueueAll(...messages)))

/** A relay in a scope of its own. */
const started = Effect.fnUntraced(function* (...args: Parameters<typeof startRelay>) {
  const scope = yield* Scope.make()
  const relay = yield* Scope.provide(startRelay(...args), scope)
  return { relay, stop: Scope.close(scope, Exit.void) }
})

onDatabase("a relay that stops", (test) => {
  test("lets a slow send finish within the grace period", () =>
    Effect.gen(function* () {
      const gate = yield* Latch.make(false)
      const sent = recording((batch, call) => gate.whenOpen(acceptAll(batch, call)))
      yield* enqueueAll([transaction("a"), promo("b")])
      const { relay, stop } = yield* started({ sent }, { gracePeriod: "1 hour" })
      yield* sent.called(2)
      const stopping = yield* Effect.forkChild(stop, { startImmediately: true })
      // What commits meanwhile is another relay's.
      yield* enqueueAll([transaction("late")])
      yield* Effect.sleep("50 millis")
      assert.isUndefined(stopping.pollUnsafe())
      yield* gate.open
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(yield* kinds, { sent: 2 })
      assert.sameMembers(sent.sentIds(), ["a", "b"])
      // A claim that was on its way may have met it; then it was given back.
      assert.deepInclude((yield* workOf("late"))[0], { attempts: 0, leased: false })
      assert.deepStrictEqual(yield* storyOf("late"), [])
      assert.deepInclude(yield* relay.tally, { sent: 2, lost: 0 })
    }))

  test("cuts short what is under way after the grace period, and says so of each message", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const interrupted: Array<string> = []
      const hang: Script = (batch) =>
        Effect.onInterrupt(Effect.never, () =>
          Effect.sync(() => interrupted.push(...batch.map(({ trackingId }) => trackingId)))
        )
      const sent = recording(hang)
      yield* enqueueAll([transaction("resend"), promo("hold")])
      const { stop } = yield* started({ sent, heard }, { gracePeriod: "10 millis" })
      yield* sent.called(2)
      yield* stop
      assert.sameMembers(interrupted, ["resend", "hold"])
      const cut = { attempt: 1, reason: "CutShort", by: "interruption" }
      assert.deepInclude((yield* outcomesOf("resend"))[0], { kind: "retry", ...cut })
      assert.deepInclude((yield* outcomesOf("hold"))[0], { kind: "uncertain", ...cut })
      yield* heard.heard("RetryScheduled", 1, "resend")
      yield* heard.heard("Uncertain", 1, "hold")

      const heir = recording()
      yield* startRelay({ sent: heir, heard })
      yield* heard.heard("Accepted", 1, "resend")
      assert.deepStrictEqual(heir.sentIds(), ["resend"])
      assert.deepStrictEqual(yield* storyOf("resend"), ["retry 1", "sent 2"])
      assert.deepStrictEqual(yield* storyOf("hold"), ["uncertain 1"])
    }))

  test("gives back what it has claimed and not sent, without an attempt or a lapse", () =>
    Effect.gen(function* () {
      const claimed = yield* Deferred.make<number>()
      const gate = yield* Latch.make(false)
      const store = yield* altered((store) => ({
        claim: (...args) =>
          Effect.tap(store.claim(...args), (rows) =>
            rows.length === 0
              ? Effect.void
              : Effect.andThen(Deferred.succeed(claimed, rows.length), gate.await)
          )
      }))
      const sent = recording()
      yield* enqueueAll(ids("m", 30).map((id) => transaction(id)))
      const { relay, stop } = yield* started({ sent, store })
      assert.strictEqual(yield* Deferred.await(claimed), 30)
      const stopping = yield* Effect.forkChild(stop, { startImmediately: true })
      yield* gate.open
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(sent.batches, [])
      assert.deepInclude(yield* relay.tally, { released: 30, sent: 0, lost: 0 })
      assert.deepInclude(yield* counts, { work: 30, outcome: 0 })
      assert.deepInclude((yield* workOf("m-7"))[0], {
        lease: 1,
        attempts: 0,
        started: 1,
        finished: 1,
        leased: false
      })
      assert.deepInclude(yield* drain({ sent }), { sent: 30 })
      assert.deepStrictEqual(yield* storyOf("m-7"), ["sent 1"])
    }))

  test("writes every outcome before it ends, also one that the store is slow to take", () =>
    Effect.gen(function* () {
      const settling = yield* Deferred.make<void>()
      const gate = yield* Latch.make(false)
      const store = yield* altered((store) => ({
        settle: (...args) =>
          Deferred.succeed(settling, undefined).pipe(
            Effect.andThen(gate.await),
            Effect.andThen(store.settle(...args))
          )
      }))
      const sent = recording()
      yield* enqueueAll([promo("a")])
      const { stop } = yield* started({ sent, store }, { gracePeriod: "1 millis" })
      yield* Deferred.await(settling)
      const stopping = yield* Effect.forkChild(stop, { startImmediately: true })
      yield* Effect.sleep("50 millis")
      assert.isUndefined(stopping.pollUnsafe())
      yield* gate.open
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(yield* storyOf("a"), ["sent 1"])
    }))

  test("goes on renewing leases while it waits", () =>
    Effect.gen(function* () {
      const renewals = yield* Deferred.make<void>()
      const gate = yield* Latch.make(false)
      const stopped = yield* Deferred.make<void>()
      const store = yield* altered((store) => ({
        renew: (...args) =>
          Effect.tap(store.renew(...args), () =>
            Deferred.isDoneUnsafe(stopped) ? Deferred.succeed(renewals, undefined) : Effect.void
          )
      }))
      const sent = recording((batch, call) => gate.whenOpen(acceptAll(batch, call)))
      yield* enqueueAll([promo("a")])
      const { stop } = yield* started({ sent, store }, { gracePeriod: "1 hour", heartbeat: "10 millis" })
      yield* sent.called(1)
      const stopping = yield* Effect.forkChild(stop, { startImmediately: true })
      yield* Deferred.succeed(stopped, undefined)
      yield* Deferred.await(renewals)
      yield* gate.open
      yield* Fiber.join(stopping)
      assert.deepStrictEqual(yield* storyOf("a"), ["sent 1"])
    }))

  test("that is interrupted while it drains gives its messages to the next", () =>
    Effect.gen(function* () {
      const sent = recording(inTurn(() => Effect.never, acceptAll))
      yield* enqueueAll([transaction("a"), transaction("b")])
      const fiber = yield* Effect.forkChild(drain({ sent }, { ...quick, gracePeriod: "1 millis" }))
      yield* sent.called(1)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* storyOf("a"), ["retry 1"])
      const heard = yield* listening
      yield* startRelay({ sent, heard })
      yield* heard.heard("Accepted", 2)
    }))
})
