/**
 * Ends messages whose deadline has passed while they waited, whatever their lane.
 *
 * What somebody holds, or held when its lease ran out, stays for a claim.
 */
import type { ClaimedRow } from "@effect-cascade/outbox/OutboxRow"
import { claimedRow } from "./claim.ts"
import type { Deadline, State } from "./state.ts"

export const expire = (
  state: State,
  { limit, now, relay }: { readonly limit: number; readonly relay: string; readonly now: number }
): ReadonlyArray<ClaimedRow> => {
  const ended: Array<ClaimedRow> = []
  const kept: Array<Deadline> = []
  let next = first(state)
  while (next !== undefined && next.at <= now && ended.length < limit) {
    state.deadlines.pop()
    const { work } = next.message
    if (work === undefined || work.leaseUntil !== undefined) {
      kept.push(next)
    } else {
      work.lease++
      next.message.outcomes.push({
        lease: work.lease,
        kind: "expired",
        attempt: work.attempts,
        reason: undefined,
        providerMessageId: undefined,
        relay,
        at: now
      })
      next.message.work = undefined
      state.index.remove(work)
      ended.push({ ...claimedRow(work, false, now), lapses: work.started - work.finished })
    }
    next = first(state)
  }
  for (const deadline of kept) if (deadline.message.work !== undefined) state.deadlines.push(deadline)
  return ended
}

/** The first deadline of a message that has not ended. */
const first = ({ deadlines }: State): Deadline | undefined => {
  let next = deadlines.peek()
  while (next !== undefined && next.message.work === undefined) {
    deadlines.pop()
    next = deadlines.peek()
  }
  return next
}

/** The first deadline that is still ahead. */
export const nextDeadline = (state: State, now: number): number | undefined => {
  const at = first(state)?.at
  return at !== undefined && at > now ? at : undefined
}
