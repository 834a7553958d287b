/**
 * A Postgres server for tests, benchmarks and demos, with nothing to install and nothing left behind.
 *
 * `PgTestServer.layer()` uses the server that `CASCADE_TEST_DATABASE_URL` names. Without it, it starts one of
 * its own from the binaries that npm installed: in a temporary folder, on a free port of the loopback
 * address, under an unprivileged user where the process is root. That takes about a second.
 *
 * Promises of a server of its own: when the scope closes it is stopped and every file of it is removed; when
 * the process ends in any other way, SIGKILL included, a watchdog does the same within seconds. It can be
 * stopped and started again by a test. A given server is only ever connected to.
 *
 * All waits are in real time, whatever clock the test runs on.
 */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { askVersion } from "./internal/postgres/adminSession.ts"
import { makeOwnServer } from "./internal/postgres/ownServer.ts"
import { databaseUrlVariable, type PgTestServerError, serverError } from "./internal/postgres/serverError.ts"

export { PgTestServerError } from "./internal/postgres/serverError.ts"

/** How a server of one's own is set up. None of it matters to a given server. */
export interface PgTestServerOptions {
  /**
   * What a commit survives. `fast` turns `fsync`, `synchronous_commit` and `full_page_writes` off: made for
   * tests, and an immediate stop may lose the last commits. `durable` keeps Postgres's defaults: for
   * benchmarks, demos and tests of crashes. Defaults to `fast`.
   */
  readonly durability?: "fast" | "durable" | undefined
  /** How many sessions the server takes at once. Defaults to 200. */
  readonly maxConnections?: number | undefined
  /**
   * More server settings, as in `postgresql.conf`; they win over the options above, and `ALTER SYSTEM` over
   * them. Defaults to none.
   */
  readonly settings?: Readonly<Record<string, string | number | boolean>> | undefined
  /** How long `initdb`, and each start, may take. Defaults to 1 minute. */
  readonly startTimeout?: Duration.Input | undefined
  /**
   * The folder of another Postgres to run, with `bin` in it, such as `/usr/lib/postgresql/15`. Defaults to
   * the one from npm.
   */
  readonly binaries?: string | undefined
  /**
   * The folder that the server's temporary folder is made in: one in memory, such as `/dev/shm`, makes a
   * start and each new database several times faster where disks are slow. Defaults to the system's temporary
   * folder.
   */
  readonly directory?: string | undefined
}

const defaults = {
  durability: "fast",
  maxConnections: 200,
  startTimeout: "1 minute"
} as const satisfies PgTestServerOptions

/** A server that this process started. */
export interface OwnedPgTestServer {
  readonly owned: true
  /** Its maintenance database, with the superuser and the password drawn for this server. */
  readonly url: Redacted.Redacted
  /** As the server says it: `18.4`. */
  readonly version: string
  /**
   * Stops the server and returns when it has ended: `fast` rolls back and disconnects every session,
   * `immediate` is a crash, from which the next start recovers. Does nothing to a stopped server.
   */
  readonly stop: (mode: "fast" | "immediate") => Effect.Effect<void>
  /**
   * Starts a stopped server on the same data and port, and returns when it takes connections. Does nothing to
   * one that runs.
   */
  readonly start: Effect.Effect<void, PgTestServerError>
  /** The last 8,192 characters of the log of the last run. It may quote statements and their values. */
  readonly log: Effect.Effect<string>
}

/** A server that somebody else runs, named by `CASCADE_TEST_DATABASE_URL`. */
export interface GivenPgTestServer {
  readonly owned: false
  /** The URL as it was given. */
  readonly url: Redacted.Redacted
  /** As the server says it: `15.18`. */
  readonly version: string
}

/**
 * The server that tests run on.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { PgTestServer } from "@effect-cascade/testing/PgTestServer"
 *
 * const program = PgTestServer.use((server) => Effect.log(`Postgres ${server.version}`)).pipe(
 *   Effect.provide(PgTestServer.layer())
 * )
 * ```
 */
export class PgTestServer extends Context.Service<PgTestServer, OwnedPgTestServer | GivenPgTestServer>()(
  "@effect-cascade/testing/PgTestServer"
) {
  /**
   * Starts a server of one's own, even where one is given: for tests that stop it and start it again. It ends
   * with the scope.
   */
  static readonly makeOwned = (
    options: PgTestServerOptions = {}
  ): Effect.Effect<OwnedPgTestServer, PgTestServerError, Scope.Scope> =>
    Effect.map(
      makeOwnServer({
        binaries: options.binaries,
        directory: options.directory,
        settings: serverSettings(options),
        timeout: options.startTimeout ?? defaults.startTimeout
      }),
      (server) => ({ ...server, owned: true })
    )

  /** The server that `CASCADE_TEST_DATABASE_URL` names, or one of one's own where it is unset or empty. */
  static readonly make = (
    options: PgTestServerOptions = {}
  ): Effect.Effect<OwnedPgTestServer | GivenPgTestServer, PgTestServerError, Scope.Scope> =>
    Effect.gen(function* () {
      const url = yield* givenUrl
      return Option.isSome(url) ? yield* useGiven(url.value) : yield* PgTestServer.makeOwned(options)
    })

  /** {@link PgTestServer.make} as a layer. */
  static readonly layer = (options?: PgTestServerOptions): Layer.Layer<PgTestServer, PgTestServerError> =>
    Layer.effect(PgTestServer, PgTestServer.make(options))

  /** {@link PgTestServer.makeOwned} as a layer. */
  static readonly layerOwned = (
    options?: PgTestServerOptions
  ): Layer.Layer<PgTestServer, PgTestServerError> =>
    Layer.effect(PgTestServer, PgTestServer.makeOwned(options))
}

const serverSettings = (options: PgTestServerOptions) => ({
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  max_connections: options.maxConnections ?? defaults.maxConnections,
  ...((options.durability ?? defaults.durability) === "fast"
    ? { fsync: false, synchronous_commit: false, full_page_writes: false }
    : {}),
  ...options.settings
})

const givenUrl: Effect.Effect<Option.Option<Redacted.Redacted>, PgTestServerError> = Config.option(
  Config.Redacted(databaseUrlVariable)
).pipe(
  Effect.map(Option.filter((url) => Redacted.value(url).trim() !== "")),
  Effect.mapError(() => serverError("BadUrl", `${databaseUrlVariable} cannot be read`))
)

const useGiven = (url: Redacted.Redacted): Effect.Effect<GivenPgTestServer, PgTestServerError> =>
  Effect.map(askVersion(url), (version) => ({ owned: false, url, version }))
