/**
 * Transactions of the in-memory store: what is inserted is seen by its own transaction alone until it commits, and
 * goes with the transaction or the savepoint that fails.
 *
 * Two transactions that insert the same key wait for each other; two that wait for each other crosswise would wait for
 * ever, so the one that comes last fails, to be tried again. A statement that fails makes its transaction useless, as
 * far as to the savepoint around it.
 */
import { NotInTransaction, StoreError } from "@effect-cascade/outbox/OutboxError"
import type { InsertedRow, NewRow } from "@effect-cascade/outbox/OutboxRow"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Order from "effect/Order"
import * as Semaphore from "effect/Semaphore"
import { keyOf } from "./state.ts"

export interface Transactions {
  /** Runs an effect in a transaction; in one that is open, in a savepoint of it. */
  readonly run: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | StoreError, R>
  /** Inserts rows in the transaction of the running fiber, and answers for each. */
  readonly insert: (
    rows: ReadonlyArray<NewRow>
  ) => Effect.Effect<ReadonlyArray<InsertedRow>, NotInTransaction | StoreError>
  /** Runs an effect once the transaction of the running fiber commits; at once where none is open. */
  readonly afterCommit: (effect: Effect.Effect<void>) => Effect.Effect<void>
}

export interface TransactionsOptions {
  /** The committed message that has a key. */
  readonly committed: (key: string) => NewRow | undefined
  /** Takes the rows of a transaction that commits, in the order in which their calls had them. */
  readonly commit: (rows: ReadonlyArray<NewRow>, startedAt: number) => void
}

/** A transaction as a whole. */
interface Root {
  readonly startedAt: number
  readonly rows: Map<string, NewRow>
  /** One statement at a time, as on one connection. */
  readonly statements: Semaphore.Semaphore
  /** What its statement waits for. */
  waitingFor: Lock | undefined
}

/** A transaction, or a savepoint in one. */
interface Level {
  readonly root: Root
  readonly parent: Level | undefined
  /** What was inserted since it began. */
  readonly keys: Array<string>
  /** What is to run once it is committed. */
  readonly hooks: Array<Effect.Effect<void>>
  /** One savepoint at a time. */
  readonly savepoints: Semaphore.Semaphore
  open: boolean
  /** A statement of it failed. */
  aborted: boolean
}

/** An uncommitted key. */
interface Lock {
  readonly root: Root
  readonly released: Deferred.Deferred<void>
}

