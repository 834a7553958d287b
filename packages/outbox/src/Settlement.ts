/**
 * What is to happen to a leased row, decided from what became of it. Pure: the same facts give the same answer.
 */
import type { Delivery } from "@effect-cascade/core/Delivery"
import * as Reason from "@effect-cascade/core/TransportReason"
import * as Duration from "effect/Duration"
import type { Uncertainty } from "./Uncertainty.ts"

/** How a lease ends. A closed set. */
export type Settlement =
  /** The provider took it on. Over. */
  | { readonly kind: "sent"; readonly providerMessageId: string }
  /** To be tried again after `delay`; the attempt counts. */
  | { readonly kind: "retry"; readonly delay: Duration.Duration; readonly reason: Reason.TransportReason }
  /** The lane was at fault: due as before, the attempt does not count. */
  | { readonly kind: "deferred"; readonly reason: Reason.TransportReason }
  /** Given back untried. */
  | { readonly kind: "released" }
  /** It may have been sent, and must not be sent again without a decision. Over until somebody resolves it. */
  | { readonly kind: "uncertain"; readonly reason: Reason.TransportReason }
  /** Given up. Over until somebody requeues it. */
  | { readonly kind: "dead"; readonly reason: Reason.TransportReason }
  /** Too late. Over. `reason` is what its last attempt ended with, if there was one. */
  | { readonly kind: "expired"; readonly reason: Reason.TransportReason | undefined }

/** What the decision depends on beside the delivery. */
export interface Facts {
  readonly uncertainty: Uncertainty
  /** The retry policy's answer: when to try again, or `undefined` for no more. */
  readonly next: Duration.Duration | undefined
  /** The time left until the deadline, if there is one. */
  readonly remaining: Duration.Duration | undefined
}

/** Decides after an attempt. */
export const decide = (delivery: Delivery, facts: Facts): Settlement => {
  switch (delivery._tag) {
    case "Accepted":
      return { kind: "sent", providerMessageId: delivery.messageId }
    case "NotSent":
      return afterNotSent(delivery.reason)
    case "Unknown":
      return afterUnknown(delivery.reason, facts)
  }
}

const afterNotSent = (reason: Reason.NotSentReason): Settlement => {
  if (reason._tag === "Expired") return { kind: "expired", reason: undefined }
  return reason.scope === "lane" ? { kind: "deferred", reason } : { kind: "dead", reason }
}

const afterUnknown = (reason: Reason.UnknownReason, facts: Facts): Settlement =>
  // Out of attempts after an unknown outcome is not dead: somebody may have received it.
  facts.uncertainty === "hold" || facts.next === undefined
    ? { kind: "uncertain", reason }
    : retry(facts.next, reason, facts)

const retry = (delay: Duration.Duration, reason: Reason.TransportReason, facts: Facts): Settlement =>
  facts.remaining !== undefined && Duration.isGreaterThanOrEqualTo(delay, facts.remaining)
    ? { kind: "expired", reason }
    : { kind: "retry", delay, reason }

/** How many leases of a row may end without a word before the row is taken for one that kills its process. */
export const lapseLimit = 3

/** What decides about a leased row before it is sent. */
export interface Preconditions {
  readonly uncertainty: Uncertainty
  readonly lapsed: boolean
  readonly lapses: number
  readonly expired: boolean
}

/** Decides before an attempt: `undefined` means go ahead. */
export const decideBefore = (row: Preconditions): Settlement | undefined => {
  // A lease that ended without a word is an unknown outcome: the message may have been sent under it.
  if (row.lapsed && row.uncertainty === "hold") return { kind: "uncertain", reason: lapse }
  if (row.expired) return { kind: "expired", reason: row.lapsed ? lapse : undefined }
  if (row.lapses >= lapseLimit) return { kind: "dead", reason: lapse }
  return undefined
}

const lapse = new Reason.CutShort({ by: "lease" })

/** A payload that cannot be read. Nobody can send it; somebody has to look at it. */
export const unreadable = (problem: string): Settlement => ({
  kind: "dead",
  reason: new Reason.Unencodable({ problem })
})

/** Whether the attempt counts against the retry policy. */
export const counts = (settlement: Settlement): boolean =>
  settlement.kind === "sent" ||
  settlement.kind === "retry" ||
  settlement.kind === "uncertain" ||
  (settlement.kind === "dead" && settlement.reason !== lapse) ||
  (settlement.kind === "expired" && settlement.reason !== undefined && settlement.reason !== lapse)
