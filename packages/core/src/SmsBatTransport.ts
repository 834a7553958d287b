/**
 * A `Transport` over the Cascade API of SMSBAT: Telegram, Viber, RCS and SMS behind one address.
 *
 * Use it with any `HttpClient` (`FetchHttpClient.layer`, `NodeHttpClient.layerUndici`). Give it a client that neither
 * retries nor follows redirects: a retried request may reach people twice, and a redirect takes keys and phone numbers
 * elsewhere. The clients of effect do neither by themselves; fetch is told not to follow.
 * The client has to live as long as the transport: one that is provided only around its making is closed before it sends.
 *
 * One call of `send` makes one request for each route and each 1,000 messages of the batch, in turn, and never sends
 * again what may have been sent. A refused request of several messages is halved, so that one bad message does not
 * hold up the others. What every answer means stands in `SmsBatOutcome`.
 *
 * See https://smsbat.com/help/api/cascade/send/.
 */
import type * as Config from "effect/Config"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as HttpClient from "effect/http/HttpClient"
import { isReadonlyArrayNonEmpty } from "effect/Array"
import type { Delivery } from "./Delivery.ts"
import * as config from "./internal/smsbat/config.ts"
import * as dispatch from "./internal/smsbat/dispatch.ts"
import * as environment from "./internal/smsbat/environment.ts"
import * as exchange from "./internal/smsbat/exchange.ts"
import * as request from "./internal/smsbat/request.ts"
import * as requests from "./internal/smsbat/requests.ts"
import * as SmsBatOutcome from "./SmsBatOutcome.ts"
import * as SmsBatWire from "./SmsBatWire.ts"
import type { RateLimitOptions } from "./RateLimit.ts"
import { attributes } from "./Telemetry.ts"
import { Transport, type TransportShape } from "./Transport.ts"
import { TransportError } from "./TransportError.ts"

export {
  /** @see SmsBatOptions */
  defaults,
  /** An option that cannot be used. It names the option and the rule, never the value. */
  SmsBatConfigError
} from "./internal/smsbat/config.ts"
export type {
  /** The keys of an account: at least one, or it does not compile. */
  SmsBatKeys,
  /** Everything there is to say about an account. */
  SmsBatOptions,
  /** How the transport behaves, apart from where it sends and as whom. */
  SmsBatSettings
} from "./internal/smsbat/config.ts"

/** The name of the transport, unless another is given. */
export const name = config.defaults.name

/**
 * How fast SMSBAT may be asked to send, for `RateLimit.withRateLimit`: 100 requests a second in the long run, and never
 * more than 150 in any second, unless the contract says otherwise. It counts requests, not messages, over all of an
 * account, and answers 429 beyond it.
 *
 * The burst here is 50, since what goes at once comes on top of what the rate lets through in the same second.
 *
 * See https://help.smsbat.com/api/rate-limits/.
 */
export const rateLimit = { limit: 100, window: "1 second", burst: 50 } as const satisfies RateLimitOptions

/**
 * Makes the transport. Fails with `SmsBatConfigError` where an option cannot be used; sends nothing.
 *
 * @example
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { SmsBatTransport } from "@effect-cascade/core"
 *
 * const transport = SmsBatTransport.make({ keys: { apiKey: Redacted.make("…") }, timeout: "10 seconds" })
 * ```
 */
export const make = Effect.fnUntraced(function* (
  options: config.SmsBatOptions
): Effect.fn.Return<TransportShape, config.SmsBatConfigError, HttpClient.HttpClient> {
  const account = yield* Effect.fromResult(config.check(options))
  const exchangeOnce = yield* exchange.make(yield* HttpClient.HttpClient, account)

  const attempt = Effect.fnUntraced(function* (group: requests.Group): Effect.fn.Return<dispatch.Attempt> {
    // Encoded anew for each request: the halves of a refused one leave later, with less of their ttl.
    const { encoded, unsendable } = requests.encodeAll(group.envelopes, yield* DateTime.now, account)
    const envelopes = encoded.map(({ envelope }) => envelope)
    if (!isReadonlyArrayNonEmpty(envelopes)) return { answered: unsendable }
    const reply = yield* exchangeOnce(
      request.post(account, SmsBatWire.sendPath[group.route], requests.body(encoded))
    ).pipe(
      Effect.flatMap((answer) => Effect.fromResult(SmsBatOutcome.fromResponse(answer, account))),
      Effect.result
    )
    if (Result.isFailure(reply)) return { answered: unsendable, failed: { envelopes, reason: reply.failure } }
    const ids = envelopes.map(({ trackingId }) => trackingId)
    return { answered: [...unsendable, ...SmsBatWire.decodeReply(reply.success, ids)] }
  })

  const send = Effect.fn("SmsBatTransport.send")(function* (batch: Parameters<TransportShape["send"]>[0]) {
    const { groups, unsendable } = requests.plan(batch, yield* DateTime.now, account)
    const answered = yield* dispatch.dispatch(groups, attempt, account.isolationBudget)
    const deliveries = [...unsendable, ...answered]
    yield* Effect.annotateCurrentSpan({
      [attributes.batchSize]: batch.length,
      [attributes.route]: oneOf(batch.map(({ route }) => route)),
      [attributes.outcome]: oneOf(deliveries.map(outcomeOf))
    })
    const shared = sharedReason(deliveries)
    if (shared !== undefined) return yield* new TransportError({ transport: account.name, reason: shared })
    return deliveries
  })

  return { name: account.name, maxBatchSize: account.maxBatchSize, send }
})

