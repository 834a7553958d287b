/**
 * Promises of `insert` and `transaction`.
 */
import { assert } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Result from "effect/Result"
import { open } from "./openTransaction.ts"
import { type DefineTests, idsOf, only, settled } from "./world.ts"

export const inserting: DefineTests = (test) => {
  test("insert outside a transaction fails and writes nothing", ({ claim, row, store }) =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Effect.flip(store.insert([row()])))._tag, "NotInTransaction")
      assert.deepStrictEqual(yield* claim(), [])
    }))

  test("rows can be claimed once their transaction has committed, and not before", ({ claim, row, store }) =>
    Effect.gen(function* () {
      const written = row()
      const transaction = yield* open(store)
      assert.deepStrictEqual(yield* transaction.run(store.insert([written])), [
        { id: written.id, trackingId: written.trackingId, result: "inserted" }
      ])
      assert.deepStrictEqual(yield* claim(), [])
      yield* transaction.commit
      assert.deepStrictEqual(idsOf(yield* claim()), [written.id])
    }))

  test("a transaction passes the value of what it runs", ({ store }) =>
    Effect.gen(function* () {
      assert.strictEqual(yield* store.transaction(Effect.succeed(42)), 42)
    }))

  test("what waits for a commit runs after it, never in between, and goes with a rollback", ({ store }) =>
    Effect.gen(function* () {
      const ran: Array<string> = []
      const later = (name: string) => store.afterCommit(Effect.sync(() => void ran.push(name)))
      yield* later("none open")
      assert.deepStrictEqual(ran, ["none open"])
      yield* store.transaction(
        Effect.gen(function* () {
          yield* later("committed")
          yield* store.transaction(later("released"))
          yield* Effect.exit(store.transaction(Effect.andThen(later("savepoint"), Effect.fail("sold out"))))
          assert.deepStrictEqual(ran, ["none open"])
        })
      )
      assert.deepStrictEqual(ran, ["none open", "committed", "released"])
      yield* Effect.exit(store.transaction(Effect.andThen(later("rolled back"), Effect.fail("sold out"))))
      assert.deepStrictEqual(ran, ["none open", "committed", "released"])
    }))

  test("rows go with a transaction that fails, and the caller's own failure passes", ({
    again,
    claim,
    enqueue,
    row,
    store
  }) =>
    Effect.gen(function* () {
      const written = row()
      const failing = store.transaction(
        Effect.andThen(store.insert([written]), Effect.fail("sold out" as const))
      )
      assert.strictEqual(yield* Effect.flip(failing), "sold out")
      assert.deepStrictEqual(yield* claim(), [])
      // Nor does the tracking id stand for anything.
      assert.strictEqual((yield* only(yield* enqueue(again(written)))).result, "inserted")
    }))

  test("rows go with a transaction that dies, and the defect passes", ({ claim, row, store }) =>
    Effect.gen(function* () {
      const bug = new Error("bug")
      const dying = store.transaction(Effect.andThen(store.insert([row()]), Effect.die(bug)))
      assert.deepStrictEqual(yield* Effect.exit(dying), Exit.die(bug))
      assert.deepStrictEqual(yield* claim(), [])
    }))

  test("rows go with a transaction that is interrupted", ({ claim, row, store }) =>
    Effect.gen(function* () {
      const written = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(
        store.transaction(
          store
            .insert([row()])
            .pipe(Effect.andThen(Deferred.succeed(written, undefined)), Effect.andThen(Effect.never))
        )
      )
      yield* Deferred.await(written)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(yield* claim(), [])
    }))

  test("a transaction in a transaction is a savepoint: it goes alone, and stays only with the one around it", ({
    claim,
    row,
    store
  }) =>
    Effect.gen(function* () {
      const [first, second, third, fourth] = [row(), row(), row(), row()]
      yield* store.transaction(
        Effect.gen(function* () {
          yield* store.insert([first])
          const failing = store.transaction(Effect.andThen(store.insert([second]), Effect.fail("no")))
          assert.deepStrictEqual(yield* Effect.result(failing), Result.fail("no"))
          yield* store.transaction(store.insert([third]))
        })
      )
      const failed = store.transaction(
        Effect.andThen(store.transaction(store.insert([fourth])), Effect.fail("late"))
      )
      assert.strictEqual(yield* Effect.flip(failed), "late")
      assert.deepStrictEqual(idsOf(yield* claim()), idsOf([first, third]))
    }))

  test("a savepoint in a savepoint goes with it", ({ again, claim, enqueue, row, store }) =>
    Effect.gen(function* () {
      const [kept, gone] = [row(), row()]
      yield* store.transaction(
        Effect.gen(function* () {
          yield* store.insert([kept])
          const inner = store.transaction(store.insert([gone]))
          yield* Effect.ignore(store.transaction(Effect.andThen(inner, Effect.fail("no"))))
        })
      )
      assert.deepStrictEqual(idsOf(yield* claim()), [kept.id])
      assert.strictEqual((yield* only(yield* enqueue(again(gone)))).result, "inserted")
    }))

  test("what a savepoint wrote can be written again when it is gone", ({ claim, row, store }) =>
    Effect.gen(function* () {
      const written = row()
      const result = yield* store.transaction(
        Effect.gen(function* () {
          yield* Effect.ignore(store.transaction(Effect.andThen(store.insert([written]), Effect.fail("no"))))
          return yield* store.insert([written])
        })
      )
      assert.strictEqual((yield* only(result)).result, "inserted")
      assert.deepStrictEqual(idsOf(yield* claim()), [written.id])
    }))

  test("a fiber that outlives its transaction writes nothing more", ({ claim, row, store }) =>
    Effect.gen(function* () {
      const over = yield* Latch.make(false)
      const late = yield* store.transaction(
        Effect.forkDetach(over.whenOpen(store.insert([row()])), { startImmediately: true })
      )
      yield* over.open
      assert.isTrue(Exit.isFailure(yield* Fiber.await(late)))
      assert.deepStrictEqual(yield* claim(), [])
    }))

  test("a tracking id that is there already is left alone: the same content is `existing`, other is `conflict`", ({
    again,
    claim,
    enqueue,
    row
  }) =>
    Effect.gen(function* () {
      const first = row()
      yield* enqueue(first)
      const same = again(first)
      const other = row({ trackingId: first.trackingId })
      const { id, trackingId } = first
      assert.deepStrictEqual(yield* enqueue(same), [{ id, trackingId, result: "existing" }])
      assert.deepStrictEqual(yield* enqueue(other), [{ id, trackingId, result: "conflict" }])
      assert.strictEqual((yield* only(yield* claim())).payload, first.payload)
    }))

  test("a tracking id stands for its message also after the end of it", ({
    again,
    claim,
    enqueue,
    row,
    settle
  }) =>
    Effect.gen(function* () {
      const first = row()
      yield* enqueue(first)
      yield* settle(settled(yield* only(yield* claim()), "sent"))
      assert.strictEqual((yield* only(yield* enqueue(again(first)))).result, "existing")
      assert.deepStrictEqual(yield* claim(), [])
    }))

  test("the same tracking id of another account is another message", ({
    account,
    claim,
    enqueue,
    lane,
    row
  }) =>
    Effect.gen(function* () {
      const mine = row()
      const theirs = row({
        account: `${account}-2`,
        trackingId: mine.trackingId,
        lane: `${account}-2/high`
      })
      assert.strictEqual((yield* only(yield* enqueue(mine))).result, "inserted")
      assert.strictEqual((yield* only(yield* enqueue(theirs))).result, "inserted")
      assert.deepStrictEqual(idsOf(yield* claim({ lanes: [lane, theirs.lane] })), idsOf([mine, theirs]))
    }))

  test("a tracking id that comes twice at once is written once", ({ again, claim, enqueue, row, store }) =>
    Effect.gen(function* () {
      const [first, other] = [row(), row()]
      const same = again(first)
      const changed = row({ trackingId: first.trackingId })
      const answers = yield* enqueue(first, same, other, changed)
      assert.deepStrictEqual(
        answers.map(({ id, result }) => [id, result]),
        [
          [first.id, "inserted"],
          [first.id, "existing"],
          [other.id, "inserted"],
          [first.id, "conflict"]
        ]
      )
      assert.deepStrictEqual(idsOf(yield* claim()), idsOf([first, other]))
      // And in one transaction by several calls.
      const second = row()
      const results = yield* store.transaction(
        Effect.forEach([second, again(second), row({ trackingId: second.trackingId })], (one) =>
          Effect.flatMap(store.insert([one]), only)
        )
      )
      assert.deepStrictEqual(
        results.map(({ result }) => result),
        ["inserted", "existing", "conflict"]
      )
    }))

  test("6,000 rows of one call are answered in their order", ({ claim, enqueue, rows }) =>
    Effect.gen(function* () {
      const all = rows(6_000)
      const known = all[3_000]
      if (known !== undefined) yield* enqueue(known)
      const answers = yield* enqueue(...all)
      assert.deepStrictEqual(
        answers.map(({ id }) => id),
        all.map(({ id }) => id)
      )
      assert.strictEqual(
        Arr.countBy(answers, ({ result }) => result === "inserted"),
        5_999
      )
      assert.strictEqual(answers[3_000]?.result, "existing")
      assert.lengthOf(yield* claim({ limit: 10_000 }), 6_000)
    }))
}
