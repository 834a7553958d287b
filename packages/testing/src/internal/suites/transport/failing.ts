/**
 * Laws of failure: which certainty a fault leaves, and when a batch may fail as a whole.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as checks from "./checks.ts"
import { good, type Kind } from "./samples.ts"
import { law, type Observation, type Trial } from "./trial.ts"

/** @see Law.title */
export const failsTogether = law(
  "it fails as a whole only where the same is true of every envelope",
  () => true,
  Effect.fnUntraced(function* ({ faults, features, fitting, note, sendNew, transport }: Trial) {
    // Two that have different fates do not fit into batches of one.
    if (transport.maxBatchSize < 2) return
    const mixed: ReadonlyArray<NonEmptyReadonlyArray<Kind>> = [
      ["good", "expired"],
      ["good", "good", "good", "expired", "good", "good"],
      ...(features.rejects === undefined
        ? []
        : ([
            ["rejected", "good"],
            ["expired", "rejected"]
          ] as const))
    ]
    for (const kinds of mixed) {
      note(kinds.join(", "), together(yield* sendNew(fitting(kinds))))
    }
    for (const [name, begin] of faults.all) {
      yield* begin
      note(`good, expired; ${name}`, together(yield* sendNew(["good", "expired"])))
      yield* faults.restored
    }
  })
)

const together = ({ batch, exit, verdict }: Observation): ReadonlyArray<string> => {
  const said = verdict(batch[0].id)
  // Where the batch had to be cut short, what is left may be of one kind.
  const isOfOneKind = batch.every(({ kind }) => kind === batch[0].kind)
  return Exit.isSuccess(exit) || said === undefined || isOfOneKind
    ? []
    : [`it failed as a whole (${checks.describe(said)}), though not every envelope shares that`]
}

/** @see Law.title */
export const tellsLaneFaults = law(
  "it says NotSent where the lane is at fault, by that reason, and sends again when it is over",
  ({ faults }) =>
    faults !== undefined &&
    (["throttled", "unreachable", "unauthorized"] as const).some((name) => faults[name] !== undefined),
  Effect.fnUntraced(function* ({ faults, features, fitting, note, received, sendNew }: Trial) {
    for (const { begin, reason } of faults.lane) {
      for (const size of [1, 5]) {
        yield* begin
        const observation = yield* sendNew(fitting(good(size)))
        const ledger = yield* received
        note(reason, [
          ...checks.answered(observation),
          ...checks.every(observation, `NotSent ${reason}`, (verdict) => checks.isReason(verdict, reason)),
          ...(ledger === undefined ? [] : checks.deniesTruly(observation, ledger))
        ])
        yield* faults.restored
      }
      const after = yield* sendNew(fitting(good(2)))
      if (features.accepts !== false) note(`after ${reason}`, checks.goodAreAccepted(after))
    }
  })
)

/** @see Law.title */
export const doubtsWhatIsLost = law(
  "it says Unknown where the connection was lost after the request, and sends again when it is over",
  ({ faults }) => faults?.lost !== undefined,
  Effect.fnUntraced(function* ({ faults, features, fitting, note, sendNew }: Trial) {
    for (const size of [1, 5]) {
      yield* faults.lost ?? Effect.void
      const observation = yield* sendNew(fitting(good(size)))
      note("", [
        ...checks.answered(observation),
        ...checks.every(observation, "Unknown", ({ certainty }) => certainty === "Unknown")
      ])
      yield* faults.restored
    }
    const after = yield* sendNew(fitting(good(2)))
    if (features.accepts !== false) note("afterwards", checks.goodAreAccepted(after))
  })
)
