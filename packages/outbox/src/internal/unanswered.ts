/**
 * What bounds the wait for a database that does not answer.
 *
 * The server's own time-outs are of no use where the network is dead. Nor is an interruption: the driver then asks the
 * server to cancel, and waits up to 5 seconds for an answer before it gives the connection up. So a statement runs in a
 * fiber of its own, which is told to end and not waited for. What it was doing on the server is cancelled if the server
 * can be reached, and may have been done.
 */
import type { PgClient } from "@effect/sql-pg/PgClient"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import type { SqlError } from "effect/sql/SqlError"
import { StoreError } from "../OutboxError.ts"
import { asStoreError } from "./storeErrors.ts"

/** No answer came within the time. The same may succeed later, on another connection. */
export const noAnswer = (operation: string, timeout: Duration.Duration): StoreError =>
  new StoreError({
    operation,
    detail: `no answer from the database within ${Duration.format(timeout)}`,
    isRetryable: true
  })

/** How long a server that can be reached is given to confirm that it has cancelled. */
const defaultCancelTime = Duration.millis(100)

/** Fails when there is no answer in time, or when it is interrupted, with no more wait for what is left behind. */
export const abandonAfter = <A, E, R, E2>(
  self: Effect.Effect<A, E, R>,
  options: {
    readonly timeout: Duration.Duration
    readonly error: () => E2
    /** How long to wait, after the time-out, for the server to confirm that it has cancelled. Defaults to 100 ms. */
    readonly cancelTime?: Duration.Duration
  }
): Effect.Effect<A, E | E2, R> =>
  Effect.contextWith((context: Context.Context<R>) =>
    Effect.callback<A, E | E2>((resume) => {
      const run = Effect.runForkWith(context)
      let late = false
      const tooLate = () => resume(Effect.fail(options.error()))
      const work = run(self)
      const alarm = run(
        alarmAfter(options.timeout).pipe(
          Effect.andThen(
            Effect.suspend(() => {
              late = true
              work.interruptUnsafe()
              return Effect.sleep(options.cancelTime ?? defaultCancelTime)
            })
          )
        )
      )
      work.addObserver((exit) => {
        alarm.interruptUnsafe()
        if (late && Exit.isFailure(exit)) tooLate()
        else resume(exit)
      })
      alarm.addObserver((exit) => {
        if (Exit.isSuccess(exit)) tooLate()
      })
      return Effect.sync(() => {
        alarm.interruptUnsafe()
        work.interruptUnsafe()
      })
    })
  )

const alarmAfter = (timeout: Duration.Duration): Effect.Effect<void> =>
  Duration.isFinite(timeout) ? Effect.sleep(timeout) : Effect.never

/** Adds to a store's errors what else can be told of them. */
export type Explain = <A, E, R>(
  self: Effect.Effect<A, E | StoreError, R>
) => Effect.Effect<A, E | StoreError, R>

/** Runs what has a connection for itself: at most for `timeout`, with the store's own error. */
export const within =
  (timeout: Duration.Duration, explain: Explain) =>
  (operation: string) =>
  <A, E, R>(self: Effect.Effect<A, E | SqlError | Schema.SchemaError, R>) =>
    abandonAfter(self, { timeout, error: () => noAnswer(operation, timeout) }).pipe(
      asStoreError(operation),
      explain
    )

/** Runs the statements of a store: each at most for `timeout`, with the store's own error. */
export const statements = (client: PgClient, timeout: Duration.Duration, explain: Explain) => {
  const exclusively = exclusivelyOn(client)
  return (operation: string) =>
    <A, E, R>(self: Effect.Effect<A, E | SqlError | Schema.SchemaError, R>) =>
      within(timeout, explain)(operation)(exclusively(self))
}

/**
 * A transaction of a store's own, which can be given up at any moment. The client's does not let its BEGIN and COMMIT be
 * interrupted, and so would keep a dead connection for ever.
 */
export const transaction = <A, E, R>(
  client: PgClient,
  begin: string,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError, R> =>
  Effect.scoped(
    Effect.gen(function* () {
      const connection = yield* client.reserve
      const run = (statement: string) => connection.execute(statement, [], undefined)
      return yield* run(begin).pipe(
        Effect.andThen(Effect.provideService(self, client.transactionService, [connection, 0])),
        Effect.tap(run("COMMIT")),
        // A connection that was given up fails this at once. If one dies only now, it is given up in its turn.
        Effect.onError(() =>
          Effect.ignoreCause(Effect.timeout(Effect.interruptible(run("ROLLBACK")), rollbackTime))
        )
      )
    })
  )

const rollbackTime = Duration.seconds(5)

/**
 * A connection that many fibers share cannot be given up by one of them, and would go on being handed out dead. So the
 * statements take one for themselves, unless the caller's transaction has one.
 */
const exclusivelyOn =
  (client: PgClient) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError, R> =>
    client.config.multiplex !== true
      ? self
      : Effect.flatMap(Effect.serviceOption(client.transactionService), (transaction) =>
          Option.isSome(transaction)
            ? self
            : Effect.scoped(
                Effect.flatMap(client.reserve, (connection) =>
                  Effect.provideService(self, client.transactionService, [connection, 0])
                )
              )
        )
