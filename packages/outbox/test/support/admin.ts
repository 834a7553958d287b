import * as CascadeEvents from "@effect-cascade/core/CascadeEvents"
import type { Message } from "@effect-cascade/core/Message"
import * as Reason from "@effect-cascade/core/TransportReason"
import * as Outbox from "@effect-cascade/outbox/Outbox"
import * as OutboxAdmin from "@effect-cascade/outbox/OutboxAdmin"
import * as OutboxMigrations from "@effect-cascade/outbox/OutboxMigrations"
import type { ClaimedRow, SettledKind } from "@effect-cascade/outbox/OutboxRow"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import * as PgOutboxAdminStore from "@effect-cascade/outbox/PgOutboxAdminStore"
import * as PgOutboxStore from "@effect-cascade/outbox/PgOutboxStore"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import { assert, layer } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Layer, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { connect } from "./database.ts"
import { transaction } from "./messages.ts"

/** A database with the outbox's tables, cloned for each layer. */
export const database = PgTestDatabase.layer({
  template: { name: "outbox-tables", setup: OutboxMigrations.run() },
  poolSize: 20
})

/** The write side, the operator's side, both stores and the events, on a fresh database. */
const operated = Layer.mergeAll(Outbox.layer, OutboxAdmin.layer).pipe(
  Layer.provideMerge(
    Layer.mergeAll(PgOutboxStore.layer(), PgOutboxAdminStore.layer(), CascadeEvents.layer())
  ),
  Layer.provideMerge(database)
)

export type Services = Layer.Success<typeof operated>

const reset = SqlClient.SqlClient.use(
  (sql) => sql`TRUNCATE cascade.message, cascade.work, cascade.outcome, cascade.lane`
)

/** A test in real time that finds the tables of its file's database empty. */
export type Test = <E>(name: string, body: () => Effect.Effect<void, E, Services | Scope.Scope>) => void

/** The tests of a file, one after another on one database. */
export const onOperated = (name: string, define: (test: Test) => void): void =>
  layer(operated, { excludeTestServices: true })(name, (it) =>
    define((title, body) => it.effect(title, () => Effect.andThen(reset, body())))
  )

const reason = new Reason.ServerError({ status: 500 })

/** Leases what is due in some lanes. */
export const claim = (limit = 100, lanes: ReadonlyArray<string> = ["default/high", "default/low"]) =>
  OutboxStore.use((store) => {
    const [first, ...rest] = lanes.map((lane) => ({ lane, limit }))
    return first === undefined
      ? assert.fail("no lane")
      : store.claim([first, ...rest], { lease: Duration.seconds(30), relay: "relay-1" })
  })

/** Settles a claimed row; answers whether its lease still held. */
export const settle = (
  row: ClaimedRow,
  kind: SettledKind,
  why: Reason.TransportReason | undefined = reason
) =>
  OutboxStore.use((store) =>
    Effect.map(
      store.settle(
        [
          {
            id: row.id,
            lease: row.lease,
            kind,
            delayMillis: 3_600_000,
            counted: kind !== "deferred" && kind !== "released",
            reason: kind === "sent" || kind === "released" ? undefined : why,
            providerMessageId: kind === "sent" ? `provider-${row.trackingId}` : undefined
          }
        ],
        { relay: "relay-1" }
      ),
      (held) => held.has(row.id)
    )
  )

/** Enqueues a message of the default account. */
export const enqueue = (message: Message = transaction("order-1"), options?: Outbox.EnqueueOptions) =>
  Outbox.Outbox.use((outbox) =>
    Effect.map(outbox.transaction(outbox.enqueue(message, options)), ({ id }) => id)
  )

/** Enqueues a message and brings it to an end; answers with the outbox's id. */
export const ended = Effect.fnUntraced(function* (
  kind: SettledKind,
  message: Message = transaction("order-1"),
  why: Reason.TransportReason | undefined = reason,
  options?: Outbox.EnqueueOptions
) {
  const id = yield* enqueue(message, options)
  const row = (yield* claim()).find((claimed) => claimed.id === id) ?? assert.fail("not claimed")
  assert.isTrue(yield* settle(row, kind, why))
  return id
})

/** Lets every lease run out. */
export const runOutLeases = SqlClient.SqlClient.use(
  (sql) =>
    sql`UPDATE cascade.work SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL`
)

/** Done when a session of the database waits for a lock. */
const somebodyWaits = Effect.scoped(
  Effect.gen(function* () {
    const watcher = yield* connect({ maxConnections: 1 })
    const waiting = watcher`
      SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
    while ((yield* waiting).length === 0) yield* Effect.sleep("5 millis")
  })
)

/** Runs an effect in a session of its own, when it is told to: what is forked before a transaction is no part of it. */
const inOwnSession = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const turn = yield* Deferred.make<void>()
    const fiber = yield* Effect.forkChild(Effect.andThen(Deferred.await(turn), self))
    return { begin: Deferred.succeed(turn, undefined), end: Fiber.join(fiber) }
  })

const inTransaction = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Outbox.Outbox.use((outbox) => outbox.transaction(self))

/**
 * The first session runs its part in a transaction; then the second begins, and comes to wait for the first; then a
 * third does its part, and at last the first commits. Answers with what the second got.
 */
export const oneAfterTheOther = <A, E, R, A2, E2, R2, E3 = never, R3 = never>(
  first: Effect.Effect<A, E, R>,
  second: Effect.Effect<A2, E2, R2>,
  between: Effect.Effect<unknown, E3, R3> = Effect.void
) =>
  Effect.gen(function* () {
    const waiter = yield* inOwnSession(second)
    const third = yield* inOwnSession(between)
    yield* inTransaction(
      first.pipe(
        Effect.andThen(waiter.begin),
        Effect.andThen(somebodyWaits),
        Effect.andThen(third.begin),
        Effect.andThen(third.end)
      )
    )
    return yield* waiter.end
  })

/** The first session runs its part in a transaction, which stays open until the second is done. */
export const meanwhile = <A, E, R, A2, E2, R2>(
  first: Effect.Effect<A, E, R>,
  second: Effect.Effect<A2, E2, R2>
) =>
  Effect.gen(function* () {
    const other = yield* inOwnSession(second)
    return yield* inTransaction(first.pipe(Effect.andThen(other.begin), Effect.andThen(other.end)))
  })
