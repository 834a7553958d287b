/**
 * The reference model: what an outbox store is to do, in as few words as possible and without any of its means.
 *
 * It knows no clock. Everything is due now or never, and is over at once or never; which of two rows fell due first is
 * a number that grows.
 */
import type { SettledKind } from "@effect-cascade/outbox/OutboxRow"

/** A message that was written, be it committed or not. */
export interface ModelRow {
  readonly id: string
  readonly key: number
  readonly content: number
  readonly lane: number
  /** Not due within the test. */
  later: boolean
  /** When it fell due. */
  rank: number
  state: "free" | "leased" | "ended"
  end: SettledKind | undefined
  lease: bigint
  attempts: number
  lapses: number
  /** What was recorded under each lease: the kind, and by whom. */
  readonly recorded: Map<bigint, string>
}

export interface ModelLane {
  paused: "over" | "hour" | "endless"
  probe: "over" | "hour" | undefined
  reason: boolean
  trips: number
}

/** An open transaction. */
export interface ModelTransaction {
  readonly rank: number
  readonly rows: Map<number, ModelRow>
}

export interface Model {
  /** By key. */
  readonly committed: Map<number, ModelRow>
  readonly transactions: Map<number, ModelTransaction>
  readonly lanes: Map<number, ModelLane>
  /** Every lease that was ever given. */
  readonly leases: Array<{ readonly row: ModelRow; readonly lease: bigint }>
  rank: number
}

export const empty = (): Model => ({
  committed: new Map(),
  transactions: new Map(),
  lanes: new Map(),
  leases: [],
  rank: 0
})

/** Whether another open transaction has written a key, so that writing it would wait. */
export const isTaken = (model: Model, transaction: number, key: number): boolean =>
  Array.from(model.transactions).some(([name, { rows }]) => name !== transaction && rows.has(key))

export interface ModelInsert {
  readonly id: string
  readonly key: number
  readonly content: number
  readonly lane: number
  readonly later: boolean
}

/** Inserts, and says what the answer is to be. */
export const insert = (model: Model, { rank, rows }: ModelTransaction, one: ModelInsert) => {
  const existing = rows.get(one.key) ?? model.committed.get(one.key)
  if (existing !== undefined) {
    return { id: existing.id, result: existing.content === one.content ? "existing" : "conflict" }
  }
  rows.set(one.key, {
    ...one,
    rank,
    state: "free",
    end: undefined,
    lease: 0n,
    attempts: 0,
    lapses: 0,
    recorded: new Map()
  })
  return { id: one.id, result: "inserted" }
}

export const commit = (model: Model, { rows }: ModelTransaction): void => {
  for (const [key, row] of rows) model.committed.set(key, row)
}

/** The rows of a lane that can be claimed, the longest due first. */
export const due = (model: Model, lane: number): ReadonlyArray<ModelRow> =>
  Array.from(model.committed.values())
    .filter((row) => row.lane === lane && row.state === "free" && !row.later)
    .sort((a, b) => a.rank - b.rank)

export const leased = (model: Model, lane: number): ReadonlyArray<ModelRow> =>
  Array.from(model.committed.values()).filter((row) => row.lane === lane && row.state === "leased")

/** A row was leased, under a number that the store chose. */
export const lease = (model: Model, row: ModelRow, number: bigint): void => {
  if (row.state === "leased") {
    row.lapses++
    row.recorded.set(row.lease, "lapsed")
  }
  row.state = "leased"
  row.lease = number
  model.leases.push({ row, lease: number })
}

export const holds = ({ lease, row }: Model["leases"][number]): boolean =>
  row.state === "leased" && row.lease === lease

export interface ModelSettlement {
  readonly kind: SettledKind
  readonly counted: boolean
  readonly later: boolean
  readonly relay: string
}

/** Settles, and says whether the row is to be answered for. */
export const settle = (model: Model, held: Model["leases"][number], settlement: ModelSettlement): boolean => {
  const { kind, relay } = settlement
  const { row } = held
  const written = `${kind} by ${relay}`
  if (!holds(held)) return row.recorded.get(held.lease) === written
  if (kind !== "released") row.recorded.set(held.lease, written)
  if (settlement.counted) row.attempts++
  if (kind === "retry" || kind === "deferred" || kind === "released") {
    row.state = "free"
    if (kind === "retry") {
      row.rank = model.rank
      row.later = settlement.later
    }
  } else {
    row.state = "ended"
    row.end = kind
  }
  return true
}

export const pause = (model: Model, lane: number, { length, reason, trips }: ModelPause): void => {
  const known = model.lanes.get(lane)
  const paused: ModelLane = {
    paused: length,
    probe: undefined,
    reason,
    trips: Math.max(trips, known?.trips ?? 0)
  }
  const stays = known !== undefined && (known.paused === "endless" || lengths[known.paused] > lengths[length])
  model.lanes.set(lane, stays ? { ...paused, paused: known.paused, reason: known.reason } : paused)
}

export interface ModelPause {
  readonly length: ModelLane["paused"]
  readonly reason: boolean
  readonly trips: number
}

const lengths = { over: 0, hour: 1, endless: 2 }

export const probe = (model: Model, lane: number, window: "over" | "hour"): boolean => {
  const held = model.lanes.get(lane)
  if (held === undefined || held.paused !== "over" || held.probe === "hour") return false
  held.probe = window
  return true
}

export const reopen = (model: Model, lane: number): boolean => {
  const held = model.lanes.get(lane)
  if (held === undefined || held.paused === "endless" || (held.paused === "hour" && !held.reason))
    return false
  return model.lanes.delete(lane)
}
