/**
 * Short visits to a server's maintenance database.
 */
import { PgClient } from "@effect/sql-pg"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import { describeSqlError } from "./databaseError.ts"
import { describeUrl, isDatabaseUrl } from "./databaseUrl.ts"
import { onLiveClock } from "./liveClock.ts"
import { databaseUrlVariable, type PgTestServerError, serverError } from "./serverError.ts"

/**
 * Opens one session, closed with the scope. One session, and not a pool, since an advisory lock belongs to
 * the session that took it.
 */
export const openSession = (
  url: Redacted.Redacted
): Effect.Effect<PgClient.PgClient, SqlError, Scope.Scope> =>
  Effect.provide(PgClient.makeClient({ url, applicationName: "cascade-testing" }), Reactivity.layer)

/** Asks a given server for its version, and so finds out whether it can be used at all. */
export const askVersion = Effect.fnUntraced(function* (
  url: Redacted.Redacted
): Effect.fn.Return<string, PgTestServerError> {
  if (!isDatabaseUrl(url)) {
    return yield* serverError(
      "BadUrl",
      `${databaseUrlVariable} is no Postgres URL: expected postgres://user:password@host:port/database`
    )
  }
  const rows = yield* openSession(url).pipe(
    Effect.flatMap(
      (sql) => sql<{ readonly version: string }>`SELECT current_setting('server_version') AS version`
    ),
    Effect.scoped,
    Effect.mapError((error) =>
      serverError(
        "Unreachable",
        `The server that ${databaseUrlVariable} names (${describeUrl(url)}) cannot be used: ${describeSqlError(error)}`
      )
    )
  )
  // Builds add words of their own after the number.
  return rows[0]?.version.split(" ")[0] ?? ""
}, onLiveClock)
