/**
 * One attempt of a transport that must not take its caller down with it.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as CauseSummary from "../CauseSummary.ts"
import * as Deliveries from "../Delivery.ts"
import type { Delivery } from "../Delivery.ts"
import type { Envelope } from "../Envelope.ts"
import * as Transport from "../Transport.ts"
import * as TransportReason from "../TransportReason.ts"

/**
 * As `Transport.deliver`, for a transport that may break its contract: one that dies, throws, fails with something
 * else or interrupts itself leaves every envelope of the batch `Unknown`, and is logged. The interruption of the
 * fiber itself goes through.
 */
export const attempt = (
  transport: Transport.TransportShape,
  batch: NonEmptyReadonlyArray<Envelope>
): Effect.Effect<ReadonlyArray<Delivery>> =>
  Transport.deliver(transport, batch).pipe(
    Effect.catchCause((cause) => {
      const reason = Cause.hasInterruptsOnly(cause) ? interrupted : defective
      const deliveries = batch.map(({ trackingId }) => Deliveries.notAccepted(trackingId, reason))
      return Effect.as(logFailure(transport.name, batch.length, cause), deliveries)
    })
  )

const interrupted = new TransportReason.CutShort({ by: "interruption" })
const defective = new TransportReason.CutShort({ by: "defect" })

/** Logs that a transport broke off, with what a cause can say without personal data. */
const logFailure = (transport: string, messages: number, cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Effect.annotateLogs(
    Effect.logError("a transport broke its contract; nobody knows what became of its batch"),
    { transport, messages, reasons: CauseSummary.of(cause) }
  )
