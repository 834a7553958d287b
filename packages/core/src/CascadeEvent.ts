/**
 * What happens to messages and lanes, as values to be observed: for logs, dashboards, audit, a live view.
 *
 * Every event is schema-typed and has a JSON form ({@link CascadeEventFromJson}). It holds no text and no key, and
 * the recipient's phone number only masked. The tracking id is the caller's own and stands as it is.
 */
import type * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import type { Envelope } from "./Envelope.ts"
import * as Message from "./Message.ts"
import * as PhoneNumber from "./PhoneNumber.ts"
import * as TransportReason from "./TransportReason.ts"

/** The provider's word for the kind of message. */
export const MessageType = Schema.Literals(Object.values(Message.messageType))

/** @see MessageType */
export type MessageType = typeof MessageType.Type

/** A phone number as events show it: `+38067*****33`. A number in full is refused. */
export const MaskedPhone = Schema.String.check(
  Schema.isPattern(/^(?:\+?[0-9]{5})?\*+(?:[0-9]{2})?$/u, { message: "a masked phone number" })
)

const fields = {
  /** The caller's own id of the message. */
  trackingId: Schema.String,
  messageType: MessageType,
  /** The account it is sent from. */
  account: Schema.String,
  /** The recipient, masked. Absent where the sender of the event does not know it. */
  toPhone: Schema.optionalKey(MaskedPhone)
}

const at = {
  /** When it happened, by the clock of the process that says so. */
  at: Schema.DateTimeUtc
}

const message = { ...fields, ...at }

const id = (name: string) => `@effect-cascade/core/CascadeEvent/${name}`

/** The outbox took it on, and the transaction that wrote it has committed. */
export class Enqueued extends Schema.TaggedClass<Enqueued>(id("Enqueued"))("Enqueued", message) {}

/** The provider took it on. */
export class Accepted extends Schema.TaggedClass<Accepted>(id("Accepted"))("Accepted", {
  ...message,
  /** The provider's id. */
  messageId: Schema.String
}) {}

/** An attempt did not end in an acceptance; there will be another. */
export class RetryScheduled extends Schema.TaggedClass<RetryScheduled>(id("RetryScheduled"))(
  "RetryScheduled",
  {
    ...message,
    /** The number of the attempt that failed, from 1. */
    attempt: Schema.Int,
    nextAt: Schema.DateTimeUtc,
    reason: TransportReason.TransportReason
  }
) {}

/** Somebody may have received it; it is held until a person or a status look-up resolves it. */
export class Uncertain extends Schema.TaggedClass<Uncertain>(id("Uncertain"))("Uncertain", {
  ...message,
  reason: TransportReason.TransportReason
}) {}

/** Given up. It stays visible until it is requeued or discarded. */
export class Dead extends Schema.TaggedClass<Dead>(id("Dead"))("Dead", {
  ...message,
  reason: TransportReason.TransportReason
}) {}

/** Its deadline passed before it was sent. */
export class Expired extends Schema.TaggedClass<Expired>(id("Expired"))("Expired", message) {}

/** Its owner called it off before it was sent. */
export class Cancelled extends Schema.TaggedClass<Cancelled>(id("Cancelled"))("Cancelled", message) {}

/** A lane stopped sending. Its messages wait and lose nothing. */
export class LanePaused extends Schema.TaggedClass<LanePaused>(id("LanePaused"))("LanePaused", {
  lane: Schema.String,
  /** What stopped it. Absent where a person did. */
  reason: Schema.optionalKey(TransportReason.TransportReason),
  /** When it goes on by itself. Absent where somebody has to resume it. */
  until: Schema.optionalKey(Schema.DateTimeUtc),
  ...at
}) {}

/** A lane sends again. */
export class LaneResumed extends Schema.TaggedClass<LaneResumed>(id("LaneResumed"))("LaneResumed", {
  lane: Schema.String,
  ...at
}) {}

/** The provider reported another delivery status. It may know a message by its own id alone. */
export class StatusChanged extends Schema.TaggedClass<StatusChanged>(id("StatusChanged"))("StatusChanged", {
  trackingId: Schema.optionalKey(fields.trackingId),
  messageType: Schema.optionalKey(fields.messageType),
  account: Schema.optionalKey(fields.account),
  toPhone: fields.toPhone,
  /** The provider's id. */
  messageId: Schema.String,
  /** The provider's word for it, such as `delivered`. */
  status: Schema.String,
  /** Whether the provider was asked, or only a webhook said so, which anybody could have sent. */
  confirmed: Schema.optionalKey(Schema.Boolean),
  /** The status before, where it is known. */
  previous: Schema.optionalKey(Schema.String),
  ...at
}) {}

/** Anything that happens, as a schema of the values in memory. */
export const CascadeEvent = Schema.Union([
  Enqueued,
  Accepted,
  RetryScheduled,
  Uncertain,
  Dead,
  Expired,
  Cancelled,
  LanePaused,
  LaneResumed,
  StatusChanged
]).pipe(Schema.toTaggedUnion("_tag"))

/** @see CascadeEvent */
export type CascadeEvent = typeof CascadeEvent.Type

/** An event and its JSON form as one schema: instants as ISO text, durations in milliseconds. */
export const CascadeEventFromJson = Schema.toCodecJson(CascadeEvent)

/** The fields that every event about a message shares. */
export interface AboutMessage {
  readonly trackingId: string
  readonly messageType: MessageType
  readonly account: string
  readonly toPhone: string
  readonly at: DateTime.Utc
}

/**
 * The shared fields of an event about `envelope` at an instant.
 *
 * @example
 * ```ts
 * import { CascadeEvent, type Envelope } from "@effect-cascade/core"
 * import type { DateTime } from "effect"
 *
 * const expired = (envelope: Envelope.Envelope, at: DateTime.Utc) =>
 *   new CascadeEvent.Expired(CascadeEvent.about(envelope, at))
 * ```
 */
export const about = (envelope: Envelope, at: DateTime.Utc): AboutMessage => ({
  trackingId: envelope.trackingId,
  messageType: Message.messageType[envelope.message._tag],
  account: envelope.account,
  toPhone: PhoneNumber.mask(envelope.message.toPhone),
  at
})
