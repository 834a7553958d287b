import { Outbox } from "@effect-cascade/outbox/Outbox"
import * as OutboxAdmin from "@effect-cascade/outbox/OutboxAdmin"
import { OutboxAdminStore } from "@effect-cascade/outbox/OutboxAdminStore"
import * as PgOutboxAdminStore from "@effect-cascade/outbox/PgOutboxAdminStore"
import * as PgOutboxStore from "@effect-cascade/outbox/PgOutboxStore"
import type { OutboxStoreShape } from "@effect-cascade/outbox/OutboxStore"
import type { RelayOptions } from "@effect-cascade/outbox/Relay"
import { PgClient } from "@effect/sql-pg"
import { assert } from "@effect/vitest"
import { Effect, Queue } from "effect"
import { SqlClient } from "effect/sql"
import { anotherStore, connect, onDatabase, outboxOn } from "./support/database.ts"
import { promo, transaction } from "./support/messages.ts"
import { makeLog, storeOverNetwork } from "./support/network.ts"
import { drain, listening, startRelay } from "./support/relay.ts"
import { makeSignal } from "./support/signal.ts"
import { acceptAll, recording } from "./support/transport.ts"

/** So seldom that a test which waits for it does not end. */
const hardlyPolling: RelayOptions = { poll: { busy: "1 hour", idle: "1 hour" }, heartbeat: "1 second" }

/** The store, with a signal for each claim. After one that found nothing the relay waits. */
const watchedClaims = (store: OutboxStoreShape) => {
  const signal = makeSignal()
  let claims = 0
  return {
    store: {
      ...store,
      claim: (...args: Parameters<typeof store.claim>) =>
        Effect.tap(store.claim(...args), () =>
          Effect.sync(() => {
            claims++
            signal.tick()
          })
        )
    },
    claimed: (times: number) => signal.until(() => claims >= times),
    claimsSoFar: () => claims
  }
}

/** How many sessions of the database listen. */
const listeners = Effect.map(
  SqlClient.SqlClient.use(
    (sql) => sql<{ readonly pid: number }>`
      SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'LISTEN%'`
  ),
  (rows) => rows.map(({ pid }) => pid)
)

/** Done when a session listens. */
const somebodyListens = Effect.gen(function* () {
  while ((yield* listeners).length === 0) yield* Effect.sleep("5 millis")
})

