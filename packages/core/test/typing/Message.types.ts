/**
 * What the compiler knows about messages. Nothing here runs: the file holds if it compiles, and each
 * `@ts-expect-error` is a line that must not.
 */
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import * as Delivery from "../../src/Delivery.ts"
import type { InvalidMessage } from "../../src/InvalidMessage.ts"
import * as Message from "../../src/Message.ts"
import type * as PhoneNumber from "../../src/PhoneNumber.ts"
import * as TrackingId from "../../src/TrackingId.ts"
import * as TransportReason from "../../src/TransportReason.ts"

type Equals<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <_Claim extends true>(): void => undefined

const common = { id: "order-1", fromName: "Shop", toPhone: "+380671112233" }

export const members = (): void => {
  const transaction = Message.make({ _tag: "Transaction", ...common, text: "Hello" })
  holds<Equals<typeof transaction, Effect.Effect<Message.Transaction, InvalidMessage>>>()
  const promo = Message.make({ _tag: "Promo", ...common, text: "Hello", ttl: "3 days" })
  holds<Equals<typeof promo, Effect.Effect<Message.Promo, InvalidMessage>>>()
  const survey = Message.make({ _tag: "ViberSurvey", ...common, text: "?", surveyOptions: ["a", "b"] })
  holds<Equals<typeof survey, Effect.Effect<Message.ViberSurvey, InvalidMessage>>>()
  const flashCall = Message.make({ _tag: "FlashCall", ...common, ttl: undefined, scheduledSent: new Date(0) })
  holds<Equals<typeof flashCall, Effect.Effect<Message.FlashCall, InvalidMessage>>>()

  const unsafe = Message.makeUnsafe({ _tag: "FlashCall", ...common })
  holds<Equals<typeof unsafe, Message.FlashCall>>()
  const decoded = Message.decode({})
  holds<Equals<typeof decoded, Effect.Effect<Message.Message, InvalidMessage>>>()
}

export const severalTags = (isPromo: boolean, input: Message.MessageInput): void => {
  const either = Message.makeUnsafe({ _tag: isPromo ? "Promo" : "Transaction", ...common, text: "Hello" })
  holds<Equals<typeof either, Message.Promo | Message.Transaction>>()
  const any = Message.makeUnsafe(input)
  holds<Equals<typeof any, Message.Message>>()
  // A message is itself input for a message.
  Message.makeUnsafe({ ...Message.makeUnsafe({ _tag: "Promo", ...common, text: "Hello" }), text: "Bye" })
}

export const fields = (): void => {
  // @ts-expect-error a flash call has no text
  Message.make({ _tag: "FlashCall", ...common, text: "Hello" })
  // @ts-expect-error nor options
  Message.make({ _tag: "FlashCall", ...common, surveyOptions: ["a", "b"] })
  // @ts-expect-error a transaction has no options
  Message.make({ _tag: "Transaction", ...common, text: "Hello", surveyOptions: ["a", "b"] })
  // @ts-expect-error a survey has options
  Message.make({ _tag: "ViberSurvey", ...common, text: "?" })
  // @ts-expect-error a survey has a text
  Message.make({ _tag: "ViberSurvey", ...common, surveyOptions: ["a", "b"] })
  // @ts-expect-error a promo has a text
  Message.make({ _tag: "Promo", ...common })
  // @ts-expect-error no sender
  Message.make({ _tag: "Promo", id: "a", toPhone: "+380671112233", text: "Hello" })
  // @ts-expect-error no recipient
  Message.make({ _tag: "Promo", id: "a", fromName: "Shop", text: "Hello" })
  // @ts-expect-error no id
  Message.make({ _tag: "Promo", fromName: "Shop", toPhone: "+380671112233", text: "Hello" })
  // @ts-expect-error a misspelt field
  Message.make({ _tag: "Promo", ...common, text: "Hello", schedueldSent: new Date(0) })
  // @ts-expect-error a tag that is none
  Message.make({ _tag: "Sms", ...common, text: "Hello" })
  // @ts-expect-error the provider's word is not the tag
  Message.make({ _tag: "transaction", ...common, text: "Hello" })
  // @ts-expect-error no tag
  Message.make({ ...common, text: "Hello" })
  // @ts-expect-error a number as an instant
  Message.make({ _tag: "Promo", ...common, text: "Hello", scheduledSent: 0 })
  // @ts-expect-error a text that is no duration
  Message.make({ _tag: "Promo", ...common, text: "Hello", ttl: "300" })
  // @ts-expect-error the same without an Effect
  Message.makeUnsafe({ _tag: "FlashCall", ...common, text: "Hello" })
}

export const brands = (message: Message.Message): void => {
  holds<Equals<typeof message.id, TrackingId.TrackingId>>()
  holds<Equals<typeof message.toPhone, PhoneNumber.PhoneNumber>>()
  const joined = TrackingId.of("order", 1)
  holds<Equals<typeof joined, TrackingId.TrackingId>>()
  const takesId = (id: TrackingId.TrackingId): string => id
  const takesPhone = (phone: PhoneNumber.PhoneNumber): string => phone
  // @ts-expect-error any text is no tracking id
  takesId("order")
  // @ts-expect-error any text is no phone number
  takesPhone("+380671112233")
  // @ts-expect-error a message does not change
  message.id = joined
}

export const json = (json: Message.MessageJson, message: Message.Message): void => {
  const encoded = Message.encode(message)
  holds<Equals<typeof encoded, Message.MessageJson>>()
  holds<Equals<typeof Message.MessageFromJson, Schema.Codec<Message.Message, Message.MessageJson>>>()
  switch (json.messageType) {
    case "transaction":
    case "promo":
      holds<Equals<typeof json.text, string>>()
      // @ts-expect-error only a survey has options
      return void json.surveyOptions
    case "viber_survey":
      return holds<Equals<typeof json.surveyOptions, ReadonlyArray<string>>>()
    case "flashcall":
      // @ts-expect-error a flash call has no text
      return void json.text
  }
}

export const union = (message: Message.Message): void => {
  // @ts-expect-error not every message has a text
  void message.text
  if (message._tag !== "FlashCall") holds<Equals<typeof message.text, string>>()
  const label = Message.Message.match(message, {
    Transaction: ({ text }) => text,
    Promo: ({ text }) => text,
    ViberSurvey: ({ surveyOptions }) => surveyOptions.length,
    FlashCall: ({ _tag }) => _tag
  })
  holds<Equals<typeof label, string | number>>()
}

export const deliveries = (reason: TransportReason.TransportReason): void => {
  const delivery = Delivery.notAccepted(TrackingId.of("a"), reason)
  holds<Equals<typeof delivery, Delivery.NotSent | Delivery.Unknown>>()
  if (TransportReason.isNotSent(reason)) holds<Equals<typeof reason.certainty, "NotSent">>()
  else holds<Equals<typeof reason.certainty, "Unknown">>()
  // @ts-expect-error a reason of the other certainty
  void new Delivery.NotSent({ trackingId: TrackingId.of("a"), reason: new TransportReason.TimedOut() })
  // @ts-expect-error a reason of the other certainty
  void new Delivery.Unknown({ trackingId: TrackingId.of("a"), reason: new TransportReason.Expired() })
}
