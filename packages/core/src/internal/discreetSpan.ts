/**
 * A span around code that is not this library's.
 *
 * A span keeps the failure that ends it, and exporters write down its words; so this one ends with a summary of it,
 * while the failure itself goes on to the caller.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Tracer from "effect/Tracer"
import * as CauseSummary from "../CauseSummary.ts"

/** What was summed up. */
class Failed extends Schema.TaggedError<Failed>("@effect-cascade/core/Failed")("Failed", {
  reasons: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return this.reasons.join("; ")
  }
}

/** As `Effect.withSpan`, for an effect whose failures may say anything. */
export const withSpan =
  (name: string, options: Tracer.SpanOptions) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      let original: Cause.Cause<E> | undefined
      return self.pipe(
        Effect.catchCause((cause) => {
          original = cause
          return Cause.hasInterruptsOnly(cause)
            ? Effect.interrupt
            : Effect.fail(new Failed({ reasons: CauseSummary.of(cause) }))
        }),
        Effect.withSpan(name, options),
        Effect.catchCause((cause) =>
          // Interrupted from outside, there is no other cause than that of the span.
          Effect.failCause(original ?? Cause.fromReasons(cause.reasons.filter(isNoFailure)))
        )
      )
    })

const isNoFailure = <E>(reason: Cause.Reason<E>): reason is Cause.Reason<never> => reason._tag !== "Fail"
