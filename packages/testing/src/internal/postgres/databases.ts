/**
 * The statements on databases as a whole: made, cloned, renamed and dropped. None of them can be in a
 * transaction or take parameters, so names go in as quoted identifiers. Only names with one of our prefixes
 * are ever dropped.
 */
import type { PgClient } from "@effect/sql-pg"
import * as Effect from "effect/Effect"
import { type PgTestDatabaseError, trying } from "./databaseError.ts"
import { databasePrefix, templatePrefix, type TestRun } from "./testRun.ts"

type Statement<A> = Effect.Effect<A, PgTestDatabaseError>

/** Makes a database from another, to which nobody may be connected. */
export const createDatabase = (sql: PgClient.PgClient, name: string, template: string): Statement<void> =>
  sql`CREATE DATABASE ${sql(name)} TEMPLATE ${sql(template)}`.pipe(
    Effect.asVoid,
    trying(`make the database ${name}`)
  )

/** Whether a database of this name is there. */
export const databaseExists = (sql: PgClient.PgClient, name: string): Statement<boolean> =>
  sql`SELECT 1 FROM pg_database WHERE datname = ${name}`.pipe(
    Effect.map((rows) => rows.length > 0),
    trying(`look for the database ${name}`)
  )

/** Gives a finished template its name. From then on nobody can connect to it. */
export const publishTemplate = (sql: PgClient.PgClient, draft: string, name: string): Statement<void> =>
  sql`ALTER DATABASE ${sql(draft)} ALLOW_CONNECTIONS false`.pipe(
    Effect.andThen(sql`ALTER DATABASE ${sql(draft)} RENAME TO ${sql(name)}`),
    Effect.asVoid,
    trying(`finish the template ${name}`)
  )

/** Drops a database of ours, with whoever is connected to it. Nothing if it is not there. */
export const dropDatabase = (sql: PgClient.PgClient, name: string): Statement<void> =>
  name.startsWith(databasePrefix) || name.startsWith(templatePrefix)
    ? sql`DROP DATABASE IF EXISTS ${sql(name)} WITH (FORCE)`.pipe(
        Effect.asVoid,
        trying(`drop the database ${name}`)
      )
    : Effect.die(`Refused to drop ${name}: its name has none of our prefixes`)

/** Drops every database and template of a run. */
export const dropRun = (sql: PgClient.PgClient, run: TestRun): Statement<void> =>
  sql<{ readonly datname: string }>`
    SELECT datname
    FROM pg_database
    WHERE starts_with(datname, ${`${databasePrefix}${run.id}_`})
      OR (starts_with(datname, ${templatePrefix}) AND strpos(datname, ${`_${run.id}`}) > 0)
  `.pipe(
    trying("list the databases of this run"),
    Effect.flatMap(Effect.forEach(({ datname }) => dropDatabase(sql, datname), { discard: true }))
  )

/** Takes the lock of a name, on this session; other processes wait for it until the session closes. */
export const lockName = (sql: PgClient.PgClient, name: string): Statement<void> =>
  // As text: the client has no codec for void.
  sql`SELECT pg_advisory_lock(hashtextextended(${name}, 0))::text`.pipe(
    Effect.asVoid,
    trying(`take the lock of ${name}`)
  )
