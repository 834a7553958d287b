/**
 * What the fake provider does with a message, and the reply in which it says so.
 */
import * as Delivery from "@effect-cascade/core/Delivery"
import * as SmsBatOutcome from "@effect-cascade/core/SmsBatOutcome"
import * as SmsBatWire from "@effect-cascade/core/SmsBatWire"
import type { TrackingId } from "@effect-cascade/core/TrackingId"
import * as TransportReason from "@effect-cascade/core/TransportReason"
import type * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Result from "effect/Result"

/** What the fake provider does with a message. */
export type Outcome =
  | { readonly _tag: "Accept" }
  | { readonly _tag: "Reject"; readonly code: string; readonly field?: string | undefined }
  | { readonly _tag: "Unauthorized" }
  | { readonly _tag: "Unknown" }
  | { readonly _tag: "Throttle"; readonly after?: Duration.Input | undefined }
  | { readonly _tag: "Down"; readonly for: Duration.Input }

/** What keeps a value from being an outcome, if anything does; a test without types may write anything. */
export const problemOf = (outcome: Outcome): string | undefined => {
  switch (outcome?._tag) {
    case "Accept":
    case "Unauthorized":
    case "Unknown":
      return undefined
    case "Reject":
      return typeof outcome.code === "string" ? undefined : "rejects with a code that is no text"
    case "Throttle":
      return outcome.after === undefined || isTime(outcome.after) ? undefined : "throttles for no time"
    case "Down":
      return isTime(outcome.for) ? undefined : "is down for no time"
    default:
      return "is none of FakeCascade's accept, reject, unauthorized, unknown, throttle and down"
  }
}

const isTime = (input: Duration.Input): boolean =>
  Option.exists(Duration.fromInput(input), Duration.isGreaterThanOrEqualTo(Duration.zero))

/**
 * What the real reading of the provider's reply makes of an outcome, for each of `ids`. `messageId` gives the
 * provider's id of one that is accepted.
 */
export const reply = (
  outcome: Outcome,
  ids: ReadonlyArray<TrackingId>,
  at: DateTime.Utc,
  messageId: () => string
): ReadonlyArray<Delivery.Delivery> => {
  if (outcome._tag === "Down") return ids.map((id) => Delivery.notAccepted(id, unreachable))
  const { body, ...head } = respond(outcome, ids, messageId)
  const answer = { ...head, body: { _tag: "Text", text: JSON.stringify(body) } as const, at }
  const read = SmsBatOutcome.fromResponse(answer, { maxRetryAfter: Duration.infinity })
  return Result.isSuccess(read)
    ? SmsBatWire.decodeReply(read.success, ids)
    : ids.map((id) => Delivery.notAccepted(id, read.failure))
}

interface Response {
  readonly status: number
  readonly retryAfter?: string | undefined
  readonly body: unknown
}

const respond = (
  outcome: Exclude<Outcome, { readonly _tag: "Down" }>,
  ids: ReadonlyArray<TrackingId>,
  messageId: () => string
): Response => {
  switch (outcome._tag) {
    case "Accept": {
      const receipts = ids.map((id): SmsBatWire.WireReceipt => ({ messageId: messageId(), trackinId: id }))
      return { status: 200, body: receipts }
    }
    case "Reject":
      return { status: 400, body: errorBody(outcome.code, outcome.field) }
    case "Unauthorized":
      return { status: 401, body: errorBody("UNAUTHORIZED") }
    case "Unknown":
      return { status: 500, body: errorBody("INTERNAL") }
    case "Throttle":
      return {
        status: 429,
        retryAfter: outcome.after === undefined ? undefined : seconds(outcome.after),
        body: errorBody("TOO_MANY_REQUESTS")
      }
  }
}

const seconds = (after: Duration.Input): string => String(Duration.toSeconds(Duration.fromInputUnsafe(after)))

const errorBody = (code: string, field?: string) => ({
  error: { code, message: "scripted by a test", ...(field === undefined ? {} : { field }) }
})

const unreachable = new TransportReason.Unreachable({ code: "ECONNREFUSED" })
