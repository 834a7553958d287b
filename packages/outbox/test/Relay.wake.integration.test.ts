import { Outbox } from "@effect-cascade/outbox/Outbox"
import type { OutboxStoreShape } from "@effect-cascade/outbox/OutboxStore"
import type { RelayOptions } from "@effect-cascade/outbox/Relay"
import { assert } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { SqlClient } from "effect/sql"
import { anotherStore, connect, onDatabase, outboxOn } from "./support/database.ts"
import { transaction } from "./support/messages.ts"
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
      const warnings: Array<unknown> = []
      const capture = Logger.layer([Logger.make(({ message }) => void warnings.push(message))])
      const { store } = yield* anotherStore()
      yield* startRelay({ sent, heard, store }, hardlyPolling).pipe(Effect.provide(capture))
      const other = yield* outboxOn((yield* anotherStore()).store)
      const killer = yield* connect()
      for (const id of ["a", "b"]) {
        yield* somebodyListens
        const [pid] = yield* listeners
        yield* killer`SELECT pg_terminate_backend(${pid ?? 0}, 5000)`
        yield* other.transaction(other.enqueue(transaction(id)))
        yield* heard.heard("Accepted", 1, id)
      }
      assert.isTrue(JSON.stringify(warnings).includes("not listening for other processes, polling"))
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
