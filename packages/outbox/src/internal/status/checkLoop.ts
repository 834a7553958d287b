/**
 * Claims checks for as long as it runs: at once while there are more than there was room for, else with every poll.
 */
import * as CauseSummary from "@effect-cascade/core/CauseSummary"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import type { Checker } from "./checker.ts"

/** `room` tells when there is room again. */
export const checkLoop = (
  checker: Checker,
  room: Queue.Dequeue<void>,
  poll: Duration.Duration
): Effect.Effect<never> =>
  Effect.gen(function* () {
    let failures = 0
    while (true) {
      const claimed = yield* claim(checker)
      if (claimed === undefined) {
        // Never faster than this: a database that is away must not be hammered.
        yield* Effect.sleep(Math.min(5_000, 100 * 2 ** Math.min(failures, 10)))
        failures++
        continue
      }
      failures = 0
      const pause = Duration.times(poll, 0.75 + 0.5 * (yield* Random.next))
      yield* Effect.timeoutOption(claimed.more ? Queue.take(room) : Effect.never, pause)
    }
  })

// Also an interruption that comes from within the store. One of this very fiber ends it, and comes by no handler.
const claim = (checker: Checker) =>
  Effect.catchCause(checker.claim, (cause) =>
    Effect.as(
      Effect.logWarning("outbox: claiming status checks failed, trying again", CauseSummary.of(cause)),
      undefined
    )
  )
