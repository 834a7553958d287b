/**
 * Real time for work on real processes, also where the caller's time is a test's.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/**
 * Runs an effect on the system's clock. Under a test clock nobody would advance the waits of a server's start
 * and stop, and advancing it for another reason would run them out.
 */
export const onLiveClock = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(self, Clock.Clock, liveClock)

const liveClock = Clock.Clock.defaultValue()
