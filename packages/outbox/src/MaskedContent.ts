/**
 * What a stored message says, as far as an operator may see it: the phone number masked, of the text only its length.
 *
 * Nothing else of the payload leaves the database through `OutboxAdmin`, so that a dashboard or a log of its answers
 * holds no personal data.
 */
import { MaskedPhone } from "@effect-cascade/core/CascadeEvent"
import { Route, ScheduleHolder } from "@effect-cascade/core/Envelope"
import type * as Message from "@effect-cascade/core/Message"
import * as PhoneNumber from "@effect-cascade/core/PhoneNumber"
import type * as DateTime from "effect/DateTime"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type ClaimedRow, toEnvelope } from "./OutboxRow.ts"

/** A message that can be read. */
export const Readable = Schema.TaggedStruct("Readable", {
  fromName: Schema.String,
  toPhone: MaskedPhone,
  /** In UTF-16 units; absent for a flash call. */
  textLength: Schema.optionalKey(Schema.Int),
  /** How many answers a survey offers. */
  surveyOptions: Schema.optionalKey(Schema.Int),
  ttl: Schema.optionalKey(Schema.DurationFromMillis),
  scheduledSent: Schema.optionalKey(Schema.DateTimeUtc),
  route: Route,
  schedule: ScheduleHolder
})

/** Retention has removed it. */
export const Scrubbed = Schema.TaggedStruct("Scrubbed", {})

/** This version cannot read it; a relay of this version would end it as `dead`. */
export const Unreadable = Schema.TaggedStruct("Unreadable", { problem: Schema.String })

/** What a stored message says. */
export const MaskedContent = Schema.Union([Readable, Scrubbed, Unreadable]).pipe(Schema.toTaggedUnion("_tag"))

/** @see MaskedContent */
export type MaskedContent = typeof MaskedContent.Type

/** Masks a payload. */
export const of = (payload: Redacted.Redacted<string> | null, createdAt: DateTime.Utc): MaskedContent =>
  payload === null
    ? { _tag: "Scrubbed" }
    : Result.match(toEnvelope({ ...elsewhere, payload: Redacted.value(payload) }, createdAt), {
        onFailure: ({ problem }): MaskedContent => ({ _tag: "Unreadable", problem }),
        onSuccess: ({ message, route, schedule }) => ({ ...masked(message), route, schedule })
      })

const masked = (message: Message.Message) => ({
  _tag: "Readable" as const,
  fromName: message.fromName,
  toPhone: PhoneNumber.mask(message.toPhone),
  ...("text" in message ? { textLength: message.text.length } : {}),
  ...("surveyOptions" in message ? { surveyOptions: message.surveyOptions.length } : {}),
  ...(message.ttl === undefined ? {} : { ttl: message.ttl }),
  ...(message.scheduledSent === undefined ? {} : { scheduledSent: message.scheduledSent })
})

// The parts of a row that its content does not depend on.
const elsewhere: ClaimedRow = {
  id: "",
  lane: "",
  lease: 0n,
  attempts: 0,
  lapses: 0,
  lapsed: false,
  account: "",
  trackingId: "",
  messageType: "",
  uncertainty: "hold",
  payload: null,
  ageMillis: 0,
  remainingMillis: null,
  traceparent: null
}
