/**
 * The operator's store on Postgres, 15 or newer, over the tables of `PgOutboxStore`.
 *
 * Uses the program's own `PgClient`, so that a move joins the transaction that the program has open. Give it a client
 * whose role may do more than a writer's or a relay's: it also updates and deletes messages and outcomes.
 */
import { PgClient } from "@effect/sql-pg/PgClient"
import { TransportReason } from "@effect-cascade/core/TransportReason"
import * as Reason from "@effect-cascade/core/TransportReason"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as MissingMigrations from "./internal/missingMigrations.ts"
import * as PgWake from "./internal/pgWake.ts"
import { cancel } from "./internal/sql/cancel.ts"
import { conclude } from "./internal/sql/conclude.ts"
import { countLanes } from "./internal/sql/countLanes.ts"
import { countParked } from "./internal/sql/countParked.ts"
import { explainWork } from "./internal/sql/explainWork.ts"
import { heldLanes } from "./internal/sql/heldLanes.ts"
import { holdLanes } from "./internal/sql/holdLanes.ts"
import { type Cursor, listParked } from "./internal/sql/listParked.ts"
import { openLanes } from "./internal/sql/openLanes.ts"
import { prune } from "./internal/sql/prune.ts"
import { readMessage } from "./internal/sql/readMessage.ts"
import { readStates } from "./internal/sql/readStates.ts"
import { requeue } from "./internal/sql/requeue.ts"
import { scrub } from "./internal/sql/scrub.ts"
import * as Tables from "./internal/sql/tables.ts"
import { canBeThere, storable } from "./internal/storable.ts"
import * as StoreErrors from "./internal/storeErrors.ts"
import * as Unanswered from "./internal/unanswered.ts"
import {
  CancelRow,
  type Choice,
  ExplainRow,
  HeldLane,
  LaneCount,
  MessageRow,
  OutboxAdminStore,
  type OutboxAdminStoreShape,
  ParkedCount,
  type ParkedFilter,
  ParkedRow,
  RetentionStep,
  StateRow
} from "./OutboxAdminStore.ts"
import type { InvalidName } from "./OutboxError.ts"
import * as OutboxMigrations from "./OutboxMigrations.ts"
import type { PgOutboxStoreOptions } from "./PgOutboxStore.ts"
import * as SqlFailure from "./SqlFailure.ts"

/** Where the store's tables are, and whether relays are told of what has changed. */
export interface PgOutboxAdminStoreOptions extends Pick<PgOutboxStoreOptions, "schema" | "wake"> {
  /**
   * How long a statement, or a transaction of several, may take before it is given up with a `StoreError` that is
   * retryable. Defaults to 30 seconds.
   */
  readonly statementTimeout?: Duration.Input | undefined
}

const defaults = { statementTimeout: "30 seconds" } as const

