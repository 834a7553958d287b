/**
 * From the database's failures to the store's own error.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import type * as SqlError from "effect/sql/SqlError"
import { StoreError } from "../OutboxError.ts"
import * as SqlFailure from "../SqlFailure.ts"

/** The failure of one operation of the store. */
export const fromSql =
  (operation: string) =>
  (error: SqlError.SqlError): StoreError => {
    const code = SqlFailure.code(error)
    return new StoreError({
      operation,
      ...(code === undefined ? {} : { code }),
      detail: explained(code, SqlFailure.detail(error)),
      isRetryable: SqlFailure.isTransient(error)
    })
  }

/**
 * Rows that are not of the form that the statement promises: the tables are not this library's. Names the columns,
 * never what is in them.
 */
export const fromSchema =
  (operation: string) =>
  (error: Schema.SchemaError): StoreError => {
    const columns = formatIssue(error.issue).issues.map(({ path = [] }) => String(path.at(-1) ?? "row"))
    const detail = `unexpected values of ${Array.from(new Set(columns)).join(", ")}`
    return new StoreError({ operation, detail, isRetryable: false })
  }

/** Makes a store's own error of what a statement fails with; the others pass. */
export const asStoreError =
  (operation: string) =>
  <A, E, R>(
    self: Effect.Effect<A, E | SqlError.SqlError | Schema.SchemaError, R>
  ): Effect.Effect<A, Exclude<E, SqlError.SqlError | Schema.SchemaError> | StoreError, R> =>
    Effect.mapError(self, (error) => {
      if (SqlFailure.isSqlError(error)) return fromSql(operation)(error)
      if (Schema.isSchemaError(error)) return fromSchema(operation)(error)
      return error as Exclude<E, SqlError.SqlError | Schema.SchemaError>
    })

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1()

// What an operator would otherwise have to know about SQLSTATEs.
const explained = (code: string | undefined, detail: string): string => {
  if (isSchemaState(code)) {
    return `${detail}; the outbox's tables are missing or older than this library; provide OutboxMigrations.layer(), or run OutboxMigrations.run() as the tables' owner`
  }
  return code === "25006" ? `${detail}; the database is read-only` : detail
}

// No such table, column, schema or function.
const schemaStates = new Set(["42P01", "42703", "3F000", "42883"])

const isSchemaState = (code: string | undefined): boolean => schemaStates.has(code ?? "")

/** Whether the tables are not as this version of the library needs them. */
export const isAboutTables = (error: StoreError): boolean => isSchemaState(error.code)
