/**
 * The error of an assertion that does not hold.
 */
import * as Schema from "effect/Schema"

/** Something else was sent than a test says. It is safe to log: phone numbers and texts are masked. */
export class AssertionFailed extends Schema.TaggedError<AssertionFailed>(
  "@effect-cascade/testing/FakeCascade/AssertionFailed"
)("AssertionFailed", {
  /** What was expected and what was sent instead, over several lines. */
  details: Schema.String
}) {
  override get message(): string {
    return this.details
  }
}