/** Makes the store on the `PgClient` of the context. */
export const make = Effect.fnUntraced(function* (
  options?: PgOutboxAdminStoreOptions
): Effect.fn.Return<OutboxAdminStoreShape, InvalidName, PgClient | Scope.Scope> {
  const client = yield* PgClient
  const sql = client.withoutTransforms()
  const schema = yield* Tables.checkSchema(options?.schema ?? OutboxMigrations.defaultSchema)
  const tables = Tables.make(sql, schema)
  const statementTimeout = Duration.fromInputUnsafe(options?.statementTimeout ?? defaults.statementTimeout)
  const wake = yield* PgWake.make({
    client,
    channel: `${schema}_wake`,
    notify: (options?.wake ?? "notify") === "notify",
    statementTimeout,
    ping: { every: Duration.infinity, timeout: Duration.infinity }
  })
  const statement = Unanswered.statements(client, statementTimeout, MissingMigrations.named(client, schema))
  const tellOfWork = client.afterCommit(wake.committed)
  const tellOfLanes = client.afterCommit(wake.lanesChanged)

  return {
    countLanes: countLanes(sql, tables).pipe(decodeAll(LaneCount), statement("count")),
    countParked: countParked(sql, tables).pipe(decodeAll(ParkedCount), statement("count")),
    heldLanes: heldLanes(sql, tables).pipe(decodeAll(HeldLane), statement("read lanes")),

    list: ({ after, ...query }) =>
      canMatch(query.filter)
        ? listParked(sql, tables, {
            ...query,
            after: after === undefined ? undefined : cursorOf(after)
          }).pipe(decodeAll(ParkedRow), statement("list"))
        : Effect.succeed([]),

    read: (account, trackingId) =>
      canBeThere(account, trackingId)
        ? readMessage(sql, tables, account, trackingId).pipe(decodeFirst(MessageRow), statement("read"))
        : Effect.undefined,

    explain: (account, trackingId, { aheadLimit }) =>
      canBeThere(account, trackingId)
        ? explainWork(sql, tables, { account, trackingId, aheadLimit }).pipe(
            decodeFirst(ExplainRow),
            statement("explain")
          )
        : Effect.undefined,

    states: (ids, newDeadline) =>
      readStates(sql, tables, ids, newDeadline).pipe(decodeAll(StateRow), statement("read states")),

    requeue: (choice, move) =>
      canChoose(choice)
        ? requeue(sql, tables, choice, { ...move, by: storable(move.by) }).pipe(
            Effect.map(idsOf),
            statement("requeue"),
            Effect.tap((moved) => (moved.length > 0 ? tellOfWork : Effect.void))
          )
        : Effect.succeed([]),

    conclude: (choice, move) =>
      canChoose(choice)
        ? conclude(sql, tables, choice, { ...move, by: storable(move.by) }).pipe(
            Effect.map(idsOf),
            statement("conclude")
          )
        : Effect.succeed([]),

    cancel: (account, trackingId, by) =>
      canBeThere(account, trackingId)
        ? cancel(sql, tables, { account, trackingId, by: storable(by), lapseReason }).pipe(
            decodeFirst(CancelRow),
            statement("cancel")
          )
        : Effect.undefined,

    holdLanes: (lanes, note) =>
      holdLanes(sql, tables, lanes, storable(note ?? "")).pipe(
        statement("pause lanes"),
        Effect.andThen(tellOfLanes)
      ),

    openLanes: (lanes) =>
      openLanes(sql, tables, lanes).pipe(
        Effect.map((rows) => rows.map(({ lane }) => lane)),
        statement("resume lanes"),
        Effect.tap((opened) => (opened.length > 0 ? tellOfLanes : Effect.void))
      ),

    // Not kept prepared: they walk a history that has other proportions tomorrow.
    scrub: (move) => scrub(sql, tables, move).unprepared.pipe(decodeStep, statement("scrub")),
    prune: (move) => prune(sql, tables, move).unprepared.pipe(decodeStep, statement("prune")),

    transaction: (self) => {
      // Only a failure of the database itself becomes a StoreError; the caller's own errors pass.
      const own = Symbol("own")
      const transaction = client.withTransaction(Effect.mapError(self, (error) => ({ own, error })))
      // The driver does not let its BEGIN and COMMIT be interrupted.
      return Unanswered.abandonAfter(transaction, {
        timeout: statementTimeout,
        error: () => ({ own, error: Unanswered.noAnswer("transaction", statementTimeout) })
      }).pipe(
        SqlFailure.recover,
        Effect.mapError((error) => ("own" in error ? error.error : StoreErrors.fromSql("transaction")(error)))
      )
    },

    afterCommit: client.afterCommit
  }
})

/** The store as a layer. It expects the tables to be there; see `OutboxMigrations`. */
export const layer = (
  options?: PgOutboxAdminStoreOptions
): Layer.Layer<OutboxAdminStore, InvalidName, PgClient> => Layer.effect(OutboxAdminStore, make(options))

/** What no stored text can be equal to matches nothing; Postgres would refuse to be asked for it. */
const canMatch = ({ account, messageType, reasonTag }: ParkedFilter): boolean =>
  canBeThere(account, messageType, reasonTag)

const canChoose = (choice: Choice): boolean => "ids" in choice || canMatch(choice.filter)

type Rows<E> = Effect.Effect<ReadonlyArray<unknown>, E>

const decodeAll = <A, I>(schema: Schema.Codec<A, I>) => {
  const decode = Schema.decodeUnknownEffect(Schema.Array(schema))
  return <E>(rows: Rows<E>): Effect.Effect<ReadonlyArray<A>, E | Schema.SchemaError> =>
    Effect.flatMap(rows, decode)
}

const decodeFirst = <A, I>(schema: Schema.Codec<A, I>) => {
  const decode = decodeAll(schema)
  return <E>(rows: Rows<E>): Effect.Effect<A | undefined, E | Schema.SchemaError> =>
    Effect.map(decode(rows), ([first]) => first)
}

const decodeStep = <E>(rows: Rows<E>) =>
  Effect.map(decodeFirst(RetentionStep)(rows), (step) => step ?? nothingWalked)

const nothingWalked: typeof RetentionStep.Type = { walked: 0, last: null, resume: null, changed: 0 }

const idsOf = (rows: ReadonlyArray<{ readonly id: string }>): ReadonlyArray<string> =>
  rows.map(({ id }) => id)

const cursorOf = (text: string): Cursor => {
  const [micros = "", id = ""] = text.split(":")
  return { micros, id }
}

const lapseReason = JSON.stringify(
  Schema.encodeSync(Schema.toCodecJson(TransportReason))(new Reason.CutShort({ by: "lease" }))
)
