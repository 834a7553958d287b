import { Outbox } from "@effect-cascade/outbox/Outbox"
import type { OutboxStoreShape } from "@effect-cascade/outbox/OutboxStore"
import * as PgOutboxAdminStore from "@effect-cascade/outbox/PgOutboxAdminStore"
import * as PgStatusStore from "@effect-cascade/outbox/PgStatusStore"
import { PgClient } from "@effect/sql-pg"
import { assert } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Latch, Scope } from "effect"
import { onDatabase } from "./support/database.ts"
import { promo, transaction } from "./support/messages.ts"
import { makeLog, storeOverNetwork } from "./support/network.ts"
import { listening, startRelay } from "./support/relay.ts"
import { counts, kinds, storyOf } from "./support/rows.ts"
import { makeSignal } from "./support/signal.ts"
import { acceptAll, recording } from "./support/transport.ts"

const enqueueAll = (...messages: Parameters<Outbox["Service"]["enqueueAll"]>) =>
  Outbox.use((outbox) => outbox.transaction(outbox.enqueueAll(...messages)))

/** The store, with a signal for each answer of one of its operations. */
const watched = (store: OutboxStoreShape, name: "claim" | "renew") => {
  const signal = makeSignal()
  let answers = 0
  const count = <A, E>(self: Effect.Effect<A, E>) =>
    Effect.tap(self, () =>
      Effect.sync(() => {
        answers++
        signal.tick()
      })
    )
  return {
    store: {
      ...store,
      claim: (...args: Parameters<typeof store.claim>) =>
        name === "claim" ? count(store.claim(...args)) : store.claim(...args),
      renew: (...args: Parameters<typeof store.renew>) =>
        name === "renew" ? count(store.renew(...args)) : store.renew(...args)
    },
    /** Done after so many more answers. */
    more: (times: number) =>
      Effect.suspend(() => {
        const enough = answers + times
        return signal.until(() => answers >= enough)
      })
  }
}

onDatabase("a relay whose database does not answer", (test) => {
  test("goes on with other connections, again and again, on a small pool", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const sent = recording()
      const log = makeLog()
      const network = yield* storeOverNetwork({ wake: "poll", client: { maxConnections: 4 } })
      const { more, store } = watched(network.store, "claim")
      yield* startRelay({ sent, heard, store }).pipe(Effect.provide(log.layer))
      for (const id of ["a", "b"]) {
        yield* more(2)
        yield* network.breakConnections()
        yield* enqueueAll([transaction(id)])
        yield* heard.heard("Accepted", 1, id)
      }
      assert.isAtLeast(log.count("claiming failed, trying again"), 1)
      assert.deepStrictEqual(yield* kinds, { sent: 2 })
    }))

  test("goes on also where fibers share their connections", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const sent = recording()
      const network = yield* storeOverNetwork({ wake: "poll", client: { multiplex: true } })
      const { more, store } = watched(network.store, "claim")
      yield* startRelay({ sent, heard, store })
      for (const id of ["a", "b"]) {
        yield* more(2)
        yield* network.breakConnections()
        yield* enqueueAll([transaction(id)])
        yield* heard.heard("Accepted", 1, id)
      }
    }))

  for (const [what, direction] of [
    ["does not come", "both"],
    ["comes, and its answer is lost", "downstream"]
  ] as const) {
    test(`writes an outcome once when the settle ${what}`, () =>
      Effect.gen(function* () {
        const heard = yield* listening
        const network = yield* storeOverNetwork({ wake: "poll" })
        const sent = recording((batch, call) =>
          Effect.andThen(
            call === 1 ? network.breakConnections(direction) : Effect.void,
            acceptAll(batch, call)
          )
        )
        yield* enqueueAll([promo("a"), promo("b")])
        const relay = yield* startRelay({ sent, heard, store: network.store })
        yield* heard.heard("Accepted", 2)
        assert.deepInclude(yield* relay.tally, { sent: 2, lost: 0 })
        assert.deepStrictEqual(yield* storyOf("a"), ["sent 1"])
        assert.deepStrictEqual(yield* storyOf("b"), ["sent 1"])
        assert.deepStrictEqual(sent.sentIds().length, 2)
        assert.strictEqual((yield* counts)?.work, 0)
      }))
  }

  test("renews its leases over another connection, and loses none", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const gate = yield* Latch.make(false)
      const sent = recording((batch, call) => gate.whenOpen(acceptAll(batch, call)))
      const network = yield* storeOverNetwork({ wake: "poll" })
      const { more, store } = watched(network.store, "renew")
      yield* enqueueAll([promo("a")])
      const relay = yield* startRelay({ sent, heard, store }, { lease: "1 minute" })
      yield* sent.called(1)
      yield* more(1)
      yield* network.breakConnections()
      yield* more(2)
      yield* gate.open
      yield* heard.heard("Accepted", 1, "a")
      assert.deepInclude(yield* relay.tally, { sent: 1, lost: 0 })
    }))

  test("stops all the same: what cannot be written is left to the end of its lease", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const network = yield* storeOverNetwork()
      const gate = yield* Latch.make(false)
      const sent = recording((batch, call) => gate.whenOpen(acceptAll(batch, call)))
      const log = makeLog()
      yield* enqueueAll([promo("hold"), transaction("resend")])
      const scope = yield* Scope.make()
      const options = { lease: "1 hour", gracePeriod: "100 millis" } as const
      yield* startRelay({ sent, heard, store: network.store }, options).pipe(
        Effect.provide(log.layer),
        Scope.provide(scope)
      )
      yield* sent.called(2)
      yield* network.goDead
      const stopping = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* gate.open
      // Within the grace period and a statement's time; the lease would be over in an hour.
      yield* Fiber.join(stopping)
      assert.isAtLeast(log.count("settlements could not be written"), 1)
      assert.strictEqual((yield* counts)?.work, 2)
      yield* network.comeBack
    }))

  test("stops while it claims", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const network = yield* storeOverNetwork({ wake: "poll" })
      const { more, store } = watched(network.store, "claim")
      const scope = yield* Scope.make()
      yield* startRelay({ sent: recording(), heard, store }).pipe(Scope.provide(scope))
      yield* more(2)
      yield* network.goDead
      yield* Scope.close(scope, Exit.void)
    }))
})

