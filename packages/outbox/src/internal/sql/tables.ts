/**
 * The names of the outbox's tables in one schema, quoted once, so that no name transform of the client touches them.
 */
import * as Effect from "effect/Effect"
import type * as SqlClient from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { InvalidName } from "../../OutboxError.ts"

export interface Tables {
  readonly schema: string
  readonly message: Fragment
  readonly work: Fragment
  readonly outcome: Fragment
  readonly lane: Fragment
}

const rule = "1 to 40 characters of a-z 0-9 _, the first no digit"

/** Fails for a schema name that would have to be escaped. */
export const checkSchema = (schema: string): Effect.Effect<string, InvalidName> =>
  /^[a-z_][a-z0-9_]{0,39}$/u.test(schema)
    ? Effect.succeed(schema)
    : Effect.fail(new InvalidName({ what: "schema name", rule }))

export const make = (sql: SqlClient.SqlClient, schema: string): Tables => {
  const table = (name: string) => sql.literal(`"${schema}"."${name}"`)
  return {
    schema,
    message: table("message"),
    work: table("work"),
    outcome: table("outcome"),
    lane: table("lane")
  }
}
