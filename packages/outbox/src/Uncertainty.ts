/**
 * What to do with a message of which nobody knows whether it was sent.
 *
 * The provider documents no idempotency, so a message that is sent again after an unknown outcome may reach a
 * person twice, and one that is not may never arrive. Which of the two is worse depends on the message.
 */
import type * as Message from "@effect-cascade/core/Message"
import * as Schema from "effect/Schema"

/** `resend`: at least once, perhaps twice. `hold`: at most once; the message waits as `uncertain` for a decision. */
export const Uncertainty = Schema.Literals(["resend", "hold"])

/** @see Uncertainty */
export type Uncertainty = typeof Uncertainty.Type

/** The policy of each kind of message unless the caller chooses another. */
export const defaults: Readonly<Record<Message.Message["_tag"], Uncertainty>> = {
  Transaction: "resend",
  FlashCall: "resend",
  Promo: "hold",
  ViberSurvey: "hold"
}