onDatabase("a statement that is not answered", (test) => {
  test("is a StoreError that says so and can be tried again, whichever store it is of", () =>
    Effect.gen(function* () {
      const network = yield* storeOverNetwork({ wake: "poll", client: { maxConnections: 20 } })
      const limit = { statementTimeout: "100 millis" } as const
      const [admin, status] = yield* Effect.all([
        PgOutboxAdminStore.make({ ...limit, wake: "poll" }),
        PgStatusStore.make(limit)
      ]).pipe(Effect.provideService(PgClient.PgClient, network.client))
      yield* network.store.lanes
      yield* network.goDead
      const by = { relay: "test" }
      const held = { id: "00000000-0000-0000-0000-000000000000", lease: 1n }
      const settled = { delayMillis: 0, counted: true, reason: undefined, providerMessageId: "1" } as const
      const retention = { after: held.id, batch: 10, period: Duration.days(1), slack: Duration.zero }
      const statements: Record<string, Effect.Effect<unknown, unknown>> = {
        claim: network.store.claim([{ lane: "default/high", limit: 1 }], {
          lease: Duration.minutes(1),
          ...by
        }),
        settle: network.store.settle([{ ...held, ...settled, kind: "sent" }], by),
        renew: network.store.renew([held], Duration.minutes(1)),
        expire: network.store.expire({ limit: 1, ...by }),
        "read lanes": network.store.lanes,
        "probe a lane": network.store.probeLane("default/high", Duration.minutes(1)),
        count: admin.countLanes,
        cancel: admin.cancel("default", "a", "me"),
        scrub: admin.scrub({ ...retention, keepParked: true }),
        prune: admin.prune({ ...retention, keepParked: true }),
        transaction: admin.transaction(Effect.void),
        "pause status checks": status.pause("default", Duration.minutes(1)),
        "read a status": status.read("default", "a")
      }
      yield* Effect.forEach(
        Object.entries(statements),
        ([operation, statement]) =>
          Effect.map(Effect.flip(statement), (error) =>
            assert.deepInclude(error, { _tag: "StoreError", operation, isRetryable: true })
          ),
        { concurrency: "unbounded", discard: true }
      )
      yield* network.comeBack
    }))

  test("can be interrupted without a wait, and leaves the pool as it was", () =>
    Effect.gen(function* () {
      const network = yield* storeOverNetwork({ statementTimeout: "1 hour", client: { maxConnections: 1 } })
      yield* network.store.lanes
      yield* network.goDead
      const asking = yield* Effect.forkChild(network.store.lanes, { startImmediately: true })
      yield* Fiber.interrupt(asking)
      yield* network.comeBack
      yield* network.store.lanes
    }))
})
