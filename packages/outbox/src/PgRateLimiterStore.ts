/**
 * The state of effect's `RateLimiter` in Postgres, so that all who use one database share one limit.
 *
 * Provide it where `RateLimiter.layer` wants its store. Tokens of a token bucket are leased in chunks and spent in
 * process: a busy limit costs each process about ten small statements a second, a quiet one a statement a request.
 * Whoever leases, within any window at most the limit and one bucket go together. A chunk that is not used in time is
 * lost and never adds up. Fixed windows and adaptive limits take one statement or transaction each time, since their
 * answer is the count itself.
 *
 * Only the database's clock counts. Statements run on a connection of their own, also where the caller has a
 * transaction open: what was taken stays taken when that rolls back, and nobody waits for its end. While the database is
 * away every call fails with a `RateLimitStoreError`: nothing is let through but what has been leased.
 */
import { PgClient } from "@effect/sql-pg/PgClient"
import * as CauseSummary from "@effect-cascade/core/CauseSummary"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as SqlError from "effect/sql/SqlError"
import * as Adaptive from "./internal/rateLimit/adaptive.ts"
import * as TokenLeases from "./internal/rateLimit/tokenLeases.ts"
import * as AdaptiveSql from "./internal/sql/adaptiveState.ts"
import { countWindow, readWindow } from "./internal/sql/countWindow.ts"
import { createRateLimit } from "./internal/sql/createRateLimit.ts"
import { forgetRateLimits } from "./internal/sql/forgetRateLimits.ts"
import { leaseTokens } from "./internal/sql/leaseTokens.ts"
import * as Tables from "./internal/sql/tables.ts"
import { abandonAfter, noAnswer, transaction } from "./internal/unanswered.ts"
import * as StoreErrors from "./internal/storeErrors.ts"
import type { InvalidName, StoreError } from "./OutboxError.ts"
import * as OutboxMigrations from "./OutboxMigrations.ts"
import * as SqlFailure from "./SqlFailure.ts"

/** How the store works. Every member has a default. */
export interface PgRateLimiterStoreOptions {
  /** The schema of the outbox's tables. Defaults to `"cascade"`. */
  readonly schema?: string | undefined
  /**
   * The most that one process leases ahead of need, as the time in which that many tokens come back; never more than
   * half a bucket. Longer means fewer statements, and more that is kept from others by a process that stops.
   * Defaults to 100 milliseconds.
   */
  readonly chunk?: Duration.Input | undefined
  /**
   * How late a request may begin that was granted at once, without the limit and the burst being exceeded: for the way
   * from the database and a busy process. As much of a full bucket is held back for it, at most a tenth; only for
   * callers that wait, not for those that would rather fail. Defaults to 50 milliseconds.
   */
  readonly slack?: Duration.Input | undefined
  /** How long a call waits for the database before it fails. Defaults to 5 seconds. */
  readonly timeout?: Duration.Input | undefined
}

const defaults = { chunk: "100 millis", slack: "50 millis", timeout: "5 seconds" } as const

/** How often rows that say nothing any more are deleted, after how long, and how many at a time. */
const tidying = { interval: Duration.minutes(1), quietMillis: 600_000, limit: 10_000 }

type Store = RateLimiter.RateLimiterStore["Service"]