onDatabase("a relay is woken", (test) => {
  test("by a commit in its own process, without a poll and without NOTIFY", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const sent = recording()
      // Its own pool of connections, and nobody listens to it.
      const { store } = yield* anotherStore({ wake: "poll" })
      const watched = watchedClaims(store)
      const outbox = yield* outboxOn(watched.store)
      yield* startRelay({ sent, heard, store: watched.store }, hardlyPolling)
      yield* watched.claimed(1)
      yield* outbox.transaction(outbox.enqueue(transaction("a")))
      yield* heard.heard("Accepted", 1, "a")
      assert.deepStrictEqual(yield* listeners, [])
    }))

  test("only after the commit", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const sent = recording()
      const { store } = yield* anotherStore({ wake: "poll" })
      const watched = watchedClaims(store)
      const outbox = yield* outboxOn(watched.store)
      yield* startRelay({ sent, heard, store: watched.store }, hardlyPolling)
      yield* watched.claimed(1)
      yield* outbox.transaction(
        Effect.gen(function* () {
          yield* outbox.enqueue(transaction("a"))
          yield* Effect.sleep("50 millis")
          assert.strictEqual(watched.claimsSoFar(), 1)
        })
      )
      yield* heard.heard("Accepted", 1, "a")
      // A rollback and a message that was there already wake nobody.
      yield* watched.claimed(2)
      const before = watched.claimsSoFar()
      yield* Effect.flip(
        outbox.transaction(Effect.andThen(outbox.enqueue(transaction("b")), Effect.fail("no")))
      )
      yield* outbox.transaction(outbox.enqueue(transaction("a")))
      yield* Effect.sleep("50 millis")
      assert.strictEqual(watched.claimsSoFar(), before)
    }))

  test("by a commit in another process, through NOTIFY", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const sent = recording()
      const watched = watchedClaims((yield* anotherStore()).store)
      yield* startRelay({ sent, heard, store: watched.store }, hardlyPolling)
      yield* somebodyListens
      // After it began to listen it looks once more.
      yield* watched.claimed(2)
      const other = yield* outboxOn((yield* anotherStore()).store)
      for (const id of ["a", "b", "c"]) {
        yield* other.transaction(other.enqueue(transaction(id)))
        yield* heard.heard("Accepted", 1, id)
      }
    }))

  test("once for many commits in a row, and none is forgotten", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const sent = recording()
      const watched = watchedClaims((yield* anotherStore()).store)
      yield* startRelay({ sent, heard, store: watched.store }, hardlyPolling)
      yield* somebodyListens
      const other = yield* outboxOn((yield* anotherStore()).store)
      yield* Effect.forEach(
        Array.from({ length: 200 }, (_, index) => transaction(`m-${index}`)),
        (message) => other.transaction(other.enqueue(message)),
        { concurrency: 5, discard: true }
      )
      yield* heard.heard("Accepted", 200)
    }))

  test("by the poll where nothing else tells it", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const sent = recording()
      const { store } = yield* anotherStore({ wake: "poll" })
      yield* startRelay({ sent, heard, store })
      const outbox = yield* outboxOn((yield* anotherStore({ wake: "poll" })).store)
      yield* outbox.transaction(outbox.enqueue(transaction("a")))
      yield* heard.heard("Accepted", 1, "a")
      assert.deepStrictEqual(yield* listeners, [])
    }))

  test("when a slot is free again and its lane was behind", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const heard = yield* listening
      const slowly = recording((batch, call) => Effect.delay(acceptAll(batch, call), "1 millis"))
      yield* outbox.transaction(
        outbox.enqueueAll(Array.from({ length: 50 }, (_, index) => transaction(`m-${index}`)))
      )
      yield* startRelay(
        { sent: slowly, heard },
        { ...hardlyPolling, slots: { high: 2 }, batchSize: { high: 3 } }
      )
      yield* heard.heard("Accepted", 50)
      assert.isTrue(slowly.batches.every((batch) => batch.length <= 3))
    }))

  test("again after its listening connection was lost, and finds what it missed", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const sent = recording()
      const log = makeLog()
      const { store } = yield* anotherStore()
      yield* startRelay({ sent, heard, store }, hardlyPolling).pipe(Effect.provide(log.layer))
      const other = yield* outboxOn((yield* anotherStore()).store)
      const killer = yield* connect()
      for (const id of ["a", "b"]) {
        yield* somebodyListens
        const [pid] = yield* listeners
        yield* killer`SELECT pg_terminate_backend(${pid ?? 0}, 5000)`
        yield* other.transaction(other.enqueue(transaction(id)))
        yield* heard.heard("Accepted", 1, id)
      }
      yield* somebodyListens
      assert.strictEqual(log.count("not listening for other processes, polling"), 2)
    }))

  test("again after its listening connection went dead without a word, which it notices by its pings", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const sent = recording()
      const log = makeLog()
      const network = yield* storeOverNetwork({ ping: { every: "100 millis", timeout: "1 second" } })
      const watched = watchedClaims(network.store)
      yield* startRelay({ sent, heard, store: watched.store }, hardlyPolling).pipe(Effect.provide(log.layer))
      const other = yield* outboxOn((yield* anotherStore()).store)
      for (const [index, id] of ["a", "b"].entries()) {
        yield* somebodyListens
        const [dead = 0] = yield* listeners
        yield* watched.claimed(2)
        yield* network.breakConnections()
        // Nobody hears of it, and no poll comes.
        yield* other.transaction(other.enqueue(transaction(id)))
        yield* heard.heard("Accepted", 1, id)
        while (log.count("listening for other processes again") <= index) yield* Effect.sleep("5 millis")
        assert.isAbove((yield* listeners).filter((pid) => pid !== dead).length, 0)
        // And it hears again.
        yield* other.transaction(other.enqueue(transaction(`${id}-heard`)))
        yield* heard.heard("Accepted", 1, `${id}-heard`)
      }
      // Each loss is said once, and each return.
      const said = log.lines.filter((line) => line.includes("listening for other processes"))
      for (const [index, line] of said.entries()) {
        assert.strictEqual(line.endsWith("again"), index % 2 === 1, said.join("; "))
      }
    }))

  test("and no ping of its own or another's makes it look", () =>
    Effect.gen(function* () {
      const pinging = { ping: { every: "10 millis", timeout: "1 minute" } } as const
      const stores = [yield* anotherStore(pinging), yield* anotherStore(pinging)]
      const pinged = makeSignal()
      let pings = 0
      const ear = yield* connect()
      const words = yield* ear.listen("cascade_wake")
      const watched = yield* Effect.forEach(stores, ({ store }) => {
        const one = watchedClaims(store)
        return Effect.as(startRelay({ sent: recording(), store: one.store }, hardlyPolling), one)
      })
      yield* Queue.take(words).pipe(
        Effect.tap(({ payload }) =>
          Effect.sync(() => {
            if (payload.startsWith("ping:")) pings++
            pinged.tick()
          })
        ),
        Effect.forever,
        Effect.forkScoped
      )
      // The start, and the moment at which it began to listen.
      for (const one of watched) yield* one.claimed(2)
      yield* pinged.until(() => pings >= 20)
      for (const one of watched) assert.isAtMost(one.claimsSoFar(), 4)
    }))
})

