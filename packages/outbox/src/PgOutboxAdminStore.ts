/**
 * The operator's store on Postgres, 15 or newer, over the tables of `PgOutboxStore`.
 *
 * Uses the program's own `PgClient`, so that a move joins the transaction that the program has open. Give it a client
 * whose role may do more than a writer's or a relay's: it also updates and deletes messages and outcomes.
 */
import { PgClient } from "@effect/sql-pg/PgClient"
import { TransportReason } from "@effect-cascade/core/TransportReason"
import * as Reason from "@effect-cascade/core/TransportReason"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as SqlError from "effect/sql/SqlError"
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
import * as StoreErrors from "./internal/storeErrors.ts"
import {
  CancelRow,
  ExplainRow,
  HeldLane,
  LaneCount,
  MessageRow,
  OutboxAdminStore,
  type OutboxAdminStoreShape,
  ParkedCount,
  ParkedRow,
  RetentionStep,
  StateRow
} from "./OutboxAdminStore.ts"
import type { InvalidName, StoreError } from "./OutboxError.ts"
import * as OutboxMigrations from "./OutboxMigrations.ts"
import type { PgOutboxStoreOptions } from "./PgOutboxStore.ts"
import * as SqlFailure from "./SqlFailure.ts"

/** Where the store's tables are, and whether relays are told of what has become due. */
export type PgOutboxAdminStoreOptions = PgOutboxStoreOptions

/** Makes the store on the `PgClient` of the context. */
export const make = Effect.fnUntraced(function* (
  options?: PgOutboxAdminStoreOptions
): Effect.fn.Return<OutboxAdminStoreShape, InvalidName, PgClient | Scope.Scope> {
  const client = yield* PgClient
  const sql = client.withoutTransforms()
  const schema = yield* Tables.checkSchema(options?.schema ?? OutboxMigrations.defaultSchema)
  const tables = Tables.make(sql, schema)
  const wake = yield* PgWake.make({
    client,
    channel: `${schema}_wake`,
    notify: (options?.wake ?? "notify") === "notify"
  })
  const tellRelays = client.afterCommit(wake.committed)

  return {
    countLanes: countLanes(sql, tables).pipe(decodeAll(LaneCount), asStoreError("count")),
    countParked: countParked(sql, tables).pipe(decodeAll(ParkedCount), asStoreError("count")),
    heldLanes: heldLanes(sql, tables).pipe(decodeAll(HeldLane), asStoreError("read lanes")),

    list: ({ after, ...query }) =>
      listParked(sql, tables, { ...query, after: after === undefined ? undefined : cursorOf(after) }).pipe(
        decodeAll(ParkedRow),
        asStoreError("list")
      ),

    read: (account, trackingId) =>
      readMessage(sql, tables, account, trackingId).pipe(decodeFirst(MessageRow), asStoreError("read")),

    explain: (account, trackingId, { aheadLimit }) =>
      explainWork(sql, tables, { account, trackingId, aheadLimit }).pipe(
        decodeFirst(ExplainRow),
        asStoreError("explain")
      ),

    states: (ids, newDeadline) =>
      readStates(sql, tables, ids, newDeadline).pipe(decodeAll(StateRow), asStoreError("read states")),

    requeue: (choice, move) =>
      requeue(sql, tables, choice, move).pipe(
        Effect.map(idsOf),
        Effect.tap((moved) => (moved.length > 0 ? tellRelays : Effect.void)),
        asStoreError("requeue")
      ),

    conclude: (choice, move) =>
      conclude(sql, tables, choice, move).pipe(Effect.map(idsOf), asStoreError("conclude")),

    cancel: (account, trackingId, by) =>
      cancel(sql, tables, { account, trackingId, by, lapseReason }).pipe(
        decodeFirst(CancelRow),
        asStoreError("cancel")
      ),

    holdLanes: (lanes, note) =>
      holdLanes(sql, tables, lanes, note ?? "").pipe(Effect.asVoid, asStoreError("pause lanes")),

    openLanes: (lanes) =>
      openLanes(sql, tables, lanes).pipe(
        Effect.map((rows) => rows.map(({ lane }) => lane)),
        Effect.tap((opened) => (opened.length > 0 ? tellRelays : Effect.void)),
        asStoreError("resume lanes")
      ),

    // Not kept prepared: they walk a history that has other proportions tomorrow.
    scrub: (move) => scrub(sql, tables, move).unprepared.pipe(decodeStep, asStoreError("scrub")),
    prune: (move) => prune(sql, tables, move).unprepared.pipe(decodeStep, asStoreError("prune")),

    transaction: (self) => {
      // Only a failure of the database itself becomes a StoreError; the caller's own errors pass.
      const own = Symbol("own")
      return client.withTransaction(Effect.mapError(self, (error) => ({ own, error }))).pipe(
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

const asStoreError =
  (operation: string) =>
  <A, R>(
    self: Effect.Effect<A, SqlError.SqlError | Schema.SchemaError, R>
  ): Effect.Effect<A, StoreError, R> =>
    Effect.mapError(self, (error) =>
      SqlFailure.isSqlError(error)
        ? StoreErrors.fromSql(operation)(error)
        : StoreErrors.fromSchema(operation)(error)
    )

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
