/**
 * The seam to the outside: something that takes a batch of envelopes and says of each what became of it.
 *
 * Write one by giving it a name, a batch size and one method. The contract of `send`:
 *
 * - It is one attempt. It never retries what may have been sent.
 * - It answers for every envelope of the batch, each by its tracking id; order does not matter.
 * - It fails with a `TransportError` only where the same is true of every envelope of the batch.
 * - It never says `NotSent` of an envelope that may have been sent. When in doubt: `Unknown`.
 * - It does not send an envelope whose deadline has passed (`NotSent`, `Expired`).
 * - It may be called by many fibers at once, and may be interrupted at any time.
 * - Neither keys nor personal data appear in its errors, logs or spans.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Delivery } from "./Delivery.ts"
import * as Deliveries from "./Delivery.ts"
import type { Envelope } from "./Envelope.ts"
import type { TransportError } from "./TransportError.ts"
import * as TransportReason from "./TransportReason.ts"

/** What a transport does. */
export interface TransportShape {
  /** Appears in errors, spans and metrics. */
  readonly name: string
  /** The most envelopes that one call of `send` takes. At least 1. */
  readonly maxBatchSize: number
  /** One attempt at a batch of at most `maxBatchSize` envelopes, no two with the same tracking id. */
  readonly send: (
    batch: NonEmptyReadonlyArray<Envelope>
  ) => Effect.Effect<ReadonlyArray<Delivery>, TransportError>
}

/** The transport of a program. */
export class Transport extends Context.Service<Transport, TransportShape>()(
  "@effect-cascade/core/Transport"
) {}

/**
 * Sends a batch and answers for every envelope of it, in the batch's order: a failure of the whole batch becomes
 * a delivery for each, and an envelope that the transport did not answer for, or answered for in two ways, is
 * `Unknown`. An answer for an envelope that is not in the batch is passed over.
 *
 * This is how callers use a transport; the method itself is for those who write one.
 */
export const deliver = (
  transport: TransportShape,
  batch: NonEmptyReadonlyArray<Envelope>
): Effect.Effect<ReadonlyArray<Delivery>> =>
  Effect.suspend(() => transport.send(batch)).pipe(
    Effect.map((deliveries) => {
      const byId = new Map<string, Delivery>()
      for (const delivery of deliveries) {
        const earlier = byId.get(delivery.trackingId) ?? delivery
        const agree = earlier._tag === delivery._tag
        byId.set(
          delivery.trackingId,
          agree ? earlier : Deliveries.notAccepted(delivery.trackingId, contradicted)
        )
      }
      return batch.map(
        ({ trackingId }) => byId.get(trackingId) ?? Deliveries.notAccepted(trackingId, unanswered)
      )
    }),
    Effect.catchTag("TransportError", (error) =>
      Effect.succeed(batch.map(({ trackingId }) => Deliveries.notAccepted(trackingId, error.reason)))
    )
  )

const unanswered = new TransportReason.UnreadableReply({ problem: "the transport gave no answer for it" })
const contradicted = new TransportReason.UnreadableReply({
  problem: "the transport gave answers for it that do not agree"
})