onDatabase("the last word of a script", (test) => {
  const ear = Effect.gen(function* () {
    const words = yield* (yield* connect()).listen("cascade_wake")
    return Effect.map(Queue.take(words), ({ payload }) => payload)
  })

  test("is said although its scope closes at once: work", () =>
    Effect.gen(function* () {
      const heard = yield* ear
      yield* Effect.scoped(
        Effect.gen(function* () {
          const outbox = yield* outboxOn((yield* anotherStore()).store)
          yield* outbox.transaction(outbox.enqueue(transaction("a")))
        })
      )
      assert.strictEqual(yield* heard, "")
    }))

  test("is said although its scope closes at once: a lane", () =>
    Effect.gen(function* () {
      const client = yield* connect()
      const heard = yield* ear
      const script = (use: (admin: OutboxAdmin.OutboxAdminShape) => Effect.Effect<unknown, unknown>) =>
        Effect.gen(function* () {
          const store = yield* PgOutboxAdminStore.make()
          yield* use(yield* Effect.provideService(OutboxAdmin.make, OutboxAdminStore, store))
        }).pipe(Effect.scoped, Effect.provideService(PgClient.PgClient, client))
      yield* script((admin) => admin.pause({ lane: "default/high" }))
      assert.strictEqual(yield* heard, "lanes")
      yield* script((admin) => admin.resume({ lane: "default/high" }))
      assert.strictEqual(yield* heard, "lanes")
    }))

  test("keeps nobody waiting where the database is dead, and its loss is logged", () =>
    Effect.gen(function* () {
      const log = makeLog()
      const network = yield* storeOverNetwork()
      yield* Effect.gen(function* () {
        const store = yield* PgOutboxStore.make({ statementTimeout: "300 millis" })
        const outbox = yield* outboxOn(store)
        yield* outbox.transaction(
          // After the commit, and before anything is said of it.
          Effect.andThen(network.client.afterCommit(network.goDead), outbox.enqueue(transaction("a")))
        )
      }).pipe(
        Effect.scoped,
        Effect.provideService(PgClient.PgClient, network.client),
        Effect.provide(log.layer)
      )
      assert.strictEqual(log.count("closed before other processes could be notified"), 1)
    }))
})

/** The store, with a signal for each reading of the lanes. */
const watchedLanes = (store: OutboxStoreShape) => {
  const signal = makeSignal()
  let read = 0
  const lanes = Effect.tap(store.lanes, () =>
    Effect.sync(() => {
      read++
      signal.tick()
    })
  )
  return {
    store: { ...store, lanes },
    readSoFar: () => read,
    read: (times: number) => signal.until(() => read >= times)
  }
}

onDatabase("an operator's word about a lane", (test) => {
  const lane = { lane: "default/high" }
  const operator = Effect.flatMap(PgOutboxAdminStore.make(), (store) =>
    Effect.provideService(OutboxAdmin.make, OutboxAdminStore, store)
  )

  test("is obeyed at once by relays of other processes", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const sent = recording()
      const watched = watchedLanes((yield* anotherStore()).store)
      const admin = yield* operator
      const outbox = yield* outboxOn((yield* anotherStore()).store)
      yield* startRelay(
        { sent, heard, store: watched.store },
        { ...hardlyPolling, heartbeat: "1 hour", lease: "2 hours" }
      )
      yield* somebodyListens
      // At the start, and when it began to listen.
      yield* watched.read(2)
      yield* admin.pause(lane, "wrong text")
      yield* watched.read(3)
      yield* outbox.transaction(outbox.enqueueAll([transaction("held"), promo("free")]))
      yield* heard.heard("Accepted", 1, "free")
      assert.deepStrictEqual(sent.sentIds(), ["free"])
      yield* admin.resume(lane)
      yield* heard.heard("Accepted", 1, "held")
    }))

  test("waits for the heartbeat where relays only poll", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const sent = recording()
      const watched = watchedLanes((yield* anotherStore({ wake: "poll" })).store)
      const admin = yield* operator
      const outbox = yield* outboxOn((yield* anotherStore()).store)
      yield* startRelay({ sent, heard, store: watched.store })
      yield* admin.pause(lane)
      const before = watched.readSoFar()
      // One may have begun before the pause.
      yield* watched.read(before + 2)
      yield* outbox.transaction(outbox.enqueueAll([transaction("held"), promo("free")]))
      yield* heard.heard("Accepted", 1, "free")
      assert.deepStrictEqual(sent.sentIds(), ["free"])
      yield* admin.resume(lane)
      yield* heard.heard("Accepted", 1, "held")
    }))
})

onDatabase("a schedule", (test) => {
  test("is found by the poll when it falls due", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const sql = yield* SqlClient.SqlClient
      const heard = yield* listening
      const sent = recording()
      yield* outbox.transaction(
        outbox.enqueue(transaction("a"), { availableAt: new Date(Date.now() + 3_600_000) })
      )
      yield* startRelay({ sent, heard })
      yield* drain({ sent, heard })
      assert.deepStrictEqual(sent.batches, [])
      yield* sql`UPDATE cascade.work SET due_at = now() + interval '50 milliseconds'`
      yield* heard.heard("Accepted", 1, "a")
    }))
})
