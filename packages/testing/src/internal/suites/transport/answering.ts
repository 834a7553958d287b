/**
 * Laws of the answers: one for each envelope, at every size, whatever goes wrong.
 */
import * as Effect from "effect/Effect"
import * as dice from "../../emulator/dice.ts"
import * as checks from "./checks.ts"
import { good, type Kind } from "./samples.ts"
import { law, type Trial } from "./trial.ts"

/** @see Law.title */
export const answersEach = law(
  "it answers once for every envelope, by its tracking id, and for no other",
  () => true,
  Effect.fnUntraced(function* ({ faults, features, fitting, note, sendNew }: Trial) {
    for (const size of [1, 2, 5, 20]) {
      note(`a batch of ${size}`, checks.answered(yield* sendNew(fitting(good(size)))))
    }
    const mixed: ReadonlyArray<Kind> = ["expired", "good", ...(features.rejects === undefined ? [] : refused)]
    note("a mixed batch", checks.answered(yield* sendNew(fitting(["good", ...mixed]))))
    for (const [name, begin] of faults.all) {
      for (const kinds of [good(1), good(5), ["good", "expired", "good"] as const]) {
        yield* begin
        note(name, checks.answered(yield* sendNew(fitting(kinds))))
        yield* faults.restored
      }
    }
  })
)

const refused: ReadonlyArray<Kind> = ["rejected", "good"]

/** @see Law.title */
export const takesAnySize = law(
  "it takes a batch of 1 and one of maxBatchSize, of every type and route",
  () => true,
  Effect.fnUntraced(function* ({ features, note, sendNew, transport }: Trial) {
    const { maxBatchSize, name } = transport
    if (!Number.isInteger(maxBatchSize) || maxBatchSize < 1) {
      return note("", [`its maxBatchSize is ${maxBatchSize}, expected a whole number of 1 or more`])
    }
    if (name === "") note("", ["its name is empty"])
    const largest = Math.min(maxBatchSize, features.largestBatch ?? defaultLargest)
    // As many of 1 as there are types and routes.
    for (const size of [...Array.from({ length: 8 }, () => 1), largest]) {
      const observation = yield* sendNew(good(size))
      note(`a batch of ${size}`, checks.answered(observation))
      if (features.accepts !== false) note(`a batch of ${size}`, checks.goodAreAccepted(observation))
    }
  })
)

const defaultLargest = 1000

/** @see Law.title */
export const holdsForAnyBatch = law(
  "it keeps to all of this in any batch, whatever goes wrong",
  () => true,
  Effect.fnUntraced(function* ({ faults, features, fitting, note, received, sendNew }: Trial) {
    const chance = dice.make("any batch")
    const pick = <A>(values: ReadonlyArray<A>): A | undefined =>
      values[Math.floor(chance.next() * values.length)]
    const allKinds: ReadonlyArray<Kind> = [
      "good",
      "expired",
      ...(features.rejects === undefined ? [] : (["rejected"] as const))
    ]
    for (let run = 0; run < 40; run++) {
      const [name, begin] = pick([["no fault", Effect.void] as const, ...faults.all]) ?? ["", Effect.void]
      const kinds = pick([["good"] as const, allKinds]) ?? allKinds
      const others = Array.from({ length: Math.floor(chance.next() * 12) }, () => pick(kinds) ?? "good")
      yield* begin
      const observation = yield* sendNew(fitting([pick(kinds) ?? "good", ...others]))
      yield* faults.restored
      const ledger = yield* received
      note(`${name}, random batch ${run}`, [
        ...checks.answered(observation),
        ...checks.lateAreExpired(observation),
        ...(ledger === undefined
          ? []
          : [
              ...checks.deniesTruly(observation, ledger),
              ...checks.acceptsTruly(observation, ledger),
              ...checks.receivedOnce(observation, ledger),
              ...checks.lateNotReceived(observation, ledger)
            ]),
        ...(name !== "no fault"
          ? []
          : [
              ...checks.badAreRefused(observation),
              ...(features.accepts === false ? [] : checks.goodAreAccepted(observation))
            ])
      ])
    }
  })
)
