/**
 * The failure of a handler as it may be told: spans and logs get its summary, never its own words.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as CauseSummary from "../../CauseSummary.ts"

/** What was received could not be handled. */
export class HandlerFailed extends Schema.TaggedError<HandlerFailed>("@effect-cascade/core/HandlerFailed")(
  "HandlerFailed",
  { reasons: Schema.Array(Schema.String) }
) {
  override get message(): string {
    return this.reasons.join("; ")
  }
}

/**
 * Puts a summary in the place of whatever a handler fails with: it was handed what people wrote and where they can be
 * reached, and its errors may repeat that.
 */
export const summarised = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, HandlerFailed, R> =>
  Effect.catchCause(self, (cause) =>
    Cause.hasInterruptsOnly(cause)
      ? Effect.interrupt
      : Effect.fail(new HandlerFailed({ reasons: CauseSummary.of(cause) }))
  )
