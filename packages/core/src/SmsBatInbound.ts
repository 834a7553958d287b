/**
 * Messages from people to you: what a recipient wrote back, as SMSBAT passes it on.
 *
 * {@link route} is a layer for the `HttpRouter` of your server; {@link decode} is for another server. The address is set
 * by the provider's account manager or in its dashboard. As with `SmsBatWebhook`, calls are not signed and may be
 * repeated: give the route a secret, keep `idUuid` to know a repeat, and believe a text no more than you would believe
 * any stranger.
 *
 * The answer to a survey seems to come this way too, as the text of the option; nothing links it to the survey.
 *
 * See https://smsbat.com/help/api/smsbat/incoming-messages/.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerError from "effect/http/HttpServerError"
import * as mask from "./internal/mask.ts"
import * as masked from "./internal/maskedClass.ts"
import type { SmsBatConfigError } from "./internal/smsbat/config.ts"
import * as fields from "./internal/status/fields.ts"
import { summarised } from "./internal/status/handlerFailed.ts"
import { InvalidWebhook, problem } from "./internal/status/invalidWebhook.ts"
import { isObject, own } from "./internal/unknown.ts"
import * as receiver from "./internal/status/receiver.ts"
import { formatInstant } from "./Message.ts"
import { PhoneNumber, rule as phoneRule } from "./PhoneNumber.ts"

/**
 * A message from a person. Printing it in any way shows the phone number masked and only the length of the text; for
 * its whole JSON form use `Schema.toCodecJson(InboundMessage)`.
 */
export class InboundMessage extends Schema.Class<InboundMessage>("@effect-cascade/core/InboundMessage")({
  /** The provider's id of it. The same id again is the same message again. */
  idUuid: Schema.String,
  /** The sender name or bot to which it was written. */
  alphaName: Schema.optionalKey(Schema.String),
  /** Who wrote it, in E.164 form; the provider's form is without the `+`. */
  phoneNumber: PhoneNumber,
  /** What was written; may be empty. */
  text: Schema.String,
  /** When. Absent where the provider names no instant with a zone. */
  dt: Schema.optionalKey(Schema.DateTimeUtc)
}) {}

masked.install(InboundMessage, ({ alphaName, dt, idUuid, phoneNumber, text }) => ({
  idUuid,
  ...(alphaName === undefined ? {} : { alphaName: mask.identifier(alphaName) }),
  phoneNumber: mask.phone(phoneNumber),
  text: mask.text(text),
  ...(dt === undefined ? {} : { dt: formatInstant(dt) })
}))

/** How inbound messages are received. */
export interface SmsBatInboundOptions<E, R> extends receiver.ReceiverOptions {
  /**
   * Called with each message, after the provider got its answer. Messages from one phone number come one after
   * another. A failure is logged and the message is not seen again; so retry here what must not be lost.
   */
  readonly onMessage: (message: InboundMessage) => Effect.Effect<void, E, R>
}

/** The defaults of {@link SmsBatInboundOptions}. */
export const defaults = receiver.defaults

/**
 * Reads an inbound message from JSON of unknown origin.
 *
 * `idUuid`, `phoneNumber` (with or without a `+`) and `text` have to be there. Other fields are left out where they
 * cannot be read, and passed over where they are not documented.
 */
export const decode = (json: unknown): Effect.Effect<InboundMessage, InvalidWebhook> =>
  Effect.suspend(() => Effect.fromResult(decodeResult(json)))

/** As {@link decode}, synchronously. */
export const decodeResult = (json: unknown): Result.Result<InboundMessage, InvalidWebhook> => {
  if (!isObject(json)) {
    return Result.fail(new InvalidWebhook({ problems: [problem("", "a JSON object", json)] }))
  }
  const idUuid = fields.identifier(own(json, "idUuid"))
  const phoneNumber = phoneOf(own(json, "phoneNumber"))
  const text = own(json, "text")
  if (idUuid === undefined || phoneNumber === undefined || typeof text !== "string") {
    const problems = [
      ...(idUuid === undefined ? [problem("idUuid", fields.identifierRule, own(json, "idUuid"))] : []),
      ...(phoneNumber === undefined
        ? [problem("phoneNumber", `${phoneRule}; the + may be missing`, own(json, "phoneNumber"))]
        : []),
      ...(typeof text === "string" ? [] : [problem("text", "a string", text)])
    ]
    return Result.fail(new InvalidWebhook({ problems }))
  }
  const alphaName = own(json, "alphaName")
  const dt = fields.instant(own(json, "dt"))
  return Result.succeed(
    new InboundMessage(
      {
        idUuid,
        ...(typeof alphaName === "string" && alphaName !== "" ? { alphaName } : {}),
        phoneNumber,
        text,
        ...(dt === undefined ? {} : { dt })
      },
      // Every field has just been read by its rule.
      { disableChecks: true }
    )
  )
}

const phoneOf = (value: unknown): PhoneNumber | undefined => {
  if (typeof value !== "string") return undefined
  const international = value.startsWith("+") ? value : `+${value}`
  return isPhoneNumber(international) ? international : undefined
}

const isPhoneNumber = Schema.is(PhoneNumber)

/**
 * A route for inbound messages, `POST {path}/{secret}`. It answers as `SmsBatWebhook.route` does; there is nothing that
 * an inbound message could be checked against.
 *
 * @example
 * ```ts
 * import { SmsBatInbound } from "@effect-cascade/core"
 * import { Effect, Redacted } from "effect"
 *
 * const inbound = SmsBatInbound.route({
 *   path: "/hooks/smsbat-inbound",
 *   secret: Redacted.make("k3mJ8cV0w1ZxQ7rT5yB2nA"),
 *   onMessage: (message) => Effect.logInfo("someone wrote", message)
 * })
 * ```
 */
export const route = <E, R>(
  options: SmsBatInboundOptions<E, R>
): Layer.Layer<
  never,
  SmsBatConfigError,
  | HttpRouter.HttpRouter
  | HttpRouter.Request.From<"Error", HttpServerError.HttpServerError>
  | Exclude<R, Scope.Scope>
> =>
  Layer.effectDiscard(
    receiver.register(options, {
      name: "SmsBatInbound",
      decode: decodeResult,
      keyOf: ({ phoneNumber }) => phoneNumber,
      handle: Effect.fn("SmsBatInbound.handle")((message: InboundMessage) =>
        summarised(options.onMessage(message))
      )
    })
  )
