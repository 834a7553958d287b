/**
 * One Postgres server for a whole run of tests: a `globalSetup` of Vitest.
 *
 * It puts the server's URL and the id of the run into the environment, which Vitest's workers inherit, so
 * that every `PgTestDatabase` of every test file uses the same server and the same templates. Where a server
 * is given it starts none, and drops this run's databases at the end. More than one project may name this
 * file: the first does the work.
 */
import { existsSync, statfsSync } from "node:fs"
import { Effect, Exit, Redacted, Scope } from "effect"
import { openSession } from "../../src/internal/postgres/adminSession.ts"
import { dropRun } from "../../src/internal/postgres/databases.ts"
import { databaseUrlVariable } from "../../src/internal/postgres/serverError.ts"
import { drawRunId, runIdVariable, sharedRun } from "../../src/internal/postgres/testRun.ts"
import { PgTestServer } from "../../src/PgTestServer.ts"

export default (): Promise<() => Promise<void>> => Effect.runPromise(begin)

const begin = Effect.gen(function* () {
  const scope = yield* Scope.make()
  yield* Scope.provide(prepare, scope).pipe(Effect.onError(() => Scope.close(scope, Exit.void)))
  return () => Effect.runPromise(Scope.close(scope, Exit.void))
})

const prepare = Effect.gen(function* () {
  if (hasValue(runIdVariable) && hasValue(databaseUrlVariable)) return
  const server = yield* startServer
  if (server.owned) yield* setVariable(databaseUrlVariable, Redacted.value(server.url))
  if (hasValue(runIdVariable)) return
  const id = drawRunId()
  yield* setVariable(runIdVariable, id)
  if (!server.owned) {
    yield* Effect.addFinalizer(() =>
      openSession(server.url).pipe(
        Effect.flatMap((sql) => dropRun(sql, sharedRun(id))),
        Effect.scoped,
        Effect.catch((error) => Effect.logWarning(error.message))
      )
    )
  }
})

// In memory where there is plenty: on a slow disk most of a run would be spent on making files. A system may
// not let programs run from there, which a copy of the binaries would have to.
const startServer = Effect.suspend(() =>
  hasRoom("/dev/shm")
    ? Effect.catch(PgTestServer.make({ directory: "/dev/shm" }), () => PgTestServer.make())
    : PgTestServer.make()
)

const hasRoom = (folder: string) => {
  const enough = 4 * 1024 ** 3
  if (process.platform !== "linux" || !existsSync(folder)) return false
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize >= enough && process.availableMemory() >= enough
}

const hasValue = (name: string) => (process.env[name] ?? "") !== ""

const setVariable = (name: string, value: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      process.env[name] = value
    }),
    () =>
      Effect.sync(() => {
        delete process.env[name]
      })
  )
