/**
 * Promises about wakes, and about several processes that share a store's data.
 */
import { assert } from "@effect/vitest"
import * as Reason from "@effect-cascade/core/TransportReason"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import { type DefineTests, idsOf, only, settled } from "./world.ts"

const throttled = new Reason.Throttled({ status: 429 })

export const waking: DefineTests = (test) => {
  test("a commit wakes everybody who listens in this process, once or more", ({ enqueue, row, store }) =>
    Effect.gen(function* () {
      const [first, second] = [yield* store.wakes, yield* store.wakes]
      yield* enqueue(row())
      yield* Queue.take(first.work)
      yield* Queue.take(second.work)
    }))

  test("lanes that are opened wake too, and lanes that are opened or paused are told", ({ lane, store }) =>
    Effect.gen(function* () {
      const wakes = yield* store.wakes
      const pause = { lanes: [lane], duration: undefined, trips: 0 } as const
      yield* store.pauseLanes({ ...pause, reason: undefined })
      yield* Queue.take(wakes.lanes)
      yield* Queue.clear(wakes.work)
      yield* store.resumeLanes([lane])
      yield* Queue.take(wakes.lanes)
      yield* Queue.take(wakes.work)
      yield* store.pauseLanes({ ...pause, duration: Duration.hours(1), reason: throttled })
      yield* Queue.take(wakes.lanes)
      yield* Queue.clear(wakes.work)
      yield* store.reopenLanes([lane])
      yield* Queue.take(wakes.lanes)
      yield* Queue.take(wakes.work)
    }))

  test("a store that can be heard is not deaf", ({ store }) =>
    Effect.gen(function* () {
      assert.isFalse(yield* (yield* store.wakes).isDeaf)
    }))

  test("who no longer listens holds nobody up", ({ claim, enqueue, row, store }) =>
    Effect.gen(function* () {
      yield* Effect.scoped(store.wakes)
      yield* enqueue(row())
      assert.lengthOf(yield* claim(), 1)
    }))
}

/** For stores that several processes can share. */
export const sharing: DefineTests = (test) => {
  test("what one process commits, another claims; no two hold the same row", ({
    another,
    claim,
    enqueue,
    rows
  }) =>
    Effect.gen(function* () {
      const other = yield* given(another)
      const all = rows(40)
      yield* enqueue(...all)
      const claims = yield* Effect.all(
        [claim({ limit: 20 }), claim({ limit: 20, store: other, relay: "relay-b" })],
        { concurrency: "unbounded" }
      )
      const rest = yield* claim({ store: other, relay: "relay-b" })
      assert.deepStrictEqual(idsOf([...claims.flat(), ...rest]), idsOf(all))
    }))

  test("a process cannot settle or renew what another holds by now", ({
    another,
    claim,
    enqueue,
    row,
    until
  }) =>
    Effect.gen(function* () {
      const other = yield* given(another)
      yield* enqueue(row())
      const older = yield* only(yield* claim({ store: other, lease: "50 millis", relay: "killed" }))
      const newer = yield* until(Effect.map(claim(), ([one]) => one))
      assert.deepStrictEqual(yield* other.settle([settled(older, "sent")], { relay: "killed" }), new Set())
      assert.deepStrictEqual(yield* other.renew([older], Duration.hours(1)), new Set())
      assert.deepStrictEqual(yield* other.renew([newer], Duration.hours(1)), new Set([newer.id]))
    }))

  test("a pause holds for every process", ({ another, lane, store }) =>
    Effect.gen(function* () {
      const other = yield* given(another)
      yield* store.pauseLanes({ lanes: [lane], duration: undefined, reason: undefined, trips: 0 })
      assert.include(
        (yield* other.lanes).map((held) => held.lane),
        lane
      )
      yield* other.resumeLanes([lane])
      assert.notInclude(
        (yield* store.lanes).map((held) => held.lane),
        lane
      )
    }))

  test("a commit in one process wakes another", ({ another, enqueue, moment, row }) =>
    Effect.gen(function* () {
      const other = yield* given(another)
      const wakes = yield* other.wakes
      const woken = yield* Effect.forkChild(Queue.take(wakes.work))
      // It may not listen yet when the first of them commits; a hint may be lost, and comes again.
      while (woken.pollUnsafe() === undefined) {
        yield* enqueue(row())
        yield* moment
      }
      yield* Fiber.join(woken)
    }))
}

const given = <A, E, R>(another: Effect.Effect<A, E, R> | undefined) =>
  another ?? Effect.die("the suite was not given another process")
