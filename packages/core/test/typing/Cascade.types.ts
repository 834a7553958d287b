/**
 * What the compiler knows about the client: sending never fails, and asks for a client; the client asks for a transport.
 * Nothing here runs: the file holds if it compiles, and each `@ts-expect-error` is a line that must not.
 */
import { Effect, Layer, type Stream } from "effect"
import type { HttpClient } from "effect/http"
import * as Cascade from "../../src/Cascade.ts"
import type { Delivery } from "../../src/Delivery.ts"
import type { StatusReport } from "../../src/DeliveryStatus.ts"
import type * as Message from "../../src/Message.ts"
import * as SmsBatTransport from "../../src/SmsBatTransport.ts"
import type { StatusError, StatusLookup } from "../../src/StatusLookup.ts"
import type { Transport } from "../../src/Transport.ts"

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <_Claim extends true>(): void => undefined

declare const message: Message.Message
declare const messages: Stream.Stream<Message.Message, "gone", Cascade.Cascade>

export const sending = (): void => {
  const one = Cascade.send(message)
  holds<Equals<typeof one, Effect.Effect<Delivery, never, Cascade.Cascade>>>()
  const all = Cascade.sendAll(new Set([message]), { route: "tg-viber", concurrency: 2 })
  holds<Equals<typeof all, Effect.Effect<ReadonlyArray<Delivery>, never, Cascade.Cascade>>>()
  const many = Cascade.sendStream(messages, { within: "1 second" })
  holds<Equals<typeof many, Stream.Stream<Delivery, "gone", Cascade.Cascade>>>()
  const status = Cascade.status("id")
  holds<Equals<typeof status, Effect.Effect<StatusReport, StatusError, StatusLookup | Cascade.Cascade>>>()
}

// The three ways an attempt can end, and no fourth.
export const ends: (delivery: Delivery) => "sent" | "not sent" | "nobody knows" = (delivery) => {
  switch (delivery._tag) {
    case "Accepted":
      return "sent"
    case "NotSent":
      return "not sent"
    case "Unknown":
      return "nobody knows"
  }
}

export const layers = (): void => {
  holds<Equals<typeof Cascade.layer, Layer.Layer<Cascade.Cascade, never, Transport>>>()
  const configured = Cascade.layer.pipe(Layer.provide(SmsBatTransport.layerConfig()))
  holds<Equals<Layer.Services<typeof configured>, HttpClient.HttpClient>>()
  holds<Equals<Layer.Success<typeof configured>, Cascade.Cascade>>()
}

export const refused = (): void => {
  // @ts-expect-error an envelope is not a message, nor is a plain object
  void Cascade.send({ _tag: "Promo", id: "a", fromName: "Shop", toPhone: "+380671112233", text: "Hello" })
  // @ts-expect-error there are two routes
  void Cascade.send(message, { route: "pigeon" })
  // @ts-expect-error headers are for one call, not for a client
  void Cascade.layerWith({ headers: {} })
  // @ts-expect-error a client without a transport does not run
  void Effect.runPromise(Effect.provide(Cascade.send(message), Cascade.layer))
}
