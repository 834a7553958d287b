/**
 * A transport for development: it prints what would be sent, masked, and accepts everything. Nothing leaves the machine.
 */
import * as Console from "effect/Console"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Deliveries from "./Delivery.ts"
import type { Envelope } from "./Envelope.ts"
import * as deadline from "./internal/deadline.ts"
import * as mask from "./internal/mask.ts"
import * as Message from "./Message.ts"
import { Transport, type TransportShape } from "./Transport.ts"

/**
 * Prints a line for each message to the `Console`, such as
 * `[cascade] transaction order-1042 from Shop to +38067*****33: <28 characters>`.
 *
 * It accepts a message as `console:` and its tracking id. One past its deadline is `NotSent` (`Expired`), as ever.
 */
export const transport: TransportShape = {
  name: "console",
  maxBatchSize: 1000,
  send: Effect.fnUntraced(function* (batch) {
    const { expired, live } = deadline.separate(batch, yield* DateTime.now)
    for (const envelope of live) yield* Console.log(line(envelope))
    return [
      ...expired,
      ...live.map(({ trackingId }) => Deliveries.accepted(trackingId, `console:${trackingId}`))
    ]
  })
}

/** Provides {@link transport}. */
export const layer: Layer.Layer<Transport> = Layer.succeed(Transport, transport)

const line = ({ message, route }: Envelope): string => {
  const type = `${Message.messageType[message._tag]}${route === "standard" ? "" : ` (${route})`}`
  const content = "text" in message ? `: ${mask.text(message.text)}` : ""
  const options = "surveyOptions" in message ? `, ${message.surveyOptions.length} options` : ""
  const head = `${type} ${mask.identifier(message.id)} from ${mask.identifier(message.fromName)}`
  return `[cascade] ${head} to ${mask.phone(message.toPhone)}${content}${options}`
}
