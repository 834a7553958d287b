/**
 * From which due time on the claims of one store look: not from the beginning of a lane each time, where everything that was
 * settled stands in the index until vacuum may remove it, which it may not while somebody holds an old snapshot.
 *
 * A claim goes on a little before the newest row that the lane gave. What is due from before that (given back, run out, or
 * committed late) is found by a full look, once a second.
 */
import type { LaneCapacity } from "../OutboxStore.ts"

export interface ClaimFloors {
  /** For each lane, the instant to begin at, in seconds since 1970; minus infinity for a full look. */
  readonly from: (lanes: ReadonlyArray<LaneCapacity>, monotonicNanos: bigint) => ReadonlyArray<number>
  /** What a claim gave. */
  readonly gave: (
    lanes: ReadonlyArray<LaneCapacity>,
    from: ReadonlyArray<number>,
    rows: ReadonlyArray<{ readonly lane: string; readonly dueSeconds: number }>,
    monotonicNanos: bigint
  ) => void
}

/** By how much rows may fall due in another order than they are committed in, without waiting for a full look. */
const overlapSeconds = 2

const fullLookNanos = 1_000_000_000n

export const fullLook = -Infinity

export const make = (): ClaimFloors => {
  const lanes = new Map<string, { floor: number; lookedAt: bigint }>()
  return {
    from: (asked, now) =>
      asked.map(({ lane }) => {
        const known = lanes.get(lane)
        return known === undefined || now - known.lookedAt >= fullLookNanos ? fullLook : known.floor
      }),
    gave: (asked, from, rows, now) => {
      const newest = new Map<string, number>()
      for (const { dueSeconds, lane } of rows) {
        if (Number.isFinite(dueSeconds)) newest.set(lane, Math.max(newest.get(lane) ?? fullLook, dueSeconds))
      }
      asked.forEach(({ lane }, index) => {
        const floor = (newest.get(lane) ?? fullLook) - overlapSeconds
        const known = lanes.get(lane)
        const wasFull = from[index] === fullLook
        if (known === undefined) lanes.set(lane, { floor, lookedAt: now })
        // A full look begins anew: the database's clock may have been set back.
        else if (wasFull)
          lanes.set(lane, { floor: Number.isFinite(floor) ? floor : known.floor, lookedAt: now })
        else known.floor = Math.max(known.floor, floor)
      })
    }
  }
}
