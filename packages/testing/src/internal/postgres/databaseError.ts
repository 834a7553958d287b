/**
 * The error of a test database.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { SqlError } from "effect/sql/SqlError"

/** A test database that could not be made: the server is away, or refused it. It holds no password. */
export class PgTestDatabaseError extends Schema.TaggedError<PgTestDatabaseError>(
  "@effect-cascade/testing/PgTestDatabaseError"
)("PgTestDatabaseError", {
  /** What was tried, and what the server or the socket said to it. */
  summary: Schema.String
}) {
  override get message(): string {
    return this.summary
  }
}

/** Says of a failing statement what it was for. */
export const trying =
  (doing: string) =>
  <A, R>(statement: Effect.Effect<A, SqlError, R>): Effect.Effect<A, PgTestDatabaseError, R> =>
    Effect.mapError(
      statement,
      (error) => new PgTestDatabaseError({ summary: `Could not ${doing}: ${describeSqlError(error)}` })
    )

/** The text of what the server or the socket said: a `SqlError`'s own message says nothing of it. */
export const describeSqlError = (error: SqlError): string => {
  const { cause } = error.reason
  return cause instanceof Error ? cause.message : error.message
}
