/**
 * The lanes that an operator means.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Lane from "../../Lane.ts"
import type { LaneTarget } from "../../OutboxAdmin.ts"
import { InvalidName } from "../../OutboxError.ts"

export const lanesOf = (
  target: LaneTarget
): Effect.Effect<Arr.NonEmptyReadonlyArray<string>, InvalidName> => {
  if ("account" in target) {
    const lanes = Lane.ofAccount(target.account)
    return isAccount(target.account) && Arr.isReadonlyArrayNonEmpty(lanes)
      ? Effect.succeed(lanes)
      : refuse("account", "1 to 100 characters of A-Z a-z 0-9 . _ : -")
  }
  return isAccount(Lane.accountOf(target.lane)) && Lane.priorityOf(target.lane) !== undefined
    ? Effect.succeed([target.lane])
    : refuse("lane", `an account, / and one of ${Lane.priorities.join(", ")}`)
}

const refuse = (what: string, rule: string) => Effect.fail(new InvalidName({ what, rule }))

const isAccount = Schema.is(Lane.Account)