/** Makes the store on the `PgClient` of the context. It expects the tables to be there; see `OutboxMigrations`. */
export const make = Effect.fnUntraced(function* (
  options?: PgRateLimiterStoreOptions
): Effect.fn.Return<Store, InvalidName, PgClient | Scope.Scope> {
  const client = yield* PgClient
  const sql = client.withoutTransforms()
  const schema = yield* Tables.checkSchema(options?.schema ?? OutboxMigrations.defaultSchema)
  const timeout = Duration.fromInputUnsafe(options?.timeout ?? defaults.timeout)

  // In the caller's transaction a token would come back when it rolls back, and others would wait for its end.
  const apart = <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.updateContext(self, (context: Context.Context<never>) =>
      Context.omit(client.transactionService)(context)
    )

  const bounded = <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E | StoreError> =>
    abandonAfter(apart(self), {
      timeout,
      error: () => noAnswer("answer", timeout),
      // What goes through after all has taken tokens that nobody uses; the driver knows by then.
      cancelTime: Duration.seconds(5)
    })

  /** The row's answer; makes the row where there is none. */
  const onRow = <A>(
    algorithm: "token-bucket" | "adaptive",
    key: string,
    statement: Effect.Effect<ReadonlyArray<A>, SqlError.SqlError>
  ): Effect.Effect<A, SqlError.SqlError> =>
    Effect.flatMap(statement, ([row]) =>
      row === undefined
        ? Effect.andThen(
            createRateLimit(sql, schema, algorithm, key),
            Effect.suspend(() => onRow(algorithm, key, statement))
          )
        : Effect.succeed(row)
    )

  const leases = TokenLeases.make({
    chunk: Duration.fromInputUnsafe(options?.chunk ?? defaults.chunk),
    slack: Duration.fromInputUnsafe(options?.slack ?? defaults.slack),
    lease: (request) => onRow("token-bucket", request.key, leaseTokens(sql, schema, request))
  })

  const withState = <A>(
    key: string,
    step: (
      state: Adaptive.AdaptiveState | undefined,
      now: number
    ) => { readonly next: Adaptive.AdaptiveState | undefined; readonly answer: A }
  ) =>
    transaction(
      client,
      "BEGIN",
      Effect.gen(function* () {
        const row = yield* onRow("adaptive", key, AdaptiveSql.lockAdaptiveState(sql, schema, key))
        const state = row.state === null ? undefined : yield* decodeState(row.state)
        const { answer, next } = step(state, row.now)
        if (next !== undefined) {
          const state = JSON.stringify(next)
          yield* AdaptiveSql.writeAdaptiveState(sql, schema, key, { state, until: next.expiresAt })
        }
        return answer
      })
    )

  yield* forgetRateLimits(sql, schema, tidying).pipe(
    bounded,
    Effect.catchCause((cause) =>
      Effect.logDebug("outbox: could not forget old rate limits", CauseSummary.of(cause))
    ),
    Effect.delay(tidying.interval),
    Effect.forever,
    Effect.forkScoped
  )

  return {
    tokenBucket: (consumed) => leases.consume(consumed).pipe(bounded, asLimiterError("lease tokens")),

    fixedWindow: ({ key, limit, refillRate, tokens }) =>
      Effect.gen(function* () {
        const request = { key, tokens, limit, refill: Duration.toMillis(refillRate) }
        const [counted] = yield* countWindow(sql, schema, request)
        if (counted !== undefined) return [counted.taken, Math.max(0, counted.ttl)] as const
        const [full] = yield* readWindow(sql, schema, key)
        return [(full?.taken ?? 0) + tokens, Math.max(0, full?.ttl ?? 0)] as const
      }).pipe(bounded, asLimiterError("count a window")),

    adaptiveConsume: ({ fallbackWindow, key, tokens }) =>
      Effect.gen(function* () {
        const known = yield* AdaptiveSql.hasAdaptiveState(sql, schema, key)
        const consumed =
          known.length === 0
            ? Adaptive.consume(undefined, { now: 0, tokens, fallbackWindow: 0 })
            : yield* withState(key, (state, now) => {
                const answer = Adaptive.consume(state, {
                  now,
                  tokens,
                  fallbackWindow: Duration.toMillis(fallbackWindow)
                })
                return { answer, next: answer.next }
              })
        return { delay: Duration.millis(consumed.delay), epoch: consumed.epoch, phase: consumed.phase }
      }).pipe(bounded, asLimiterError("read an adaptive limit")),

    adaptiveFeedback: ({ epoch, key, retryAfter, status, tokens }) => {
      if (status !== 429 || retryAfter === undefined) return Effect.void
      return withState(key, (state, now) => ({
        answer: undefined,
        next: Adaptive.throttled(state, { now, epoch, tokens, retryAfter: Duration.toMillis(retryAfter) })
      })).pipe(bounded, asLimiterError("write an adaptive limit"))
    }
  }
})

/**
 * The store as a layer.
 *
 * @example
 * ```ts
 * import { RateLimit, SmsBatTransport, type Transport } from "@effect-cascade/core"
 * import { PgRateLimiterStore } from "@effect-cascade/outbox"
 * import { Effect, Layer } from "effect"
 * import { RateLimiter } from "effect/persistence"
 *
 * const SharedLimiter = RateLimiter.layer.pipe(Layer.provide(PgRateLimiterStore.layer()))
 *
 * const limited = (transport: Transport.TransportShape) =>
 *   RateLimit.withRateLimit(transport, SmsBatTransport.rateLimit).pipe(Effect.provide(SharedLimiter))
 * ```
 */
export const layer = (
  options?: PgRateLimiterStoreOptions
): Layer.Layer<RateLimiter.RateLimiterStore, InvalidName, PgClient> =>
  Layer.effect(RateLimiter.RateLimiterStore, make(options))

const decodeState = Schema.decodeUnknownEffect(Adaptive.AdaptiveState)

const asLimiterError =
  (operation: string) =>
  <A>(
    self: Effect.Effect<A, SqlError.SqlError | Schema.SchemaError | StoreError>
  ): Effect.Effect<A, RateLimiter.RateLimiterError> =>
    self.pipe(
      SqlFailure.recover,
      Effect.mapError((error) => {
        const cause = SqlFailure.isSqlError(error)
          ? StoreErrors.fromSql(operation)(error)
          : Schema.isSchemaError(error)
            ? StoreErrors.fromSchema(operation)(error)
            : error
        const reason = new RateLimiter.RateLimitStoreError({ message: cause.message, cause })
        return new RateLimiter.RateLimiterError({ reason })
      })
    )
