/**
 * Delivery webhooks of SMSBAT: the provider calls your server when the status of a message changes.
 *
 * {@link route} is a layer for the `HttpRouter` of your server; {@link decode} is for another server. The address is
 * set by the provider's account manager, once for the account. Calls are not signed, may be repeated, may come in any
 * order, and nothing promises that one comes at all. So:
 *
 * - Give the route a `secret`. It is the last segment of the path, and all that keeps strangers out.
 * - An end (`delivered`, `undeliverable`, `permanenterror`) is confirmed by a look-up before you hear of it.
 * - Fold the reports with `DeliveryStatus.advance` or `DeliveryStatus.track`, which mind neither order nor repeats.
 * - Poll for what matters and was not heard of.
 *
 * See https://smsbat.com/help/api/smsbat/status/ (webhook), where it is documented for the provider's other API.
 * Whether it is called for the messages of Cascade is documented nowhere.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import type * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerError from "effect/http/HttpServerError"
import type { StatusReport } from "./DeliveryStatus.ts"
import type { SmsBatConfigError } from "./internal/smsbat/config.ts"
import * as confirmation from "./internal/status/confirm.ts"
import { summarised } from "./internal/status/handlerFailed.ts"
import type { InvalidWebhook } from "./internal/status/invalidWebhook.ts"
import * as receiver from "./internal/status/receiver.ts"
import * as report from "./internal/status/report.ts"
import { StatusLookup } from "./StatusLookup.ts"

export {
  /** A body that is not that of a webhook, with every problem in it. It repeats nothing of the body. */
  InvalidWebhook
} from "./internal/status/invalidWebhook.ts"
export type {
  /** Where a webhook is received, and how much of it. */
  ReceiverOptions
} from "./internal/status/receiver.ts"

/** How delivery webhooks are received. */
export interface SmsBatWebhookOptions<E, R, Confirm extends boolean = boolean>
  extends receiver.ReceiverOptions {
  /**
   * Whether an end is confirmed by the `StatusLookup` before it is reported. Without it every report is a hint
   * (`confirmed: false`), and whoever knows the address can end the delivery of any message whose id is known.
   * Defaults to `true`.
   */
  readonly confirm?: Confirm | undefined
  /**
   * How long an end may take to be confirmed. It is asked for at once and then again after 1, 2, 4, … seconds, as long
   * as the answer names no end or fails for the moment. What is not confirmed by then, or is `NotFound`, is reported
   * as it came, with `confirmed: false`. Defaults to 10 seconds.
   */
  readonly confirmWithin?: Duration.Input | undefined
  /**
   * Called with each report, after the provider got its answer. A failure is logged and the report is not seen again;
   * so retry here what must not be lost.
   */
  readonly onReport: (report: StatusReport) => Effect.Effect<void, E, R>
}

/** The defaults of {@link SmsBatWebhookOptions}. */
export const defaults = { ...receiver.defaults, confirm: true, confirmWithin: "10 seconds" } as const

/**
 * Reads a webhook from JSON of unknown origin. The report is of source `webhook` and not confirmed.
 *
 * `messageId` and `deliverystatus` have to be there. A `timestamp` or `cost` that cannot be read is left out, a status
 * that is not known becomes `unrecognised`, and fields that are not documented are passed over.
 */
export const decode = (json: unknown): Effect.Effect<StatusReport, InvalidWebhook> =>
  Effect.suspend(() => Effect.fromResult(decodeResult(json)))

/** As {@link decode}, synchronously. */
export const decodeResult = (json: unknown): Result.Result<StatusReport, InvalidWebhook> =>
  report.read(json, { source: "webhook", confirmed: false })

/**
 * The whole path of a route with a secret, for telling the provider.
 *
 * @example
 * ```ts
 * import { SmsBatWebhook } from "@effect-cascade/core"
 * import { Redacted } from "effect"
 *
 * const secret = Redacted.make("k3mJ8cV0w1ZxQ7rT5yB2nA")
 * const path = Redacted.value(SmsBatWebhook.pathWithSecret("/hooks/smsbat", secret))
 * // => /hooks/smsbat/k3mJ8cV0w1ZxQ7rT5yB2nA
 * ```
 */
