/**
 * The one error of transports: what happened to a batch as a whole.
 *
 * It wraps a tagged reason, so that `Effect.catchReason("TransportError", "Throttled", …)` works.
 */
import type * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as TransportReason from "./TransportReason.ts"

/** A batch that did not get through as a whole. Every envelope in it shares the reason. */
export class TransportError extends Schema.TaggedError<TransportError>("@effect-cascade/core/TransportError")(
  "TransportError",
  {
    /** The name of the transport. */
    transport: Schema.String,
    reason: TransportReason.TransportReason
  }
) {
  /** `NotSent`: no envelope of the batch was sent. `Unknown`: any of them may have been. */
  get certainty(): TransportReason.Certainty {
    return this.reason.certainty
  }

  /** How long the other side asked to wait, if it did. */
  get retryAfter(): Duration.Duration | undefined {
    return TransportReason.retryAfter(this.reason)
  }

  override get message(): string {
    return `${this.transport}: ${this.reason.message}`
  }
}
