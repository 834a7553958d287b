/**
 * A Postgres server of this process's own, from an empty temporary folder to nothing left.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { locateBinaries, prepareBinaries } from "./binaries.ts"
import type { LaunchedProcess } from "./childProcess.ts"
import { createCluster, type Settings } from "./cluster.ts"
import { pickPort } from "./freePort.ts"
import { onLiveClock } from "./liveClock.ts"
import { awaitReady, launchPostmaster, type StopMode, stopPostmaster } from "./postmaster.ts"
import { resolveRunUser } from "./runUser.ts"
import type { PgTestServerError } from "./serverError.ts"
import { makeWorkspace } from "./workspace.ts"

/** A server that this process started, and can stop and start. */
export interface OwnServer {
  readonly url: Redacted.Redacted
  readonly version: string
  readonly stop: (mode: StopMode) => Effect.Effect<void>
  readonly start: Effect.Effect<void, PgTestServerError>
  readonly log: Effect.Effect<string>
}

/** Makes a cluster and starts a server on it; stopped and removed when the scope closes. */
export const makeOwnServer = Effect.fnUntraced(function* (options: {
  readonly binaries: string | undefined
  readonly directory: string | undefined
  readonly settings: Settings
  readonly timeout: Duration.Input
}): Effect.fn.Return<OwnServer, PgTestServerError, Scope.Scope> {
  const user = yield* resolveRunUser
  const source = options.binaries ?? (yield* locateBinaries())
  const workspace = yield* makeWorkspace(user, options.directory)
  const binaries = yield* prepareBinaries(source, workspace, user)
  const superuser = yield* createCluster({ ...options, binaries, workspace, user })

  // One start or stop at a time; `current` is the last run, ended or not.
  const turn = yield* Semaphore.make(1)
  let current: LaunchedProcess | undefined
  const stopCurrent = (mode: StopMode) =>
    Effect.suspend(() => (current === undefined ? Effect.void : stopPostmaster(current, mode)))
  const startOn = (port: number) =>
    launchPostmaster({ binaries, workspace, user, port }).pipe(
      Effect.tap((child) => Effect.sync(() => (current = child))),
      Effect.uninterruptible,
      Effect.flatMap((child) =>
        Effect.andThen(
          awaitReady(child, workspace.data, options.timeout),
          Effect.sync(() => child.unref())
        )
      ),
      Effect.onError(() => stopCurrent("immediate"))
    )
  yield* Effect.addFinalizer(() => turn.withPermit(stopCurrent("fast")))

  const port = yield* Effect.flatMap(pickPort, (port) => Effect.as(startOn(port), port)).pipe(
    Effect.retry({ times: 10, while: isPortTaken })
  )
  return {
    url: Redacted.make(`postgres://${superuser.name}:${superuser.password}@127.0.0.1:${port}/postgres`, {
      label: "postgres"
    }),
    version: binaries.version,
    stop: (mode) => onLiveClock(turn.withPermit(stopCurrent(mode))),
    start: Effect.suspend(() => (current?.isRunning() === true ? Effect.void : startOn(port))).pipe(
      turn.withPermit,
      onLiveClock
    ),
    log: Effect.sync(() => current?.output() ?? "")
  }
}, onLiveClock)

const isPortTaken = (error: PgTestServerError): boolean => error.reason === "PortTaken"
