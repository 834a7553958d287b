import { inspect } from "node:util"
import * as Message from "@effect-cascade/core/Message"
import * as Outbox from "@effect-cascade/outbox/Outbox"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import { assert, describe, it } from "@effect/vitest"
import { Array as Arr, DateTime, Duration, Effect, Exit, Fiber, Latch, Layer, Result } from "effect"
import { TestClock } from "effect/testing"
import { open } from "../src/internal/suites/outboxStore/openTransaction.ts"
import * as Worlds from "../src/internal/suites/outboxStore/world.ts"
import * as MemoryOutboxStore from "../src/MemoryOutboxStore.ts"

// What every store promises is tested by OutboxStoreSuite.memory.test.ts; here is what only this one does.

const world = Effect.gen(function* () {
  const { memory, store } = yield* MemoryOutboxStore.make
  return {
    ...Worlds.make({ store, clock: "test", another: undefined, messages: memory.messages }),
    nextChange: Effect.map(memory.nextChange, (at) =>
      at === undefined ? undefined : DateTime.toEpochMillis(at)
    ),
    stored: memory.messages
  }
})

/** Lets every fiber go as far as it can. */
const settleDown = Effect.repeat(Effect.yieldNow, { times: 20 })

/** Another transaction that has written `a`, and can be made to wait for who has written `b`. */
const crossed = Effect.gen(function* () {
  const here = yield* world
  const [a, b] = [here.row(), here.row()]
  const other = yield* open(here.store)
  yield* other.run(here.store.insert([a]))
  const makeItWait = Effect.tap(Effect.forkScoped(other.run(here.store.insert([b]))), () => settleDown)
  return { ...here, a, b, other, makeItWait }
})

describe("a statement that fails", () => {
  it.effect("makes its transaction useless: nothing else can be written, and nothing is committed", () =>
    Effect.gen(function* () {
      const { a, b, makeItWait, other, row, store, stored } = yield* crossed
      const failed = yield* Effect.flip(
        store.transaction(
          Effect.gen(function* () {
            yield* store.insert([b])
            yield* makeItWait
            // Swallowed, where it should end the transaction.
            yield* Effect.ignore(store.insert([a]))
            for (const use of [store.insert([row()]), store.transaction(Effect.void)]) {
              const refused = yield* Effect.flip(use)
              assert.deepInclude(refused, { _tag: "StoreError", code: "25P02", isRetryable: false })
            }
          })
        )
      )
      assert.deepInclude(failed, { _tag: "StoreError", operation: "transaction", isRetryable: false })
      yield* settleDown
      yield* other.commit
      assert.deepStrictEqual(Worlds.idsOf(yield* stored), Worlds.idsOf([a, b]))
    })
  )

  it.effect("is undone by the savepoint around it, if that fails too; then the transaction goes on", () =>
    Effect.gen(function* () {
      const { a, b, makeItWait, other, row, store, stored } = yield* crossed
      const after = row()
      const blocked = yield* store.transaction(
        Effect.gen(function* () {
          yield* store.insert([b])
          const blocked = yield* makeItWait
          const inner = yield* Effect.flip(store.transaction(store.insert([row(), a])))
          assert.deepInclude(inner, { _tag: "StoreError", code: "40P01", isRetryable: true })
          yield* store.insert([after])
          return blocked
        })
      )
      assert.strictEqual((yield* Worlds.only(yield* Fiber.join(blocked))).result, "existing")
      yield* other.commit
      assert.deepStrictEqual(Worlds.idsOf(yield* stored), Worlds.idsOf([a, b, after]))
    })
  )

  it.effect("and is swallowed in a savepoint takes the whole transaction with it", () =>
    Effect.gen(function* () {
      const { a, b, makeItWait, other, row, store, stored } = yield* crossed
      const failed = yield* Effect.flip(
        store.transaction(
          Effect.gen(function* () {
            yield* store.insert([row(), b])
            yield* makeItWait
            const inner = yield* Effect.flip(store.transaction(Effect.ignore(store.insert([a]))))
            assert.deepInclude(inner, { _tag: "StoreError", code: "25P02" })
            assert.deepInclude(yield* Effect.flip(store.insert([row()])), { code: "25P02" })
          })
        )
      )
      assert.deepInclude(failed, { _tag: "StoreError", operation: "transaction", isRetryable: false })
      yield* settleDown
      yield* other.commit
      assert.deepStrictEqual(Worlds.idsOf(yield* stored), Worlds.idsOf([a, b]))
    })
  )

  it.effect("because it was interrupted lets nothing of its transaction stand", () =>
    Effect.gen(function* () {
      const { a, other, row, store, stored } = yield* crossed
      const failed = yield* Effect.flip(
        store.transaction(
          Effect.gen(function* () {
            yield* store.insert([row()])
            const waiting = yield* Effect.forkChild(store.insert([row(), a]))
            yield* settleDown
            yield* Fiber.interrupt(waiting)
          })
        )
      )
      assert.strictEqual(failed._tag, "StoreError")
      yield* other.commit
      assert.deepStrictEqual(Worlds.idsOf(yield* stored), [a.id])
    })
  )
})

