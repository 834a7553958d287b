import { spawn } from "node:child_process"
import { join } from "node:path"
import { assert, describe, it, layer } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Exit, Fiber, Layer, Redacted, Scope } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { openSession } from "../src/internal/postgres/adminSession.ts"
import { dropDatabase, dropRun } from "../src/internal/postgres/databases.ts"
import { currentRun, drawRunId, sharedRun, templateName } from "../src/internal/postgres/testRun.ts"
import { PgTestDatabase, type PgTestDatabaseOptions } from "../src/PgTestDatabase.ts"
import { PgTestServer } from "../src/PgTestServer.ts"

const packageFolder = join(import.meta.dirname, "..")

layer(PgTestServer.layer())((it) => {
  describe("a test database", () => {
    it.effect("is a new one for each layer, from one template", () =>
      Effect.gen(function* () {
        const template = notes()
        const first = yield* build({ template })
        const second = yield* build({ template })
        assert.notStrictEqual(first.name, second.name)
        assert.notStrictEqual(Redacted.value(first.url), Redacted.value(second.url))
        yield* first.sql`INSERT INTO notes VALUES ('mine')`
        assert.deepStrictEqual(yield* first.sql`SELECT body FROM notes ORDER BY body`, [
          { body: "mine" },
          { body: "seed" }
        ])
        assert.deepStrictEqual(yield* second.sql`SELECT body FROM notes`, [{ body: "seed" }])
        assert.deepStrictEqual(yield* second.sql`SELECT current_database()::text AS name`, [
          { name: second.name }
        ])
        assert.strictEqual(template.runs(), 1)
      })
    )

    it.effect("is empty without a template", () =>
      Effect.gen(function* () {
        const { sql } = yield* build()
        assert.deepStrictEqual(
          yield* sql`SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace`,
          []
        )
      })
    )

    it.effect("is dropped with the scope, whoever is connected", () =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const { name, url } = yield* Scope.provide(build({ template: notes() }), scope)
        const visitor = yield* openSession(url)
        yield* visitor`SELECT 1`
        assert.deepStrictEqual(yield* databasesLike(name), [name])
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(yield* databasesLike(name), [])
        assert.isTrue(Exit.isFailure(yield* Effect.exit(visitor`SELECT 1`)))
      })
    )

    it.effect("is set up once when many ask for it at the same time", () =>
      Effect.gen(function* () {
        const template = notes()
        const all = yield* Effect.all(
          Array.from({ length: 6 }, () => build({ template })),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(new Set(all.map(({ name }) => name)).size, 6)
        for (const { sql } of all)
          assert.deepStrictEqual(yield* sql`SELECT body FROM notes`, [{ body: "seed" }])
        assert.strictEqual(template.runs(), 1)
      })
    )

    it.effect("is set up once by all processes of a run", () =>
      Effect.gen(function* () {
        const { url } = yield* PgTestServer
        const id = drawRunId()
        yield* Effect.addFinalizer(() => Effect.orDie(admin((sql) => dropRun(sql, sharedRun(id)))))
        const marks = yield* Effect.all(
          Array.from({ length: 3 }, () => markOfProcess({ url: Redacted.value(url), id })),
          { concurrency: "unbounded" }
        )
        assert.match(marks[0] ?? "", /^[0-9a-f-]{36}$/)
        assert.strictEqual(new Set(marks).size, 1)
      })
    )

    it.effect("passes the error of a set-up on, leaves nothing of it, and lets the next one try", () =>
      Effect.gen(function* () {
        const name = unique("flaky")
        let tries = 0
        const setup = Effect.gen(function* () {
          const sql = yield* SqlClient.SqlClient
          yield* sql`CREATE TABLE half (id int)`
          tries++
          if (tries === 1) return yield* Effect.fail("no luck" as const)
          if (tries === 2) return yield* Effect.interrupt
        })
        assert.strictEqual(yield* Effect.flip(build({ template: { name, setup } })), "no luck")
        assert.isTrue(Exit.hasInterrupts(yield* Effect.exit(build({ template: { name, setup } }))))
        assert.deepStrictEqual(yield* databasesLike(name), [])
        const { sql } = yield* build({ template: { name, setup } })
        assert.deepStrictEqual(yield* sql`SELECT id FROM half`, [])
      })
    )

    it.effect("is set up anew where a set-up was killed half-way", () =>
      Effect.gen(function* () {
        const template = notes()
        const draft = `${templateName(yield* currentRun, template.name)}_new`
        yield* admin((sql) => sql`CREATE DATABASE ${sql(draft)}`)
        const { sql } = yield* build({ template })
        assert.deepStrictEqual(yield* sql`SELECT body FROM notes`, [{ body: "seed" }])
        assert.deepStrictEqual(yield* databasesLike(draft), [])
      })
    )

    it.effect("opens connections whatever a test clock does meanwhile", () =>
      Effect.gen(function* () {
        const { sql } = yield* build()
        const fiber = yield* Effect.forkChild(
          Effect.all(
            Array.from({ length: 5 }, () => sql`SELECT pg_sleep(0.05)::text AS done`),
            { concurrency: "unbounded" }
          ),
          { startImmediately: true }
        )
        yield* TestClock.adjust("1 day")
        assert.strictEqual((yield* Fiber.join(fiber)).length, 5)
      })
    )

    it.effect("takes more settings of the client", () =>
      Effect.gen(function* () {
        const { sql } = yield* build({
          poolSize: 1,
          client: { startupParameters: { statement_timeout: "7s" } }
        })
        assert.deepStrictEqual(yield* sql`SELECT current_setting('statement_timeout') AS value`, [
          { value: "7s" }
        ])
        assert.deepStrictEqual(
          yield* Effect.all([backendId(sql), backendId(sql)], { concurrency: 2 }).pipe(
            Effect.map((ids) => new Set(ids).size)
          ),
          1
        )
      })
    )

    it.effect("that cannot be made is an error with the server's words", () =>
      Effect.gen(function* () {
        const server = yield* PgTestServer
        const role = unique("guest")
        yield* Effect.acquireRelease(
          admin((sql) => sql`CREATE ROLE ${sql(role)} LOGIN PASSWORD 'guest'`),
          () => Effect.orDie(admin((sql) => sql`DROP ROLE ${sql(role)}`))
        )
        const url = new URL(Redacted.value(server.url))
        url.username = role
        url.password = "guest"
        const guest = { owned: false, version: server.version, url: Redacted.make(url.href) } as const
        const error = yield* build().pipe(Effect.provideService(PgTestServer, guest), Effect.flip)
        assert.match(
          error.message,
          /^Could not make the database cascade_test_\w+: permission denied to create database$/
        )
      })
    )
  })
  describe("a given server", () => {
    it.effect("keeps no template of a run that nobody else shares", () =>
      Effect.gen(function* () {
        const template = notes()
        yield* Effect.scoped(build({ template })).pipe(asGiven, withVariables({}))
        assert.deepStrictEqual(yield* databasesLike(template.name), [])
        yield* Effect.scoped(build({ template })).pipe(asGiven, withVariables({}))
        assert.strictEqual(template.runs(), 2)
      })
    )

    it.effect(
      "keeps the template of a shared run until that ends, and loses nothing but what is the run's",
      () =>
        Effect.gen(function* () {
          const id = drawRunId()
          const template = notes()
          const inRun = <A, E, R>(self: Effect.Effect<A, E, R>) =>
            self.pipe(asGiven, withVariables({ CASCADE_TEST_RUN_ID: id }))
          yield* inRun(Effect.scoped(build({ template })))
          yield* inRun(Effect.scoped(build({ template })))
          assert.strictEqual(template.runs(), 1)

          const others = [
            "cascade_production",
            `cascade_test_${drawRunId()}_x`,
            `cascade_tpl_x_${drawRunId()}`
          ].map(unique)
          yield* Effect.forEach(others, (name) =>
            Effect.acquireRelease(
              admin((sql) => sql`CREATE DATABASE ${sql(name)}`),
              () => Effect.orDie(admin((sql) => sql`DROP DATABASE ${sql(name)}`))
            )
          )
          const killed = yield* inRun(build({ template }))
          yield* admin((sql) => dropRun(sql, sharedRun(id)))
          assert.deepStrictEqual(yield* databasesLike(template.name), [])
          assert.deepStrictEqual(yield* databasesLike(killed.name), [])
          for (const name of others) assert.deepStrictEqual(yield* databasesLike(name), [name])
        })
    )

    it.effect("is never asked to drop a database without one of our prefixes", () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(admin((sql) => dropDatabase(sql, "cascade_production")))
        assert.isTrue(Exit.hasDies(exit))
      })
    )
  })
})

