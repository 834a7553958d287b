/**
 * Writes what became of leased rows, and moves the end of leases.
 *
 * Guarded by id and lease: a row that another relay has leased since then is left alone and not answered for. The same
 * settle again, when the answer to the first was lost, changes nothing and is answered as the first was.
 */
import type { SettledRow } from "@effect-cascade/outbox/OutboxRow"
import type { HeldLease } from "@effect-cascade/outbox/OutboxStore"
import { heldWork, type State, type WorkRow } from "./state.ts"

interface SettleOptions {
  readonly relay: string
  readonly now: number
}

export const settle = (
  state: State,
  rows: ReadonlyArray<SettledRow>,
  options: SettleOptions
): ReadonlySet<string> => {
  const settled = new Set<string>()
  for (const row of rows) {
    const work = heldWork(state, row)
    if (work !== undefined) {
      settleOne(state, work, row, options)
      settled.add(row.id)
    } else if (wasWritten(state, row, options.relay)) {
      settled.add(row.id)
    }
  }
  return settled
}

const settleOne = (state: State, work: WorkRow, row: SettledRow, { now, relay }: SettleOptions): void => {
  const { message } = work
  const attempt = work.attempts + (row.counted ? 1 : 0)
  // A released row was never tried: there is nothing to record.
  if (row.kind !== "released") {
    message.outcomes.push({
      lease: row.lease,
      kind: row.kind,
      attempt,
      reason: row.reason,
      providerMessageId: row.providerMessageId === "" ? undefined : row.providerMessageId,
      relay,
      at: now
    })
  }
  switch (row.kind) {
    case "retry":
    case "deferred":
    case "released":
      work.leaseUntil = undefined
      work.finished++
      work.attempts = attempt
      if (row.kind === "retry") work.dueAt = now + row.delayMillis
      return state.index.place(work)
    case "sent":
    case "dead":
    case "expired":
    case "uncertain":
      message.work = undefined
      return state.index.remove(work)
  }
}

const wasWritten = (state: State, row: SettledRow, relay: string): boolean =>
  state.messages
    .get(row.id)
    ?.outcomes.some(
      (outcome) => outcome.lease === row.lease && outcome.kind === row.kind && outcome.relay === relay
    ) ?? false

export const renew = (
  state: State,
  leases: ReadonlyArray<HeldLease>,
  options: { readonly leaseMillis: number; readonly now: number }
): ReadonlySet<string> => {
  const renewed = new Set<string>()
  for (const held of leases) {
    const work = heldWork(state, held)
    if (work === undefined) continue
    work.leaseUntil = options.now + options.leaseMillis
    state.index.place(work)
    renewed.add(held.id)
  }
  return renewed
}
