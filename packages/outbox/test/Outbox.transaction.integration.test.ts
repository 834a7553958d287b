import * as Message from "@effect-cascade/core/Message"
import * as Reason from "@effect-cascade/core/TransportReason"
import { Outbox } from "@effect-cascade/outbox/Outbox"
import { StoreError } from "@effect-cascade/outbox/OutboxError"
import * as Relay from "@effect-cascade/outbox/Relay"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import { assert } from "@effect/vitest"
import { Cause, Deferred, Duration, Effect, Exit, Fiber, Schedule, String } from "effect"
import { SqlClient, SqlError } from "effect/sql"
import { inspect } from "node:util"
import { anotherStore, connect, onDatabase, outboxOn } from "./support/database.ts"
import { canary, survey, transaction } from "./support/messages.ts"
import { counts } from "./support/rows.ts"
import { recording } from "./support/transport.ts"

/** Ends the session of the transaction around it, from another client. */
const cutConnection = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const killer = yield* connect({ maxConnections: 1 })
  const [own] = yield* sql<{ readonly pid: number }>`SELECT pg_backend_pid() AS pid`
  yield* killer`SELECT pg_terminate_backend(${own?.pid ?? 0}, 5000)`
})

onDatabase("a transaction whose connection is lost", (test) => {
  test("is a StoreError that can be retried, and the retry succeeds", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      let attempts = 0
      const errors: Array<unknown> = []
      const enqueued = yield* outbox
        .transaction(
          Effect.gen(function* () {
            attempts++
            const first = yield* outbox.enqueue(transaction(`a-${attempts}`))
            if (attempts === 1) yield* cutConnection
            yield* outbox.enqueue(transaction(`b-${attempts}`))
            return first
          })
        )
        .pipe(
          Effect.tapError((error) => Effect.sync(() => errors.push(error))),
          Effect.retry({
            while: (error) => error._tag === "StoreError" && error.isRetryable,
            schedule: Schedule.recurs(3)
          })
        )
      assert.strictEqual(attempts, 2)
      assert.strictEqual(enqueued.trackingId, "a-2")
      assert.strictEqual(errors.length, 1)
      assert.instanceOf(errors[0], StoreError)
      // The first attempt left nothing.
      assert.deepStrictEqual(yield* counts, { message: 2, work: 2, outcome: 0, shop: 0 })
    }))

  test("would be a defect without the outbox's transaction", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const sql = yield* SqlClient.SqlClient
      const exit = yield* Effect.exit(
        sql.withTransaction(
          outbox
            .enqueue(transaction("a"))
            .pipe(Effect.andThen(cutConnection), Effect.andThen(outbox.enqueue(transaction("b"))))
        )
      )
      assert.isTrue(Exit.isFailure(exit))
      const reasons = Exit.isFailure(exit) ? exit.cause.reasons : []
      // Should this ever change, SqlFailure.recover has had its day.
      assert.isFalse(reasons.some(Cause.isFailReason))
      assert.isTrue(reasons.some((reason) => Cause.isDieReason(reason) && SqlError.isSqlError(reason.defect)))
      assert.deepStrictEqual(yield* counts, { message: 0, work: 0, outcome: 0, shop: 0 })
    }))

  test("is a StoreError in the midst of a nested transaction, and at the commit", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const nested = yield* Effect.flip(
        outbox.transaction(
          outbox.transaction(Effect.andThen(cutConnection, outbox.enqueue(transaction("a"))))
        )
      )
      assert.strictEqual(nested._tag, "StoreError")
      const atCommit = yield* Effect.flip(
        outbox.transaction(Effect.andThen(outbox.enqueue(transaction("a")), cutConnection))
      )
      assert.deepInclude(atCommit, { _tag: "StoreError", isRetryable: true })
      assert.deepStrictEqual(yield* counts, { message: 0, work: 0, outcome: 0, shop: 0 })
    }))

  test("an interruption stays an interruption", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const cut = yield* Deferred.make<void>()
      const fiber = yield* Effect.forkChild(
        outbox.transaction(
          cutConnection.pipe(Effect.andThen(Deferred.succeed(cut, undefined)), Effect.andThen(Effect.never))
        )
      )
      yield* Deferred.await(cut)
      const exit = yield* Effect.andThen(Fiber.interrupt(fiber), Fiber.await(fiber))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterrupts(exit.cause))
    }))
})

