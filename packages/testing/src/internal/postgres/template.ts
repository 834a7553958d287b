/**
 * Template databases: set up once for a run of tests, cloned for each layer.
 */
import { PgClient } from "@effect/sql-pg"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Reactivity from "effect/reactivity/Reactivity"
import type * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import { type PgTestDatabaseError, trying } from "./databaseError.ts"
import { createDatabase, databaseExists, dropDatabase, publishTemplate } from "./databases.ts"
import { withDatabase } from "./databaseUrl.ts"

/** What fills a template. */
export type Setup<E> = Effect.Effect<unknown, E, PgClient.PgClient | SqlClient>

/**
 * Postgres's own empty database. Nobody can be connected to it, so that any number of clones can be made at
 * once.
 */
export const pristine = "template0"

/**
 * Sets a template up if it is not there yet; true if it was not. The caller holds the lock of its name: one
 * process sets it up while others wait, and whatever bears the draft's name is the rest of a set-up that was
 * killed.
 */
export const ensureTemplate = Effect.fnUntraced(function* <E>(
  sql: PgClient.PgClient,
  options: {
    readonly server: Redacted.Redacted
    readonly name: string
    readonly setup: Setup<E>
    readonly poolSize: number
  }
): Effect.fn.Return<boolean, PgTestDatabaseError | E> {
  const { name } = options
  if (yield* databaseExists(sql, name)) return false
  const draft = `${name}_new`
  yield* dropDatabase(sql, draft)
  yield* createDatabase(sql, draft, pristine)
  yield* runSetup(withDatabase(options.server, draft), options.poolSize, options.setup).pipe(
    Effect.andThen(publishTemplate(sql, draft, name)),
    Effect.onExit((exit) => (Exit.isFailure(exit) ? Effect.ignore(dropDatabase(sql, draft)) : Effect.void))
  )
  return true
})

// Its connections are closed when it ends: Postgres neither renames nor clones a database that has any.
const runSetup = <E>(
  url: Redacted.Redacted,
  maxConnections: number,
  setup: Setup<E>
): Effect.Effect<void, PgTestDatabaseError | E> =>
  PgClient.make({ url, maxConnections }).pipe(
    trying("connect to the template"),
    Effect.flatMap((client) =>
      setup.pipe(Effect.provideService(PgClient.PgClient, client), Effect.provideService(SqlClient, client))
    ),
    Effect.asVoid,
    Effect.scoped,
    Effect.provide(Reactivity.layer)
  )