describe("a server of one's own", () => {
  it.effect("may be restarted under a database, and be stopped when its scope closes", () =>
    Effect.gen(function* () {
      const server = yield* PgTestServer.makeOwned({ durability: "durable" })
      const { sql } = yield* build({ template: notes() }).pipe(Effect.provideService(PgTestServer, server))
      yield* sql`INSERT INTO notes VALUES ('kept')`
      yield* server.stop("immediate")
      assert.strictEqual((yield* Effect.flip(sql`SELECT 1`)).reason._tag, "ConnectionError")
      yield* server.start
      assert.deepStrictEqual(yield* sql`SELECT body FROM notes ORDER BY body`, [
        { body: "kept" },
        { body: "seed" }
      ])
      yield* server.stop("fast")
    })
  )
})

/** Builds a layer in the present scope. */
const build = Effect.fnUntraced(function* <E = never>(options?: PgTestDatabaseOptions<E>) {
  const context = yield* Layer.build(Layer.fresh(PgTestDatabase.layerNoServer(options)))
  return { ...Context.get(context, PgTestDatabase), sql: Context.get(context, SqlClient.SqlClient) }
})

const unique = (word: string) => `${word}_${drawRunId()}`

/** A template of its own, that counts how often it is set up. */
const notes = () => {
  let runs = 0
  return {
    name: unique("notes"),
    runs: () => runs,
    setup: Effect.gen(function* () {
      runs++
      const sql = yield* SqlClient.SqlClient
      yield* sql`CREATE TABLE notes (body text)`
      yield* sql`INSERT INTO notes VALUES ('seed')`
    })
  }
}

