/**
 * The outbox on Postgres, 15 or newer.
 *
 * Uses the program's own `PgClient`, so that `insert` joins the transaction that the program has open. Every statement
 * stands in `internal/sql`, one a file. A client with name transforms is fine: these statements go round them.
 */
import { PgClient } from "@effect/sql-pg/PgClient"
import { TransportReason } from "@effect-cascade/core/TransportReason"
import * as Reason from "@effect-cascade/core/TransportReason"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Order from "effect/Order"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as SqlError from "effect/sql/SqlError"
import * as ClaimFloors from "./internal/claimFloors.ts"
import * as MissingMigrations from "./internal/missingMigrations.ts"
import * as PgWake from "./internal/pgWake.ts"
import { claim } from "./internal/sql/claim.ts"
import { expire } from "./internal/sql/expire.ts"
import { findExisting } from "./internal/sql/findExisting.ts"
import { inIndexOrder } from "./internal/sql/inIndexOrder.ts"
import { insert } from "./internal/sql/insert.ts"
import { pauseLanes } from "./internal/sql/pauseLanes.ts"
import { probeLane } from "./internal/sql/probeLane.ts"
import { readLanes } from "./internal/sql/readLanes.ts"
import { renew } from "./internal/sql/renew.ts"
import { reopenLanes } from "./internal/sql/reopenLanes.ts"
import { resumeLanes } from "./internal/sql/resumeLanes.ts"
import { settle } from "./internal/sql/settle.ts"
import * as Tables from "./internal/sql/tables.ts"
import { storable } from "./internal/storable.ts"
import * as StoreErrors from "./internal/storeErrors.ts"
import * as Unanswered from "./internal/unanswered.ts"
import { type InvalidName, NotInTransaction, StoreError } from "./OutboxError.ts"
import * as OutboxMigrations from "./OutboxMigrations.ts"
import { ClaimedRow, claimedRow, isClaimedRow, type InsertedRow, type NewRow } from "./OutboxRow.ts"
import { OutboxStore, type OutboxStoreShape } from "./OutboxStore.ts"
import * as SqlFailure from "./SqlFailure.ts"

/** Where the store's tables are and how its relays learn of new rows. */
export interface PgOutboxStoreOptions {
  /** The schema of the outbox's tables. Defaults to `"cascade"`. */
  readonly schema?: string | undefined
  /**
   * `notify`: relays in other processes are woken through LISTEN and NOTIFY; each relay then has one connection more,
   * beside the pool. `poll`: they find new rows by polling alone, as is right behind PgBouncer in transaction mode.
   * Defaults to `"notify"`.
   */
  readonly wake?: "notify" | "poll" | undefined
  /**
   * How a relay makes sure that it is heard: with `notify` it says a word to itself every `every`. When one does not
   * come back within `timeout` it polls as fast as it may, and listens on another connection. Defaults to 10 seconds
   * and 5 seconds.
   */
  readonly ping?: { readonly every: Duration.Input; readonly timeout: Duration.Input } | undefined
  /**
   * How long a statement may take before it is given up with a `StoreError` that is retryable; the connection is
   * dropped unless the server confirms within 5 seconds that it has cancelled it. Less than the relay's lease, or
   * leases run out before they can be renewed. Enqueueing is the business of the caller's transaction, and is not limited.
   * Defaults to 10 seconds.
   */
  readonly statementTimeout?: Duration.Input | undefined
  /**
   * Whether messages are followed after the provider accepted them; see `StatusTracker`. Set it for every relay.
   * Defaults to `false`.
   */
  readonly trackStatus?: boolean | undefined
  /** How long after its acceptance a message that is followed is first asked about. Defaults to 5 seconds. */
  readonly firstStatusCheck?: Duration.Input | undefined
}

const defaults = {
  ping: { every: "10 seconds", timeout: "5 seconds" },
  statementTimeout: "10 seconds"
} as const

/** The most rows that one insert statement writes; more are written by several, in the same transaction. */
const insertLimit = 5_000

