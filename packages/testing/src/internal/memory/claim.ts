/**
 * Leases due rows of several lanes to one relay, the longest due of each lane first.
 *
 * A row whose lease has run out is due again by that alone, and what is known of its last attempt is recorded.
 */
import * as Reason from "@effect-cascade/core/TransportReason"
import type { ClaimedRow } from "@effect-cascade/outbox/OutboxRow"
import type { LaneCapacity } from "@effect-cascade/outbox/OutboxStore"
import type { State, WorkRow } from "./state.ts"

export const claim = (
  state: State,
  capacities: ReadonlyArray<LaneCapacity>,
  options: { readonly leaseMillis: number; readonly relay: string; readonly now: number }
): ReadonlyArray<ClaimedRow> => {
  const { leaseMillis, now, relay } = options
  const limits = new Map<string, number>()
  // A lane that is named twice is a lane all the same, and no row is given twice.
  for (const { lane, limit } of capacities) limits.set(lane, Math.max(limit, limits.get(lane) ?? 0))
  const due = Array.from(limits, ([lane, limit]) => state.index.take(lane, limit, now)).flat()
  return due
    .sort((a, b) => a.dueAt - b.dueAt)
    .map((work) => {
      const lapsed = work.leaseUntil !== undefined
      if (lapsed) {
        work.message.outcomes.push({
          lease: work.lease,
          kind: "lapsed",
          attempt: work.attempts,
          reason: lapse,
          providerMessageId: undefined,
          relay,
          at: now
        })
      }
      work.lease++
      work.started++
      work.leaseUntil = now + leaseMillis
      state.index.place(work)
      return claimedRow(work, lapsed, now)
    })
}

const lapse = new Reason.CutShort({ by: "lease" })

/** What is told of a row that was taken at `now`. */
export const claimedRow = (work: WorkRow, lapsed: boolean, now: number): ClaimedRow => {
  const { createdAt, deadline, row } = work.message
  return {
    id: row.id,
    lane: row.lane,
    lease: work.lease,
    attempts: work.attempts,
    lapses: work.started - work.finished - 1,
    lapsed,
    account: row.account,
    trackingId: row.trackingId,
    messageType: row.messageType,
    uncertainty: row.uncertainty,
    payload: row.payload,
    ageMillis: now - createdAt,
    remainingMillis: deadline === undefined ? null : deadline - now,
    traceparent: row.traceparent ?? null
  }
}
