/**
 * Reads every message of an outbox on Postgres with what became of it. For tests: it reads the whole tables.
 */
import { TransportReason } from "@effect-cascade/core/TransportReason"
import { StoreError } from "@effect-cascade/outbox/OutboxError"
import * as SqlFailure from "@effect-cascade/outbox/SqlFailure"
import type { PgClient } from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { isSqlError } from "effect/sql/SqlError"

export const readEnqueued = (sql: PgClient, schema: string) => {
  const table = (name: string) => sql.literal(`"${schema}"."${name}"`)
  const millis = (column: string) => sql.literal(`floor(extract(epoch FROM ${column}) * 1000)::float8`)
  return sql`
    SELECT
      message.id::text AS id,
      message.account,
      message.tracking_id AS "trackingId",
      message.lane,
      message.message_type AS "messageType",
      message.uncertainty,
      message.payload,
      message.traceparent,
      ${millis("message.created_at")} AS "createdAt",
      ${millis("message.deadline")} AS deadline,
      ${millis("work.due_at")} AS "dueAt",
      coalesce(work.attempts, newest.attempt, 0) AS attempts,
      CASE
        WHEN work.lease_until > now() THEN 'leased'
        WHEN work.message_id IS NOT NULL THEN 'waiting'
        WHEN newest.kind IN ('sent', 'dead', 'expired', 'uncertain', 'cancelled', 'discarded', 'resolved')
          THEN newest.kind
        ELSE 'lost'
      END AS state,
      coalesce(history.outcomes, '[]') AS outcomes
    FROM ${table("message")} AS message
    LEFT JOIN ${table("work")} AS work ON work.message_id = message.id
    LEFT JOIN LATERAL (
      SELECT kind, attempt
      FROM ${table("outcome")} AS outcome
      WHERE outcome.message_id = message.id
      ORDER BY outcome.lease DESC
      LIMIT 1
    ) AS newest ON true
    LEFT JOIN LATERAL (
      SELECT jsonb_agg(
        jsonb_build_object(
          'lease', outcome.lease::text,
          'kind', outcome.kind,
          'attempt', outcome.attempt,
          'reason', outcome.reason,
          'providerMessageId', outcome.provider_message_id,
          'by', outcome.relay,
          'at', ${millis("outcome.at")}
        )
        ORDER BY outcome.lease
      ) AS outcomes
      FROM ${table("outcome")} AS outcome
      WHERE outcome.message_id = message.id
    ) AS history ON true
    ORDER BY message.created_at, message.id`.pipe(Effect.flatMap(decode), Effect.mapError(toStoreError))
}

const Instant = Schema.DateTimeUtcFromMillis

const Row = Schema.Struct({
  id: Schema.String,
  account: Schema.String,
  trackingId: Schema.String,
  lane: Schema.String,
  messageType: Schema.String,
  uncertainty: Schema.Literals(["resend", "hold"]),
  payload: Schema.NullOr(Schema.String),
  traceparent: Schema.NullOr(Schema.String),
  createdAt: Instant,
  deadline: Schema.NullOr(Instant),
  dueAt: Schema.NullOr(Instant),
  attempts: Schema.Int,
  state: Schema.Literals([
    "waiting",
    "leased",
    "sent",
    "dead",
    "expired",
    "uncertain",
    "cancelled",
    "discarded",
    "resolved",
    "lost"
  ]),
  outcomes: Schema.Array(
    Schema.Struct({
      lease: Schema.BigIntFromString,
      kind: Schema.String,
      attempt: Schema.Int,
      reason: Schema.NullOr(Schema.toCodecJson(TransportReason)),
      providerMessageId: Schema.NullOr(Schema.String),
      by: Schema.String,
      at: Instant
    })
  )
})

const decodeRows = Schema.decodeUnknownEffect(Schema.Array(Row))

const decode = (rows: unknown) =>
  Effect.map(decodeRows(rows), (decoded) =>
    decoded.map(({ deadline, dueAt, outcomes, traceparent, ...row }) => ({
      ...row,
      deadline: deadline ?? undefined,
      dueAt: dueAt ?? undefined,
      traceparent: traceparent ?? undefined,
      outcomes: outcomes.map(({ providerMessageId, reason, ...outcome }) => ({
        ...outcome,
        reason: reason ?? undefined,
        providerMessageId: providerMessageId ?? undefined
      }))
    }))
  )

const toStoreError = (error: unknown): StoreError => {
  const operation = "read messages"
  if (!isSqlError(error)) {
    return new StoreError({
      operation,
      detail: "the tables are not those of this version",
      isRetryable: false
    })
  }
  const code = SqlFailure.code(error)
  return new StoreError({
    operation,
    ...(code === undefined ? {} : { code }),
    detail: SqlFailure.detail(error),
    isRetryable: SqlFailure.isTransient(error)
  })
}
