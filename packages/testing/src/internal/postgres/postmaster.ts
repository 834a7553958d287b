/**
 * One run of a server over its data: from its start, until it answers, to its end.
 */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Binaries } from "./binaries.ts"
import { endsWithin, launch, type LaunchedProcess } from "./childProcess.ts"
import type { RunUser } from "./runUser.ts"
import { type PgTestServerError, serverError } from "./serverError.ts"
import type { Workspace } from "./workspace.ts"

/** How a server is asked to stop: rolling back and disconnecting all (`fast`), or at once, as in a crash. */
export type StopMode = "fast" | "immediate"

/** Starts the server. It does not answer yet. */
export const launchPostmaster = (options: {
  readonly binaries: Binaries
  readonly workspace: Workspace
  readonly user: RunUser | undefined
  readonly port: number
}): Effect.Effect<LaunchedProcess, PgTestServerError> =>
  launch({
    command: options.binaries.postgres,
    args: ["-D", options.workspace.data, "-p", String(options.port)],
    cwd: options.workspace.data,
    user: options.user,
    watchdog: options.workspace.watchdog
  })

/**
 * Waits until the server takes connections, after recovery where it needs one.
 * Fails with `PortTaken`, `ExitedEarly` or `StartTimeout`; after the last one it still runs.
 */
export const awaitReady = (
  child: LaunchedProcess,
  data: string,
  timeout: Duration.Input
): Effect.Effect<void, PgTestServerError> =>
  Effect.gen(function* () {
    while (child.isRunning()) {
      if (yield* saysReady(child, data)) return
      yield* Effect.sleep("10 millis")
    }
    yield* endsWithin(child, "5 seconds")
    const output = child.output()
    return yield* /could not bind|Address already in use/i.test(output)
      ? serverError("PortTaken", "Another program listens on the port of the Postgres server", output)
      : serverError("ExitedEarly", "The Postgres server exited before it was ready", output)
  }).pipe(
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () =>
        Effect.fail(serverError("StartTimeout", "The Postgres server was not ready in time", child.output()))
    })
  )

// The server writes its state to the eighth line of this file, as pg_ctl expects of it; the first is its
// process id, since after a crash the file of the run before is still there.
const saysReady = (child: LaunchedProcess, data: string): Effect.Effect<boolean> =>
  Effect.promise(() => readFile(join(data, "postmaster.pid"), "utf8").catch(() => "")).pipe(
    Effect.map((text) => {
      const lines = text.split("\n")
      return Number(lines[0]) === child.pid && lines[7]?.trim() === "ready"
    })
  )

/**
 * Stops the server as asked; if that takes too long, at once; if that too, by force. Returns when it has
 * ended.
 */
export const stopPostmaster = (child: LaunchedProcess, mode: StopMode): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (const { signal, wait } of mode === "fast" ? [politely, atOnce] : [atOnce]) {
      child.signal(signal)
      if (yield* endsWithin(child, wait)) return
    }
    child.kill()
    yield* endsWithin(child, "5 seconds")
  })

const politely = { signal: "SIGINT", wait: "10 seconds" } as const
const atOnce = { signal: "SIGQUIT", wait: "8 seconds" } as const