/** Makes the store on the `PgClient` of the context. */
export const make = Effect.fnUntraced(function* (
  options?: PgOutboxStoreOptions
): Effect.fn.Return<OutboxStoreShape, InvalidName, PgClient | Scope.Scope> {
  const client = yield* PgClient
  const sql = client.withoutTransforms()
  const schema = yield* Tables.checkSchema(options?.schema ?? OutboxMigrations.defaultSchema)
  const tables = Tables.make(sql, schema)
  const firstCheckMillis =
    options?.trackStatus === true ? Duration.toMillis(options.firstStatusCheck ?? "5 seconds") : undefined
  const statementTimeout = Duration.fromInputUnsafe(options?.statementTimeout ?? defaults.statementTimeout)
  const wake = yield* PgWake.make({
    client,
    channel: `${schema}_wake`,
    notify: (options?.wake ?? "notify") === "notify",
    statementTimeout,
    ping: {
      every: Duration.fromInputUnsafe(options?.ping?.every ?? defaults.ping.every),
      timeout: Duration.fromInputUnsafe(options?.ping?.timeout ?? defaults.ping.timeout)
    }
  })
  const named = MissingMigrations.named(client, schema)
  const statement = Unanswered.statements(client, statementTimeout, named)
  const within = Unanswered.within(statementTimeout, named)

  const inTransaction = Effect.flatMap(Effect.serviceOption(client.transactionService), (transaction) =>
    Option.isSome(transaction) ? Effect.void : Effect.fail(new NotInTransaction())
  )

  // A statement that takes rows in the order of an index, with the one plan that it shall have. Whatever the
  // database's default is: relays that meet at a row pass it over, and none of them fails.
  const taking = (statement: Effect.Effect<ReadonlyArray<unknown>, SqlError.SqlError>) =>
    Unanswered.transaction(
      client,
      "BEGIN ISOLATION LEVEL READ COMMITTED",
      Effect.andThen(inIndexOrder(sql), statement)
    )
  const floors = ClaimFloors.make()

  const insertChunk = Effect.fnUntraced(function* (rows: Arr.NonEmptyReadonlyArray<NewRow>) {
    const inserted = new Set((yield* insert(sql, tables, rows)).map((row) => row.id))
    const refused = rows.filter((row) => !inserted.has(row.id))
    const existing = Arr.isReadonlyArrayNonEmpty(refused) ? yield* findExisting(sql, tables, refused) : []
    const byAsked = new Map(existing.map((row) => [row.asked, row]))
    return yield* Effect.forEach(rows, (row): Effect.Effect<Answer, StoreError> => {
      const { trackingId } = row
      if (inserted.has(row.id)) return Effect.succeed([row, { id: row.id, trackingId, result: "inserted" }])
      const found = byAsked.get(row.id)
      return found === undefined
        ? Effect.fail(vanished)
        : Effect.succeed([row, { id: found.id, trackingId, result: found.same ? "existing" : "conflict" }])
    })
  })

  return {
    insert: (rows) =>
      inTransaction.pipe(
        // In one order for all statements, as each statement does it for its own rows.
        Effect.andThen(
          Effect.forEach(Arr.chunksOf(inOrderOfKeys(rows), insertLimit), insertChunk).pipe(
            // Spans of the driver's own would keep what Postgres says of a row that it refuses, and so the row.
            Effect.withTracerEnabled(false)
          )
        ),
        Effect.map((chunks) => {
          const answers = new Map(chunks.flat())
          return rows.flatMap((row) => answers.get(row) ?? [])
        }),
        Effect.tap((inserted) =>
          inserted.some((row) => row.result === "inserted") ? client.afterCommit(wake.committed) : Effect.void
        ),
        StoreErrors.asStoreError("insert"),
        named
      ),

    transaction: (self) => {
      // Only a failure of the database itself becomes a StoreError; the caller's own errors pass.
      const own = Symbol("own")
      return client.withTransaction(Effect.mapError(self, (error) => ({ own, error }))).pipe(
        SqlFailure.recover,
        Effect.mapError((error) => ("own" in error ? error.error : StoreErrors.fromSql("transaction")(error)))
      )
    },

    afterCommit: client.afterCommit,

    claim: (capacities, { lease, recent, relay }) =>
      Effect.gen(function* () {
        const now = yield* Clock.monotonicTimeNanos
        const from =
          recent === true ? floors.from(capacities, now) : capacities.map(() => ClaimFloors.fullLook)
        const leaseMillis = Duration.toMillis(lease)
        const rows = yield* taking(
          claim(sql, tables, { capacities, from, leaseMillis, relay: storable(relay), lapseReason })
        )
        floors.gave(capacities, from, yield* decodeDue(rows), now)
        return yield* decodeClaimed(rows)
      }).pipe(within("claim")),

    // Settle and renew are never kept prepared: a plan that was made while the tables were empty would be kept with them.
    settle: (rows, { relay }) =>
      settle(
        sql,
        tables,
        Arr.map(rows, (row) => ({
          id: row.id,
          lease: String(row.lease),
          kind: row.kind,
          delayMillis: row.delayMillis,
          counted: row.counted,
          reason: row.reason === undefined ? "" : encodeReason(row.reason),
          providerMessageId: storable(row.providerMessageId ?? "")
        })),
        storable(relay),
        firstCheckMillis
      ).unprepared.pipe(Effect.map(idsOf), statement("settle")),

    renew: (leases, lease) =>
      renew(sql, tables, leases, Duration.toMillis(lease)).unprepared.pipe(
        Effect.map(idsOf),
        statement("renew")
      ),

    expire: (options) =>
      taking(expire(sql, tables, { ...options, relay: storable(options.relay) })).pipe(
        Effect.flatMap(decodeClaimed),
        within("expire")
      ),

    lanes: Effect.gen(function* () {
      const rows = yield* Effect.flatMap(readLanes(sql, tables), decodeLanes)
      const now = yield* DateTime.now
      return rows.map((row) => ({
        lane: row.lane,
        reason: row.reason === null ? undefined : Option.getOrUndefined(decodeReason(row.reason)),
        pausedUntil:
          row.remainingMillis === null ? undefined : DateTime.add(now, { milliseconds: row.remainingMillis }),
        trips: row.trips
      }))
    }).pipe(statement("read lanes")),

    pauseLanes: (pause) =>
      pauseLanes(sql, tables, {
        lanes: pause.lanes,
        millis: pause.duration === undefined ? null : Duration.toMillis(pause.duration),
        reason: pause.reason === undefined ? "" : encodeReason(pause.reason),
        trips: pause.trips
      }).pipe(statement("pause lanes"), Effect.andThen(wake.lanesChanged)),

    probeLane: (lane, window) =>
      probeLane(sql, tables, lane, Duration.toMillis(window)).pipe(
        Effect.map((rows) => rows.length > 0),
        statement("probe a lane")
      ),

    reopenLanes: (lanes) =>
      reopenLanes(sql, tables, lanes).pipe(
        Effect.map((rows) => rows.map(({ lane }) => lane)),
        statement("reopen lanes"),
        Effect.tap((opened) => (opened.length > 0 ? wake.lanesChanged : Effect.void))
      ),

    resumeLanes: (lanes) =>
      resumeLanes(sql, tables, lanes).pipe(statement("resume lanes"), Effect.andThen(wake.lanesChanged)),

    wakes: wake.wakes
  }
})

