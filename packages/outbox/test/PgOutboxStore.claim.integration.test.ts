import * as OutboxRow from "@effect-cascade/outbox/OutboxRow"
import { Outbox } from "@effect-cascade/outbox/Outbox"
import { OutboxStore, type OutboxStoreShape } from "@effect-cascade/outbox/OutboxStore"
import { assert } from "@effect/vitest"
import { DateTime, Duration, Effect, Result } from "effect"
import { SqlClient } from "effect/sql"
import { anotherStore, onDatabase } from "./support/database.ts"
import { ids, promo, transaction } from "./support/messages.ts"
import { expireLeases, outcomesOf, storyOf, workOf } from "./support/rows.ts"

const lease = Duration.seconds(30)

const claim = (store: OutboxStoreShape, limit: number, lane = "default/high") =>
  store.claim([{ lane, limit }], { lease, relay: "test" })

const enqueueAll = (all: ReadonlyArray<string>) =>
  Outbox.use((outbox) => outbox.transaction(outbox.enqueueAll(all.map((id) => transaction(id)))))

const idsOf = (rows: ReadonlyArray<OutboxRow.ClaimedRow>) => rows.map(({ trackingId }) => trackingId)

onDatabase("claim", (test) => {
  test("gives what is due, with everything that a send needs", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const store = yield* OutboxStore
      const message = transaction("a", { ttl: "1 hour" })
      const { id } = yield* outbox.transaction(outbox.enqueue(message, { headers: { tenant: "7" } }))
      const [row, another] = yield* claim(store, 10)
      if (row === undefined) return assert.fail("nothing claimed")
      assert.isUndefined(another)
      const { ageMillis, payload, remainingMillis, traceparent, ...rest } = row
      assert.match(traceparent ?? "", /^00-/u)
      assert.deepStrictEqual(rest, {
        id,
        lane: "default/high",
        lease: 1n,
        attempts: 0,
        lapses: 0,
        lapsed: false,
        account: "default",
        trackingId: "a",
        messageType: "transaction",
        uncertainty: "resend"
      })
      assert.strictEqual(Math.round(ageMillis + (remainingMillis ?? 0)), 3_600_000)
      const envelope = Result.getOrThrow(OutboxRow.toEnvelope(row, yield* DateTime.now))
      assert.strictEqual(OutboxRow.encodePayload(envelope), payload)
      assert.deepStrictEqual(envelope.headers, { tenant: "7" })
      assert.deepInclude((yield* workOf("a"))[0], {
        lease: 1,
        started: 1,
        finished: 0,
        attempts: 0,
        leased: true
      })
    }))

  test("does not give the same row twice, nor one that is not due, nor one of another lane", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const store = yield* OutboxStore
      yield* enqueueAll(["a"])
      yield* outbox.transaction(
        Effect.gen(function* () {
          yield* outbox.enqueue(transaction("later"), {
            availableAt: DateTime.addDuration(yield* DateTime.now, "1 hour")
          })
          yield* outbox.enqueue(promo("low"))
          yield* outbox.enqueue(transaction("tenant"), { account: "tenant" })
        })
      )
      assert.deepStrictEqual(idsOf(yield* claim(store, 10)), ["a"])
      assert.deepStrictEqual(idsOf(yield* claim(store, 10)), [])
      assert.deepStrictEqual(idsOf(yield* claim(store, 10, "default/low")), ["low"])
      assert.deepStrictEqual(idsOf(yield* claim(store, 10, "tenant/high")), ["tenant"])
    }))

  test("takes no more of a lane than is asked for, and several lanes at once", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const store = yield* OutboxStore
      yield* enqueueAll(ids("h", 5))
      yield* outbox.transaction(outbox.enqueueAll(ids("l", 5).map((id) => promo(id))))
      const rows = yield* store.claim(
        [
          { lane: "default/urgent", limit: 9 },
          { lane: "default/high", limit: 2 },
          { lane: "default/low", limit: 3 }
        ],
        { lease, relay: "test" }
      )
      const lanes = rows.map(({ lane }) => lane)
      assert.deepStrictEqual(lanes.toSorted(), [
        "default/high",
        "default/high",
        "default/low",
        "default/low",
        "default/low"
      ])
    }))

  test("takes the longest due of a lane first, whatever the plan", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      // Without the index nothing is in order by itself.
      const { store } = yield* anotherStore({
        client: { startupParameters: { enable_indexscan: "off", enable_bitmapscan: "off" } }
      })
      yield* enqueueAll(["c", "a", "d", "b"])
      yield* sql`
        UPDATE cascade.work SET due_at = now() - array_position(ARRAY['d', 'c', 'b', 'a'], tracking_id) * interval '1 minute'
        FROM cascade.message WHERE message.id = work.message_id`
      assert.deepStrictEqual(idsOf(yield* claim(store, 3)), ["a", "b", "c"])
      assert.deepStrictEqual(idsOf(yield* claim(store, 3)), ["d"])
    }))

  test("two stores at once never share a row", () =>
    Effect.gen(function* () {
      const stores = [
        yield* OutboxStore,
        (yield* anotherStore()).store,
        (yield* anotherStore()).store,
        (yield* anotherStore()).store
      ]
      yield* enqueueAll(ids("m", 1_000))
      const claims = yield* Effect.forEach(
        Array.from({ length: 40 }, (_, index) => stores[index % stores.length] ?? assert.fail()),
        (store) => claim(store, 50),
        { concurrency: "unbounded" }
      )
      const all = claims.flat()
      assert.strictEqual(new Set(idsOf(all)).size, all.length)
      // What one was just taking, the others passed over without waiting; another look finds it.
      const rest = yield* claim(stores[0] ?? assert.fail(), 1_000)
      assert.strictEqual(new Set([...idsOf(all), ...idsOf(rest)]).size, 1_000)
      assert.strictEqual(all.length + rest.length, 1_000)
    }))

  test("passes over what another transaction holds, without waiting", () =>
    Effect.gen(function* () {
      const store = yield* OutboxStore
      const sql = yield* SqlClient.SqlClient
      yield* enqueueAll(["a", "b"])
      const claimed = yield* sql.withTransaction(
        Effect.gen(function* () {
          yield* sql`
            SELECT 1 FROM cascade.work JOIN cascade.message ON message.id = message_id
            WHERE tracking_id = 'a' FOR UPDATE OF work`
          const other = yield* anotherStore()
          return yield* claim(other.store, 10)
        }).pipe(Effect.scoped)
      )
      assert.deepStrictEqual(idsOf(claimed), ["b"])
      assert.deepStrictEqual(idsOf(yield* claim(store, 10)), ["a"])
    }))
})

