/**
 * Rows of one lane and one uncertainty policy that travel together: what one call of the transport takes, and what
 * one unknown outcome casts doubt on.
 */
import type * as Envelope from "@effect-cascade/core/Envelope"
import type * as DateTime from "effect/DateTime"
import type * as Result from "effect/Result"
import * as Lane from "../../Lane.ts"
import type { ClaimedRow } from "../../OutboxRow.ts"
import { toEnvelope, type Unreadable } from "../../OutboxRow.ts"

/** A claimed row, read. */
export interface LeasedRow {
  readonly row: ClaimedRow
  readonly envelope: Result.Result<Envelope.Envelope, Unreadable>
}

export interface Batch {
  readonly lane: string
  readonly account: string
  readonly rows: ReadonlyArray<LeasedRow>
  /** When its leases run out, on the monotonic clock, in nanoseconds. Moved by the heartbeat. */
  leaseEnd: bigint
}

/** Groups rows into batches, in the order in which they came. `size` is the most that one batch of a lane takes. */
export const group = (
  rows: ReadonlyArray<ClaimedRow>,
  options: {
    readonly size: (lane: string) => number
    readonly now: DateTime.Utc
    readonly leaseEnd: bigint
  }
): ReadonlyArray<Batch> => {
  const open = new Map<string, Array<LeasedRow>>()
  const batches: Array<Batch> = []
  for (const row of rows) {
    const key = `${row.lane} ${row.uncertainty}`
    let current = open.get(key)
    if (current === undefined || current.length >= options.size(row.lane)) {
      current = []
      open.set(key, current)
      batches.push({
        lane: row.lane,
        account: Lane.accountOf(row.lane),
        rows: current,
        leaseEnd: options.leaseEnd
      })
    }
    current.push({ row, envelope: toEnvelope(row, options.now) })
  }
  return batches
}
