/**
 * A `StatusLookup` over SMSBAT: `GET {base}/bat/message/{messageId}`.
 *
 * The provider documents this address for its other API, `/bat/messagelist`. Whether it knows the ids that Cascade gives
 * its messages is documented nowhere: be ready for `NotFound`. It answers for one message a request, with 50 requests
 * a second at most (https://help.smsbat.com/api/rate-limits/), and advises to ask every 5 to 10 seconds, never faster
 * than once a second, and to give up after a minute or two.
 *
 * It takes the options of `SmsBatTransport`, of which `keys`, `baseUrl`, `timeout`, `maxRetryAfter`, `maxReplyBytes` and
 * `propagateTrace` matter here. Use it with any `HttpClient`; redirects are not followed.
 *
 * See https://smsbat.com/help/api/smsbat/status/.
 */
import type * as Config from "effect/Config"
import type * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as HttpClient from "effect/http/HttpClient"
import type { StatusReport } from "./DeliveryStatus.ts"
import * as config from "./internal/smsbat/config.ts"
import * as exchange from "./internal/smsbat/exchange.ts"
import * as request from "./internal/smsbat/request.ts"
import * as environment from "./internal/smsbat/environment.ts"
import * as fields from "./internal/status/fields.ts"
import * as report from "./internal/status/report.ts"
import * as SmsBatOutcome from "./SmsBatOutcome.ts"
import * as SmsBatWire from "./SmsBatWire.ts"
import {
  NotFound,
  StatusError,
  StatusLookup,
  type StatusLookupShape,
  type StatusReason
} from "./StatusLookup.ts"
import * as TransportReason from "./TransportReason.ts"

/** The most bytes of an answer that are read, where `maxReplyBytes` does not say fewer. One status takes 500. */
const replyLimit = 64 * 1024

/**
 * Makes the look-up. Fails with `SmsBatConfigError` where an option cannot be used; asks nothing.
 *
 * @example
 * ```ts
 * import { SmsBatStatus } from "@effect-cascade/core"
 * import { Redacted } from "effect"
 *
 * const statuses = SmsBatStatus.make({ keys: { apiKey: Redacted.make("…") }, timeout: "5 seconds" })
 * ```
 */
export const make = Effect.fnUntraced(function* (
  options: config.SmsBatOptions
): Effect.fn.Return<StatusLookupShape, config.SmsBatConfigError, HttpClient.HttpClient> {
  const account = yield* Effect.fromResult(config.check(options))
  const exchangeOnce = yield* exchange.make(yield* HttpClient.HttpClient, {
    ...account,
    maxReplyBytes: Math.min(account.maxReplyBytes, replyLimit)
  })

  const ask = Effect.fnUntraced(function* (
    messageId: string
  ): Effect.fn.Return<StatusReport, TransportReason.TransportReason> {
    if (fields.identifier(messageId) === undefined) return yield* notAnId
    const answer = yield* exchangeOnce(request.get(account, SmsBatWire.statusPath(messageId)))
    const text = yield* Effect.fromResult(SmsBatOutcome.fromResponse(answer, account))
    return yield* Effect.fromResult(decodeReply(text, messageId, answer.at))
  })

  const lookup = Effect.fn("SmsBatStatus.lookup")((messageId: string) =>
    Effect.mapError(ask(messageId), (reason) => new StatusError({ reason: statusReason(reason) }))
  )

  return { lookup }
})

const notAnId = new TransportReason.Unencodable({
  problem: `no message can have this id: it is not ${fields.identifierRule}`
})

/** The reason of a send as that of a question. */
const statusReason = (reason: TransportReason.TransportReason): StatusReason => {
  switch (reason._tag) {
    case "Rejected":
      return reason.status === 404 ? new NotFound({}) : reason
    case "Expired":
    case "Withheld":
    case "CutShort":
      // Reasons of those who send, and an HTTP client that died: no answer at all.
      return new TransportReason.UnexpectedStatus({ status: 0 })
    default:
      return reason
  }
}

/**
 * What an answer says about the message that was asked for; `UnreadableReply` where it is about another message or does
 * not say its status. It takes any text: one that cannot be read is an answer, never an exception.
 *
 * Fields that are not documented are passed over, and a price, a number of parts or a channel's status that cannot be
 * read is left out.
 */
export const decodeReply = (
  body: string,
  messageId: string,
  at: DateTime.Utc
): Result.Result<StatusReport, TransportReason.UnreadableReply> => {
  const parsed = Result.try((): unknown => JSON.parse(body))
  if (Result.isFailure(parsed)) return Result.fail(unreadable("it is not JSON"))
  const read = report.read(parsed.success, { source: "poll", confirmed: true, reportedAt: at })
  if (Result.isFailure(read)) return Result.fail(unreadable(read.failure.problems.join("; ")))
  return read.success.messageId === messageId
    ? Result.succeed(read.success)
    : Result.fail(unreadable("it is about another message"))
}

const unreadable = (problem: string) => new TransportReason.UnreadableReply({ problem })

/**
 * The status look-up of a program.
 *
 * @example
 * ```ts
 * import { SmsBatStatus } from "@effect-cascade/core"
 * import { Layer, Redacted } from "effect"
 * import { FetchHttpClient } from "effect/http"
 *
 * const StatusLive = SmsBatStatus.layer({ keys: { apiKey: Redacted.make("…") } }).pipe(
 *   Layer.provide(FetchHttpClient.layer)
 * )
 * ```
 */
export const layer = (
  options: config.SmsBatOptions
): Layer.Layer<StatusLookup, config.SmsBatConfigError, HttpClient.HttpClient> =>
  Layer.effect(StatusLookup, make(options))

/**
 * The status look-up with its address and keys from the configuration: `SMSBAT_API_KEY`, `SMSBAT_VIBER_TOKEN` and
 * `SMSBAT_TELEGRAM_KEY`, of which at least one is needed, and `SMSBAT_BASE_URL`.
 */
export const layerConfig = (
  settings?: config.SmsBatSettings
): Layer.Layer<StatusLookup, config.SmsBatConfigError | Config.ConfigError, HttpClient.HttpClient> =>
  Layer.unwrap(Effect.map(environment.options, (options) => layer({ ...settings, ...options })))