export const make = ({ commit, committed }: TransactionsOptions): Transactions => {
  const service = Context.Service<Level>(`@effect-cascade/testing/MemoryTransaction/${serial++}`)
  const current = Effect.serviceOption(service)
  const locks = new Map<string, Lock>()

  const begin = (parent: Level | undefined, startedAt: number): Level => ({
    root: parent?.root ?? {
      startedAt,
      rows: new Map(),
      statements: Semaphore.makeUnsafe(1),
      waitingFor: undefined
    },
    parent,
    keys: [],
    hooks: [],
    savepoints: Semaphore.makeUnsafe(1),
    open: true,
    aborted: false
  })

  const release = (keys: ReadonlyArray<string>) => {
    for (const key of keys) {
      const lock = locks.get(key)
      locks.delete(key)
      if (lock !== undefined) Deferred.doneUnsafe(lock.released, Exit.void)
    }
  }

  const rollBack = ({ keys, root }: Level) => {
    for (const key of keys) root.rows.delete(key)
    release(keys)
    keys.length = 0
  }

  /** Inserts a row, or finds what is in its way: a message that is there, or another transaction that may write one. */
  const insertOne = (level: Level, row: NewRow): InsertedRow | Lock => {
    const { root } = level
    const key = keyOf(row)
    const existing = root.rows.get(key) ?? committed(key)
    if (existing !== undefined) {
      const result = existing.payload === row.payload ? "existing" : "conflict"
      return { id: existing.id, trackingId: row.trackingId, result }
    }
    const lock = locks.get(key)
    if (lock !== undefined) return lock
    locks.set(key, { root, released: Deferred.makeUnsafe() })
    root.rows.set(key, row)
    level.keys.push(key)
    return { id: row.id, trackingId: row.trackingId, result: "inserted" }
  }

  const insertAll = Effect.fnUntraced(function* (level: Level, rows: ReadonlyArray<NewRow>) {
    const answers = new Map<NewRow, InsertedRow>()
    // In the order of their keys, so that two such calls never wait for each other crosswise.
    for (const row of Arr.sortWith(rows, keyOf, Order.String)) {
      let answer = insertOne(level, row)
      // Whoever had the key has ended after each wait, so the answer is another then.
      while ("released" in answer) {
        yield* waitFor(answer, level.root)
        answer = insertOne(level, row)
      }
      answers.set(row, answer)
    }
    // They are committed in the order of the call.
    for (const row of rows) {
      const key = keyOf(row)
      if (level.root.rows.get(key) !== row) continue
      level.root.rows.delete(key)
      level.root.rows.set(key, row)
    }
    return rows.flatMap((row) => answers.get(row) ?? [])
  })

  const waitFor = (lock: Lock, root: Root): Effect.Effect<void, StoreError> => {
    if (waitsFor(lock.root, root)) return Effect.fail(deadlock)
    root.waitingFor = lock
    return Effect.ensuring(
      Deferred.await(lock.released),
      Effect.sync(() => {
        root.waitingFor = undefined
      })
    )
  }

  // Each transaction waits for one key at a time, so whom it waits for is a line that ends or comes back.
  const waitsFor = ({ waitingFor }: Root, other: Root): boolean =>
    waitingFor !== undefined && (waitingFor.root === other || waitsFor(waitingFor.root, other))

  const insert: Transactions["insert"] = Effect.fnUntraced(function* (rows) {
    const found = yield* current
    if (Option.isNone(found)) return yield* new NotInTransaction()
    const level = nearestOpen(found.value)
    if (level === undefined) return yield* ended
    return yield* level.root.statements.withPermit(
      Effect.suspend(() => {
        if (!level.open) return Effect.fail(ended)
        if (level.aborted) return Effect.fail(aborted("insert"))
        return Effect.onExit(insertAll(level, rows), (exit) =>
          Exit.isSuccess(exit)
            ? Effect.void
            : Effect.sync(() => {
                level.aborted = true
                rollBack(level)
              })
        )
      })
    )
  })

  /** Ends a savepoint. */
  const leave = (level: Level, parent: Level, succeeded: boolean): Effect.Effect<void, StoreError> => {
    const around = nearestOpen(parent)
    // The transaction ended first, and took with it what was written here.
    if (around === undefined) return succeeded ? Effect.fail(ended) : Effect.void
    if (succeeded && !level.aborted) {
      for (const key of level.keys) around.keys.push(key)
      for (const hook of level.hooks) around.hooks.push(hook)
      return Effect.void
    }
    rollBack(level)
    if (!succeeded) return Effect.void
    // Nobody went back to the savepoint, so the transaction around it is as useless.
    around.aborted = true
    return Effect.fail(aborted("transaction"))
  }

  /** Ends a transaction. */
  const finish = ({ aborted, hooks, root }: Level, succeeded: boolean): Effect.Effect<void, StoreError> => {
    const rows = Array.from(root.rows)
    root.rows.clear()
    const committing = succeeded && !aborted
    if (committing) {
      commit(
        rows.map(([, row]) => row),
        root.startedAt
      )
    }
    release(rows.map(([key]) => key))
    if (committing) return Effect.forEach(hooks, (hook) => hook, { discard: true })
    return succeeded ? Effect.fail(notCommitted) : Effect.void
  }

  const end = (level: Level, succeeded: boolean): Effect.Effect<void, StoreError> =>
    Effect.suspend(() => {
      level.open = false
      return level.parent === undefined ? finish(level, succeeded) : leave(level, level.parent, succeeded)
    })

  const runIn = <A, E, R>(level: Level, self: Effect.Effect<A, E, R>): Effect.Effect<A, E | StoreError, R> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.exit(restore(Effect.provideService(self, service, level))), (exit) =>
        // After the statement of a fiber that was left behind, if there is one under way.
        Effect.andThen(level.root.statements.withPermit(end(level, Exit.isSuccess(exit))), exit)
      )
    )

  return {
    insert,
    afterCommit: (effect) =>
      Effect.flatMap(current, (found) => {
        const level = Option.isSome(found) ? nearestOpen(found.value) : undefined
        return level === undefined ? effect : Effect.sync(() => void level.hooks.push(effect))
      }),
    run: (self) =>
      Effect.flatMap(current, (parent) => {
        if (Option.isNone(parent)) {
          return Effect.flatMap(Clock.currentTimeMillis, (now) => runIn(begin(undefined, now), self))
        }
        const level = nearestOpen(parent.value)
        return level === undefined
          ? Effect.fail(ended)
          : level.savepoints.withPermit(
              Effect.suspend(() =>
                level.aborted
                  ? Effect.fail(aborted("transaction"))
                  : runIn(begin(level, level.root.startedAt), self)
              )
            )
      })
  }
}

const nearestOpen = (level: Level): Level | undefined =>
  level.open ? level : level.parent === undefined ? undefined : nearestOpen(level.parent)

const deadlock = new StoreError({
  operation: "insert",
  code: "40P01",
  detail: "deadlock detected",
  isRetryable: true
})

const aborted = (operation: "insert" | "transaction") =>
  new StoreError({
    operation,
    code: "25P02",
    detail: "current transaction is aborted, commands ignored until end of transaction block",
    isRetryable: false
  })

const notCommitted = new StoreError({
  operation: "transaction",
  detail: "COMMIT rolled back an aborted transaction",
  isRetryable: false
})

const ended = new StoreError({
  operation: "transaction",
  detail: "the transaction has ended",
  isRetryable: false
})

// Each store has transactions of its own, as each SqlClient has.
let serial = 0