describe("transactions", () => {
  it.effect("of one store are none of another's", () =>
    Effect.gen(function* () {
      const [here, there] = [yield* world, yield* world]
      const failure = yield* Effect.flip(there.store.transaction(here.store.insert([here.row()])))
      assert.strictEqual(failure._tag, "NotInTransaction")
      assert.deepStrictEqual([...(yield* here.stored), ...(yield* there.stored)], [])
    })
  )

  it.effect("that wait in a ring of three are let go: one fails, the others commit", () =>
    Effect.gen(function* () {
      const { rows, store, stored } = yield* world
      const all = rows(3)
      const transactions = yield* Effect.forEach(all, (one) =>
        Effect.tap(open(store), (transaction) => transaction.run(store.insert([one])))
      )
      const results = yield* Effect.forEach(
        transactions,
        (transaction, index) =>
          transaction.run(store.insert([all[(index + 1) % 3] ?? all[0]])).pipe(
            Effect.onExit((exit) =>
              Exit.isSuccess(exit) ? Effect.ignore(transaction.commit) : transaction.rollback
            ),
            Effect.result
          ),
        { concurrency: "unbounded" }
      )
      assert.lengthOf(results.filter(Result.isFailure), 1)
      assert.lengthOf(yield* stored, 3)
    })
  )

  it.effect("date their messages from their beginning", () =>
    Effect.gen(function* () {
      const { row, store, stored } = yield* world
      yield* store.transaction(
        Effect.gen(function* () {
          yield* TestClock.adjust("1 second")
          yield* store.insert([row({ ttlMillis: 5_000 })])
          yield* TestClock.adjust("1 second")
        })
      )
      const { createdAt, deadline, dueAt } = yield* Worlds.only(yield* stored)
      assert.deepStrictEqual(
        [createdAt, dueAt, deadline].map((at) => at && DateTime.toEpochMillis(at)),
        [0, 0, 5_000]
      )
    })
  )

  it.effect("wait for a statement that a fiber left behind has under way", () =>
    Effect.gen(function* () {
      const { a, other, row, store, stored } = yield* crossed
      const left = row()
      const ending = yield* Effect.forkChild(
        store.transaction(Effect.forkDetach(store.insert([left, a]), { startImmediately: true }))
      )
      yield* settleDown
      assert.isUndefined(ending.pollUnsafe())
      yield* other.rollback
      yield* Fiber.join(yield* Fiber.join(ending))
      assert.deepStrictEqual(Worlds.idsOf(yield* stored), Worlds.idsOf([left, a]))
    })
  )
})

