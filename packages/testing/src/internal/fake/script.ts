/**
 * What a test has told the fake provider to do.
 */
import type { Envelope } from "@effect-cascade/core/Envelope"
import { type Compared, compile, type Matcher } from "./match.ts"
import { AssertionFailed } from "./AssertionFailed.ts"
import { type Outcome, problemOf } from "./outcome.ts"

/** What is to become of messages. */
export interface Script {
  /** Adds what becomes of the next calls, one outcome each. */
  readonly nextCalls: (outcomes: ReadonlyArray<Outcome>) => void
  /** Adds what becomes of the messages that match, one outcome for each attempt at a message; the last one stays. */
  readonly when: (matcher: Matcher, outcomes: readonly [Outcome, ...Array<Outcome>]) => void
  /** What becomes of each message of a call; `undefined` for one of which nothing was said. */
  readonly decide: (call: ReadonlyArray<Compared>) => ReadonlyArray<Outcome | undefined>
  readonly clear: () => void
}

interface Rule {
  readonly differencesOf: (compared: Compared) => ReadonlyArray<string>
  readonly outcomes: readonly [Outcome, ...Array<Outcome>]
  /** How often it was applied to a tracking id. */
  readonly applied: Map<Envelope["trackingId"], number>
}

/** An empty script. Where nothing else is said, `otherwise` happens. */
export const make = (otherwise: Outcome | undefined): Script => {
  if (otherwise !== undefined) checked([otherwise])
  const calls: Array<Outcome> = []
  const rules: Array<Rule> = []

  const byRule = (compared: Compared): Outcome | undefined => {
    // The latest word counts, so that a test can say more exactly what a shared set-up said in general.
    const rule = rules.findLast(({ differencesOf }) => differencesOf(compared).length === 0)
    if (rule === undefined) return undefined
    const { trackingId } = compared.envelope
    const times = rule.applied.get(trackingId) ?? 0
    rule.applied.set(trackingId, times + 1)
    return rule.outcomes[times] ?? rule.outcomes.at(-1)
  }

  return {
    nextCalls: (outcomes) => void calls.push(...checked(outcomes)),
    when: (matcher, outcomes) => {
      checked(outcomes)
      rules.push({ differencesOf: compile(matcher), outcomes, applied: new Map() })
    },
    decide: (call) => {
      const whole = calls.shift()
      return call.map((compared) => whole ?? byRule(compared) ?? otherwise)
    },
    clear: () => {
      calls.length = 0
      rules.length = 0
    }
  }
}

/** The outcomes, if each of them is one. Found where it is written, and not in the middle of a send. */
const checked = (outcomes: ReadonlyArray<Outcome>): ReadonlyArray<Outcome> => {
  if (outcomes.length === 0) throw new AssertionFailed({ details: "a script of no outcomes says nothing" })
  outcomes.forEach((outcome, index) => {
    const problem = problemOf(outcome)
    if (problem !== undefined) {
      throw new AssertionFailed({ details: `outcome ${index + 1} of a script ${problem}` })
    }
  })
  return outcomes
}
