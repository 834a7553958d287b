/**
 * The error of a webhook that does not say what it has to.
 */
import * as Schema from "effect/Schema"
import { Problem } from "../../InvalidMessage.ts"
import { kindOf } from "../unknown.ts"

/** A body that is not that of a webhook, with every problem in it. It repeats nothing of the body. */
export class InvalidWebhook extends Schema.TaggedError<InvalidWebhook>("@effect-cascade/core/InvalidWebhook")(
  "InvalidWebhook",
  { problems: Schema.Array(Problem) }
) {
  override get message(): string {
    return `not a webhook of the provider's: ${this.problems.join("; ")}`
  }
}

/** A field that breaks its rule. Of the value that came only the kind is told. */
export const problem = (path: string, rule: string, value: unknown): Problem =>
  new Problem({ path, rule, received: sizedKindOf(value) })

const sizedKindOf = (value: unknown): string => {
  if (value === "") return "an empty string"
  return typeof value === "string" ? `a string of ${value.length} characters` : kindOf(value)
}