describe("a fiber that a transaction left behind", () => {
  it.effect("can write nothing any more, also where it waited for its turn when the transaction ended", () =>
    Effect.gen(function* () {
      const { a, other, row, store, stored } = yield* crossed
      const left = row()
      const ending = yield* Effect.forkChild(
        store.transaction(
          Effect.gen(function* () {
            yield* Effect.forkDetach(store.insert([left, a]), { startImmediately: true })
            const late = Effect.andThen(settleDown, store.insert([row()]))
            return yield* Effect.forkDetach(late, { startImmediately: true })
          })
        )
      )
      // The end waits for the first of them, the second one for the end.
      yield* Effect.andThen(settleDown, settleDown)
      yield* other.rollback
      const late = yield* Fiber.await(yield* Fiber.join(ending))
      assert.include(JSON.stringify(late), "the transaction has ended")
      assert.deepStrictEqual(Worlds.idsOf(yield* stored), Worlds.idsOf([left, a]))
    })
  )
})

describe("a savepoint that a transaction left behind", () => {
  it.effect("fails, and what it wrote is the transaction's", () =>
    Effect.gen(function* () {
      const { row, store, stored } = yield* world
      const written = row()
      const over = yield* Latch.make(false)
      const savepoint = store.transaction(Effect.andThen(store.insert([written]), over.await))
      const left = yield* store.transaction(
        Effect.tap(Effect.forkDetach(savepoint, { startImmediately: true }), () => settleDown)
      )
      assert.deepStrictEqual(Worlds.idsOf(yield* stored), [written.id])
      yield* over.open
      assert.include(JSON.stringify(yield* Fiber.await(left)), "the transaction has ended")
      assert.strictEqual(
        (yield* Worlds.only(yield* store.transaction(store.insert([written])))).result,
        "existing"
      )
    })
  )
})

describe("a claim", () => {
  it.effect("of 100,000 rows, some at a time, takes each once and in order", () =>
    Effect.gen(function* () {
      const { claim, enqueue, rows, settle } = yield* world
      const all = Arr.chunksOf(rows(100_000), 10_000)
      for (const chunk of all) yield* enqueue(...chunk)
      const order = new Map(all.flat().map(({ id }, index) => [id, index]))
      let next = 0
      while (true) {
        const claimed = yield* claim({ limit: 500 })
        if (!Arr.isReadonlyArrayNonEmpty(claimed)) break
        assert.isTrue(claimed.every(({ id }) => order.get(id) === next++))
        yield* settle(...Arr.map(claimed, (one) => Worlds.settled(one, "sent")))
      }
      assert.strictEqual(next, 100_000)
    })
  )

  it.effect("holds to a lease that lasts again because the clock was set back", () =>
    Effect.gen(function* () {
      const { claim, enqueue, rows, store } = yield* world
      yield* TestClock.setTime(1_000_000)
      yield* enqueue(...rows(2))
      yield* claim({ lease: "1 minute" })
      yield* TestClock.adjust("2 minutes")
      assert.lengthOf(yield* claim({ limit: 1 }), 1)
      yield* TestClock.setTime(1_030_000)
      assert.deepStrictEqual(yield* claim(), [])
      yield* TestClock.adjust("1 minute")
      assert.lengthOf(yield* claim(), 1)
      void store
    })
  )

  it.effect("that names a lane twice gives each row once", () =>
    Effect.gen(function* () {
      const { claim, enqueue, lane, rows } = yield* world
      yield* enqueue(...rows(5))
      const claimed = yield* claim({ lanes: [lane, lane], limit: 2 })
      assert.lengthOf(new Set(Worlds.idsOf(claimed)), 2)
    })
  )
})

