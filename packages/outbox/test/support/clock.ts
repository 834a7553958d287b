import { Clock, Duration, Effect } from "effect"

/** A clock of the caller's own, over the one there is. */
export interface SetClock {
  /** How far its time of day is ahead of the machine's. */
  ahead: Duration.Duration
  /** Where its monotonic time stands; it runs on as the machine's unless it is set. */
  monotonicNanos: bigint | undefined
}

/**
 * Runs an effect on a clock that a test sets, as a person or NTP sets that of a machine: the time of day jumps, sleeps and the
 * monotonic time do not. The database knows nothing of it.
 */
export const onSetClock = <A, E, R>(
  body: (set: SetClock) => Effect.Effect<A, E, R>,
  ahead: Duration.Input = "0 seconds"
): Effect.Effect<A, E, R> =>
  Effect.flatMap(Clock.Clock, (own) => {
    const set: SetClock = { ahead: Duration.fromInputUnsafe(ahead), monotonicNanos: undefined }
    const clock: Clock.Clock = {
      currentTimeMillisUnsafe: () => own.currentTimeMillisUnsafe() + Duration.toMillis(set.ahead),
      currentTimeMillis: Effect.sync(() => clock.currentTimeMillisUnsafe()),
      currentTimeNanosUnsafe: () =>
        own.currentTimeNanosUnsafe() + BigInt(Math.round(Duration.toMillis(set.ahead))) * 1_000_000n,
      currentTimeNanos: Effect.sync(() => clock.currentTimeNanosUnsafe()),
      monotonicTimeNanosUnsafe: () => set.monotonicNanos ?? own.monotonicTimeNanosUnsafe(),
      monotonicTimeNanos: Effect.sync(() => clock.monotonicTimeNanosUnsafe()),
      sleep: (duration) => own.sleep(duration)
    }
    return Effect.provideService(body(set), Clock.Clock, clock)
  })
