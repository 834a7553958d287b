/**
 * The rows of the outbox as the store sees them, and the way from a message to a row and back.
 *
 * A row's payload is versioned JSON text. A relay that meets a version it does not know, or text that it cannot read,
 * reports the row as unreadable; it never guesses.
 */
import * as Envelope from "@effect-cascade/core/Envelope"
import * as Message from "@effect-cascade/core/Message"
import type { TransportReason } from "@effect-cascade/core/TransportReason"
import * as DateTime from "effect/DateTime"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Lane } from "./Lane.ts"
import type { Uncertainty } from "./Uncertainty.ts"

/** The version of the payload that this code writes. */
export const payloadVersion = 1

/** A message on its way into the table. */
export interface NewRow {
  /** A UUIDv7, another one for each attempt to insert. */
  readonly id: string
  readonly account: string
  readonly trackingId: string
  readonly lane: Lane
  readonly messageType: Message.MessageJson["messageType"]
  readonly uncertainty: Uncertainty
  readonly payload: string
  /** When it may first be sent; now unless given. Epoch milliseconds. */
  readonly availableAt: number | undefined
  /** The instant from which `ttlMillis` counts; now unless given. Epoch milliseconds. */
  readonly ttlFrom: number | undefined
  /** How long it is worth sending; for ever unless given. */
  readonly ttlMillis: number | undefined
  readonly traceparent: string | undefined
}

/** What became of a row that was to be inserted. */
export interface InsertedRow {
  readonly id: string
  readonly trackingId: string
  /** `existing`: the same message was already there. `conflict`: another message has its tracking id. */
  readonly result: "inserted" | "existing" | "conflict"
}

/** A row that this relay holds the lease of. Times are relative to the database's clock at the claim. */
export const ClaimedRow = Schema.Struct({
  id: Schema.String,
  lane: Schema.String,
  /** The fence: a number that only grows for this row. */
  lease: Schema.BigInt,
  /** Attempts that counted, before this one. */
  attempts: Schema.Int,
  /** How many leases of this row ended without a word from their holder. */
  lapses: Schema.Int,
  /** Whether the lease before this one was such a one, so that the message may have been sent under it. */
  lapsed: Schema.Boolean,
  account: Schema.String,
  trackingId: Schema.String,
  messageType: Schema.String,
  uncertainty: Schema.Literals(["resend", "hold"]),
  payload: Schema.NullOr(Schema.String),
  ageMillis: Schema.Finite,
  /** Milliseconds until the deadline; 0 or less when it has passed; none without one. */
  remainingMillis: Schema.NullOr(Schema.Finite),
  traceparent: Schema.NullOr(Schema.String)
})

/** @see ClaimedRow */
export type ClaimedRow = typeof ClaimedRow.Type

/**
 * Whether a value is a `ClaimedRow`, as `Schema.is` tells it, in a tenth of the time: a relay asks it of every row. See
 * docs/decisions/0020.
 */
export const isClaimedRow = (row: unknown): row is ClaimedRow =>
  Predicate.isObject(row) &&
  typeof row["id"] === "string" &&
  typeof row["lane"] === "string" &&
  typeof row["lease"] === "bigint" &&
  Number.isSafeInteger(row["attempts"]) &&
  Number.isSafeInteger(row["lapses"]) &&
  typeof row["lapsed"] === "boolean" &&
  typeof row["account"] === "string" &&
  typeof row["trackingId"] === "string" &&
  typeof row["messageType"] === "string" &&
  (row["uncertainty"] === "resend" || row["uncertainty"] === "hold") &&
  isTextOrNull(row["payload"]) &&
  Number.isFinite(row["ageMillis"]) &&
  (row["remainingMillis"] === null || Number.isFinite(row["remainingMillis"])) &&
  isTextOrNull(row["traceparent"])

