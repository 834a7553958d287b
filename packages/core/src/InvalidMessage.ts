/**
 * The error of a message that breaks a rule: every problem at once, each with the way to mend it.
 *
 * It is safe to log: values that are personal are masked or only measured.
 */
import * as Schema from "effect/Schema"

/** One broken rule of one field. */
export class Problem extends Schema.Class<Problem>("@effect-cascade/core/Problem")({
  /** Where: `toPhone`, `surveyOptions[2]`. Empty where it is the value as a whole. */
  path: Schema.String,
  /** The rule in words. */
  rule: Schema.String,
  /** What came instead, masked where it is personal. */
  received: Schema.String,
  /** How to mend it, where that is certain. */
  fix: Schema.optionalKey(Schema.String)
}) {
  override toString(): string {
    const mend = this.fix === undefined ? "" : `; ${this.fix}`
    const where = this.path === "" ? "" : `${this.path}: `
    return `${where}expected ${this.rule}, received ${this.received}${mend}`
  }
}

/**
 * A message that cannot be sent, with every problem in it.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Message } from "@effect-cascade/core"
 *
 * const program = Message.make({
 *   _tag: "Transaction",
 *   id: "order-1042",
 *   fromName: "Shop",
 *   toPhone: "380671112233",
 *   text: ""
 * }).pipe(Effect.catchTag("InvalidMessage", (error) => Effect.logWarning(error.message)))
 * ```
 */
export class InvalidMessage extends Schema.TaggedError<InvalidMessage>("@effect-cascade/core/InvalidMessage")(
  "InvalidMessage",
  {
    /** The message's own id where it has a usable one, masked where it looks like a phone number. */
    id: Schema.optionalKey(Schema.String),
    problems: Schema.NonEmptyArray(Problem)
  }
) {
  override get message(): string {
    const name = this.id === undefined ? "A message" : `Message ${this.id}`
    const count = this.problems.length === 1 ? "a problem" : `${this.problems.length} problems`
    return `${name} has ${count}:\n${this.problems.map((problem) => `  ${problem.toString()}`).join("\n")}`
  }
}
