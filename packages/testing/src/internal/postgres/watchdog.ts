/**
 * A small process that clears up after this one, should it end without doing so itself.
 *
 * It holds the other end of a pipe. However this process ends (an exit, a signal, a crash, SIGKILL), the
 * system closes the pipe; the watchdog then ends the processes it was told of and removes the folder. It
 * lives in a session of its own, so that a Ctrl-C at the terminal does not reach it, and installs nothing in
 * this process.
 */
import { spawn } from "node:child_process"
import { dirname } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { describe, type PgTestServerError, serverError } from "./serverError.ts"

/** The watchdog as this process sees it. Both calls write to the pipe and return at once. */
export interface Watchdog {
  /** Has the process of this id, and its group, ended with this one. */
  readonly watch: (pid: number) => void
  /** Forgets a process that has ended: its id may come to name another. */
  readonly forget: (pid: number) => void
}

/**
 * Starts a watchdog over a folder that is about to be made. When the scope closes the watchdog is let go, and
 * waited for: by then it removes what is left of the folder and exits.
 */
export const makeWatchdog = (folder: string): Effect.Effect<Watchdog, PgTestServerError, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(launchWatchdog(folder), (process) => process.close),
    ({ watch, forget }) => ({ watch, forget })
  )

interface WatchdogProcess extends Watchdog {
  readonly close: Effect.Effect<void>
}

const launchWatchdog = (folder: string): Effect.Effect<WatchdogProcess, PgTestServerError> =>
  Effect.callback((resume) => {
    const child = spawn(process.execPath, ["-e", script, folder], {
      cwd: dirname(folder),
      detached: true,
      // Not this process's own settings of Node: they may load modules, or stop at a breakpoint.
      env: { PATH: process.env["PATH"], SystemRoot: process.env["SystemRoot"] },
      stdio: ["pipe", "ignore", "ignore"],
      windowsHide: true
    })
    const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()))
    child.once("error", (cause) =>
      resume(Effect.fail(serverError("FileSystem", `Could not start the watchdog: ${describe(cause)}`)))
    )
    child.once("spawn", () => {
      const pipe = child.stdin
      // A watchdog that somebody killed: nothing to tell it any more.
      pipe.on("error", () => {})
      child.unref()
      resume(
        Effect.succeed({
          watch: (pid) => void pipe.write(`+${pid}\n`),
          forget: (pid) => void pipe.write(`-${pid}\n`),
          close: Effect.sync(() => pipe.end()).pipe(
            Effect.andThen(Effect.interruptible(Effect.promise(() => exited))),
            Effect.timeoutOption("10 seconds"),
            Effect.tap((ended) =>
              Option.isNone(ended) ? Effect.sync(() => child.kill("SIGKILL")) : Effect.void
            ),
            Effect.asVoid
          )
        })
      )
    })
  })

/**
 * The watchdog's program. A string, since it must run as it stands under any Node, without a loader, from any
 * folder, and after the package's own files are gone.
 *
 * Each line it reads names a process: `+123` to watch, `-123` to forget. At the end of input it asks each one
 * to end: SIGQUIT is Postgres's immediate shutdown, and initdb, so asked, lets the server it runs come to its
 * end. Both give back their shared memory, which one that is killed cannot. What remains of its group is
 * killed. Then the folder is removed; again for a while, since a process may still be writing into it.
 *
 * Its title is not `node`, so that a `killall node` that ends this process leaves the watchdog to do its
 * work.
 */
const script = `
const folder = process.argv[1]
process.title = "cascade-pg-dog " + folder
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => {})
const { rm } = require("node:fs/promises")
const { readFileSync } = require("node:fs")
const { setTimeout: sleep } = require("node:timers/promises")
const pids = new Set()
const signal = (target, name) => {
  try { return process.kill(target, name) } catch { return false }
}
const group = (pid) => process.platform === "win32" ? pid : -pid
const isZombie = (pid) => {
  try { return /\\) Z /.test(readFileSync("/proc/" + pid + "/stat", "utf8")) } catch { return false }
}
const isRunning = (pid) => signal(group(pid), 0) && !isZombie(pid)
const endsWithin = async (pid, millis) => {
  for (let waited = 0; waited < millis && isRunning(pid); waited += 20) await sleep(20)
  return !isRunning(pid)
}
const end = async (pid) => {
  signal(pid, "SIGQUIT")
  if (await endsWithin(pid, 8000)) return
  signal(group(pid), "SIGKILL")
  await endsWithin(pid, 3000)
}
const finish = async () => {
  await Promise.all([...pids].map(end))
  for (let tries = 0; tries < 50; tries++) {
    try { await rm(folder, { recursive: true, force: true }); break } catch { await sleep(100) }
  }
  process.exit(0)
}
let rest = ""
process.stdin.setEncoding("utf8")
process.stdin.on("data", (chunk) => {
  const lines = (rest + chunk).split("\\n")
  rest = lines.pop()
  for (const line of lines) {
    if (line[0] === "+") pids.add(Number(line.slice(1)))
    if (line[0] === "-") pids.delete(Number(line.slice(1)))
  }
})
process.stdin.on("error", () => {})
process.stdin.once("close", finish)
`
