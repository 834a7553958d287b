/**
 * The proxy between a client and a real Postgres: what the client is told, and what the database has.
 */
import { PgClient } from "@effect/sql-pg"
import { assert, describe, layer } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Redacted } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, SqlError } from "effect/sql"
import * as FaultProxy from "../src/FaultProxy.ts"
import { PgTestDatabase } from "../src/PgTestDatabase.ts"

const database = PgTestDatabase.layer({
  template: {
    name: "fault_proxy",
    setup: SqlClient.SqlClient.use((sql) => sql`CREATE TABLE orders (id text PRIMARY KEY)`)
  }
})

/** A client that goes through a proxy, beside the one of the layer that does not. */
const through = Effect.gen(function* () {
  const { url } = yield* PgTestDatabase
  const proxy = yield* FaultProxy.make({ target: url })
  const sql = yield* PgClient.make({ url: proxy.url(url), maxConnections: 2 }).pipe(
    Effect.provide(Reactivity.layer)
  )
  return { proxy, sql }
})

const orders = SqlClient.SqlClient.use((sql) =>
  Effect.map(sql<{ readonly id: string }>`SELECT id FROM orders ORDER BY id`, (rows) =>
    rows.map(({ id }) => id)
  )
)

/** What SQL went wrong, be it told as a failure or as a defect. */
const sqlErrors = <A, E>(exit: Exit.Exit<A, E>): ReadonlyArray<string> =>
  Exit.isSuccess(exit)
    ? []
    : exit.cause.reasons.flatMap((reason) => {
        const error = Cause.isFailReason(reason)
          ? reason.error
          : Cause.isDieReason(reason)
            ? reason.defect
            : undefined
        return SqlError.isSqlError(error) ? [error.reason._tag] : []
      })

describe("a proxy before Postgres", () => {
  layer(database)((it) => {
    it.effect("is not noticed while nothing is wrong", () =>
      Effect.gen(function* () {
        const { proxy, sql } = yield* through
        const long = "x".repeat(1_000_000)
        const rows = yield* sql<{ readonly echo: string }>`SELECT ${long} AS echo`
        assert.isTrue(rows[0]?.echo === long)
        yield* sql.withTransaction(sql`INSERT INTO orders VALUES ('plain')`)
        assert.include(yield* orders, "plain")
        assert.isAtLeast(yield* proxy.connections, 1)
      })
    )

    it.effect("keeps its port and its password out of sight", () =>
      Effect.gen(function* () {
        const { url } = yield* PgTestDatabase
        const { proxy } = yield* through
        const rewritten = proxy.url(url)
        assert.strictEqual(new URL(Redacted.value(rewritten)).port, String(proxy.port))
        assert.notInclude(String(rewritten), String(proxy.port))
      })
    )

    it.effect("cut in the middle of a transaction: nothing of it is kept, and the pool recovers", () =>
      Effect.gen(function* () {
        const { proxy, sql } = yield* through
        const exit = yield* Effect.exit(
          sql.withTransaction(
            Effect.gen(function* () {
              yield* sql`INSERT INTO orders VALUES ('cut')`
              assert.strictEqual(yield* proxy.cut, 1)
              yield* sql`INSERT INTO orders VALUES ('after the cut')`
            })
          )
        )
        assert.include(sqlErrors(exit), "ConnectionError")
        const ids = yield* orders
        assert.notInclude(ids, "cut")
        assert.notInclude(ids, "after the cut")
        yield* sql`INSERT INTO orders VALUES ('recovered')`
        assert.include(yield* orders, "recovered")
      })
    )

    it.effect("cut between a commit and its confirmation: it failed for the client, and it is kept", () =>
      Effect.gen(function* () {
        const { proxy, sql } = yield* through
        const exit = yield* Effect.exit(
          sql.withTransaction(
            Effect.gen(function* () {
              yield* sql`INSERT INTO orders VALUES ('unconfirmed')`
              // The next thing that comes down is the answer to the commit.
              yield* proxy.setToxics("reset_peer")
            })
          )
        )
        assert.include(sqlErrors(exit), "ConnectionError")
        assert.include(yield* orders, "unconfirmed")
      })
    )

    it.effect("half-open: a query waits without an answer, and has it when the network is back", () =>
      Effect.gen(function* () {
        const { proxy, sql } = yield* through
        yield* sql`SELECT 1`
        const before = yield* proxy.traffic
        yield* proxy.stall("downstream")
        const query = yield* Effect.forkChild(sql`INSERT INTO orders VALUES ('half-open') RETURNING id`)
        // Postgres has done its part by then, and its answer is on the way.
        yield* proxy.awaitTraffic(({ downstream }) => downstream.received > before.downstream.received)
        assert.include(yield* orders, "half-open")
        assert.strictEqual((yield* proxy.traffic).downstream.passed, before.downstream.passed)
        assert.isUndefined(query.pollUnsafe())
        yield* proxy.resume()
        assert.deepStrictEqual(yield* Fiber.join(query), [{ id: "half-open" }])
      })
    )

    it.effect("half-open in a transaction: it stays open in Postgres until the connection is reset", () =>
      Effect.gen(function* () {
        const { proxy, sql } = yield* through
        const direct = yield* SqlClient.SqlClient
        const holders = direct<{ readonly pid: number }>`
          SELECT pid FROM pg_stat_activity
          WHERE datname = current_database() AND state = 'idle in transaction'`
        const stuck = yield* Deferred.make<void>()
        const transaction = yield* Effect.forkChild(
          sql.withTransaction(
            Effect.gen(function* () {
              yield* sql`INSERT INTO orders VALUES ('locked')`
              const before = yield* proxy.traffic
              yield* proxy.stall()
              const query = yield* Effect.forkChild(sql`SELECT 1`)
              yield* proxy.awaitTraffic(({ upstream }) => upstream.received > before.upstream.received)
              yield* Deferred.succeed(stuck, undefined)
              yield* Fiber.join(query)
            })
          )
        )
        yield* Deferred.await(stuck)
        assert.strictEqual((yield* holders).length, 1)
        assert.strictEqual(yield* proxy.cut, 1)
        assert.include(sqlErrors(yield* Fiber.await(transaction)), "ConnectionError")
        // The reset has reached Postgres; it takes a moment to act on it.
        yield* Effect.repeat(holders, { until: (rows) => rows.length === 0 })
        assert.notInclude(yield* orders, "locked")
        yield* proxy.resume()
        assert.strictEqual((yield* sql`SELECT 1`).length, 1)
      })
    )

    it.effect("down: refused, and back again", () =>
      Effect.gen(function* () {
        const { proxy, sql } = yield* through
        yield* sql`SELECT 1`
        yield* proxy.setToxics("down")
        const error = yield* Effect.flip(sql`SELECT 1`)
        assert.strictEqual(error.reason._tag, "ConnectionError")
        yield* proxy.setToxics("")
        // The pool may still have a connection to give out that had failed before.
        assert.strictEqual((yield* Effect.retry(sql`SELECT 1`, { times: 2 })).length, 1)
      })
    )

    it.effect("a stream that is sliced and slow is still one that Postgres understands", () =>
      Effect.gen(function* () {
        const { proxy, sql } = yield* through
        yield* proxy.setToxics("slicer:7:size_variation=3:both")
        const rows = yield* sql<{ readonly n: number }>`SELECT n FROM generate_series(1, 1000) AS n`
        assert.deepStrictEqual(
          rows.map(({ n }) => n),
          Array.from({ length: 1000 }, (_, n) => n + 1)
        )
      })
    )
  })
})
