/**
 * What an in-memory outbox holds: what Postgres has in its tables, as maps.
 */
import type { TransportReason } from "@effect-cascade/core/TransportReason"
import type { NewRow } from "@effect-cascade/outbox/OutboxRow"
import * as Heap from "./heap.ts"
import * as WorkIndex from "./workIndex.ts"

/** A committed message. */
export interface MessageRow {
  readonly row: NewRow
  /** The order in which messages were committed, which decides between rows due at the same instant. */
  readonly sequence: number
  /** When its transaction began. Epoch milliseconds, as all instants here. */
  readonly createdAt: number
  readonly deadline: number | undefined
  /** What is still to be done about it; nothing when it has ended. */
  work: WorkRow | undefined
  /** What was recorded, the oldest first. */
  readonly outcomes: Array<OutcomeRow>
}

/** What is still to be done about a message. */
export interface WorkRow {
  readonly message: MessageRow
  dueAt: number
  lease: bigint
  leaseUntil: number | undefined
  started: number
  finished: number
  attempts: number
  /** Counts how often it was put into the index, by which an older entry of it is known. */
  placed: number
}

/** What was recorded of one attempt or of the end. */
export interface OutcomeRow {
  readonly lease: bigint
  readonly kind: string
  readonly attempt: number
  readonly reason: TransportReason | undefined
  readonly providerMessageId: string | undefined
  readonly relay: string
  readonly at: number
}

/** A lane that is not simply open. */
export interface HeldLane {
  /** None: until an operator resumes it. */
  pausedUntil: number | undefined
  /** When the pause is over: until when one relay has the right to try. */
  probeUntil: number | undefined
  reason: TransportReason | undefined
  trips: number
}

/** When a message is too late. */
export interface Deadline {
  readonly at: number
  readonly message: MessageRow
}

export interface State {
  readonly messages: Map<string, MessageRow>
  /** From account and tracking id to the message. */
  readonly keys: Map<string, MessageRow>
  readonly index: WorkIndex.WorkIndex
  /** The messages with a deadline, the first to expire first; also some that have ended meanwhile. */
  readonly deadlines: Heap.Heap<Deadline>
  readonly lanes: Map<string, HeldLane>
}

export const empty = (): State => ({
  messages: new Map(),
  keys: new Map(),
  index: WorkIndex.make(),
  deadlines: Heap.make((a, b) => a.at < b.at),
  lanes: new Map()
})

/** What makes a message the only one of its account. */
export const keyOf = (row: { readonly account: string; readonly trackingId: string }): string =>
  // No account has a slash in its name.
  `${row.account}/${row.trackingId}`

/** Writes the rows of a transaction that began at `startedAt`. */
export const write = (state: State, rows: Iterable<NewRow>, startedAt: number): void => {
  for (const row of rows) {
    const message: MessageRow = {
      row,
      sequence: state.messages.size,
      createdAt: startedAt,
      deadline: row.ttlMillis === undefined ? undefined : (row.ttlFrom ?? startedAt) + row.ttlMillis,
      work: undefined,
      outcomes: []
    }
    const work: WorkRow = {
      message,
      dueAt: Math.max(row.availableAt ?? startedAt, startedAt),
      lease: 0n,
      leaseUntil: undefined,
      started: 0,
      finished: 0,
      attempts: 0,
      placed: 0
    }
    message.work = work
    state.messages.set(row.id, message)
    state.keys.set(keyOf(row), message)
    state.index.place(work)
    if (message.deadline !== undefined) state.deadlines.push({ at: message.deadline, message })
  }
}

/** The work row of a message under a lease that has not ended, be it over time or not. */
export const heldWork = (state: State, held: { readonly id: string; readonly lease: bigint }) => {
  const work = state.messages.get(held.id)?.work
  return work !== undefined && work.lease === held.lease && work.leaseUntil !== undefined ? work : undefined
}
