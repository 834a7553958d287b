/**
 * Laws of the single message: its deadline, its faults, and that neither is the matter of its neighbours.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as checks from "./checks.ts"
import { good, type Kind } from "./samples.ts"
import type { TransportFeatures } from "./spec.ts"
import { law, type Observation, type Trial } from "./trial.ts"

/** @see Law.title */
export const nothingTooLate = law(
  "it does not send an envelope after its deadline: NotSent, Expired",
  () => true,
  Effect.fnUntraced(function* ({ faults, features, fitting, note, received, sendNew }: Trial) {
    const late: ReadonlyArray<NonEmptyReadonlyArray<Kind>> = [
      ["expired"],
      ["expired", "expired", "expired"],
      ["good", "expired", "good", "expired"]
    ]
    const seen: Array<readonly [where: string, observation: Observation]> = []
    for (const kinds of late) {
      const observation = yield* sendNew(fitting(kinds))
      seen.push(["no fault", observation])
      if (features.accepts !== false) note("no fault", checks.goodAreAccepted(observation))
    }
    for (const [name, begin] of faults.all) {
      yield* begin
      seen.push([name, yield* sendNew(fitting(["expired", "good"]))])
      yield* faults.restored
    }
    const ledger = yield* received
    for (const [where, observation] of seen) {
      note(where, [
        ...checks.answered(observation),
        ...checks.lateAreExpired(observation),
        ...(ledger === undefined ? [] : checks.lateNotReceived(observation, ledger))
      ])
    }
  })
)

const canReject = ({ accepts, rejects }: TransportFeatures<never>): boolean =>
  rejects !== undefined && accepts !== false

/** @see Law.title */
export const isolatesTheBad = law(
  "one bad message does not hold up the others",
  canReject,
  Effect.fnUntraced(function* ({ fitting, note, sendNew }: Trial) {
    for (const size of [1, 2, 5, 16]) {
      for (const position of new Set([0, Math.floor(size / 2), size - 1])) {
        const observation = yield* sendNew(fitting(withBad(size, [position])))
        note(`number ${position + 1} of ${size} is bad`, [
          ...checks.answered(observation),
          ...checks.goodAreAccepted(observation),
          ...checks.badAreRefused(observation)
        ])
      }
    }
    const observation = yield* sendNew(fitting(withBad(16, [3, 11])))
    note("two of 16 are bad", [...checks.goodAreAccepted(observation), ...checks.badAreRefused(observation)])
  })
)

/** @see Law.title */
export const judgesAlone = law(
  "what it says of a message for the message's own sake does not depend on its neighbours",
  canReject,
  Effect.fnUntraced(function* ({ fitting, note, sendNew }: Trial) {
    const alone = yield* sendNew(["rejected"])
    const first = alone.verdict(alone.batch[0].id)
    if (first === undefined || !checks.isMessageScope(first) || first.certainty === "Accepted") {
      return note("alone", checks.badAreRefused(alone))
    }
    const { reason } = first
    for (const kinds of [
      withBad(2, [0]),
      withBad(2, [1]),
      withBad(5, [2]),
      withBad(5, [0, 4]),
      withBad(5, [0, 1, 2, 3, 4]),
      [...withBad(3, [1]), "expired"] as const
    ]) {
      const observation = yield* sendNew(fitting(kinds))
      note(
        `among ${kinds.join(", ")}`,
        checks.every(observation, `NotSent as when alone (${reason.message})`, (verdict, { kind }) => {
          if (kind === "good") return !checks.isMessageScope(verdict)
          return (
            kind !== "rejected" || (verdict.certainty !== "Accepted" && Equal.equals(verdict.reason, reason))
          )
        })
      )
    }
  })
)

const withBad = (size: number, bad: ReadonlyArray<number>): NonEmptyReadonlyArray<Kind> => {
  const [first, ...others] = good(size).map((kind, position): Kind =>
    bad.includes(position) ? "rejected" : kind
  )
  return [first ?? "good", ...others]
}
