/**
 * The one temporary folder of a server: its data and, where needed, a copy of the binaries.
 */
import { randomBytes } from "node:crypto"
import { access, chmod, chown, constants, mkdir, realpath, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { canEnter, type RunUser } from "./runUser.ts"
import { type PgTestServerError, serverError, tryFiles } from "./serverError.ts"
import { makeWatchdog, type Watchdog } from "./watchdog.ts"

/** Begins the name of each folder; the id of the process that made it follows. */
const workspacePrefix = "cascade-pg-"

/** A folder, and the watchdog that removes it should this process be killed. */
export interface Workspace {
  /** Open to all: the binaries may be copied into it. */
  readonly folder: string
  /** Within it, open to the run user alone. */
  readonly data: string
  readonly watchdog: Watchdog
}

/** Makes the folder; it is removed with all its contents when the scope closes. */
export const makeWorkspace = Effect.fnUntraced(function* (
  user: RunUser | undefined,
  directory?: string
): Effect.fn.Return<Workspace, PgTestServerError, Scope.Scope> {
  const base = yield* findBase(user, directory === undefined ? [tmpdir(), "/tmp", "/var/tmp"] : [directory])
  const folder = join(base, `${workspacePrefix}${process.pid}-${randomBytes(8).toString("hex")}`)
  // First the watchdog, then the folder: there is no moment at which a kill would leave the folder behind.
  const watchdog = yield* makeWatchdog(folder)
  const data = join(folder, "data")
  yield* Effect.acquireRelease(
    tryFiles(`make ${folder}`, async () => {
      await mkdir(folder)
      await chmod(folder, 0o755)
      await mkdir(data, { mode: 0o700 })
      if (user !== undefined) await chown(data, user.uid, user.gid)
    }),
    // What cannot be removed now the watchdog tries for longer.
    () =>
      Effect.ignore(
        tryFiles(`remove ${folder}`, () => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
      )
  )
  return { folder, data, watchdog }
})

// Some systems give root a temporary folder that nobody else can enter, and what root starts may inherit it.
const findBase = Effect.fnUntraced(function* (
  user: RunUser | undefined,
  candidates: ReadonlyArray<string>
): Effect.fn.Return<string, PgTestServerError> {
  for (const candidate of candidates) {
    const usable = yield* Effect.option(
      tryFiles(`enter ${candidate}`, async () => {
        const folder = await realpath(candidate)
        await access(folder, constants.W_OK | constants.X_OK)
        return (await canEnter(folder, user)) ? folder : undefined
      })
    )
    if (usable._tag === "Some" && usable.value !== undefined) return usable.value
  }
  const who = user === undefined ? "this process" : `the user ${user.name}`
  return yield* serverError(
    "FileSystem",
    `Postgres needs a folder to write to that ${who} can enter: ${candidates.join(", ")} will not do`
  )
})
