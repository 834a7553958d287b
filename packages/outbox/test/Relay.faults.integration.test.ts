import { Outbox } from "@effect-cascade/outbox/Outbox"
import { StoreError } from "@effect-cascade/outbox/OutboxError"
import { PgTestServer } from "@effect-cascade/testing/PgTestServer"
import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Latch, Layer, Schedule } from "effect"
import {
  anotherStore,
  connect,
  databaseNoServer,
  onDatabase,
  outboxNoDatabase,
  outboxOn,
  terminateOthers
} from "./support/database.ts"
import { ids, promo, transaction } from "./support/messages.ts"
import { altered, listening, startRelay } from "./support/relay.ts"
import { counts, expireLeases, kinds, storyOf, workOf } from "./support/rows.ts"
import { acceptAll, recording } from "./support/transport.ts"

const enqueueAll = (...messages: Parameters<Outbox["Service"]["enqueueAll"]>) =>
  Outbox.use((outbox) => outbox.transaction(outbox.enqueueAll(...messages)))

onDatabase("a relay whose database fails it", (test) => {
  test("goes on after all its connections were cut, again and again, without sending a held message twice", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const slowly = recording((batch, call) => Effect.delay(acceptAll(batch, call), "5 millis"))
      const { store } = yield* anotherStore()
      const outbox = yield* outboxOn(yield* Effect.map(anotherStore(), ({ store }) => store))
      const killer = yield* connect({ applicationName: "killer" })
      yield* outbox.transaction(outbox.enqueueAll(ids("hold", 300).map((id) => promo(id))))
      yield* outbox.transaction(outbox.enqueueAll(ids("resend", 300).map((id) => transaction(id))))
      yield* startRelay(
        { sent: slowly, heard, store },
        {
          batchSize: { low: 5, high: 5 },
          lease: "400 millis",
          sendTimeout: "200 millis",
          heartbeat: "50 millis"
        }
      )
      for (const call of [10, 30, 60]) {
        yield* slowly.called(call)
        yield* terminateOthers(killer)
      }
      // A connection of the test's own pool may be one that was cut.
      const settled = Effect.gen(function* () {
        while ((yield* Effect.retry(counts, { times: 3 }))?.work !== 0) yield* Effect.sleep("20 millis")
      })
      yield* settled
      const all = slowly.sentIds()
      const held = all.filter((id) => id.startsWith("hold"))
      assert.strictEqual(held.length, new Set(held).size)
      const { sent = 0, uncertain = 0 } = yield* kinds
      assert.strictEqual(sent + uncertain, 600)
      // Each of them was sent, or is shown as uncertain; the others were all sent.
      assert.strictEqual(new Set(all.filter((id) => id.startsWith("resend"))).size, 300)
    }))

  test("keeps an outcome in memory while the store is away, and writes it when it is back", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const refused = yield* Deferred.make<void>()
      let isAway = true
      const away = new StoreError({ operation: "settle", detail: "away", isRetryable: true })
      const store = yield* altered((store) => ({
        settle: (...args) =>
          Effect.suspend(() =>
            isAway
              ? Effect.andThen(Deferred.succeed(refused, undefined), Effect.fail(away))
              : store.settle(...args)
          )
      }))
      const sent = recording()
      yield* enqueueAll([promo("a")])
      yield* startRelay({ sent, heard, store })
      yield* Deferred.await(refused)
      isAway = false
      yield* heard.heard("Accepted", 1, "a")
      assert.deepStrictEqual(sent.sentIds(), ["a"])
      assert.deepStrictEqual(yield* storyOf("a"), ["sent 1"])
    }))

  test("says that a lease was lost, counts it, and changes nothing", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const gate = yield* Latch.make(false)
      const sent = recording((batch, call) => gate.whenOpen(acceptAll(batch, call)))
      yield* enqueueAll([transaction("a")])
      const store = yield* altered(() => ({ renew: () => Effect.succeed(new Set<string>()) }))
      // With its one slot taken it does not claim again what it has lost.
      const relay = yield* startRelay({ sent, heard, store }, { slots: { high: 1 } })
      yield* sent.called(1)
      yield* expireLeases
      const heir = recording()
      yield* startRelay({ sent: heir, heard }, { name: "heir" })
      yield* heard.heard("Accepted", 1, "a")
      yield* gate.open
      while ((yield* relay.tally).lost === 0) yield* Effect.sleep("5 millis")
      assert.deepInclude(yield* relay.tally, { sent: 0, lost: 1 })
      assert.deepStrictEqual(yield* storyOf("a"), ["lapsed 0", "sent 1"])
      assert.strictEqual(heard.all.length, 1)
    }))

  test("is not stopped by a store that breaks", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      let broken = 0
      const breaking = <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
        Effect.suspend(() => (broken++ < 2 ? Effect.die(new Error("bug")) : self))
      const store = yield* altered((store) => ({
        claim: (...args) => breaking(store.claim(...args)),
        lanes: Effect.die(new Error("bug")),
        renew: () => Effect.die(new Error("bug"))
      }))
      const sent = recording()
      yield* startRelay({ sent, heard, store })
      yield* enqueueAll([transaction("a")])
      yield* heard.heard("Accepted", 1, "a")
    }))
})

/** A server that can be crashed, which keeps what it said it had committed. */
const durable = outboxNoDatabase.pipe(
  Layer.provideMerge(databaseNoServer),
  Layer.provideMerge(PgTestServer.layerOwned({ durability: "durable" }))
)

layer(durable, { excludeTestServices: true })("a server that crashes and comes back", (it) => {
  it.effect("costs no message, and no held message is sent twice", () =>
    Effect.gen(function* () {
      const server = yield* PgTestServer
      if (!server.owned) return assert.fail("the server is not ours")
      const heard = yield* listening
      const sent = recording((batch, call) => Effect.delay(acceptAll(batch, call), "5 millis"))
      yield* enqueueAll(ids("hold", 200).map((id) => promo(id)))
      yield* enqueueAll(ids("resend", 200).map((id) => transaction(id)))
      const { store } = yield* anotherStore()
      const relay = yield* startRelay(
        { sent, heard, store },
        {
          batchSize: { low: 5, high: 5 },
          lease: "400 millis",
          sendTimeout: "200 millis",
          heartbeat: "50 millis"
        }
      )
      yield* sent.called(20)
      yield* server.stop("immediate")
      yield* server.start
      const patiently = Effect.retry({ schedule: Schedule.spaced("50 millis"), times: 100 })
      const left = patiently(counts)
      while ((yield* left)?.work !== 0) yield* Effect.sleep("20 millis")
      const all = sent.sentIds()
      const held = all.filter((id) => id.startsWith("hold"))
      assert.strictEqual(held.length, new Set(held).size)
      assert.strictEqual(new Set(all.filter((id) => id.startsWith("resend"))).size, 200)
      const over = yield* patiently(kinds)
      assert.strictEqual((over["sent"] ?? 0) + (over["uncertain"] ?? 0), 400)
      assert.isAbove((yield* relay.tally).sent, 0)

      // And it listens again.
      yield* enqueueAll([transaction("after")])
      yield* heard.heard("Accepted", 1, "after")
      assert.deepStrictEqual(yield* workOf("after"), [])
    })
  )
})
