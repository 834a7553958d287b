/**
 * Promises of `settle` and `renew`.
 */
import { assert } from "@effect/vitest"
import type { SettledKind } from "@effect-cascade/outbox/OutboxRow"
import * as Reason from "@effect-cascade/core/TransportReason"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type DefineTests, idsOf, nonEmpty, only, settled } from "./world.ts"

const reason = new Reason.ServerError({ status: 502 })
const ends = ["sent", "dead", "expired", "uncertain"] as const satisfies ReadonlyArray<SettledKind>

export const settling: DefineTests = (test) => {
  for (const kind of ends) {
    test(`\`${kind}\` ends a message: no claim gives it again`, ({ claim, enqueue, row, settle }) =>
      Effect.gen(function* () {
        yield* enqueue(row())
        const held = yield* only(yield* claim({ lease: "1 milli" }))
        assert.deepStrictEqual(yield* settle(settled(held, kind, { reason })), [held.id])
        assert.deepStrictEqual(yield* claim(), [])
      }))
  }

  test("`retry` makes a row due after its delay, and counts the attempt", ({
    claim,
    enqueue,
    row,
    settle,
    until
  }) =>
    Effect.gen(function* () {
      const [now, soon, later] = [row(), row(), row()]
      yield* enqueue(now, soon, later)
      const held = yield* claim()
      const delays = new Map([
        [now.id, 0],
        [soon.id, 100],
        [later.id, 3_600_000]
      ])
      for (const one of held) {
        const delayMillis = delays.get(one.id) ?? 0
        assert.deepStrictEqual(yield* settle(settled(one, "retry", { reason, delayMillis })), [one.id])
      }
      const seen = new Set<string>()
      yield* until(
        Effect.map(claim({ lease: "1 hour" }), (rows) => {
          for (const one of rows) {
            assert.deepInclude(one, { attempts: 1, lapses: 0, lapsed: false })
            seen.add(one.id)
          }
          return seen.size === 2 ? true : undefined
        })
      )
      assert.deepStrictEqual(seen, new Set([now.id, soon.id]))
    }))

  test("`retry` is not due before its delay is over", ({ claim, enqueue, row, settle }) =>
    Effect.gen(function* () {
      yield* enqueue(row())
      const held = yield* only(yield* claim())
      yield* settle(settled(held, "retry", { reason, delayMillis: 60_000 }))
      assert.deepStrictEqual(yield* claim(), [])
    }))

  for (const { counted, kind } of [
    { kind: "retry", counted: false },
    { kind: "deferred", counted: false },
    { kind: "deferred", counted: true },
    { kind: "released", counted: false }
  ] as const) {
    const attempts = counted ? 1 : 0
    test(`\`${kind}\` that ${counted ? "counts" : "does not count"} leaves ${attempts} attempts`, ({
      claim,
      enqueue,
      row,
      settle
    }) =>
      Effect.gen(function* () {
        yield* enqueue(row())
        const held = yield* only(yield* claim())
        assert.deepStrictEqual(yield* settle(settled(held, kind, { counted })), [held.id])
        const again = yield* only(yield* claim())
        assert.deepInclude(again, { id: held.id, attempts, lapses: 0, lapsed: false })
        assert.isAbove(Number(again.lease), Number(held.lease))
      }))
  }

  test("a row that is deferred or given back keeps its place", ({ claim, enqueue, row, settle }) =>
    Effect.gen(function* () {
      const [deferred, released, other] = [row(), row(), row()]
      for (const one of [deferred, released, other]) yield* enqueue(one)
      const [first, second] = yield* claim({ limit: 2 })
      if (first === undefined || second === undefined) return assert.fail("two were due")
      yield* settle(settled(second, "released"), settled(first, "deferred", { reason }))
      assert.deepStrictEqual(
        (yield* claim()).map(({ id }) => id),
        [deferred.id, released.id, other.id]
      )
    }))

  test("one call settles rows of every kind, and answers for those whose lease held", ({
    claim,
    enqueue,
    rows,
    settle,
    store
  }) =>
    Effect.gen(function* () {
      const kinds = ["sent", "retry", "deferred", "released", "uncertain", "dead", "expired"] as const
      yield* enqueue(...rows(kinds.length + 1))
      const held = yield* claim()
      const [lost, ...mine] = held
      if (lost === undefined) return assert.fail("nothing was due")
      yield* settle(settled(lost, "released"))
      const settlements = mine.map((one, index) =>
        settled(one, kinds[index] ?? "sent", { delayMillis: 60_000 })
      )
      const strange = settled({ id: SecureRandom.uuidV7Unsafe(), lease: 1n }, "sent")
      const answer = yield* store.settle([settled(lost, "sent"), strange, ...settlements], {
        relay: "relay-a"
      })
      assert.deepStrictEqual(Array.from(answer).sort(), idsOf(mine))
      const due = [
        lost.id,
        ...settlements.filter(({ kind }) => kind === "deferred" || kind === "released").map(({ id }) => id)
      ]
      assert.deepStrictEqual(idsOf(yield* claim()), due.sort())
    }))

  test("the same settle again changes nothing and is answered as the first", ({
    claim,
    enqueue,
    rows,
    settle
  }) =>
    Effect.gen(function* () {
      const kinds = ["sent", "retry", "deferred", "uncertain"] as const
      yield* enqueue(...rows(kinds.length))
      const [first, ...others] = (yield* claim()).map((one, index) =>
        settled(one, kinds[index] ?? "sent", { reason, delayMillis: 60_000 })
      )
      if (first === undefined) return assert.fail("nothing was due")
      const answer = yield* settle(first, ...others)
      assert.lengthOf(answer, kinds.length)
      assert.deepStrictEqual(yield* settle(first, ...others), answer)
      const deferred = yield* only(yield* claim())
      assert.deepInclude(deferred, { attempts: 0, lapses: 0 })
    }))

  test("a settle under an older lease changes nothing and is not answered for", ({
    claim,
    enqueue,
    row,
    settle,
    until
  }) =>
    Effect.gen(function* () {
      yield* enqueue(row())
      const older = yield* only(yield* claim({ lease: "50 millis", relay: "killed" }))
      const newer = yield* only(yield* until(nonEmpty(claim())))
      for (const kind of [...ends, "retry", "deferred", "released"] as const) {
        assert.deepStrictEqual(yield* settle(settled(older, kind)), [], kind)
      }
      assert.deepStrictEqual(yield* claim(), [])
      assert.deepStrictEqual(yield* settle(settled(newer, "deferred")), [newer.id])
      assert.deepInclude(yield* only(yield* claim()), { attempts: 0, lapses: 1 })
    }))

  test("a settle under a number that was never given changes nothing", ({ claim, enqueue, row, settle }) =>
    Effect.gen(function* () {
      const written = row()
      yield* enqueue(written)
      assert.deepStrictEqual(yield* settle(settled({ id: written.id, lease: 0n }, "sent")), [])
      const held = yield* only(yield* claim())
      assert.deepStrictEqual(yield* settle(settled({ id: held.id, lease: held.lease + 1n }, "sent")), [])
      assert.deepStrictEqual(yield* settle(settled(held, "sent")), [held.id])
    }))

  test("a lease that has been settled is over: nothing else can be said under it", ({
    claim,
    enqueue,
    row,
    renew,
    settle
  }) =>
    Effect.gen(function* () {
      yield* enqueue(row())
      const held = yield* only(yield* claim())
      yield* settle(settled(held, "released"))
      assert.deepStrictEqual(yield* settle(settled(held, "sent")), [])
      assert.deepStrictEqual(yield* renew("1 hour", held), [])
      const again = yield* only(yield* claim())
      yield* settle(settled(again, "sent"))
      assert.deepStrictEqual(yield* settle(settled(again, "dead")), [])
      assert.deepStrictEqual(yield* renew("1 hour", again), [])
      assert.deepStrictEqual(yield* claim(), [])
    }))

  test("a lease whose time is over holds until another claim takes the row", ({
    claim,
    enqueue,
    row,
    settle,
    until
  }) =>
    Effect.gen(function* () {
      const [first, second] = [row(), row()]
      yield* enqueue(first)
      yield* enqueue(second)
      const [, late] = yield* claim({ lease: "50 millis" })
      if (late === undefined) return assert.fail("two were due")
      // That the one is given again shows that the other's time is over too.
      yield* until(nonEmpty(claim({ limit: 1 })))
      assert.deepStrictEqual(yield* settle(settled(late, "sent")), [late.id])
      assert.deepStrictEqual(yield* claim(), [])
    }))

  test("renew moves the end of a lease", ({ claim, enqueue, row, renew, until }) =>
    Effect.gen(function* () {
      const [kept, witness] = [row(), row()]
      yield* enqueue(kept, witness)
      const held = yield* claim({ lease: "100 millis" })
      const mine = held.find(({ id }) => id === kept.id) ?? assert.fail("it was due")
      assert.deepStrictEqual(yield* renew("1 hour", mine), [kept.id])
      // That the other's lease has run out shows that this one's would have.
      assert.deepStrictEqual(idsOf(yield* until(nonEmpty(claim()))), [witness.id])
      assert.deepStrictEqual(yield* renew(Duration.millis(1), mine), [kept.id])
      const again = yield* only(yield* until(nonEmpty(claim())))
      assert.deepInclude(again, { id: kept.id, lapsed: true, lapses: 1 })
    }))

  test("renew of a lease whose time is over keeps the row, if no other claim has taken it", ({
    claim,
    enqueue,
    row,
    renew,
    settle,
    until
  }) =>
    Effect.gen(function* () {
      const [first, second] = [row(), row()]
      yield* enqueue(first)
      yield* enqueue(second)
      const [lost, kept] = yield* claim({ lease: "50 millis" })
      if (lost === undefined || kept === undefined) return assert.fail("two were due")
      yield* until(nonEmpty(claim({ limit: 1 })))
      assert.deepStrictEqual(yield* renew("1 hour", lost, kept), [kept.id])
      assert.deepStrictEqual(yield* claim(), [])
      assert.deepStrictEqual(yield* settle(settled(kept, "sent")), [kept.id])
    }))
}
