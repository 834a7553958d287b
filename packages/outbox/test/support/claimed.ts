import * as Envelope from "@effect-cascade/core/Envelope"
import type { Message } from "@effect-cascade/core/Message"
import { type ClaimedRow, encodePayload } from "@effect-cascade/outbox/OutboxRow"
import { DateTime } from "effect"

/** A row as the claim gives it, for its first attempt, without a deadline. */
export const claimed = (message: Message, more?: Partial<ClaimedRow>): ClaimedRow => ({
  id: `row-${message.id}`,
  lane: "default/high",
  lease: 1n,
  attempts: 0,
  lapses: 0,
  lapsed: false,
  account: "default",
  trackingId: message.id,
  messageType: "transaction",
  uncertainty: "resend",
  payload: encodePayload(Envelope.at(message, DateTime.makeUnsafe(0))),
  ageMillis: 0,
  remainingMillis: null,
  traceparent: null,
  ...more
})