/**
 * The transport of a program.
 *
 * @example
 * ```ts
 * import { Layer, Redacted } from "effect"
 * import { FetchHttpClient } from "effect/http"
 * import { SmsBatTransport } from "@effect-cascade/core"
 *
 * const TransportLive = SmsBatTransport.layer({ keys: { apiKey: Redacted.make("…") } }).pipe(
 *   Layer.provide(FetchHttpClient.layer)
 * )
 * ```
 */
export const layer = (
  options: config.SmsBatOptions
): Layer.Layer<Transport, config.SmsBatConfigError, HttpClient.HttpClient> =>
  Layer.effect(Transport, make(options))

/**
 * The transport with its address and keys from the configuration: `SMSBAT_API_KEY`, `SMSBAT_VIBER_TOKEN` and
 * `SMSBAT_TELEGRAM_KEY`, of which at least one is needed, and `SMSBAT_BASE_URL`.
 *
 * An empty variable counts as one that is not there, as it does in all of effect's configuration.
 */
export const layerConfig = (
  settings?: config.SmsBatSettings
): Layer.Layer<Transport, config.SmsBatConfigError | Config.ConfigError, HttpClient.HttpClient> =>
  Layer.unwrap(Effect.map(environment.options, (options) => layer({ ...settings, ...options })))

/** What {@link verify} found. */
export type Verification = "reachable" | "unauthorized" | "unreachable"

/**
 * Looks whether the address answers and the keys are not refused, without sending anything to anybody.
 *
 * Nothing on the provider's wire says for certain that a message would be accepted, short of sending one. So this asks
 * for the status of a message that does not exist (https://smsbat.com/help/api/smsbat/status/) and reads the answer:
 *
 * - `unreachable`: no answer in time (no such host, refused, TLS failed, lost), or a redirect. Nothing can be sent.
 * - `unauthorized`: the API key was refused. Check it before anything is sent.
 * - `reachable`: anything else. Somebody answers there and did not refuse the key. It may still be refused for
 *   sending, have no money, or belong to another account, and the base URL may lead to the wrong place on that host.
 *
 * The status address takes no bot tokens; so without an API key it can tell `reachable` from `unreachable` only.
 */
export const verify = Effect.fn("SmsBatTransport.verify")(function* (
  options: config.SmsBatOptions
): Effect.fn.Return<Verification, config.SmsBatConfigError, HttpClient.HttpClient> {
  const account = yield* Effect.fromResult(config.check(options))
  const exchangeOnce = yield* exchange.make(yield* HttpClient.HttpClient, account)
  const nobody = SmsBatWire.statusPath(yield* randomUuid)
  const outcome = yield* exchangeOnce(request.get(account, nobody)).pipe(
    Effect.flatMap((answer) => Effect.fromResult(SmsBatOutcome.fromResponse(answer, account))),
    Effect.result
  )
  if (Result.isSuccess(outcome)) return "reachable"
  switch (outcome.failure._tag) {
    case "Unauthorized":
      return options.keys.apiKey === undefined ? "reachable" : "unauthorized"
    case "Unreachable":
    case "Redirected":
    case "TimedOut":
    case "ConnectionLost":
    case "CutShort":
      return "unreachable"
    default:
      return "reachable"
  }
})

const randomUuid: Effect.Effect<string> = Effect.gen(function* () {
  let uuid = ""
  for (const digit of "xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx") {
    uuid += digit === "x" ? (yield* Random.nextIntBetween(0, 15)).toString(16) : digit
  }
  return uuid
})

const outcomeOf = (delivery: Delivery): string =>
  delivery._tag === "Accepted" ? "Accepted" : delivery.reason._tag

const oneOf = (values: ReadonlyArray<string>): string => {
  const [first = "none", ...others] = new Set(values)
  return others.length === 0 ? first : "mixed"
}

/** The reason that is the same for every envelope, if there is one. */
const sharedReason = (deliveries: ReadonlyArray<Delivery>) => {
  const [first, ...others] = deliveries
  if (first === undefined || first._tag === "Accepted") return undefined
  const { reason } = first
  return others.every((other) => other._tag !== "Accepted" && Equal.equals(other.reason, reason))
    ? reason
    : undefined
}
