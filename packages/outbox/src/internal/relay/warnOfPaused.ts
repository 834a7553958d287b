/**
 * What a relay logs of the lanes that it finds paused when it starts: who wonders why nothing is sent shall not have to
 * look for it.
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type { LaneRow } from "../../OutboxStore.ts"

/** The most lanes that are named. An obstacle of one account pauses four. */
const namedLanes = 20

/** Warns of paused lanes, in one line. */
export const warnOfPaused = (relay: string, paused: ReadonlyArray<LaneRow>): Effect.Effect<void> => {
  if (paused.length === 0) return Effect.void
  const named = paused.slice(0, namedLanes).map(describe)
  const more = paused.length > namedLanes ? [`and ${paused.length - namedLanes} more`] : []
  return Effect.logWarning(
    "outbox: lanes are paused, their messages wait; OutboxAdmin.resume opens them"
  ).pipe(Effect.annotateLogs({ relay, lanes: [...named, ...more].join(", ") }))
}

const describe = ({ lane, pausedUntil, reason }: LaneRow): string => {
  const until = pausedUntil === undefined ? "" : ` until ${DateTime.formatIso(pausedUntil)}`
  return `${lane}${until} (${reason === undefined ? "by an operator" : reason._tag})`
}
