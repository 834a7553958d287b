/**
 * A fresh Postgres database for each test or test file, with a client on it.
 *
 * Give it a template where the tests need tables: the set-up runs once for a run of tests, and each layer
 * clones the result, which takes a fraction of a second however long the set-up took. Without one the
 * database is empty.
 *
 * Promises: no two layers share a database, in one process or in many. When the scope closes the clients are
 * closed and the database is dropped. On a given server nothing is dropped but databases named
 * `cascade_test_<run>_…` and `cascade_tpl_<name>_<run>…` of this run; such names are also how the leftovers
 * of a killed run are recognised.
 *
 * A run is one process, unless `CASCADE_TEST_RUN_ID` is set: then all processes with the same value are one
 * run and share its templates, and whoever sets the variable drops them at the end.
 */
import { PgClient } from "@effect/sql-pg"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import { openSession } from "./internal/postgres/adminSession.ts"
import { PgTestDatabaseError, trying } from "./internal/postgres/databaseError.ts"
import { createDatabase, dropDatabase, lockName } from "./internal/postgres/databases.ts"
import { withDatabase } from "./internal/postgres/databaseUrl.ts"
import { onLiveClock } from "./internal/postgres/liveClock.ts"
import { ensureTemplate, pristine } from "./internal/postgres/template.ts"
import { currentRun, drawDatabaseName, templateName, type TestRun } from "./internal/postgres/testRun.ts"
import { PgTestServer, type PgTestServerError } from "./PgTestServer.ts"

export { PgTestDatabaseError } from "./internal/postgres/databaseError.ts"

/** What a database starts with. */
export interface PgTestDatabaseTemplate<E = never> {
  /** Tells templates of one run apart: the same name means the same set-up. Lower-case words read best. */
  readonly name: string
  /**
   * Fills an empty database: migrations, reference data. It runs once for a run, on the system's clock;
   * layers that come meanwhile wait. If it fails, so does the layer, and the next one tries again.
   */
  readonly setup: Effect.Effect<unknown, E, PgClient.PgClient | SqlClient>
}

/** How a database and its client are made. */
export interface PgTestDatabaseOptions<E = never> {
  /** What the database starts with. Defaults to nothing: an empty database. */
  readonly template?: PgTestDatabaseTemplate<E> | undefined
  /** How many connections the client opens at most. Defaults to 10. */
  readonly poolSize?: number | undefined
  /**
   * More settings of the client, such as `multiplex` or `startupParameters`. Its time-outs run on the
   * system's clock. Defaults to the client's own.
   */
  readonly client?:
    | Omit<PgClient.PgPoolConfig, "url" | "host" | "port" | "database" | "maxConnections">
    | undefined
}

const defaults = {
  poolSize: 10
} as const satisfies PgTestDatabaseOptions

/**
 * The database of the layer it came from, for tests that open clients of their own.
 *
 * @example
 * ```ts
 * import { assert, layer } from "@effect/vitest"
 * import { Effect } from "effect"
 * import { SqlClient } from "effect/sql"
 * import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
 *
 * const database = PgTestDatabase.layer({
 *   template: {
 *     name: "orders",
 *     setup: SqlClient.SqlClient.use((sql) => sql`CREATE TABLE orders (id uuid PRIMARY KEY)`)
 *   }
 * })
 *
 * layer(database)("orders", (it) => {
 *   it.effect("start empty", () =>
 *     Effect.gen(function* () {
 *       const sql = yield* SqlClient.SqlClient
 *       assert.deepStrictEqual(yield* sql`SELECT * FROM orders`, [])
 *     })
 *   )
 * })
 * ```
 */
export class PgTestDatabase extends Context.Service<
  PgTestDatabase,
  {
    /** The database, with a user who owns it. */
    readonly url: Redacted.Redacted
    readonly name: string
  }
