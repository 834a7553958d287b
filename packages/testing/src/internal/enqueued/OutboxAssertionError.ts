/**
 * The error of an assertion about the outbox that does not hold.
 */
import * as Schema from "effect/Schema"

/** Something else is in the outbox than a test says. Safe to log: phone numbers and texts are masked. */
export class OutboxAssertionError extends Schema.TaggedError<OutboxAssertionError>(
  "@effect-cascade/testing/OutboxAssert/OutboxAssertionError"
)("OutboxAssertionError", {
  /** What was expected and what is there instead, over several lines. */
  details: Schema.String
}) {
  override get message(): string {
    return this.details
  }
}
