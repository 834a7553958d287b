/**
 * The contract of a `Transport` as laws that can be checked, for those who write one.
 *
 * Each law is an effect that makes the transport, sends through it, and fails with {@link LawBroken} where the contract
 * is broken. `TransportSuite` declares a test of Vitest for each; this module knows no test runner.
 *
 * The laws know of a transport what its features say. With a ledger of what was received they see a lie, without one
 * they only judge answers; each fault that can be made to happen adds what must be said of it.
 *
 * They run on the `Clock` around them. That should be the live one where requests are real, and where the transport
 * waits.
 *
 * @example
 * ```ts
 * import * as TransportLaws from "@effect-cascade/testing/suites/TransportLaws"
 * import { Effect } from "effect"
 * import { MyTransport } from "../src/MyTransport.ts"
 *
 * const broken = TransportLaws.broken({
 *   make: Effect.map(MyTransport.make({ url: "…", key: "…" }), (transport) => ({ transport, control: undefined }))
 * })
 * ```
 */
import * as Effect from "effect/Effect"
import { answersEach, holdsForAnyBatch, takesAnySize } from "../internal/suites/transport/answering.ts"
import { doubtsWhatIsLost, failsTogether, tellsLaneFaults } from "../internal/suites/transport/failing.ts"
import { keepsSecrets } from "../internal/suites/transport/hiding.ts"
import { isolatesTheBad, judgesAlone, nothingTooLate } from "../internal/suites/transport/judging.ts"
import { servesManyFibers, survivesInterruption } from "../internal/suites/transport/sharing.ts"
import type { TransportSpec } from "../internal/suites/transport/spec.ts"
import { acceptsTruly, deniesTruly, sendsOnce } from "../internal/suites/transport/telling.ts"
import type { Law, LawBroken } from "../internal/suites/transport/trial.ts"

export { phones } from "../internal/suites/transport/spec.ts"
export type {
  Fault,
  Hanging,
  TransportFaults,
  TransportFeatures,
  TransportSpec,
  TransportSubject
} from "../internal/suites/transport/spec.ts"
export { type Law, LawBroken } from "../internal/suites/transport/trial.ts"

export {
  /** `Accepted` only of what was received. */
  acceptsTruly,
  /** One answer for each envelope, in any order. */
  answersEach,
  /** `NotSent` only of what was not received. */
  deniesTruly,
  /** A lost connection leaves doubt. */
  doubtsWhatIsLost,
  /** A `TransportError` is about every envelope of the batch. */
  failsTogether,
  /** All laws in random batches. */
  holdsForAnyBatch,
  /** A bad message harms nobody but itself. */
  isolatesTheBad,
  /** A message is judged by itself. */
  judgesAlone,
  /** No key and no personal data in what is said. */
  keepsSecrets,
  /** Nothing after its deadline. */
  nothingTooLate,
  /** One attempt is one attempt. */
  sendsOnce,
  /** Concurrent calls do not mix. */
  servesManyFibers,
  /** Interruption is prompt and leaves nothing broken. */
  survivesInterruption,
  /** From 1 to `maxBatchSize`. */
  takesAnySize,
  /** A lane at fault is `NotSent` and passes. */
  tellsLaneFaults
}

/** Every law, in the order of the contract. */
export const all: ReadonlyArray<Law> = [
  answersEach,
  takesAnySize,
  deniesTruly,
  acceptsTruly,
  sendsOnce,
  nothingTooLate,
  failsTogether,
  tellsLaneFaults,
  doubtsWhatIsLost,
  isolatesTheBad,
  judgesAlone,
  servesManyFibers,
  survivesInterruption,
  keepsSecrets,
  holdsForAnyBatch
]

/** Checks every law that applies, one after another, and gives those that are broken. */
export const broken = <Control, E>(
  spec: TransportSpec<Control, E>
): Effect.Effect<ReadonlyArray<LawBroken>, E> =>
  Effect.map(
    Effect.forEach(
      all.filter((law) => law.appliesTo(spec.features ?? {})),
      (law) =>
        Effect.scoped(law.check(spec)).pipe(
          Effect.as([]),
          Effect.catchIf(isBroken, (error) => Effect.succeed([error]))
        )
    ),
    (found) => found.flat()
  )

const isBroken = (error: unknown): error is LawBroken =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "LawBroken"
