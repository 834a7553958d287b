/**
 * A new database cluster: what `initdb` makes, and the settings the server starts with.
 */
import { randomBytes } from "node:crypto"
import { appendFile, chown, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Binaries } from "./binaries.ts"
import { run } from "./childProcess.ts"
import type { RunUser } from "./runUser.ts"
import { type PgTestServerError, serverError, tryFiles } from "./serverError.ts"
import type { Workspace } from "./workspace.ts"

/** Values of server settings, by name. */
export type Settings = Readonly<Record<string, string | number | boolean>>

/** The superuser of a cluster made here. */
export interface Superuser {
  readonly name: string
  readonly password: string
}

/**
 * Makes a cluster in the workspace: UTF-8, compared byte by byte, letters of any script known (where the
 * server has that locale, from 17 on), a superuser with a password drawn for it, no access without one.
 */
export const createCluster = Effect.fnUntraced(function* (options: {
  readonly binaries: Binaries
  readonly workspace: Workspace
  readonly user: RunUser | undefined
  readonly settings: Settings
  readonly timeout: Duration.Input
}): Effect.fn.Return<Superuser, PgTestServerError> {
  const { binaries, workspace, user } = options
  const lines = yield* Effect.forEach(Object.entries(options.settings), ([name, value]) =>
    settingLine(name, value)
  )
  const superuser = { name: "postgres", password: randomBytes(24).toString("base64url") }
  // In the data folder only the run user could read it, but initdb wants that folder empty.
  const passwordFile = join(workspace.folder, "password")
  yield* tryFiles("write the password for initdb", async () => {
    await writeFile(passwordFile, superuser.password, { mode: 0o600 })
    if (user !== undefined) await chown(passwordFile, user.uid, user.gid)
  })
  const ran = yield* run({
    command: binaries.initdb,
    args: [
      `--pgdata=${workspace.data}`,
      `--username=${superuser.name}`,
      `--pwfile=${passwordFile}`,
      "--auth=scram-sha-256",
      "--encoding=UTF8",
      "--locale=C",
      ...(Number.parseInt(binaries.version, 10) >= 17
        ? ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        : []),
      "--no-sync"
    ],
    cwd: workspace.data,
    user,
    watchdog: workspace.watchdog,
    timeout: options.timeout
  })
  yield* tryFiles("remove the password file", () => rm(passwordFile))
  if (ran.exitCode !== 0) {
    const how = ran.exitCode === null ? "was killed" : `exited with code ${ran.exitCode}`
    return yield* serverError("InitFailed", `initdb ${how}`, ran.output)
  }
  yield* tryFiles("write the settings", () =>
    appendFile(join(workspace.data, "postgresql.conf"), `\n${lines.join("")}`)
  )
  return superuser
})

const settingLine = (
  name: string,
  value: string | number | boolean
): Effect.Effect<string, PgTestServerError> => {
  const text = String(value)
  return /^[a-z_][a-z0-9_.]*$/i.test(name) && !/[\0\r\n]/.test(text)
    ? Effect.succeed(`${name} = '${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'\n`)
    : Effect.fail(serverError("BadOption", `The setting ${JSON.stringify(name)} cannot be written to a file`))
}
