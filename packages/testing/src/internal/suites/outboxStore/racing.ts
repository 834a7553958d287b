/**
 * Promises about transactions that write the same tracking ids at the same time.
 */
import { assert } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import { open } from "./openTransaction.ts"
import { type DefineTests, only } from "./world.ts"

export const racing: DefineTests = (test) => {
  for (const { ending, expected } of [
    { ending: "commit", expected: "existing" },
    { ending: "rollback", expected: "inserted" }
  ] as const) {
    test(`a tracking id of an open transaction is waited for: after its ${ending} the answer is ${expected}`, ({
      again,
      claim,
      moment,
      row,
      store
    }) =>
      Effect.gen(function* () {
        const message = row()
        const [first, second] = [yield* open(store), yield* open(store)]
        yield* first.run(store.insert([message]))
        const waiting = yield* Effect.forkChild(second.run(store.insert([again(message)])))
        for (let times = 0; times < 10; times++) yield* moment
        assert.isUndefined(waiting.pollUnsafe(), "it did not wait")
        yield* first[ending]
        assert.strictEqual((yield* only(yield* Fiber.join(waiting))).result, expected)
        yield* second.commit
        assert.lengthOf(yield* claim(), 1)
      }))
  }

  test("a tracking id of a savepoint that is gone is free, while the transaction around it is open", ({
    again,
    claim,
    moment,
    row,
    store
  }) =>
    Effect.gen(function* () {
      const message = row()
      const [first, second] = [yield* open(store), yield* open(store)]
      const insert = Effect.suspend(() => store.insert([again(message)]))
      const written = yield* Effect.forkChild(
        first.run(
          Effect.ignore(
            store.transaction(
              insert.pipe(
                Effect.andThen(Effect.forEach(Array.from({ length: 10 }), () => moment)),
                Effect.andThen(Effect.fail("no"))
              )
            )
          )
        )
      )
      yield* moment
      assert.strictEqual((yield* only(yield* second.run(insert))).result, "inserted")
      yield* second.commit
      yield* Fiber.join(written)
      assert.strictEqual((yield* only(yield* first.run(insert))).result, "existing")
      yield* first.commit
      assert.strictEqual((yield* only(yield* claim())).trackingId, message.trackingId)
    }))

  test("a message that is committed is found at once, also where another open transaction has found it", ({
    again,
    enqueue,
    row,
    store
  }) =>
    Effect.gen(function* () {
      const message = row()
      yield* enqueue(message)
      const [first, second] = [yield* open(store), yield* open(store)]
      for (const transaction of [first, second]) {
        const answer = yield* only(yield* transaction.run(store.insert([again(message)])))
        assert.strictEqual(answer.result, "existing")
      }
      yield* first.rollback
      yield* second.rollback
    }))

  test("of two transactions that wait for each other one fails, to be tried again", ({
    again,
    claim,
    row,
    store
  }) =>
    Effect.gen(function* () {
      const [a, b] = [row(), row()]
      const transactions = [yield* open(store), yield* open(store)] as const
      yield* transactions[0].run(store.insert([a]))
      yield* transactions[1].run(store.insert([b]))
      const results = yield* Effect.all(
        [
          Effect.result(
            Effect.tap(transactions[0].run(store.insert([again(b)])), () => transactions[0].commit)
          ),
          Effect.result(
            Effect.tap(transactions[1].run(store.insert([again(a)])), () => transactions[1].commit)
          )
        ],
        { concurrency: "unbounded" }
      )
      const loser = results.findIndex(Result.isFailure)
      const failure = results[loser]
      if (failure === undefined || Result.isSuccess(failure)) return assert.fail("neither failed")
      assert.isTrue(Result.isSuccess(results[1 - loser] ?? failure), "both failed")
      assert.strictEqual(failure.failure._tag, "StoreError")
      assert.isTrue(failure.failure._tag === "StoreError" && failure.failure.isRetryable)
      yield* transactions[loser === 0 ? 0 : 1].rollback
      const answers = yield* store.transaction(store.insert([again(a), again(b)]))
      assert.deepStrictEqual(
        answers.map(({ result }) => result),
        ["existing", "existing"]
      )
      const trackingIds = (rows: ReadonlyArray<{ readonly trackingId: string }>) =>
        new Set(rows.map(({ trackingId }) => trackingId))
      assert.deepStrictEqual(trackingIds(yield* claim()), trackingIds([a, b]))
    }))

  test("calls with the same tracking ids in other orders wait for each other, and none fails", ({
    again,
    claim,
    rows,
    store
  }) =>
    Effect.gen(function* () {
      const all = rows(200)
      const orders = [all, all.toReversed(), [...all.slice(100), ...all.slice(0, 100)]]
      const answers = yield* Effect.forEach(
        Array.from({ length: 6 }, (_, index) => orders[index % orders.length] ?? all),
        (order) => {
          const copies = order.map(again)
          return Arr.isArrayNonEmpty(copies) ? store.transaction(store.insert(copies)) : Effect.succeed([])
        },
        { concurrency: "unbounded" }
      )
      for (const [index, answer] of answers.entries()) {
        const order = orders[index % orders.length] ?? all
        assert.deepStrictEqual(
          answer.map(({ trackingId }) => trackingId),
          order.map(({ trackingId }) => trackingId)
        )
      }
      assert.strictEqual(
        Arr.countBy(answers.flat(), ({ result }) => result === "inserted"),
        200
      )
      assert.lengthOf(yield* claim({ limit: 1_000 }), 200)
    }))

  test("of many that write one tracking id at once, one writes it", ({ again, claim, row, store }) =>
    Effect.gen(function* () {
      const message = row()
      const answers = yield* Effect.forEach(
        Array.from({ length: 8 }),
        () => store.transaction(Effect.flatMap(store.insert([again(message)]), only)),
        { concurrency: "unbounded" }
      )
      const results = answers.map(({ result }) => result).sort()
      assert.deepStrictEqual(results, [...Array.from({ length: 7 }, () => "existing"), "inserted"])
      const { id } = yield* only(yield* claim())
      assert.isTrue(answers.every((answer) => answer.id === id))
    }))
}
