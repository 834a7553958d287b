/**
 * Promises of `expire`. It looks at every account; each test looks at its own.
 */
import { assert } from "@effect/vitest"
import type { ClaimedRow } from "@effect-cascade/outbox/OutboxRow"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type DefineTests, idsOf, only, settled, type World } from "./world.ts"

/** Past its deadline as soon as it is there. */
const late = { ttlFrom: 0, ttlMillis: 1 }

export const expiring: DefineTests = (test) => {
  test("a message that waits past its deadline expires in whatever lane, paused or not, due or not", (world) =>
    Effect.gen(function* () {
      const { claim, enqueue, lane, laneOf, row, store } = world
      const all = [
        row(late),
        row({ ...late, lane: laneOf("low") }),
        row({ ...late, availableAt: 4_102_444_800_000 })
      ] as const
      yield* store.pauseLanes({ lanes: [lane], duration: undefined, reason: undefined, trips: 0 })
      yield* enqueue(...all)
      const ended = yield* expire(world)
      assert.deepStrictEqual(idsOf(ended), idsOf(all))
      for (const one of ended) {
        assert.deepInclude(one, { account: world.account, attempts: 0, lapses: 0, lapsed: false })
        assert.isBelow(one.remainingMillis ?? 1, 0)
        assert.strictEqual(one.payload, all.find(({ id }) => id === one.id)?.payload)
      }
      assert.deepStrictEqual(yield* expire(world), [])
      assert.deepStrictEqual(yield* claim({ lanes: [lane, laneOf("low")] }), [])
    }))

  test("what expired is recorded once, by who found it", (world) =>
    Effect.gen(function* () {
      if (world.messages === undefined) return
      yield* world.enqueue(world.row(late))
      yield* expire(world)
      const { outcomes, state } = yield* only(yield* world.messages)
      assert.strictEqual(state, "expired")
      assert.deepInclude(yield* only(outcomes), {
        kind: "expired",
        attempt: 0,
        by: sweeper,
        reason: undefined
      })
    }))

  test("a message without a deadline, or before it, stays", (world) =>
    Effect.gen(function* () {
      const [first, second] = [world.row(), world.row({ ttlMillis: 3_600_000 })]
      yield* world.enqueue(first, second)
      assert.deepStrictEqual(yield* expire(world), [])
      assert.deepStrictEqual(idsOf(yield* world.claim()), idsOf([first, second]))
    }))

  test("a message that is held stays its holder's, and expires after it was given back", (world) =>
    Effect.gen(function* () {
      yield* world.enqueue(world.row(late))
      const held = yield* only(yield* world.claim())
      assert.deepStrictEqual(yield* expire(world), [])
      const retry = settled(held, "retry", { delayMillis: 3_600_000 })
      assert.deepStrictEqual(yield* world.settle(retry), [held.id])
      const ended = yield* only(yield* expire(world))
      assert.deepInclude(ended, { id: held.id, attempts: 1 })
      assert.isAbove(Number(ended.lease), Number(held.lease))
      // Nobody can settle it any more.
      assert.deepStrictEqual(yield* world.settle(settled({ ...held, lease: ended.lease }, "sent")), [])
    }))

  test("a message whose lease ran out may have been sent, and stays for a claim", (world) =>
    Effect.gen(function* () {
      yield* world.enqueue(world.row(late))
      const held = yield* only(yield* world.claim({ lease: "1 milli" }))
      for (let times = 0; times < 3; times++) {
        yield* world.moment
        assert.deepStrictEqual(yield* expire(world), [])
      }
      const again = yield* world.until(Effect.map(world.claim(), ([one]) => one))
      assert.deepInclude(again, { id: held.id, lapsed: true })
    }))

  test("it ends no more than it is asked to, the longest overdue first", (world) =>
    Effect.gen(function* () {
      const rows = [3, 1, 2].map((ttlMillis) => world.row({ ttlFrom: 0, ttlMillis }))
      const [third, first, second] = rows
      if (third === undefined || first === undefined || second === undefined) return
      yield* world.enqueue(third, first, second)
      assert.deepStrictEqual(idsOf(yield* expire(world, 2)), idsOf([first, second]))
      assert.deepStrictEqual(idsOf(yield* expire(world, 2)), [third.id])
    }))

  test("of many who do it at once, and claim, one has each message", (world) =>
    Effect.gen(function* () {
      const all = world.rows(40, late)
      yield* world.enqueue(...all)
      const taken = yield* Effect.all(
        [expire(world, 15), world.claim({ limit: 15 }), expire(world, 15), world.claim({ limit: 15 })],
        { concurrency: "unbounded" }
      )
      const rest = yield* Effect.all([expire(world), world.claim({ lease: Duration.hours(1) })])
      assert.deepStrictEqual(idsOf([...taken.flat(), ...rest.flat()]), idsOf(all))
    }))
}

const sweeper = "relay-that-sweeps"

const expire = (
  { account, store }: World,
  limit = 1_000
): Effect.Effect<ReadonlyArray<ClaimedRow>, unknown> =>
  Effect.map(store.expire({ limit, relay: sweeper }), (rows) => rows.filter((row) => row.account === account))
