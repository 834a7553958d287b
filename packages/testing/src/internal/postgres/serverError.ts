/**
 * The error of a Postgres server for tests, and the two ways it is made.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** The variable that names a server of one's own. Every error that such a server would mend says so. */
export const databaseUrlVariable = "CASCADE_TEST_DATABASE_URL"

/** What a reader can do about a machine on which no server can be started. */
export const adviceToNameServer = `set ${databaseUrlVariable} to the URL of a Postgres that may be used for tests`

/**
 * A Postgres server for tests that could not be started, reached, stopped or started again.
 *
 * `reason` is one of:
 * - `UnsupportedPlatform`: npm has no Postgres binaries for this platform, or they are not installed.
 * - `UnusableBinaries`: the binaries are there and do not run, neither in place nor from a copy.
 * - `NoUser`: running as root, and no unprivileged user to run Postgres under.
 * - `FileSystem`: the temporary folder cannot be written.
 * - `InitFailed`: `initdb` failed.
 * - `PortTaken`: no free port was found, or another program took the server's own while it was stopped.
 * - `StartTimeout`: the server or `initdb` was not ready in time.
 * - `ExitedEarly`: the server exited before it was ready.
 * - `BadOption`: an option that Postgres could not take.
 * - `BadUrl`: the URL of the given server is no Postgres URL.
 * - `Unreachable`: the given server does not answer, or refuses the login.
 *
 * No field holds a password.
 */
export class PgTestServerError extends Schema.TaggedError<PgTestServerError>(
  "@effect-cascade/testing/PgTestServerError"
)("PgTestServerError", {
  reason: Schema.Literals([
    "UnsupportedPlatform",
    "UnusableBinaries",
    "NoUser",
    "FileSystem",
    "InitFailed",
    "PortTaken",
    "StartTimeout",
    "ExitedEarly",
    "BadOption",
    "BadUrl",
    "Unreachable"
  ]),
  /** What went wrong, in one sentence. */
  summary: Schema.String,
  /** The last lines the program at fault wrote; empty where none took part. */
  output: Schema.String
}) {
  override get message(): string {
    return this.output === "" ? this.summary : `${this.summary}\n${this.output}`
  }
}

/** Makes the error; `output` defaults to nothing. */
export const serverError = (
  reason: PgTestServerError["reason"],
  summary: string,
  output = ""
): PgTestServerError => new PgTestServerError({ reason, summary, output: output.trim() })

/** Runs a step on the file system; a failure is a `FileSystem` error that says what was tried. */
export const tryFiles = <A>(doing: string, step: () => Promise<A>): Effect.Effect<A, PgTestServerError> =>
  Effect.tryPromise({
    try: step,
    catch: (cause) => serverError("FileSystem", `Could not ${doing}: ${describe(cause)}`)
  })

/** The text of something thrown. */
export const describe = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))