onDatabase("a lease that runs out", (test) => {
  test("makes the row claimable again, under another number, and is written down", () =>
    Effect.gen(function* () {
      const store = yield* OutboxStore
      yield* enqueueAll(["a"])
      const [first] = yield* claim(store, 1)
      assert.deepStrictEqual(yield* claim(store, 1), [])
      yield* expireLeases
      const [second] = yield* store.claim([{ lane: "default/high", limit: 1 }], { lease, relay: "heir" })
      assert.strictEqual(second?.id, first?.id)
      assert.deepInclude(second, { lease: 2n, lapsed: true, lapses: 1, attempts: 0 })
      assert.deepStrictEqual(yield* outcomesOf("a"), [
        { kind: "lapsed", attempt: 0, reason: "CutShort", by: "lease", relay: "heir", messageId: null }
      ])
      yield* expireLeases
      const [third] = yield* claim(store, 1)
      assert.deepInclude(third, { lease: 3n, lapsed: true, lapses: 2 })
      assert.deepStrictEqual(yield* storyOf("a"), ["lapsed 0", "lapsed 0"])
    }))

  test("runs out by itself, by the database's clock", () =>
    Effect.gen(function* () {
      const store = yield* OutboxStore
      yield* enqueueAll(["a"])
      const short = { lease: Duration.millis(1), relay: "test" }
      yield* store.claim([{ lane: "default/high", limit: 1 }], short)
      yield* SqlClient.SqlClient.use((sql) => sql`SELECT pg_sleep(0.01)`)
      assert.deepInclude((yield* claim(store, 1))[0], { lapsed: true })
    }))

  test("a lease that was given back is no lapse", () =>
    Effect.gen(function* () {
      const store = yield* OutboxStore
      yield* enqueueAll(["a"])
      const [row] = yield* claim(store, 1)
      if (row === undefined) return assert.fail("nothing claimed")
      yield* store.settle(
        [
          {
            id: row.id,
            lease: row.lease,
            kind: "released",
            delayMillis: 0,
            counted: false,
            reason: undefined,
            providerMessageId: undefined
          }
        ],
        { relay: "test" }
      )
      assert.deepInclude((yield* claim(store, 1))[0], { lease: 2n, lapsed: false, lapses: 0, attempts: 0 })
      assert.deepStrictEqual(yield* storyOf("a"), [])
    }))
})

onDatabase("renew", (test) => {
  const leases = (rows: ReadonlyArray<OutboxRow.ClaimedRow>) => {
    const [first, ...rest] = rows.map(({ id, lease }) => ({ id, lease }))
    return first === undefined ? assert.fail("nothing claimed") : ([first, ...rest] as const)
  }
  const leaseMillis = SqlClient.SqlClient.use(
    (sql) => sql<{ readonly millis: number }>`
      SELECT extract(epoch FROM lease_until - now())::float8 * 1000 AS millis FROM cascade.work`
  )

  test("keeps a row, also one whose lease is over while nobody took it", () =>
    Effect.gen(function* () {
      const store = yield* OutboxStore
      yield* enqueueAll(["a", "b"])
      const rows = yield* claim(store, 2)
      yield* expireLeases
      const renewed = yield* store.renew(leases(rows), Duration.hours(1))
      assert.sameMembers(
        [...renewed],
        rows.map(({ id }) => id)
      )
      assert.deepStrictEqual(yield* claim(store, 2), [])
      for (const { millis } of yield* leaseMillis) assert.isAbove(millis, 3_000_000)
    }))

  test("does not return a lease that is another's, settled or unknown, and does not touch it", () =>
    Effect.gen(function* () {
      const store = yield* OutboxStore
      yield* enqueueAll(["lost", "settled"])
      const rows = yield* claim(store, 2)
      const settled = rows.find(({ trackingId }) => trackingId === "settled")
      if (settled === undefined) return assert.fail("nothing claimed")
      yield* store.settle(
        [
          {
            id: settled.id,
            lease: settled.lease,
            kind: "retry",
            delayMillis: 1e9,
            counted: true,
            reason: undefined,
            providerMessageId: undefined
          }
        ],
        { relay: "test" }
      )
      yield* expireLeases
      yield* (yield* anotherStore()).store.claim([{ lane: "default/high", limit: 2 }], {
        lease,
        relay: "other"
      })
      const unknown = { id: "018d0000-0000-7000-8000-000000000000", lease: 1n }
      const renewed = yield* store.renew([unknown, ...leases(rows)], Duration.hours(1))
      assert.deepStrictEqual([...renewed], [])
      for (const { millis } of yield* leaseMillis) assert.isTrue(millis === null || millis <= 30_000)
    }))
})
