/**
 * Rows of one lane and one uncertainty policy that travel together: what one call of the transport takes, and what
 * one unknown outcome casts doubt on. What relays have died with travels apart from the rest.
 */
import * as Lane from "../../Lane.ts"
import type { ClaimedRow } from "../../OutboxRow.ts"

export interface Batch {
  readonly lane: string
  readonly account: string
  readonly rows: ReadonlyArray<ClaimedRow>
  /** When its claim began, on the monotonic clock, in nanoseconds: from then on what the claim told of times counts. */
  readonly claimedAt: bigint
  /** When its leases run out, on the monotonic clock, in nanoseconds. Moved by the heartbeat. */
  leaseEnd: bigint
}

/** Groups rows into batches, in the order in which they came. `size` is the most that one batch of a lane takes. */
export const group = (
  rows: ReadonlyArray<ClaimedRow>,
  options: {
    readonly size: (lane: string) => number
    readonly claimedAt: bigint
    readonly leaseEnd: bigint
  }
): ReadonlyArray<Batch> => {
  const open = new Map<string, Array<ClaimedRow>>()
  const batches: Array<Batch> = []
  for (const row of rows) {
    // What was under way when a process died may be why it did; what was not must not share its fate.
    const key = `${row.lane} ${row.uncertainty} ${row.lapses > 0 ? "suspect" : "fresh"}`
    let current = open.get(key)
    if (current === undefined || current.length >= options.size(row.lane)) {
      current = []
      open.set(key, current)
      batches.push({
        lane: row.lane,
        account: Lane.accountOf(row.lane),
        rows: current,
        claimedAt: options.claimedAt,
        leaseEnd: options.leaseEnd
      })
    }
    current.push(row)
  }
  return batches
}
