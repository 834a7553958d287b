/**
 * What became of one envelope at one attempt: `Accepted`, `NotSent` or `Unknown`. Three ways, never two.
 *
 * `Unknown` is not a failure and not a success: the message may have reached a person. Whether it is sent again is
 * the decision of the caller (the uncertainty policy of the outbox), never of a transport.
 */
import * as Schema from "effect/Schema"
import { trusted } from "./internal/trusted.ts"
import { TrackingId } from "./TrackingId.ts"
import * as TransportReason from "./TransportReason.ts"

/** The provider took the message on and gave it an id of its own. */
export class Accepted extends Schema.TaggedClass<Accepted>("@effect-cascade/core/Accepted")("Accepted", {
  trackingId: TrackingId,
  /** The provider's id, by which its delivery can be followed. */
  messageId: Schema.String
}) {}

/** Nobody has received the message because of this attempt. */
export class NotSent extends Schema.TaggedClass<NotSent>("@effect-cascade/core/NotSent")("NotSent", {
  trackingId: TrackingId,
  reason: TransportReason.NotSentReason
}) {}

/** Somebody may have received the message because of this attempt. */
export class Unknown extends Schema.TaggedClass<Unknown>("@effect-cascade/core/Unknown")("Unknown", {
  trackingId: TrackingId,
  reason: TransportReason.UnknownReason
}) {}

/** What became of one envelope. */
export const Delivery = Schema.Union([Accepted, NotSent, Unknown]).pipe(Schema.toTaggedUnion("_tag"))

/** @see Delivery */
export type Delivery = typeof Delivery.Type

/** The provider accepted it as `messageId`. */
export const accepted = (trackingId: TrackingId, messageId: string): Accepted =>
  makeAccepted({ _tag: "Accepted", trackingId, messageId })

const makeAccepted = trusted(Accepted)

/** It was not accepted, for `reason`; the reason itself says whether that is `NotSent` or `Unknown`. */
export const notAccepted = (
  trackingId: TrackingId,
  reason: TransportReason.TransportReason
): NotSent | Unknown =>
  TransportReason.isNotSent(reason)
    ? new NotSent({ trackingId, reason }, { disableChecks: true })
    : new Unknown({ trackingId, reason }, { disableChecks: true })