/** The store as a layer. It expects the tables to be there; see `OutboxMigrations`. */
export const layer = (options?: PgOutboxStoreOptions): Layer.Layer<OutboxStore, InvalidName, PgClient> =>
  Layer.effect(OutboxStore, make(options))

/** A row, and what became of it. */
type Answer = readonly [row: NewRow, answer: InsertedRow]

const inOrderOfKeys = (rows: Arr.NonEmptyReadonlyArray<NewRow>): Arr.NonEmptyReadonlyArray<NewRow> =>
  Arr.sortWith(rows, ({ account, trackingId }) => `${account}/${trackingId}`, Order.String)

const vanished = new StoreError({
  operation: "insert",
  detail: "a row with the same tracking id was there and is gone again; try the transaction once more",
  isRetryable: true
})

const idsOf = (rows: ReadonlyArray<{ readonly id: string }>): ReadonlySet<string> =>
  new Set(rows.map((row) => row.id))

// A claim that gives what it should passes the schemas by; they say what is wrong with one that does not.
const decodeClaimed = (rows: ReadonlyArray<unknown>) =>
  rows.every(isClaimedRow) ? Effect.succeed(rows.map(claimedRow)) : decodeClaimedBySchema(rows)

const decodeClaimedBySchema = Schema.decodeUnknownEffect(Schema.Array(ClaimedRow))

const decodeDue = (rows: ReadonlyArray<unknown>) =>
  rows.every(isDueRow) ? Effect.succeed(rows) : decodeDueBySchema(rows)

const DueRow = Schema.Struct({ lane: Schema.String, dueSeconds: Schema.Number })

const isDueRow = (row: unknown): row is typeof DueRow.Type =>
  Predicate.isObject(row) && Predicate.isString(row["lane"]) && Predicate.isNumber(row["dueSeconds"])

const decodeDueBySchema = Schema.decodeUnknownEffect(Schema.Array(DueRow))

const decodeLanes = Schema.decodeUnknownEffect(
  Schema.Array(
    Schema.Struct({
      lane: Schema.String,
      reason: Schema.NullOr(Schema.Json),
      remainingMillis: Schema.NullOr(Schema.Finite),
      trips: Schema.Int
    })
  )
)

const ReasonJson = Schema.toCodecJson(TransportReason)
const decodeReason = Schema.decodeUnknownOption(ReasonJson)
const encodeReasonJson = Schema.encodeUnknownOption(ReasonJson)
const encodeReason = (reason: Reason.TransportReason): string =>
  // A transport that breaks its types must not keep an outcome from being written either.
  JSON.stringify(
    Option.getOrElse(encodeReasonJson(reason), () => brokenReason),
    (_, value: unknown) => (typeof value === "string" ? storable(value) : value)
  )
const brokenReason = { _tag: "CutShort", by: "defect" }
const lapseReason = encodeReason(new Reason.CutShort({ by: "lease" }))
