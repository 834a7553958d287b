import * as Envelope from "@effect-cascade/core/Envelope"
import * as RateLimit from "@effect-cascade/core/RateLimit"
import * as OutboxMigrations from "@effect-cascade/outbox/OutboxMigrations"
import * as PgRateLimiterStore from "@effect-cascade/outbox/PgRateLimiterStore"
import { PgClient } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Clock, Deferred, Duration, Effect, Fiber, Layer, Logger, Redacted } from "effect"
import { RateLimiter } from "effect/persistence"
import { SqlClient } from "effect/sql"
import { forgetRateLimits } from "../src/internal/sql/forgetRateLimits.ts"
import { leaseTokens } from "../src/internal/sql/leaseTokens.ts"
import { connect, database } from "./support/database.ts"
import { transaction } from "./support/messages.ts"
import { acceptAll, recording } from "./support/transport.ts"

/** A store as another process would have it, with a client of its own. */
const storeOn = (client: PgClient.PgClient, options?: PgRateLimiterStore.PgRateLimiterStoreOptions) =>
  Effect.provideService(PgRateLimiterStore.make(options), PgClient.PgClient, client)

const limiterOn = (store: RateLimiter.RateLimiterStore["Service"]) =>
  Effect.provideService(RateLimiter.make, RateLimiter.RateLimiterStore, store)

const limiter = (options?: PgRateLimiterStore.PgRateLimiterStoreOptions) =>
  PgClient.PgClient.use((client) => Effect.flatMap(storeOn(client, options), limiterOn))

const reset = SqlClient.SqlClient.use((sql) => sql`TRUNCATE cascade.rate_limit`)

const nowMillis = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

const bucket = { algorithm: "token-bucket", key: "account", limit: 10, window: "1 hour" } as const

/** The full buckets' worth of tokens that a bucket of ten an hour has given. */
const tokensTaken = SqlClient.SqlClient.use((sql) =>
  Effect.map(
    sql<{ readonly tokens: number }>`
      SELECT round(extract(epoch FROM until - clock_timestamp()) / 360)::int AS tokens FROM cascade.rate_limit`,
    ([row]) => row?.tokens ?? 0
  )
)

