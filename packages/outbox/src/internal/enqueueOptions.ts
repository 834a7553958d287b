/**
 * The rules of the options of an enqueue, for programs whose options come from where no type holds.
 *
 * Checked once for all the messages that are enqueued together. The rest (headers, instants) is checked where it is used.
 */
import * as Envelope from "@effect-cascade/core/Envelope"
import { InvalidMessage, Problem } from "@effect-cascade/core/InvalidMessage"
import { isReadonlyArrayNonEmpty } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import * as Lane from "../Lane.ts"
import type { EnqueueOptions } from "../Outbox.ts"
import { InvalidName } from "../OutboxError.ts"
import * as Uncertainty from "../Uncertainty.ts"
import { strayOption } from "./strayOption.ts"

/** Fails for a name that is no option, and for a value that its option does not have. */
export const checkOptions = Effect.fnUntraced(function* (
  options: EnqueueOptions | undefined
): Effect.fn.Return<void, InvalidName | InvalidMessage> {
  if (options === undefined) return
  if (options.account !== undefined && !isAccount(options.account)) {
    return yield* new InvalidName({ what: "account", rule: "1 to 100 characters of A-Z a-z 0-9 . _ : -" })
  }
  if (options.priority !== undefined && !Lane.priorities.includes(options.priority)) {
    return yield* new InvalidName({ what: "priority", rule: `one of ${Lane.priorities.join(", ")}` })
  }
  const problems = Struct.keys(choices).flatMap((name) => {
    const value: unknown = options[name]
    const allowed: ReadonlyArray<unknown> = choices[name]
    return value === undefined || allowed.includes(value)
      ? []
      : problem(`options.${name}`, `one of ${allowed.join(", ")}`, kindOf(value))
  })
  const stray = strayOption(options, names)
  if (stray !== undefined) problems.push(problem("options", `only ${names.join(", ")}`, stray))
  if (isReadonlyArrayNonEmpty(problems)) return yield* new InvalidMessage({ problems })
})

const isAccount = Schema.is(Lane.Account)

const choices = {
  route: Envelope.Route.literals,
  schedule: Envelope.ScheduleHolder.literals,
  uncertainty: Uncertainty.Uncertainty.literals
} as const

const names = Struct.keys({
  route: true,
  account: true,
  priority: true,
  availableAt: true,
  schedule: true,
  uncertainty: true,
  headers: true
} satisfies Record<keyof EnqueueOptions, true>)

const problem = (path: string, rule: string, received: string): Problem =>
  new Problem({ path, rule, received })

/** Never the value itself, which may be anything. */
const kindOf = (value: unknown): string => (value === null ? "null" : `a value of type ${typeof value}`)
