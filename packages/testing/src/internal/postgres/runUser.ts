/**
 * The user that Postgres runs under: the present one, unless that is root, under whom Postgres refuses to
 * run.
 */
import { stat } from "node:fs/promises"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import { run } from "./childProcess.ts"
import { adviceToNameServer, type PgTestServerError, serverError } from "./serverError.ts"

/** An unprivileged user of this machine. */
export interface RunUser {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

// `postgres` is there where Postgres was ever installed; `nobody` nearly everywhere. None is ever created.
const candidates = ["postgres", "nobody"]

/** The user to become; undefined where the present one will do. Fails with `NoUser`. */
export const resolveRunUser: Effect.Effect<RunUser | undefined, PgTestServerError> = Effect.gen(function* () {
  if (process.getuid?.() !== 0) return undefined
  for (const name of candidates) {
    const uid = yield* identify("-u", name)
    const gid = yield* identify("-g", name)
    if (uid !== undefined && gid !== undefined && uid !== 0) return { name, uid, gid }
  }
  return yield* serverError(
    "NoUser",
    `Postgres does not run as root and this machine has no user ${candidates.join(" or ")}: ${adviceToNameServer}.`
  )
})

const identify = (flag: "-u" | "-g", name: string): Effect.Effect<number | undefined, PgTestServerError> =>
  Effect.map(
    Effect.option(run({ command: "id", args: [flag, name], cwd: "/", timeout: "10 seconds" })),
    (ran) =>
      ran._tag === "Some" && ran.value.exitCode === 0 && /^\d{1,9}\s*$/.test(ran.value.output)
        ? Number(ran.value.output)
        : undefined
  )

/** Whether a user can enter a folder, by the modes of it and of every folder above it. */
export const canEnter = async (folder: string, user: RunUser | undefined): Promise<boolean> => {
  if (user === undefined) return true
  const { mode, uid, gid } = await stat(folder)
  const mask = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001
  if ((mode & mask) === 0) return false
  const parent = dirname(folder)
  return parent === folder || canEnter(parent, user)
}
