/**
 * Promises of `claim`: what is due, to whom, in which order, for how long.
 */
import { assert } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type DefineTests, idsOf, nonEmpty, only, settled } from "./world.ts"

const hour = 3_600_000

export const claiming: DefineTests = (test) => {
  test("a claimed row is the row that was inserted", ({ account, claim, enqueue, laneOf, row }) =>
    Effect.gen(function* () {
      const lane = laneOf("low")
      const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
      const payload = JSON.stringify({ text: "Привіт, світ 🙂 \u0000 'quoted' \"twice\" \\ \n" })
      const written = row({ lane, messageType: "promo", uncertainty: "hold", payload, traceparent })
      yield* enqueue(written)
      const { ageMillis, lease, ...claimed } = yield* only(yield* claim({ lanes: [lane] }))
      assert.deepStrictEqual(claimed, {
        id: written.id,
        lane,
        attempts: 0,
        lapses: 0,
        lapsed: false,
        account,
        trackingId: written.trackingId,
        messageType: "promo",
        uncertainty: "hold",
        payload,
        remainingMillis: null,
        traceparent
      })
      assert.isAbove(ageMillis, 0)
      assert.isBelow(ageMillis, hour)
      assert.isAbove(Number(lease), 0)
    }))

  test("gives at most as many rows of a lane as asked for, the longest due first", ({
    claim,
    enqueue,
    row,
    settle
  }) =>
    Effect.gen(function* () {
      const [first, second, third, fourth] = [row(), row(), row(), row()]
      for (const one of [first, second, third, fourth]) yield* enqueue(one)
      const ids = (rows: ReadonlyArray<{ readonly id: string }>) => rows.map(({ id }) => id)
      const claimed = yield* claim({ limit: 2 })
      assert.deepStrictEqual(ids(claimed), [first.id, second.id])
      // Given back, a row has its old place.
      for (const one of claimed) yield* settle(settled(one, "released"))
      assert.deepStrictEqual(ids(yield* claim({ limit: 3 })), [first.id, second.id, third.id])
      assert.deepStrictEqual(ids(yield* claim({ limit: 0 })), [])
      assert.deepStrictEqual(ids(yield* claim({ limit: 3 })), [fourth.id])
    }))

  test("gives rows of the lanes asked for and of no other, each within its own limit", ({
    enqueue,
    laneOf,
    rows,
    store
  }) =>
    Effect.gen(function* () {
      const [urgent, high, low] = [laneOf("urgent"), laneOf("high"), laneOf("low")]
      for (const lane of [urgent, high, low]) yield* enqueue(...rows(3, { lane }))
      const claim = store.claim(
        [
          { lane: low, limit: 1 },
          { lane: urgent, limit: 2 },
          { lane: laneOf("normal"), limit: 5 }
        ],
        { lease: hourLong, relay: "relay-a" }
      )
      const lanes = (claimed: ReadonlyArray<{ readonly lane: string }>) =>
        claimed.map(({ lane }) => lane).sort()
      assert.deepStrictEqual(lanes(yield* claim), [low, urgent, urgent].sort())
      assert.deepStrictEqual(lanes(yield* claim), [low, urgent].sort())
      assert.deepStrictEqual(lanes(yield* claim), [low])
      assert.deepStrictEqual(yield* claim, [])
    }))

  test("a row that is to wait is not given before its time, and is after", ({ claim, enqueue, row, until }) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const [past, soon, later] = [now - hour, now + 150, now + hour].map((availableAt) =>
        row({ availableAt })
      )
      const [at] = [row()]
      for (const one of [later, soon, at, past]) if (one !== undefined) yield* enqueue(one)
      const first = yield* claim()
      const ids = (rows: ReadonlyArray<{ readonly id: string }>) => rows.map(({ id }) => id)
      // A time that has passed already is now: it does not come before what was due earlier.
      assert.deepStrictEqual(
        ids(first).filter((id) => id !== soon?.id),
        [at.id, past?.id]
      )
      const given = ids(first).includes(String(soon?.id)) ? first : yield* until(nonEmpty(claim()))
      assert.include(ids(given), soon?.id)
      assert.isAtLeast(yield* Clock.currentTimeMillis, now + 150 - skew)
      assert.deepStrictEqual(yield* claim(), [])
    }))

  test("a deadline counts from the instant given, or else from the transaction, by the store's clock", ({
    claim,
    enqueue,
    row
  }) =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const from = { now: row({ ttlMillis: hour }), later: row({ ttlMillis: hour, ttlFrom: now + hour }) }
      const past = row({ ttlMillis: 1_000, ttlFrom: now - hour })
      const none = row({ ttlFrom: now + hour })
      yield* enqueue(from.now, from.later, past, none)
      const claimed = yield* claim()
      const passed = (yield* Clock.currentTimeMillis) - now
      const remaining = (one: { readonly id: string }) =>
        claimed.find(({ id }) => id === one.id)?.remainingMillis ?? undefined
      for (const [one, whole] of [
        [from.now, hour],
        [from.later, 2 * hour],
        // A row past its deadline is given too: somebody has to see that, and say so.
        [past, 1_000 - hour]
      ] as const) {
        const left = remaining(one) ?? assert.fail("no deadline")
        assert.isAtMost(left, whole + skew)
        assert.isAtLeast(left, whole - passed - skew)
      }
      assert.isUndefined(remaining(none))
      assert.lengthOf(claimed, 4)
    }))

  test("a leased row is nobody else's", ({ claim, enqueue, rows }) =>
    Effect.gen(function* () {
      yield* enqueue(...rows(3))
      const first = yield* claim({ limit: 2, relay: "relay-a" })
      const second = yield* claim({ relay: "relay-b" })
      assert.lengthOf(first, 2)
      assert.lengthOf(second, 1)
      assert.deepStrictEqual(yield* claim({ relay: "relay-a" }), [])
    }))

  test("of many that claim at once, each row goes to one", ({ claim, enqueue, rows }) =>
    Effect.gen(function* () {
      const all = rows(200)
      yield* enqueue(...all)
      const claims = yield* Effect.forEach(
        Array.from({ length: 8 }, (_, index) => `relay-${index}`),
        (relay) =>
          Effect.gen(function* () {
            const mine: Array<{ readonly id: string }> = []
            while (true) {
              const claimed = yield* claim({ limit: 7, relay })
              if (claimed.length === 0) return mine
              mine.push(...claimed)
            }
          }),
        { concurrency: "unbounded" }
      )
      // What one claim passes over because another is just taking it, the other gets.
      assert.deepStrictEqual(idsOf(claims.flat()), idsOf(all))
    }))

  test("a lease runs out by itself: then the row is given again, under a greater number, as lapsed", ({
    claim,
    enqueue,
    row,
    settle,
    until
  }) =>
    Effect.gen(function* () {
      yield* enqueue(row())
      const first = yield* only(yield* claim({ lease: "100 millis", relay: "killed" }))
      const second = yield* only(yield* until(nonEmpty(claim({ lease: "100 millis" }))))
      assert.strictEqual(second.id, first.id)
      assert.isAbove(Number(second.lease), Number(first.lease))
      assert.deepInclude(second, { lapsed: true, lapses: 1, attempts: 0 })
      const third = yield* only(yield* until(nonEmpty(claim())))
      assert.isAbove(Number(third.lease), Number(second.lease))
      assert.deepInclude(third, { lapsed: true, lapses: 2, attempts: 0 })
      // Settled, it is no longer lapsed; how often it was stays known.
      yield* settle(settled(third, "deferred"))
      assert.deepInclude(yield* only(yield* claim()), { lapsed: false, lapses: 2, attempts: 0 })
    }))

  test("a row whose lease ran out has its old place", ({ claim, enqueue, lane, laneOf, row, until }) =>
    Effect.gen(function* () {
      const [first, second] = [row(), row()]
      const witness = row({ lane: laneOf("low") })
      yield* enqueue(first, witness)
      assert.lengthOf(yield* claim({ lanes: [lane, witness.lane], lease: "50 millis" }), 2)
      yield* enqueue(second)
      // Both leases end at the same instant: that the one is given again shows that the other can be.
      yield* until(nonEmpty(claim({ lanes: [witness.lane] })))
      assert.strictEqual((yield* only(yield* claim({ limit: 1 }))).id, first.id)
      assert.strictEqual((yield* only(yield* claim({ limit: 1 }))).id, second.id)
    }))
}

const hourLong = Duration.hours(1)

/** By how much the clocks of a store and of this process may differ, and what is rounded. */
const skew = 5
