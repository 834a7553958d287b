/**
 * Lanes that are paused or on probation. A lane that is simply open is not here.
 */
import type { LanePause, LaneRow } from "@effect-cascade/outbox/OutboxStore"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import type { HeldLane, State } from "./state.ts"

/** Every lane that is not simply open, by name. */
export const read = (state: State): ReadonlyArray<LaneRow> =>
  Array.from(state.lanes, ([lane, held]) => {
    const until = heldUntil(held)
    return {
      lane,
      reason: held.reason,
      pausedUntil: until === undefined ? undefined : DateTime.makeUnsafe(until),
      trips: held.trips
    }
  }).sort((a, b) => (a.lane < b.lane ? -1 : 1))

/** Until when a lane is paused or one relay may try it; none without an end. */
export const heldUntil = ({ pausedUntil, probeUntil }: HeldLane): number | undefined =>
  pausedUntil === undefined ? undefined : Math.max(pausedUntil, probeUntil ?? pausedUntil)

/**
 * A pause without an end outlasts one with an end; of two ends the later one stays, and with it its reason. A probe
 * that failed is over.
 */
export const pause = (state: State, { duration, lanes, reason, trips }: LanePause, now: number): void => {
  const pausedUntil =
    duration === undefined || !Duration.isFinite(duration) ? undefined : now + Duration.toMillis(duration)
  for (const lane of lanes) {
    const known = state.lanes.get(lane)
    const paused = { pausedUntil, probeUntil: undefined, reason, trips }
    if (known === undefined) {
      state.lanes.set(lane, paused)
      continue
    }
    const outlasts =
      known.pausedUntil === undefined || (pausedUntil !== undefined && known.pausedUntil > pausedUntil)
    const longer = outlasts ? known : paused
    state.lanes.set(lane, {
      ...paused,
      pausedUntil: longer.pausedUntil,
      reason: longer.reason,
      trips: Math.max(known.trips, trips)
    })
  }
}

/** Takes the right to try a lane whose pause is over; `true` for the one who gets it. */
export const probe = (state: State, lane: string, windowMillis: number, now: number): boolean => {
  const held = state.lanes.get(lane)
  const until = held === undefined ? undefined : heldUntil(held)
  if (held === undefined || until === undefined || until > now) return false
  held.probeUntil = now + windowMillis
  return true
}

/** Opens lanes that a relay paused, and those whose pause is over; answers with those that were opened. */
export const reopen = (state: State, lanes: ReadonlyArray<string>, now: number): ReadonlyArray<string> =>
  lanes.filter((lane) => {
    const held = state.lanes.get(lane)
    const opens = held?.pausedUntil !== undefined && (held.reason !== undefined || held.pausedUntil <= now)
    return opens && state.lanes.delete(lane)
  })

/** Opens lanes, whoever paused them. */
export const resume = (state: State, lanes: ReadonlyArray<string>): void => {
  for (const lane of lanes) state.lanes.delete(lane)
}