export const pathWithSecret = (prefix: `/${string}`, secret: Redacted.Redacted): Redacted.Redacted =>
  Redacted.make(`${receiver.prefixOf(prefix)}/${Redacted.value(secret)}`)

/**
 * Keeps the paths below `prefix`, and with them the secret, out of the spans of the HTTP server. The log of requests
 * leaves out these routes by itself; spans are made before a route is found. Provide it to the server:
 *
 * @example
 * ```ts
 * import { SmsBatWebhook } from "@effect-cascade/core"
 * import { Layer } from "effect"
 * import { HttpRouter } from "effect/http"
 *
 * const serve = (routes: Layer.Layer<never, never, HttpRouter.HttpRouter>) =>
 *   HttpRouter.serve(routes).pipe(Layer.provide(SmsBatWebhook.layerUntraced("/hooks/smsbat")))
 * ```
 */
export const layerUntraced = (prefix: `/${string}`): Layer.Layer<never> =>
  Layer.effect(
    HttpMiddleware.TracerDisabledWhen,
    Effect.map(HttpMiddleware.TracerDisabledWhen, (already) => {
      const below = `${receiver.prefixOf(prefix)}/`
      return (request) => request.url.replace(/\/{2,}/gu, "/").startsWith(below) || already(request)
    })
  )

/**
 * A route for delivery webhooks, `POST {path}/{secret}`.
 *
 * The provider gets its answer as soon as a report has been read and has a place in the queue; confirming and
 * `onReport` come after that, for a few messages at a time and for one message in order. Answers: 200 taken, 400 not a
 * webhook, 404 wrong secret, 408, 413, 415 as usual, 503 no place in the queue, so that the provider may come again.
 * A report that was taken and not yet handled is lost with the process.
 *
 * @example
 * ```ts
 * import { DeliveryStatus, SmsBatStatus, SmsBatWebhook } from "@effect-cascade/core"
 * import { Effect, Layer, Redacted } from "effect"
 * import { FetchHttpClient, HttpRouter } from "effect/http"
 *
 * const states = new Map<string, DeliveryStatus.DeliveryState>()
 *
 * const webhook = SmsBatWebhook.route({
 *   path: "/hooks/smsbat",
 *   secret: Redacted.make("k3mJ8cV0w1ZxQ7rT5yB2nA"),
 *   onReport: (report) =>
 *     Effect.map(DeliveryStatus.track(states.get(report.messageId), report), ({ next }) => {
 *       states.set(report.messageId, next)
 *     })
 * }).pipe(Layer.provide(SmsBatStatus.layer({ keys: { apiKey: Redacted.make("…") } })))
 *
 * const web = HttpRouter.toWebHandler(webhook.pipe(Layer.provide(FetchHttpClient.layer)))
 * ```
 */
export const route = <E, R, const Confirm extends boolean = true>(
  options: SmsBatWebhookOptions<E, R, Confirm>
): Layer.Layer<
  never,
  SmsBatConfigError,
  | HttpRouter.HttpRouter
  | HttpRouter.Request.From<"Error", HttpServerError.HttpServerError>
  | Exclude<R, Scope.Scope>
  | (Confirm extends false ? never : StatusLookup)
> => {
  const registered = Effect.gen(function* () {
    const within = yield* Effect.fromResult(
      receiver.time("confirmWithin", options.confirmWithin ?? defaults.confirmWithin)
    )
    const confirmed =
      (options.confirm ?? defaults.confirm)
        ? confirmation.confirm((yield* StatusLookup).lookup, within)
        : Effect.succeed<StatusReport>
    const handle = Effect.fn("SmsBatWebhook.handle")((report: StatusReport) =>
      summarised(Effect.flatMap(confirmed(report), options.onReport))
    )
    yield* receiver.register(options, {
      name: "SmsBatWebhook",
      decode: decodeResult,
      keyOf: ({ messageId }) => messageId,
      handle
    })
  })
  // The look-up is only asked for where ends are confirmed, which is what `Confirm` says.
  return Layer.effectDiscard(registered) as never
}
