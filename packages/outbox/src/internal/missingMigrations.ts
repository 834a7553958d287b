/**
 * Which migration an operator has forgotten, for the error that says that tables are missing or older.
 *
 * Asked only where a statement has failed for that reason, on another connection than the one it failed on, whose
 * transaction can no longer be used.
 */
import type { PgClient } from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import { StoreError } from "../OutboxError.ts"
import * as OutboxMigrations from "../OutboxMigrations.ts"
import * as StoreErrors from "./storeErrors.ts"
import { abandonAfter } from "./unanswered.ts"

/** The pool may have no other connection; then the error has to do without. */
const patience = Duration.seconds(1)

/** Puts the names of the missing migrations into a store's errors about its tables; the others pass. */
export const named =
  (client: PgClient, schema: string) =>
  <A, E, R>(self: Effect.Effect<A, E | StoreError, R>): Effect.Effect<A, E | StoreError, R> => {
    const verify = OutboxMigrations.verify({ schema }).pipe(
      Effect.provideService(SqlClient.SqlClient, client),
      Effect.updateContext((context: Context.Context<never>) =>
        Context.omit(client.transactionService)(context)
      ),
      Effect.withTracerEnabled(false)
    )
    const names = abandonAfter(verify, { timeout: patience, error: () => undefined }).pipe(
      Effect.map((found) => (found._tag === "Missing" ? found.names : [])),
      // What cannot be found out is left out: the failure itself is what counts.
      Effect.catchCause(() => Effect.succeed<ReadonlyArray<string>>([]))
    )
    return Effect.catch(self, (error) =>
      error instanceof StoreError && StoreErrors.isAboutTables(error)
        ? Effect.flatMap(names, (missing) =>
            Effect.fail(missing.length === 0 ? error : naming(error, missing))
          )
        : Effect.fail(error)
    )
  }

const naming = (error: StoreError, names: ReadonlyArray<string>): StoreError =>
  new StoreError({
    operation: error.operation,
    ...(error.code === undefined ? {} : { code: error.code }),
    detail: `${error.detail}: ${names.join(", ")} ${names.length === 1 ? "is" : "are"} missing`,
    isRetryable: error.isRetryable
  })