layer(database, { excludeTestServices: true })("rate limits in Postgres", (it) => {
  it.effect("eight processes keep to one limit together", () =>
    Effect.gen(function* () {
      yield* reset
      const [limit, burst, total] = [200, 60, 400]
      const times: Array<number> = []
      const { transport } = recording((batch, call) =>
        Effect.andThen(
          Effect.map(nowMillis, (now) => times.push(now)),
          acceptAll(batch, call)
        )
      )
      const batch = [yield* Envelope.seal(transaction("a"))] as const
      let left = total
      yield* Effect.forEach(
        Array.from({ length: 8 }),
        () =>
          Effect.gen(function* () {
            const limiter = yield* Effect.flatMap(connect({ maxConnections: 2 }), storeOn).pipe(
              Effect.flatMap(limiterOn)
            )
            const { send } = yield* Effect.provideService(
              RateLimit.withRateLimit(transport, { limit, burst }),
              RateLimiter.RateLimiter,
              limiter
            )
            const fiber = Effect.whileLoop({
              while: () => left-- > 0,
              body: () => send(batch),
              step: () => undefined
            })
            yield* Effect.all([fiber, fiber, fiber], { concurrency: "unbounded" })
          }),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(times.length, total)
      times.sort((a, b) => a - b)
      for (const window of [10, 100, 300, 1000]) {
        for (const [index, from] of times.entries()) {
          const sent = times.findLastIndex((at) => at <= from + window) - index + 1
          assert.isAtMost(sent, (limit * window) / 1000 + burst, `in ${window} ms`)
        }
      }
    })
  )

  it.effect("stretches that are leased at the same time never overlap, and leave no gap", () =>
    Effect.gen(function* () {
      yield* reset
      const clients = yield* Effect.all(Array.from({ length: 8 }, () => connect({ maxConnections: 2 })))
      const sql = yield* SqlClient.SqlClient
      // Absolute: each answer is a distance from a reading of the clock, and the row tells where the last one ends.
      yield* sql`INSERT INTO cascade.rate_limit VALUES ('token-bucket', 'account', now() + interval '1 hour')`
      const [before] = yield* sql<{ readonly until: number }>`
        SELECT extract(epoch FROM until)::float8 * 1000 AS until FROM cascade.rate_limit`
      const lengths = yield* Effect.forEach(
        Array.from({ length: 200 }, (_, index) => index),
        (index) =>
          leaseTokens(clients[index % 8] ?? sql, "cascade", {
            key: "account",
            capacity: 1000,
            wanted: 10 + index,
            needed: 10,
            slack: 0,
            overflow: true
          }),
        { concurrency: 16 }
      )
      const [after] = yield* sql<{ readonly until: number }>`
        SELECT extract(epoch FROM until)::float8 * 1000 AS until FROM cascade.rate_limit`
      const sum = lengths.flat().reduce((total, { length }) => total + length, 0)
      assert.strictEqual(lengths.flat().length, 200)
      assert.approximately((after?.until ?? 0) - (before?.until ?? 0), sum, 0.5)
    })
  )

  it.effect("a bucket gives what it holds, and then tells when there is more", () =>
    Effect.gen(function* () {
      yield* reset
      const { consume } = yield* limiter()
      const given = yield* Effect.forEach(Array.from({ length: 10 }), () => consume(bucket))
      assert.deepStrictEqual(
        given.map(({ remaining }) => remaining),
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
      )
      const { reason } = yield* Effect.flip(consume(bucket))
      assert.strictEqual(reason._tag, "RateLimitExceeded")
      const { delay, remaining } = yield* consume({ ...bucket, onExceeded: "delay", tokens: 2 })
      assert.strictEqual(remaining, -2)
      assert.approximately(Duration.toMinutes(delay), 12, 1)
    })
  )

  it.effect("a process that starts finds the bucket as others left it", () =>
    Effect.gen(function* () {
      yield* reset
      yield* Effect.scoped(Effect.flatMap(limiter(), ({ consume }) => consume({ ...bucket, tokens: 7 })))
      const { consume } = yield* limiter()
      assert.strictEqual((yield* consume({ ...bucket, tokens: 3 })).remaining, 0)
    })
  )

  it.effect("tokens taken inside a transaction stay taken when it rolls back", () =>
    Effect.gen(function* () {
      yield* reset
      const { consume } = yield* limiter()
      const sql = yield* SqlClient.SqlClient
      yield* Effect.flip(
        sql.withTransaction(
          Effect.andThen(consume({ ...bucket, tokens: 4 }), Effect.fail("changed its mind"))
        )
      )
      assert.strictEqual(yield* tokensTaken, 4)
    })
  )

  it.effect("fixed windows count as effect's own store does", () =>
    Effect.gen(function* () {
      yield* reset
      const { consume } = yield* limiter()
      const window = { ...bucket, algorithm: "fixed-window" } as const
      assert.strictEqual((yield* consume({ ...window, tokens: 4 })).remaining, 6)
      assert.strictEqual((yield* consume({ ...window, tokens: 6 })).remaining, 0)
      const { reason } = yield* Effect.flip(consume(window))
      assert.strictEqual(reason._tag, "RateLimitExceeded")
      assert.approximately(
        reason._tag === "RateLimitExceeded" ? Duration.toMinutes(reason.retryAfter) : 0,
        60,
        1
      )
      const waits = yield* consume({ ...window, onExceeded: "delay" })
      assert.strictEqual(waits.remaining, -1)
      assert.approximately(Duration.toMinutes(waits.delay), 60, 1)
      // When the window is over it begins anew.
      yield* SqlClient.SqlClient.use((sql) => sql`UPDATE cascade.rate_limit SET until = now()`)
      assert.strictEqual((yield* consume(window)).remaining, 9)
    })
  )

  it.effect("fixed windows of many at once count everyone", () =>
    Effect.gen(function* () {
      yield* reset
      const limiters = yield* Effect.all(
        Array.from({ length: 4 }, () =>
          Effect.flatMap(connect(), (client) => Effect.flatMap(storeOn(client), limiterOn))
        )
      )
      const results = yield* Effect.forEach(
        Array.from({ length: 40 }, (_, index) => limiters[index % 4]),
        (limiter) =>
          Effect.result(
            limiter === undefined
              ? Effect.die("none")
              : limiter.consume({ ...bucket, algorithm: "fixed-window" })
          ),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(results.filter(({ _tag }) => _tag === "Success").length, 10)
    })
  )

  it.effect("adaptive limits are learned by one and kept to by all", () =>
    Effect.gen(function* () {
      yield* reset
      const [a, b] = [yield* limiter(), yield* limiter()]
      const request = { key: "provider", tokens: 1, fallbackLimit: 10, fallbackWindow: Duration.seconds(10) }
      assert.deepInclude(yield* a.adaptiveConsume(request), { phase: "inactive", epoch: 0 })
      const throttled = { key: "provider", tokens: 1, status: 429, retryAfter: Duration.hours(1) }
      yield* a.adaptiveFeedback({ ...throttled, epoch: 0, status: 200 })
      assert.deepInclude(yield* b.adaptiveConsume(request), { phase: "inactive" })
      yield* a.adaptiveFeedback({ ...throttled, epoch: 0 })
      const cooling = yield* b.adaptiveConsume(request)
      assert.strictEqual(cooling.phase, "cooldown")
      assert.approximately(Duration.toMinutes(cooling.delay), 60, 1)
      // The pause is over: one learns, and all go by it.
      yield* SqlClient.SqlClient.use(
        (sql) => sql`UPDATE cascade.rate_limit SET state = jsonb_set(state, '{until}', '0')`
      )
      assert.deepInclude(yield* b.adaptiveConsume(request), { phase: "learning", epoch: 1 })
      yield* a.adaptiveConsume(request)
      yield* a.adaptiveFeedback({ ...throttled, epoch: 1 })
      assert.deepInclude(yield* b.adaptiveConsume(request), { phase: "learned", epoch: 2 })
    })
  )

  it.effect("rows that say nothing any more are forgotten", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* reset
      yield* sql`
        INSERT INTO cascade.rate_limit (algorithm, key, until) VALUES
          ('token-bucket', 'old', now() - interval '1 hour'), ('token-bucket', 'new', now())`
      yield* forgetRateLimits(sql, "cascade", { quietMillis: 600_000, limit: 100 })
      assert.deepStrictEqual(yield* sql`SELECT key FROM cascade.rate_limit`, [{ key: "new" }])
    })
  )

  const storeError = (error: RateLimiter.RateLimiterError) =>
    error.reason._tag === "RateLimitStoreError" ? error.reason.message : assert.fail(error.reason._tag)

  it.effect("while the database is away every call fails, and nothing is sent", () =>
    Effect.gen(function* () {
      const gone = yield* connect({
        url: Redacted.make("postgres://nobody:nothing@127.0.0.1:1/nowhere"),
        connectTimeout: "1 second"
      })
      const store = yield* storeOn(gone)
      const limiter = yield* limiterOn(store)
      const calls = [
        limiter.consume(bucket),
        limiter.consume({ ...bucket, onExceeded: "delay" }),
        limiter.consume({ ...bucket, algorithm: "fixed-window" }),
        limiter.adaptiveConsume({
          key: "a",
          tokens: 1,
          fallbackLimit: 1,
          fallbackWindow: Duration.seconds(1)
        }),
        limiter.adaptiveFeedback({
          key: "a",
          epoch: 0,
          tokens: 1,
          status: 429,
          retryAfter: Duration.seconds(1)
        })
      ]
      for (const call of calls) {
        const message = storeError(
          yield* Effect.flip(Effect.asVoid(call as Effect.Effect<unknown, RateLimiter.RateLimiterError>))
        )
        assert.include(message, "ECONNREFUSED")
        assert.notInclude(message, "nothing@")
      }
      const { batches, transport } = recording()
      const limited = yield* Effect.provideService(
        RateLimit.withRateLimit(transport, { limit: 1 }),
        RateLimiter.RateLimiter,
        limiter
      )
      const error = yield* Effect.flip(limited.send([yield* Envelope.seal(transaction("a"))]))
      assert.strictEqual(error.reason._tag, "Unreachable")
      assert.strictEqual(batches.length, 0)
    }).pipe(Effect.provide(Logger.layer([])))
  )

  it.effect("what was leased is spent while the database is away, and no more", () =>
    Effect.gen(function* () {
      yield* reset
      const sql = yield* SqlClient.SqlClient
      const { consume } = yield* limiter({ chunk: "10 days" })
      // Leases of 1, 2 and 4 tokens, of which one is left.
      const options = { ...bucket, limit: 20, window: "20 days" } as const
      for (let index = 0; index < 6; index++) yield* consume(options)
      yield* sql`ALTER TABLE cascade.rate_limit RENAME TO away`
      yield* consume(options)
      assert.include(storeError(yield* Effect.flip(consume(options))), "OutboxMigrations")
      yield* sql`ALTER TABLE cascade.away RENAME TO rate_limit`
      yield* consume(options)
    })
  )

  it.effect("a database that does not answer fails a call in time, and holds up nobody after it", () =>
    Effect.gen(function* () {
      yield* reset
      const sql = yield* SqlClient.SqlClient
      const { consume } = yield* limiter({ timeout: "50 millis" })
      yield* consume(bucket)
      const locked = yield* Deferred.make<void>()
      const release = yield* Deferred.make<void>()
      const blocker = yield* Effect.forkChild(
        sql.withTransaction(
          Effect.andThen(
            sql`SELECT FROM cascade.rate_limit FOR UPDATE`,
            Effect.andThen(Deferred.succeed(locked, undefined), Deferred.await(release))
          )
        )
      )
      yield* Deferred.await(locked)
      const errors = yield* Effect.all([Effect.flip(consume(bucket)), Effect.flip(consume(bucket))], {
        concurrency: "unbounded"
      })
      for (const error of errors) assert.include(storeError(error), "no answer from the database within 50ms")
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(blocker)
      assert.strictEqual((yield* consume(bucket)).remaining, 8)
    })
  )

  it.effect("lives in the schema of the outbox", () =>
    Effect.gen(function* () {
      yield* OutboxMigrations.run({ schema: "elsewhere" })
      const { consume } = yield* limiter({ schema: "elsewhere" })
      yield* consume(bucket)
      const sql = yield* SqlClient.SqlClient
      assert.deepStrictEqual(yield* sql`SELECT key FROM elsewhere.rate_limit`, [{ key: "account" }])
      const refused = yield* Effect.flip(limiter({ schema: "no; such" }))
      assert.strictEqual(refused._tag, "InvalidName")
    })
  )

  it.effect("is a layer for effect's limiter", () =>
    Effect.gen(function* () {
      yield* reset
      const { remaining } = yield* RateLimiter.RateLimiter.use(({ consume }) => consume(bucket))
      assert.strictEqual(remaining, 9)
    }).pipe(Effect.provide(RateLimiter.layer.pipe(Layer.provide(PgRateLimiterStore.layer()))))
  )
})
