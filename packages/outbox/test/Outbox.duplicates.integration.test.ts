import { Outbox } from "@effect-cascade/outbox/Outbox"
import { assert } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { anotherStore, connect, onDatabase, outboxOn } from "./support/database.ts"
import { ids, promo, transaction } from "./support/messages.ts"
import { counts } from "./support/rows.ts"

/** Done when a session of the database waits for a lock. */
const somebodyWaits = Effect.gen(function* () {
  const watcher = yield* connect({ maxConnections: 1 })
  const waiting = watcher`
    SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
  while ((yield* waiting).length === 0) yield* Effect.sleep("5 millis")
})

const one = { message: 1, work: 1, outcome: 0, shop: 0 }

onDatabase("a tracking id that comes again", (test) => {
  test("within one call: the same message once", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const [first, second, third] = yield* outbox.transaction(
        outbox.enqueueAll([transaction("a"), transaction("a"), transaction("b")])
      )
      assert.deepStrictEqual(
        [first?._tag, second?._tag, third?._tag],
        ["Enqueued", "AlreadyEnqueued", "Enqueued"]
      )
      assert.strictEqual(second?.id, first?.id)
      assert.strictEqual(second?.trackingId, "a")
      assert.deepStrictEqual(yield* counts, { ...one, message: 2, work: 2 })
    }))

  test("within one call: another message is refused, and nothing at all is written", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const failure = yield* Effect.flip(
        outbox.transaction(
          outbox.enqueueAll([
            transaction("fine"),
            transaction("a"),
            transaction("a", { text: "other" }),
            promo("fine"),
            transaction("a")
          ])
        )
      )
      assert.strictEqual(failure._tag, "TrackingIdReused")
      assert.deepStrictEqual(failure._tag === "TrackingIdReused" ? failure.trackingIds : [], ["a", "fine"])
      assert.deepStrictEqual(yield* counts, { ...one, message: 0, work: 0 })
    }))

  test("within one call: who goes on after the error has the others of the call, unless in a savepoint", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const call = (id: string) =>
        outbox.enqueueAll([transaction(id), transaction("a"), transaction("a", { text: "other" })])
      const caught = (self: ReturnType<typeof call>) =>
        Effect.catchTag(self, "TrackingIdReused", () => Effect.void)
      yield* outbox.transaction(caught(outbox.transaction(call("gone"))))
      assert.deepStrictEqual(yield* counts, { ...one, message: 0, work: 0 })
      yield* outbox.transaction(caught(call("stays")))
      assert.deepStrictEqual(yield* counts, { ...one, message: 2, work: 2 })
    }))

  test("within one call of several statements", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const again = [...ids("m", 6_000), "m-0", "m-5999", "new"]
      const enqueued = yield* outbox.transaction(outbox.enqueueAll(again.map((id) => promo(id))))
      assert.deepStrictEqual(
        enqueued.slice(-3).map(({ _tag }) => _tag),
        ["AlreadyEnqueued", "AlreadyEnqueued", "Enqueued"]
      )
      assert.strictEqual(enqueued[6_000]?.id, enqueued[0]?.id)
      assert.deepStrictEqual(yield* counts, { ...one, message: 6_001, work: 6_001 })
    }))

  test("within one transaction", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const [first, second] = yield* outbox.transaction(
        Effect.all([outbox.enqueue(transaction("a")), outbox.enqueue(transaction("a"))])
      )
      assert.strictEqual(second._tag, "AlreadyEnqueued")
      assert.strictEqual(second.id, first.id)
      assert.deepStrictEqual(yield* counts, one)
    }))

  test("in another transaction, also when the message has long been sent", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const sql = yield* SqlClient.SqlClient
      const first = yield* outbox.transaction(outbox.enqueue(transaction("a")))
      yield* sql`DELETE FROM cascade.work`
      const second = yield* outbox.transaction(outbox.enqueue(transaction("a")))
      assert.deepStrictEqual(second, { _tag: "AlreadyEnqueued", id: first.id, trackingId: "a" })
      const other = yield* Effect.flip(
        outbox.transaction(outbox.enqueue(transaction("a", { text: "other" })))
      )
      assert.strictEqual(other._tag, "TrackingIdReused")
      assert.include(other.message, '"a"')
      assert.deepStrictEqual(yield* counts, { ...one, work: 0 })
    }))

  test("with another route, schedule or notes it is another message; how and when it is sent does not matter", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const message = transaction("a")
      const headers = { tenant: "1", campaign: "2" }
      const enqueue = (options: Parameters<typeof outbox.enqueue>[1]) =>
        Effect.map(Effect.result(outbox.transaction(outbox.enqueue(message, options))), (result) =>
          result._tag === "Success" ? result.success._tag : result.failure._tag
        )
      assert.strictEqual(yield* enqueue({ headers }), "Enqueued")
      assert.strictEqual(
        yield* enqueue({
          headers: { campaign: "2", tenant: "1" },
          priority: "low",
          uncertainty: "hold",
          availableAt: new Date()
        }),
        "AlreadyEnqueued"
      )
      assert.strictEqual(yield* enqueue({}), "TrackingIdReused")
      assert.strictEqual(yield* enqueue({ headers, route: "tg-viber" }), "TrackingIdReused")
      assert.strictEqual(yield* enqueue({ headers, schedule: "provider" }), "TrackingIdReused")
      assert.deepStrictEqual(yield* counts, one)
    }))

  test("of another account it is another message", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const accounts = ["default", "tenant-1", "tenant-2"]
      const enqueue = (account: string) =>
        outbox.transaction(outbox.enqueue(transaction("a", { text: `of ${account}` }), { account }))
      const first = yield* Effect.forEach(accounts, enqueue)
      assert.isTrue(first.every(({ _tag }) => _tag === "Enqueued"))
      const again = yield* Effect.forEach(accounts, enqueue)
      assert.deepStrictEqual(
        again,
        first.map(({ id }) => ({ _tag: "AlreadyEnqueued", id, trackingId: "a" }))
      )
      assert.deepStrictEqual(yield* counts, { ...one, message: 3, work: 3 })
    }))

  test("counts as the same once its text has been scrubbed", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const sql = yield* SqlClient.SqlClient
      yield* outbox.transaction(outbox.enqueue(transaction("a")))
      yield* sql`UPDATE cascade.message SET payload = NULL`
      const again = yield* outbox.transaction(outbox.enqueue(transaction("a", { text: "other" })))
      assert.strictEqual(again._tag, "AlreadyEnqueued")
    }))

  /** Two transactions with the same tracking id; the first ends when the second waits for it. */
  const race = <E>(end: Effect.Effect<void, E>, second: string) =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const { store } = yield* anotherStore()
      const other = yield* outboxOn(store)
      const written = yield* Deferred.make<string>()
      const first = yield* Effect.forkChild(
        Effect.result(
          outbox.transaction(
            outbox.enqueue(transaction("a", { text: "first" })).pipe(
              Effect.tap(({ id }) => Deferred.succeed(written, id)),
              Effect.andThen(somebodyWaits),
              Effect.andThen(end)
            )
          )
        )
      )
      const id = yield* Deferred.await(written)
      const result = yield* Effect.result(
        other.transaction(other.enqueue(transaction("a", { text: second })))
      )
      yield* Fiber.join(first)
      return { id, result }
    })

  test("in two transactions at once: the second waits, and finds the first's", () =>
    Effect.gen(function* () {
      const { id, result } = yield* race(Effect.void, "first")
      assert.deepStrictEqual(result._tag === "Success" ? result.success : result.failure, {
        _tag: "AlreadyEnqueued",
        id,
        trackingId: "a"
      })
      assert.deepStrictEqual(yield* counts, one)
    }))

  test("in two transactions at once, with other content: the second waits, and is refused", () =>
    Effect.gen(function* () {
      const { result } = yield* race(Effect.void, "second")
      assert.strictEqual(
        result._tag === "Failure" ? result.failure._tag : result.success._tag,
        "TrackingIdReused"
      )
      assert.deepStrictEqual(yield* counts, one)
    }))

  test("in two transactions at once: when the first rolls back, the second is the one", () =>
    Effect.gen(function* () {
      const { id, result } = yield* race(Effect.fail("changed its mind"), "second")
      assert.strictEqual(result._tag === "Success" ? result.success._tag : result.failure._tag, "Enqueued")
      assert.notStrictEqual(result._tag === "Success" ? result.success.id : "", id)
      assert.deepStrictEqual(yield* counts, one)
    }))

  test("in fifty transactions at once: one is the first, and all know its id", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const all = yield* Effect.all(
        Array.from({ length: 50 }, () => outbox.transaction(outbox.enqueue(transaction("a")))),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(all.filter(({ _tag }) => _tag === "Enqueued").length, 1)
      assert.strictEqual(new Set(all.map(({ id }) => id)).size, 1)
      assert.deepStrictEqual(yield* counts, one)
    }))
})
