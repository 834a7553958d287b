/**
 * What may still be sent, and what is past its deadline.
 */
import type * as DateTime from "effect/DateTime"
import * as Deliveries from "../Delivery.ts"
import type { Delivery } from "../Delivery.ts"
import * as Envelope from "../Envelope.ts"
import * as TransportReason from "../TransportReason.ts"

/** Whether an envelope has a whole second of its ttl left at `now`, which is the least that goes on the wire. */
export const isLive = (envelope: Envelope.Envelope, now: DateTime.Utc): boolean =>
  (Envelope.remainingTtl(envelope, now) ?? 1) >= 1

/** Parts a batch into what may be sent at `now` and the answers for what may not. */
export const separate = (
  batch: ReadonlyArray<Envelope.Envelope>,
  now: DateTime.Utc
): { readonly live: ReadonlyArray<Envelope.Envelope>; readonly expired: ReadonlyArray<Delivery> } => ({
  live: batch.filter((envelope) => isLive(envelope, now)),
  expired: batch
    .filter((envelope) => !isLive(envelope, now))
    .map(({ trackingId }) => Deliveries.notAccepted(trackingId, expired))
})

const expired = new TransportReason.Expired({})