onDatabase("an enqueue that is interrupted while its transaction goes on", (test) => {
  /** Enqueues `b`, and gives up `a` (as `wrap` has it) while that waits for another transaction which has its id. */
  const giveUp = Effect.fnUntraced(function* (
    wrap: <A, E>(self: Effect.Effect<A, E>) => Effect.Effect<A, E | StoreError>
  ) {
    const outbox = yield* Outbox
    const { client, store } = yield* anotherStore()
    const other = yield* outboxOn(store)
    const written = yield* Deferred.make<void>()
    const over = yield* Deferred.make<void>()
    const holder = yield* Effect.forkChild(
      other.transaction(
        other
          .enqueue(transaction("a"))
          .pipe(
            Effect.andThen(Deferred.succeed(written, undefined)),
            Effect.andThen(Deferred.await(over)),
            Effect.andThen(Effect.fail("changed its mind"))
          )
      )
    )
    yield* Deferred.await(written)
    const isWaiting = Effect.map(
      client`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      ({ length }) => length > 0
    )
    const exit = yield* outbox
      .transaction(
        Effect.gen(function* () {
          yield* outbox.enqueue(transaction("b"))
          const fiber = yield* Effect.forkChild(wrap(outbox.enqueue(transaction("a"))))
          yield* Effect.repeat(Effect.delay(isWaiting, "5 millis"), { until: (waiting) => waiting })
          yield* Fiber.interrupt(fiber)
          return "went on"
        })
      )
      .pipe(Effect.result)
    yield* Deferred.succeed(over, undefined)
    yield* Fiber.await(holder)
    return exit
  })

  test("takes the whole transaction with it, which says so", () =>
    Effect.gen(function* () {
      const result = yield* giveUp((self) => self)
      assert.strictEqual(result._tag, "Failure")
      assert.strictEqual(result._tag === "Failure" ? result.failure._tag : "", "StoreError")
      assert.deepInclude(yield* counts, { message: 0, work: 0 })
    }))

  test("takes nothing with it but its savepoint, where it has one", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const result = yield* giveUp(outbox.transaction)
      assert.deepInclude(result, { _tag: "Success", success: "went on" })
      assert.deepInclude(yield* counts, { message: 1, work: 1 })
      const later = yield* outbox.transaction(outbox.enqueueAll([transaction("a"), transaction("b")]))
      assert.deepStrictEqual(
        later.map(({ _tag }) => _tag),
        ["Enqueued", "AlreadyEnqueued"]
      )
    }))
})

onDatabase("a client with name transforms", (test) => {
  const usual = { transformQueryNames: String.camelToSnake, transformResultNames: String.snakeToCamel }
  const odd = { transformQueryNames: String.snakeToCamel, transformResultNames: String.camelToSnake }
  const clients = [
    ["usual, of JSON too by default", usual],
    ["usual, of JSON too", { ...usual, transformJson: true }],
    ["usual, but not of JSON", { ...usual, transformJson: false }],
    // Under these the outbox's own names would not survive.
    ["odd", odd]
  ] as const
  for (const [name, transforms] of clients) {
    test(`keeps every name as it was (${name})`, () =>
      Effect.gen(function* () {
        const { client, store } = yield* anotherStore({ client: transforms })
        const outbox = yield* outboxOn(store)
        const message = survey("s")
        const headers = { camelKey: "1", snake_key: "2" }
        const [first, again] = yield* outbox.transaction(
          Effect.gen(function* () {
            // The transforms are on for everybody else.
            const [order] = yield* client`
              INSERT INTO shop_order (id, phone) VALUES (1, '+380671112233') RETURNING id AS order_id, id AS "orderId"`
            assert.deepStrictEqual(order, transforms === odd ? { order_id: 1 } : { orderId: 1 })
            return yield* outbox.enqueueAll([message, message], { headers })
          })
        )
        assert.deepStrictEqual([first?._tag, again?._tag], ["Enqueued", "AlreadyEnqueued"])

        const sent = recording()
        const tally = yield* Relay.drain().pipe(
          Effect.provideService(OutboxStore, store),
          Effect.provide(sent.layer)
        )
        assert.strictEqual(tally.sent, 1)
        const [envelope] = sent.batches.flat()
        assert.deepStrictEqual(envelope?.headers, headers)
        assert.deepStrictEqual(envelope && Message.encode(envelope.message), Message.encode(message))

        const reason = new Reason.Throttled({ status: 429, retryAfter: Duration.seconds(9) })
        yield* store.pauseLanes({ lanes: ["default/low"], duration: Duration.hours(1), reason, trips: 1 })
        assert.deepStrictEqual(
          (yield* store.lanes).map(({ reason }) => reason),
          [reason]
        )
      }))
  }
})

onDatabase("an error of the store", (test) => {
  const secret = transaction("secret", { toPhone: canary.phone, text: canary.text })

  test("says what the database said, and nothing of the message", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const sql = yield* SqlClient.SqlClient
      const constraint = "nothing_today"
      yield* sql`ALTER TABLE cascade.message ADD CONSTRAINT nothing_today CHECK (payload IS NULL) NOT VALID`
      const error = yield* Effect.flip(outbox.transaction(outbox.enqueue(secret))).pipe(
        Effect.ensuring(Effect.orDie(sql`ALTER TABLE cascade.message DROP CONSTRAINT nothing_today`))
      )
      assert.deepInclude(error, {
        _tag: "StoreError",
        operation: "insert",
        code: "23514",
        isRetryable: false
      })
      assert.include(error.message, constraint)
      for (const part of [canary.digits, canary.text]) assert.notInclude(everyForm(error), part)
    }))

  test("that is a name already taken shows no more than that name", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      yield* outbox.transaction(outbox.enqueue(transaction("secret")))
      const error = yield* Effect.flip(outbox.transaction(outbox.enqueue(secret)))
      assert.strictEqual(error._tag, "TrackingIdReused")
      for (const part of [canary.digits, canary.text]) assert.notInclude(everyForm(error), part)
    }))
})

const everyForm = (error: { readonly message: string }) =>
  [
    error.message,
    globalThis.String(error),
    JSON.stringify(error),
    inspect(error, { depth: 20, showHidden: true })
  ].join("\n")