/** The columns of a claimed row, without others that came with them. */
export const claimedRow = (row: ClaimedRow): ClaimedRow => ({
  id: row.id,
  lane: row.lane,
  lease: row.lease,
  attempts: row.attempts,
  lapses: row.lapses,
  lapsed: row.lapsed,
  account: row.account,
  trackingId: row.trackingId,
  messageType: row.messageType,
  uncertainty: row.uncertainty,
  payload: row.payload,
  ageMillis: row.ageMillis,
  remainingMillis: row.remainingMillis,
  traceparent: row.traceparent
})

const isTextOrNull = (value: unknown): value is string | null => value === null || typeof value === "string"

/** What the store writes about one leased row. */
export interface SettledRow {
  readonly id: string
  readonly lease: bigint
  readonly kind: SettledKind
  /** Milliseconds from now until it is due again; for `retry` only. */
  readonly delayMillis: number
  /** Whether the attempt counts. */
  readonly counted: boolean
  readonly reason: TransportReason | undefined
  /** The provider's id; for `sent` only. */
  readonly providerMessageId: string | undefined
}

/** How a lease may end; see `Settlement`. */
export type SettledKind = "sent" | "retry" | "deferred" | "released" | "uncertain" | "dead" | "expired"

interface PayloadJson {
  readonly v: number
  readonly message: Message.MessageJson
  readonly route: Envelope.Route
  readonly schedule: Envelope.ScheduleHolder
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * The payload of an envelope: everything of it that does not depend on when and where it was enqueued. The same
 * content gives the same text, by which a tracking id that comes again is judged.
 */
export const encodePayload = (envelope: Envelope.Envelope): string => {
  const payload: PayloadJson = {
    v: payloadVersion,
    message: Message.encode(envelope.message),
    route: envelope.route,
    schedule: envelope.schedule,
    ...(envelope.headers === undefined ? {} : { headers: sorted(envelope.headers) })
  }
  return JSON.stringify(payload)
}

const sorted = (headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1)))

/** Why a payload cannot be read; safe to store and to log. */
export interface Unreadable {
  readonly problem: string
}

/**
 * The envelope of a claimed row, on the clock of this process: `now` is its reading when the row was claimed. Times
 * come as distances from the database's clock, so that the two clocks may disagree.
 */
export const toEnvelope = (
  row: ClaimedRow,
  now: DateTime.Utc
): Result.Result<Envelope.Envelope, Unreadable> => {
  if (row.payload === null) return unreadable("the payload is missing")
  const json = parse(row.payload)
  if (typeof json !== "object" || json === null) return unreadable("the payload is not JSON")
  const payload = json as Partial<Record<keyof PayloadJson, unknown>>
  if (payload.v !== payloadVersion) {
    return unreadable(
      `the payload has version ${shownVersion(payload.v)}, this relay reads ${payloadVersion}`
    )
  }
  const { headers, route, schedule } = payload
  if (!isRoute(route) || !isHolder(schedule) || !(headers === undefined || isHeaders(headers))) {
    return unreadable("the payload's route, schedule or headers are not of the known form")
  }
  return Result.match(Message.decodeResult(payload.message), {
    onFailure: (error) =>
      unreadable(`the message breaks its rules: ${error.problems.map((problem) => problem.path).join(", ")}`),
    onSuccess: (message) =>
      Result.succeed(
        // Every part has just been checked.
        Envelope.unchecked({
          message,
          route,
          schedule,
          account: row.account,
          createdAt: DateTime.add(now, { milliseconds: -row.ageMillis }),
          ...(row.remainingMillis === null
            ? {}
            : { deadline: DateTime.add(now, { milliseconds: row.remainingMillis }) }),
          ...(row.traceparent === null ? {} : { traceparent: row.traceparent }),
          ...(headers === undefined ? {} : { headers })
        })
      )
  })
}

const parse = (text: string): unknown => Result.getOrUndefined(Result.try(() => JSON.parse(text) as unknown))

const shownVersion = (version: unknown): string => (typeof version === "number" ? String(version) : "none")

const unreadable = (problem: string): Result.Result<never, Unreadable> => Result.fail({ problem })

const isRoute = Schema.is(Envelope.Route)
const isHolder = Schema.is(Envelope.ScheduleHolder)
const isHeaders = Schema.is(Schema.Record(Schema.String, Schema.String))