const admin = <A, E>(
  body: (sql: SqlClient.SqlClient & Effect.Success<ReturnType<typeof openSession>>) => Effect.Effect<A, E>
) => PgTestServer.use((server) => Effect.scoped(Effect.flatMap(openSession(server.url), body)))

/** The databases whose names hold a text. */
const databasesLike = (text: string) =>
  admin(
    (sql) => sql<{ readonly name: string }>`
    SELECT datname::text AS name FROM pg_database WHERE strpos(datname, ${text}) > 0
  `
  ).pipe(Effect.map((rows) => rows.map(({ name }) => name)))

const backendId = (sql: SqlClient.SqlClient) =>
  Effect.map(sql<{ readonly id: number }>`SELECT pg_backend_pid() AS id`, ([row]) => row?.id)

const asGiven = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  PgTestServer.use(({ url, version }) =>
    Effect.provideService(self, PgTestServer, { owned: false, url, version })
  )

const withVariables = (variables: Record<string, string>) =>
  Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(variables))

/** Builds the same template in a process of its own, and returns what its set-up drew at random. */
const markOfProcess = (options: { readonly url: string; readonly id: string }) =>
  Effect.callback<string>((resume) => {
    const code = `
      import { Effect } from "effect"
      import { SqlClient } from "effect/sql"
      import { PgTestDatabase } from "./src/PgTestDatabase.ts"
      const setup = SqlClient.SqlClient.use((sql) => sql\`CREATE TABLE mark AS SELECT gen_random_uuid()::text AS id\`)
      const database = PgTestDatabase.layer({ template: { name: "processes", setup } })
      const [row] = await Effect.runPromise(
        SqlClient.SqlClient.use((sql) => sql\`SELECT id FROM mark\`).pipe(Effect.provide(database))
      )
      console.log(row.id)`
    const child = spawn(process.execPath, ["--input-type=module", "-e", code], {
      cwd: packageFolder,
      env: { ...process.env, CASCADE_TEST_DATABASE_URL: options.url, CASCADE_TEST_RUN_ID: options.id },
      stdio: ["ignore", "pipe", "inherit"]
    })
    let output = ""
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk))
    child.once("close", (code) =>
      resume(code === 0 ? Effect.succeed(output.trim()) : Effect.die(`The process ended with ${code}`))
    )
    return Effect.sync(() => child.kill("SIGKILL"))
  })
