/**
 * The store of delivery status on Postgres, 15 or newer, over the tables of `PgOutboxStore`.
 *
 * Uses the program's own `PgClient`; every statement stands in `internal/sql`, one a file. Which messages are followed
 * is decided where they are settled: see `trackStatus` of `PgOutboxStoreOptions`.
 */
import { PgClient } from "@effect/sql-pg/PgClient"
import { type DeliveryState, DeliveryStatus } from "@effect-cascade/core/DeliveryStatus"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as MissingMigrations from "./internal/missingMigrations.ts"
import { claimStatusChecks } from "./internal/sql/claimStatusChecks.ts"
import { pauseStatusChecks } from "./internal/sql/pauseStatusChecks.ts"
import { readStatus } from "./internal/sql/readStatus.ts"
import { recordStatus } from "./internal/sql/recordStatus.ts"
import { settleStatusCheck } from "./internal/sql/settleStatusCheck.ts"
import * as StatusTables from "./internal/sql/statusTables.ts"
import * as Tables from "./internal/sql/tables.ts"
import type { InvalidName } from "./OutboxError.ts"
import { canBeThere } from "./internal/storable.ts"
import * as Unanswered from "./internal/unanswered.ts"
import * as OutboxMigrations from "./OutboxMigrations.ts"
import { DueCheck, StatusStore, type StatusStoreShape } from "./StatusStore.ts"

/** Where the store's tables are. */
export interface PgStatusStoreOptions {
  /** The schema of the outbox's tables. Defaults to `"cascade"`. */
  readonly schema?: string | undefined
  /**
   * How long a statement may take before it is given up with a `StoreError` that is retryable. Less than the lease of
   * a check. Defaults to 10 seconds.
   */
  readonly statementTimeout?: Duration.Input | undefined
}

const defaults = { statementTimeout: "10 seconds" } as const

/** Makes the store on the `PgClient` of the context. */
export const make = Effect.fnUntraced(function* (
  options?: PgStatusStoreOptions
): Effect.fn.Return<StatusStoreShape, InvalidName, PgClient> {
  const client = yield* PgClient
  const sql = client.withoutTransforms()
  const schema = yield* Tables.checkSchema(options?.schema ?? OutboxMigrations.defaultSchema)
  const timeout = Duration.fromInputUnsafe(options?.statementTimeout ?? defaults.statementTimeout)
  const statement = Unanswered.statements(client, timeout, MissingMigrations.named(client, schema))
  const tables = { ...Tables.make(sql, schema), ...StatusTables.make(sql, schema) }

  return {
    claim: (capacities, lease) =>
      claimStatusChecks(sql, tables, capacities, Duration.toMillis(lease)).pipe(
        Effect.flatMap(decodeDue),
        statement("claim status checks")
      ),

    settle: (check) =>
      settleStatusCheck(sql, tables, check).pipe(
        Effect.flatMap(decodeSettled),
        Effect.map(([row]) => (row === undefined ? undefined : { ...moveOf(row), held: row.held })),
        statement("settle a status check")
      ),

    record: (account, { confirmed, messageId, status }) =>
      canBeThere(account, messageId)
        ? recordStatus(sql, tables, account, messageId, { status, confirmed }).pipe(
            Effect.flatMap(decodeRecorded),
            Effect.map((rows) =>
              rows.map((row) => ({
                ...moveOf(row),
                trackingId: row.trackingId ?? undefined,
                messageType: row.messageType ?? undefined
              }))
            ),
            statement("record a status")
          )
        : Effect.succeed([]),

    pause: (account, duration) =>
      pauseStatusChecks(sql, tables, account, Duration.toMillis(duration)).pipe(
        Effect.asVoid,
        statement("pause status checks")
      ),

    read: (account, trackingId) =>
      canBeThere(account, trackingId)
        ? readStatus(sql, tables, account, trackingId).pipe(
            Effect.flatMap(decodeTracked),
            Effect.map(([row]) =>
              row === undefined
                ? undefined
                : {
                    messageId: row.messageId,
                    state: stateOf(row),
                    following: row.following,
                    checks: row.checks,
                    acceptedAt: row.acceptedAt,
                    updatedAt: row.updatedAt
                  }
            ),
            statement("read a status")
          )
        : Effect.undefined
  }
})

/** The store as a layer. It expects the tables to be there; see `OutboxMigrations`. */
export const layer = (options?: PgStatusStoreOptions): Layer.Layer<StatusStore, InvalidName, PgClient> =>
  Layer.effect(StatusStore, make(options))

const known = { status: Schema.NullOr(DeliveryStatus), confirmed: Schema.NullOr(Schema.Boolean) }

const Move = Schema.Struct({ ...known, moved: Schema.Boolean })

const Settled = Schema.Struct({ ...Move.fields, held: Schema.Boolean })

const Recorded = Schema.Struct({
  ...Move.fields,
  trackingId: Schema.NullOr(Schema.String),
  messageType: Schema.NullOr(Schema.String)
})

const Tracked = Schema.Struct({
  ...known,
  messageId: Schema.String,
  following: Schema.Boolean,
  checks: Schema.Int,
  acceptedAt: Schema.DateTimeUtcFromMillis,
  updatedAt: Schema.DateTimeUtcFromMillis
})

const decodeDue = Schema.decodeUnknownEffect(Schema.Array(DueCheck))
const decodeSettled = Schema.decodeUnknownEffect(Schema.Array(Settled))
const decodeRecorded = Schema.decodeUnknownEffect(Schema.Array(Recorded))
const decodeTracked = Schema.decodeUnknownEffect(Schema.Array(Tracked))

interface Known {
  readonly status: DeliveryStatus | null
  readonly confirmed: boolean | null
}

const stateOf = ({ confirmed, status }: Known): DeliveryState | undefined =>
  status === null ? undefined : { status, confirmed: confirmed ?? false }

const moveOf = (row: Known & { readonly moved: boolean }) => ({ previous: stateOf(row), moved: row.moved })
