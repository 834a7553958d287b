/**
 * Laws of the truth: what a transport says, held against what the other side has received.
 */
import * as Effect from "effect/Effect"
import * as checks from "./checks.ts"
import { good, type Kind } from "./samples.ts"
import type { TransportFeatures } from "./spec.ts"
import { law, type Observation, type Received, type Trial } from "./trial.ts"

const isSeen = (features: TransportFeatures<never>): boolean => features.received !== undefined

/** Sends in all circumstances that there are, and checks at the end, when what was late has been received too. */
const inEveryCase = (check: (observation: Observation, received: Received) => ReadonlyArray<string>) =>
  Effect.fnUntraced(function* ({ faults, features, fitting, note, received, sendNew }: Trial) {
    const seen: Array<readonly [where: string, observation: Observation]> = []
    for (const size of [1, 5]) seen.push(["no fault", yield* sendNew(fitting(good(size)))])
    const others: ReadonlyArray<Kind> = features.rejects === undefined ? [] : ["rejected", "good", "rejected"]
    seen.push(["a mixed batch", yield* sendNew(fitting(["good", "expired", "good", ...others]))])
    for (const [name, begin] of faults.all) {
      for (const size of [1, 5]) {
        yield* begin
        seen.push([name, yield* sendNew(fitting(good(size)))])
        yield* faults.restored
      }
    }
    const ledger = (yield* received) ?? new Map<string, number>()
    for (const [where, observation] of seen) note(where, check(observation, ledger))
  })

/** @see Law.title */
export const deniesTruly = law(
  "it never says NotSent of what was received",
  isSeen,
  inEveryCase(checks.deniesTruly)
)

/** @see Law.title */
export const acceptsTruly = law(
  "it never says Accepted of what was not received",
  isSeen,
  inEveryCase(checks.acceptsTruly)
)

/** @see Law.title */
export const sendsOnce = law(
  "it never sends again by itself what may have been sent",
  isSeen,
  inEveryCase(checks.receivedOnce)
)
