/**
 * The moves of an operator on the store in memory, as the statements of `OutboxAdmin` make them in Postgres
 * (packages/outbox/src/internal/sql: cancel, requeue, conclude).
 */
import * as Reason from "@effect-cascade/core/TransportReason"
import type { MessageRow, State, WorkRow } from "../../src/internal/memory/state.ts"
import type { Watch } from "./watch.ts"

export type Verb = "cancel" | "requeue" | "discard" | "resolve as sent" | "resolve as not sent"

/** The name under which its outcomes are written. */
export const operatorName = "operator"

/** Moves a message if it may be moved; a message that is elsewhere stays where it is. */
export const operate = (state: State, watch: Watch, verb: Verb, key: string, now: number): void => {
  const message = state.keys.get(key)
  if (message === undefined) return
  switch (verb) {
    case "cancel":
      return watch.around({ kind: "operator", verb: "cancelled" }, () => cancel(state, message, now))
    case "requeue":
      return watch.around({ kind: "operator", verb: "requeued" }, () =>
        requeue(state, message, ["dead", "uncertain", "expired"], now, false)
      )
    case "discard":
      return watch.around({ kind: "operator", verb: "discarded" }, () =>
        conclude(message, ["dead", "uncertain"], "discarded", now)
      )
    case "resolve as sent":
      return watch.around({ kind: "operator", verb: "resolved" }, () =>
        conclude(message, ["uncertain"], "resolved", now)
      )
    case "resolve as not sent":
      return watch.around({ kind: "operator", verb: "requeued" }, () =>
        requeue(state, message, ["uncertain"], now, true)
      )
  }
}

const cancel = (state: State, message: MessageRow, now: number): void => {
  const { work } = message
  if (work === undefined || (work.leaseUntil !== undefined && work.leaseUntil > now)) return
  if (work.leaseUntil !== undefined) {
    record(message, work.lease, "lapsed", work.attempts, now, new Reason.CutShort({ by: "lease" }))
  }
  record(message, work.lease + 1n, "cancelled", work.attempts, now)
  message.work = undefined
  state.index.remove(work)
}

const requeue = (
  state: State,
  message: MessageRow,
  from: ReadonlyArray<string>,
  now: number,
  resolves: boolean
): void => {
  const last = endOf(message, from)
  if (last === undefined || (message.deadline !== undefined && message.deadline <= now)) return
  let { lease } = last
  if (resolves) record(message, ++lease, "resolved", last.attempt, now)
  record(message, ++lease, "requeued", last.attempt, now)
  const work: WorkRow = {
    message,
    dueAt: now,
    lease,
    leaseUntil: undefined,
    started: 0,
    finished: 0,
    attempts: 0,
    placed: 0
  }
  message.work = work
  state.index.place(work)
}

const conclude = (message: MessageRow, from: ReadonlyArray<string>, kind: string, now: number): void => {
  const last = endOf(message, from)
  if (last !== undefined) record(message, last.lease + 1n, kind, last.attempt, now)
}

const endOf = (message: MessageRow, from: ReadonlyArray<string>) => {
  const last = message.outcomes.at(-1)
  return message.work === undefined && last !== undefined && from.includes(last.kind) ? last : undefined
}

const record = (
  message: MessageRow,
  lease: bigint,
  kind: string,
  attempt: number,
  at: number,
  reason?: Reason.TransportReason
): void => {
  message.outcomes.push({
    lease,
    kind,
    attempt,
    reason,
    providerMessageId: undefined,
    relay: operatorName,
    at
  })
}