describe("a look into the store", () => {
  const text = "Your order 7 is confirmed"
  const confirmation = Message.make({
    _tag: "Transaction",
    id: "order-7",
    fromName: "Shop",
    toPhone: "+380501234567",
    text,
    ttl: "1 minute"
  })
  const withOutbox = Outbox.layer.pipe(Layer.provideMerge(MemoryOutboxStore.layer))
  const look = MemoryOutboxStore.MemoryOutbox.use(({ messages }) => Effect.flatMap(messages, Worlds.only))
  const enqueue = Effect.gen(function* () {
    const outbox = yield* Outbox.Outbox
    const message = yield* confirmation
    yield* outbox.transaction(outbox.enqueue(message, { headers: { tenant: "1" } }))
  })

  it.effect("shows the message as a transport would get it", () =>
    Effect.gen(function* () {
      yield* enqueue
      const found = yield* look
      assert.deepStrictEqual(found.message, yield* confirmation)
      assert.include(found.payload, `"text":"${text}"`)
      assert.strictEqual(found.envelope?.account, "default")
      assert.deepStrictEqual(found.envelope?.headers, { tenant: "1" })
      assert.deepStrictEqual(found.envelope?.deadline, found.deadline)
      assert.deepInclude(found, { trackingId: "order-7", lane: "default/high", messageType: "transaction" })
    }).pipe(Effect.provide(withOutbox))
  )

  it.effect("shows neither text nor phone number when it is printed", () =>
    Effect.gen(function* () {
      yield* enqueue
      const found = yield* look
      const printed = [
        inspect(found, { depth: 10, showHidden: true }),
        JSON.stringify(found),
        JSON.stringify({ ...found }),
        String(found.message),
        inspect(found.envelope, { depth: 10 })
      ].join("\n")
      assert.include(printed, "order-7")
      for (const secret of [text, "380501234567", "501234567"]) assert.notInclude(printed, secret)
    }).pipe(Effect.provide(withOutbox))
  )

  it.effect("tells where a message stands and what became of it", () =>
    Effect.gen(function* () {
      yield* enqueue
      const store = yield* OutboxStore
      const claim = Effect.flatMap(
        store.claim([{ lane: "default/high", limit: 1 }], { lease: Duration.seconds(10), relay: "relay-a" }),
        Worlds.only
      )
      const states = [(yield* look).state]
      yield* claim
      states.push((yield* look).state)
      yield* TestClock.adjust("10 seconds")
      states.push((yield* look).state)
      const held = yield* claim
      yield* store.settle([Worlds.settled(held, "retry", { delayMillis: 5_000 })], { relay: "relay-b" })
      states.push((yield* look).state)
      yield* TestClock.adjust("5 seconds")
      yield* store.settle([Worlds.settled(yield* claim, "uncertain")], { relay: "relay-b" })
      const found = yield* look
      states.push(found.state)
      assert.deepStrictEqual(states, ["waiting", "leased", "waiting", "waiting", "uncertain"])
      assert.deepStrictEqual(
        found.outcomes.map(({ at, attempt, by, kind }) => [kind, attempt, by, DateTime.toEpochMillis(at)]),
        [
          ["lapsed", 0, "relay-a", 10_000],
          ["retry", 1, "relay-b", 10_000],
          ["uncertain", 2, "relay-b", 15_000]
        ]
      )
      assert.deepInclude(found, { attempts: 2, dueAt: undefined })
    }).pipe(Effect.provide(withOutbox))
  )

  it.effect(
    "says when something will change by itself: a due time, the end of a lease, the end of a pause",
    () =>
      Effect.gen(function* () {
        const { claim, enqueue, lane, nextChange, row, settle, store } = yield* world
        assert.isUndefined(yield* nextChange)
        yield* enqueue(row({ availableAt: 60_000 }))
        assert.strictEqual(yield* nextChange, 60_000)
        yield* enqueue(row())
        const held = yield* Worlds.only(yield* claim({ lease: "30 seconds" }))
        assert.strictEqual(yield* nextChange, 30_002)
        yield* settle(Worlds.settled(held, "retry", { delayMillis: 999.5 }))
        // In whole milliseconds, and not before it.
        assert.strictEqual(yield* nextChange, 1_002)
        const pause = { lanes: [lane], reason: undefined, trips: 0 } as const
        yield* store.pauseLanes({ ...pause, duration: Duration.seconds(90) })
        assert.strictEqual(yield* nextChange, 90_002)
        yield* TestClock.setTime(90_002)
        assert.isUndefined(yield* nextChange)
        yield* store.probeLane(lane, Duration.seconds(5))
        assert.strictEqual(yield* nextChange, 95_002)
        yield* store.pauseLanes({ ...pause, duration: undefined })
        assert.isUndefined(yield* nextChange)
      })
  )
})
