/**
 * The seam for asking what became of a message that was accepted.
 *
 * A look-up changes nothing on the other side, so that it is always safe to ask again. `SmsBatStatus` provides the
 * service for SMSBAT; a program that reaches people otherwise writes its own with one method.
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { StatusReport } from "./DeliveryStatus.ts"
import * as TransportReason from "./TransportReason.ts"

/** The provider does not know a message with this id: it never was, is of another account, or is not to be asked for. */
export class NotFound extends Schema.TaggedError<NotFound>("@effect-cascade/core/StatusReason/NotFound")(
  "NotFound",
  {}
) {
  override get message(): string {
    return "the provider knows no message with this id"
  }
}

/**
 * Why a look-up told nothing: a closed set. All but `NotFound` are those of `TransportReason`. `Unencodable`: the id is
 * none that a message can have, so nobody was asked. `Rejected`: the provider refused to be asked in this way.
 */
export const StatusReason = Schema.Union([
  NotFound,
  TransportReason.Rejected,
  TransportReason.Unencodable,
  TransportReason.Unauthorized,
  TransportReason.Redirected,
  TransportReason.Throttled,
  TransportReason.Unreachable,
  TransportReason.ServerError,
  TransportReason.UnexpectedStatus,
  TransportReason.TimedOut,
  TransportReason.ConnectionLost,
  TransportReason.UnreadableReply
])

/** @see StatusReason */
export type StatusReason = typeof StatusReason.Type

/**
 * A look-up that told nothing, and why.
 *
 * It wraps a tagged reason, so that `Effect.catchReason("StatusError", "NotFound", …)` works.
 */
export class StatusError extends Schema.TaggedError<StatusError>("@effect-cascade/core/StatusError")(
  "StatusError",
  { reason: StatusReason }
) {
  /** Whether the same question may be answered later. After a `NotFound` right behind the send, too, ask again. */
  get isRetryable(): boolean {
    switch (this.reason._tag) {
      case "Throttled":
      case "Unreachable":
      case "ServerError":
      case "UnexpectedStatus":
      case "TimedOut":
      case "ConnectionLost":
      case "UnreadableReply":
        return true
      case "NotFound":
      case "Rejected":
      case "Unencodable":
      case "Unauthorized":
      case "Redirected":
        return false
    }
  }

  /** How long the provider asked to wait, if it did. */
  get retryAfter(): Duration.Duration | undefined {
    return this.reason._tag === "Throttled" ? this.reason.retryAfter : undefined
  }

  override get message(): string {
    return `status look-up: ${wording(this.reason)}`
  }
}

/** The reasons in words, without what only matters to a send: whether it was carried out. */
const wording = (reason: StatusReason): string => {
  switch (reason._tag) {
    case "TimedOut":
      return "no answer in time"
    case "ConnectionLost":
      return `the connection was lost${reason.code === undefined ? "" : ` (${reason.code})`}`
    case "UnreadableReply":
      return `the answer cannot be read: ${reason.problem}`
    case "Unencodable":
      return reason.problem
    default:
      return reason.message
  }
}

/** What a status look-up does. */
export interface StatusLookupShape {
  /**
   * Asks once what became of a message. `messageId` is the provider's id, that of `Delivery.Accepted`. Never retries;
   * the report is `confirmed` and of source `poll`.
   */
  readonly lookup: (messageId: string) => Effect.Effect<StatusReport, StatusError>
}

/** The status look-up of a program. */
export class StatusLookup extends Context.Service<StatusLookup, StatusLookupShape>()(
  "@effect-cascade/core/StatusLookup"
) {}

/**
 * Asks once what became of a message.
 *
 * @example
 * ```ts
 * import { StatusLookup } from "@effect-cascade/core"
 * import { Effect, Schedule } from "effect"
 *
 * const status = (messageId: string) =>
 *   StatusLookup.lookup(messageId).pipe(
 *     Effect.retry({
 *       while: (error) => error.isRetryable,
 *       schedule: Schedule.exponential("1 second").pipe(Schedule.upTo({ times: 3 }))
 *     })
 *   )
 * ```
 */
export const lookup = (messageId: string): Effect.Effect<StatusReport, StatusError, StatusLookup> =>
  StatusLookup.use((service) => service.lookup(messageId))
