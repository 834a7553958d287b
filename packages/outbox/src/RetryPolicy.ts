/**
 * When to try again: an Effect `Schedule`, replayed from the number of attempts that is stored with the row.
 *
 * Because the delay follows from that number alone, retries survive a restart and may move from one process to
 * another. The end of the schedule means: no more attempts.
 */
import type { TransportReason } from "@effect-cascade/core/TransportReason"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"

/** What a schedule is told about the attempt that failed. */
export interface FailedAttempt {
  /** Its number, from 1. */
  readonly attempt: number
  /** Why it failed. */
  readonly reason: TransportReason
}

/** A schedule of retries. */
export type RetrySchedule = Schedule.Schedule<unknown, FailedAttempt>

/** Draws each delay anew from zero to its full length, so that what failed together does not come back together. */
export const fullJitter = <Output, Input>(
  schedule: Schedule.Schedule<Output, Input>
): Schedule.Schedule<Output, Input> =>
  Schedule.modifyDelay(schedule, ({ duration }) =>
    Effect.map(Random.next, (fraction) => Duration.millis(Duration.toMillis(duration) * fraction))
  )

/** 10 attempts: 1 second, doubled each time up to 15 minutes, with full jitter. */
export const defaultSchedule: RetrySchedule = fullJitter(
  Schedule.min([Schedule.exponential("1 second", 2), Schedule.spaced("15 minutes")]).pipe(
    Schedule.upTo({ times: 9 })
  )
)

/** The delay after `failed`, or `undefined` when there is to be no other attempt. */
export const delayAfter = Effect.fnUntraced(function* (
  schedule: RetrySchedule,
  failed: FailedAttempt
): Effect.fn.Return<Duration.Duration | undefined> {
  const step = yield* Schedule.toStep(schedule)
  let elapsed = 0
  let delay: Duration.Duration | undefined
  for (let attempt = 1; attempt <= failed.attempt; attempt++) {
    const next = yield* Pull.catchDone(step(elapsed, { ...failed, attempt }), () => Effect.undefined)
    // A delay without an end is one more way to say: no more attempts.
    if (next === undefined || !Duration.isFinite(next[1])) return undefined
    delay = next[1]
    elapsed += Duration.toMillis(delay)
  }
  return delay
})
