/**
 * When to ask again: a `Schedule`, replayed from the number of checks that is stored with the message.
 *
 * Because the delay follows from that number alone, the checks of a message survive a restart and may move from one
 * process to another.
 */
import type { DeliveryStatus } from "@effect-cascade/core/DeliveryStatus"
import type { StatusReason } from "@effect-cascade/core/StatusLookup"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"

/** What a schedule is told about a check that did not find an end. */
export interface Checked {
  /** Its number, from 1. */
  readonly check: number
  /** What the provider said, if it answered. */
  readonly status: DeliveryStatus | undefined
  /** Why it told nothing, if it did not answer. */
  readonly reason: StatusReason | undefined
}

/** A schedule of checks: the delay after each that did not find an end. */
export type CheckSchedule = Schedule.Schedule<unknown, Checked>

/** About 7, 11, 17, 25, … seconds, half as much again each time, up to half an hour; without an end. */
export const defaultSchedule: CheckSchedule = Schedule.jittered(
  Schedule.min([Schedule.exponential("7500 millis", 1.5), Schedule.spaced("30 minutes")])
)

/** The delay after `checked`, or `undefined` when it is not to be asked about again. */
export const delayAfter = Effect.fnUntraced(function* (
  schedule: CheckSchedule,
  checked: Checked
): Effect.fn.Return<Duration.Duration | undefined> {
  const step = yield* Schedule.toStep(schedule)
  let elapsed = 0
  let delay: Duration.Duration | undefined
  for (let check = 1; check <= checked.check; check++) {
    const next = yield* Pull.catchDone(step(elapsed, { ...checked, check }), () => Effect.undefined)
    // A delay without an end is one more way to say: not again.
    if (next === undefined || !Duration.isFinite(next[1])) return undefined
    delay = next[1]
    elapsed += Duration.toMillis(delay)
  }
  return delay
})
