import * as OutboxMigrations from "@effect-cascade/outbox/OutboxMigrations"
import * as SqlFailure from "@effect-cascade/outbox/SqlFailure"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import type { PgClient } from "@effect/sql-pg"
import { assert } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import * as SecureRandom from "effect/crypto/SecureRandom"
import { SqlClient } from "effect/sql"
import { connect, database } from "./database.ts"

/** A client for each role, and one of a role without rights, all on the same database. */
export class Roles extends Context.Service<
  Roles,
  {
    readonly writer: PgClient.PgClient
    readonly relay: PgClient.PgClient
    readonly admin: PgClient.PgClient
    readonly nobody: PgClient.PgClient
    readonly names: { readonly writer: string; readonly relay: string; readonly admin: string }
  }
>()("outbox/test/Roles") {}

const password = "secret"

/**
 * A role that can log in, gone with the scope. Roles belong to the server, which others may use too: so each has a name
 * of its own, in the order of their duties.
 */
export const makeRole = Effect.fnUntraced(function* (duty: string) {
  const sql = yield* SqlClient.SqlClient
  const name = `cascade_test_${duty}_${SecureRandom.uuidV7Unsafe().slice(-12)}`
  yield* Effect.acquireRelease(sql.unsafe(`CREATE ROLE ${name} LOGIN PASSWORD '${password}'`), () =>
    Effect.orDie(
      Effect.forEach(
        [
          `REVOKE ALL ON ALL TABLES IN SCHEMA cascade FROM ${name}`,
          `REVOKE ALL ON ALL FUNCTIONS IN SCHEMA cascade FROM ${name}`,
          `REVOKE ALL ON SCHEMA cascade FROM ${name}`,
          `DROP ROLE ${name}`
        ],
        (statement) => sql.unsafe(statement)
      )
    )
  )
  return name
})

const connectAs = Effect.fnUntraced(function* (name: string) {
  const { url } = yield* PgTestDatabase
  const own = new URL(Redacted.value(url))
  own.username = name
  own.password = password
  return yield* connect({ url: Redacted.make(own.href) })
})

const make = Effect.gen(function* () {
  const names = {
    writer: yield* makeRole("writer"),
    relay: yield* makeRole("relay"),
    admin: yield* makeRole("admin")
  }
  yield* OutboxMigrations.applyGrants(names)
  return {
    writer: yield* connectAs(names.writer),
    relay: yield* connectAs(names.relay),
    admin: yield* connectAs(names.admin),
    nobody: yield* connectAs(yield* makeRole("nobody")),
    names
  }
})

/** The outbox's tables and the three roles, with the rights that the library gives them. */
export const roles = Layer.effect(Roles, make).pipe(Layer.provideMerge(database))

/** Whose client it is. */
export type Duty = "writer" | "relay" | "admin" | "nobody"

/** What the database says to a statement of this role: the SQLSTATE, or nothing where it lets it. */
const verdict = (duty: Duty, statement: string) =>
  Effect.gen(function* () {
    const client = (yield* Roles)[duty]
    const undo = "undo"
    const error = yield* Effect.flip(
      client.withTransaction(Effect.andThen(client.unsafe(statement), Effect.fail(undo)))
    )
    return typeof error === "string" ? undefined : SqlFailure.code(error)
  })

export const denied = "42501"

/** All of these are refused to a role, and each because it is not its business. */
export const isDenied = (duty: Duty, statements: ReadonlyArray<string>) =>
  Effect.forEach(
    statements,
    (statement) =>
      Effect.map(verdict(duty, statement), (code) =>
        assert.strictEqual(code, denied, `${duty}: ${statement}`)
      ),
    { discard: true }
  )
