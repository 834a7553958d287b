/**
 * Child processes as Effects: started under a given user, watched, read to the end, and waited for.
 */
import { spawn } from "node:child_process"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { RunUser } from "./runUser.ts"
import { describe, type PgTestServerError, serverError } from "./serverError.ts"
import type { Watchdog } from "./watchdog.ts"

/** What to start, and under whom. */
export interface LaunchOptions {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  /** The user to become; the present one if undefined. */
  readonly user?: RunUser | undefined
  /** Ends the process should this one be killed. */
  readonly watchdog?: Watchdog | undefined
}

/** A process that was started. */
export interface LaunchedProcess {
  readonly pid: number
  readonly isRunning: () => boolean
  /** The last 8,192 characters it wrote, on either output. */
  readonly output: () => string
  /** Signals the process; nothing if it has ended. */
  readonly signal: (signal: NodeJS.Signals) => void
  /** Kills the process and every other of its group. */
  readonly kill: () => void
  /** Waits until it has ended and its output is read to the end. */
  readonly exited: Effect.Effect<void>
  /** Lets this process end although the other still runs. */
  readonly unref: () => void
  /** 0 after success; null while it runs, and after a signal. */
  readonly exitCode: () => number | null
}

/** Starts a process. Fails with `UnusableBinaries` if the system refuses; nothing is running then. */
export const launch = (options: LaunchOptions): Effect.Effect<LaunchedProcess, PgTestServerError> =>
  Effect.callback((resume) => {
    const fail = (cause: unknown) =>
      resume(
        Effect.fail(serverError("UnusableBinaries", `Could not start ${options.command}: ${describe(cause)}`))
      )
    // In a session of its own: a Ctrl-C at the terminal is for this process, which then stops the other in
    // order.
    const child = spawn(options.command, options.args, {
      cwd: options.cwd,
      detached: true,
      env: environment(),
      stdio: ["ignore", "pipe", "pipe"],
      windowsHide: true,
      ...(options.user === undefined ? {} : { uid: options.user.uid, gid: options.user.gid })
    })
    child.on("error", fail)
    const pid = child.pid
    if (pid === undefined) return
    options.watchdog?.watch(pid)
    child.once("exit", () => options.watchdog?.forget(pid))

    let tail = ""
    const outputs = [child.stdout, child.stderr]
    for (const stream of outputs) {
      stream.setEncoding("utf8")
      stream.on("data", (chunk: string) => {
        tail = (tail + chunk).slice(-8192)
      })
    }
    const ended = Deferred.makeUnsafe<void>()
    child.once("close", () => Deferred.doneUnsafe(ended, Effect.void))

    const isRunning = () => child.exitCode === null && child.signalCode === null
    child.once("spawn", () =>
      resume(
        Effect.succeed({
          pid,
          isRunning,
          output: () => tail,
          signal: (signal) => void child.kill(signal),
          kill: () => killGroup(pid),
          exited: Deferred.await(ended),
          unref: () => {
            child.unref()
            for (const stream of outputs)
              if ("unref" in stream && typeof stream.unref === "function") stream.unref()
          },
          exitCode: () => child.exitCode
        })
      )
    )
  })

// Nothing of this process's settings but where programs and the time zone are. Without a valid LC_ALL
// Postgres does not start on macOS.
const environment = () => ({
  LC_ALL: "C",
  PATH: process.env["PATH"],
  SystemRoot: process.env["SystemRoot"],
  TZ: process.env["TZ"]
})

const killGroup = (pid: number): void => {
  try {
    process.kill(process.platform === "win32" ? pid : -pid, "SIGKILL")
  } catch {
    // All of them have ended.
  }
}

/**
 * Waits for the end of a process for a bounded time, also where nothing can be interrupted. True if it ended.
 */
export const endsWithin = (child: LaunchedProcess, wait: Duration.Input): Effect.Effect<boolean> =>
  Effect.map(Effect.timeoutOption(Effect.interruptible(child.exited), wait), Option.isSome)

/** What a process that ran to its end left. */
export interface Ran {
  /** 0 after success; null after a signal. */
  readonly exitCode: number | null
  readonly output: string
}

/**
 * Runs a process to its end. One that takes longer than `timeout`, or is interrupted, is asked to end, and
 * killed if it does not: a server that `initdb` runs leaves shared memory behind when it is killed.
 */
export const run = (
  options: LaunchOptions & { readonly timeout: Duration.Input }
): Effect.Effect<Ran, PgTestServerError> =>
  Effect.acquireUseRelease(
    launch(options),
    (child) =>
      child.exited.pipe(
        Effect.map(() => ({ exitCode: child.exitCode(), output: child.output() })),
        Effect.timeoutOrElse({
          duration: options.timeout,
          orElse: () =>
            Effect.fail(serverError("StartTimeout", `${options.command} took too long`, child.output()))
        })
      ),
    (child) =>
      Effect.gen(function* () {
        child.signal("SIGTERM")
        if (!(yield* endsWithin(child, "5 seconds"))) child.kill()
      })
  )