>()("@effect-cascade/testing/PgTestDatabase") {
  /** Makes a database on a server, dropped when the scope closes, and a client on it. */
  static readonly make = <E = never>(
    options: PgTestDatabaseOptions<E> = {}
  ): Effect.Effect<
    { readonly database: PgTestDatabase["Service"]; readonly client: PgClient.PgClient },
    PgTestDatabaseError | E,
    PgTestServer | Scope.Scope
  > => onLiveClock(makeDatabase(options))

  /** A database on the server that {@link PgTestServer.layer} gives. */
  static readonly layer = <E = never>(
    options?: PgTestDatabaseOptions<E>
  ): Layer.Layer<
    PgTestDatabase | PgClient.PgClient | SqlClient,
    PgTestDatabaseError | PgTestServerError | E
  > => Layer.provide(PgTestDatabase.layerNoServer(options), PgTestServer.layer())

  /** A database on a server of the caller's choice. */
  static readonly layerNoServer = <E = never>(
    options?: PgTestDatabaseOptions<E>
  ): Layer.Layer<PgTestDatabase | PgClient.PgClient | SqlClient, PgTestDatabaseError | E, PgTestServer> =>
    Layer.effectContext(
      Effect.map(PgTestDatabase.make(options), ({ database, client }) =>
        Context.make(PgTestDatabase, database).pipe(
          Context.add(PgClient.PgClient, client),
          Context.add(SqlClient, client)
        )
      )
    )
}

const makeDatabase = Effect.fnUntraced(function* <E>(
  options: PgTestDatabaseOptions<E>
): Effect.fn.Return<
  { readonly database: PgTestDatabase["Service"]; readonly client: PgClient.PgClient },
  PgTestDatabaseError | E,
  PgTestServer | Scope.Scope
> {
  const server = yield* PgTestServer
  const run = yield* currentRun
  const poolSize = options.poolSize ?? defaults.poolSize
  const name = drawDatabaseName(run)
  // Before the database is made, so that an interruption while it is being made leaves nothing either.
  yield* Effect.addFinalizer(() => drop(server, name))
  yield* options.template === undefined
    ? inSession(server, (sql) => createDatabase(sql, name, pristine))
    : cloneTemplate(server, run, name, options.template, poolSize)
  const url = withDatabase(server.url, name)
  const client = yield* PgClient.make({
    ...options.client,
    url,
    maxConnections: poolSize
  }).pipe(Effect.provide(Reactivity.layer), trying(`connect to the database ${name}`))
  return { database: { url, name }, client }
})

// The lock is held until the session closes: nobody drops the template before the clone is made.
const cloneTemplate = Effect.fnUntraced(function* <E>(
  server: PgTestServer["Service"],
  run: TestRun,
  name: string,
  template: PgTestDatabaseTemplate<E>,
  poolSize: number
): Effect.fn.Return<void, PgTestDatabaseError | E, Scope.Scope> {
  const source = templateName(run, template.name)
  // A server of one's own takes its templates with it, a shared run's are dropped by whoever began it.
  // Otherwise the layer that made a template drops it, and a later one makes it again.
  let isMine = false
  yield* Effect.addFinalizer(() =>
    isMine && !server.owned && !run.shared ? drop(server, source) : Effect.void
  )
  yield* inSession(server, (sql) =>
    Effect.gen(function* () {
      yield* lockName(sql, source)
      isMine = yield* ensureTemplate(sql, {
        server: server.url,
        name: source,
        setup: template.setup,
        poolSize
      })
      yield* createDatabase(sql, name, source)
    })
  )
})

const inSession = <A, E>(
  server: PgTestServer["Service"],
  body: (sql: PgClient.PgClient) => Effect.Effect<A, E>
): Effect.Effect<A, PgTestDatabaseError | E> =>
  openSession(server.url).pipe(trying("connect to the Postgres server"), Effect.flatMap(body), Effect.scoped)

// A server of one's own may have been stopped by the test; the database goes with it.
const drop = (server: PgTestServer["Service"], name: string): Effect.Effect<void> =>
  inSession(server, (sql) => Effect.andThen(lockName(sql, name), dropDatabase(sql, name))).pipe(
    Effect.interruptible,
    Effect.timeoutOrElse({
      duration: "30 seconds",
      orElse: () =>
        Effect.fail(new PgTestDatabaseError({ summary: `Dropping the database ${name} took too long` }))
    }),
    Effect.catch((error) => (server.owned ? Effect.void : Effect.logWarning(error.message)))
  )
