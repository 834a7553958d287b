/**
 * The metrics of the outbox and its relays, as a contract; `docs/telemetry.md` lists them with their meanings. Names of
 * attributes are those of `Telemetry` in the core package.
 *
 * The counters count what this process did; summed over processes they tell of the whole. The gauges are read from the
 * database by `OutboxMonitor`, and tell of the whole from wherever they are read.
 */
import { attributes } from "@effect-cascade/core/Telemetry"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

/** The name under which the outbox appears as a destination. */
export const destination = "outbox"

/** The names of the metrics of this package. */
export const metrics = {
  /** Counter: messages written, once their transaction committed; by type and account. */
  enqueued: "messaging.smsbat.outbox.enqueued",
  /** Counter: messages that were there before; outcome `same` (nothing to do) or `refused` (other content). */
  duplicates: "messaging.smsbat.outbox.duplicates",
  /**
   * Counter: what attempts came to; by type, account and outcome (`sent`, `retry`, `deferred`, `released`, `uncertain`,
   * `dead`, `expired`). The first that ends a message for good are `sent`, `dead` and `expired`.
   */
  settled: "messaging.smsbat.outbox.settled",
  /** Counter: leases that another relay had taken before their outcome was written. */
  leasesLost: "messaging.smsbat.relay.leases_lost",
  /** Gauge: messages that are not finished; by lane, type and state. */
  pending: "messaging.smsbat.outbox.pending",
  /** Gauge, seconds: for how long the message that waits longest has been due; by lane and type, 0 where none is. */
  oldestDue: "messaging.smsbat.outbox.oldest_due",
  /** Gauge: 1 where a lane is paused, 0.5 on probation, 0 where it was and is open again; by lane. */
  lanePaused: "messaging.smsbat.lane.paused"
} as const

const counter = (name: string, description: string) =>
  Metric.counter(name, { description, incremental: true })

const enqueuedMessages = counter(metrics.enqueued, "Messages written to the outbox and committed.")
const duplicateMessages = counter(metrics.duplicates, "Messages that were in the outbox before.")
const settledMessages = counter(metrics.settled, "What became of claimed messages.")
const lostLeases = counter(metrics.leasesLost, "Leases lost before their outcome was written.")

/** Messages that are not finished. */
export const pending: Metric.Gauge<number> = Metric.gauge(metrics.pending, {
  description: "Messages in the outbox that are not finished."
})

/** For how long the message that waits longest has been due, in seconds. */
export const oldestDue: Metric.Gauge<number> = Metric.gauge(metrics.oldestDue, {
  description: "For how long the message that waits longest has been due, in seconds."
})

/** Whether a lane is paused. */
export const lanePaused: Metric.Gauge<number> = Metric.gauge(metrics.lanePaused, {
  description: "Whether a lane is paused (1), on probation (0.5) or open (0)."
})

/** What a counter of messages tells of each. */
export interface Counted {
  readonly account: string
  readonly messageType: string
  readonly outcome?: string | undefined
}

/** Counts messages that were written. */
export const countEnqueued = (messages: ReadonlyArray<Counted>) => count(enqueuedMessages, messages)

/** Counts messages that were there before. */
export const countDuplicates = (
  messages: ReadonlyArray<Counted & { readonly outcome: "same" | "refused" }>
) => count(duplicateMessages, messages)

/** Counts what became of claimed messages. */
export const countSettled = (messages: ReadonlyArray<Counted & { readonly outcome: string }>) =>
  count(settledMessages, messages)

/** Counts leases that were lost. */
export const countLost = (messages: ReadonlyArray<Counted>) => count(lostLeases, messages)

/** One update for each group of messages that share their attributes. */
const count = (metric: Metric.Counter<number>, messages: ReadonlyArray<Counted>): Effect.Effect<void> => {
  const groups = new Map<string, { readonly of: Counted; size: number }>()
  for (const of of messages) {
    const key = `${of.account}\n${of.messageType}\n${of.outcome ?? ""}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { of, size: 1 })
    else group.size++
  }
  return Effect.forEach(
    groups.values(),
    ({ of, size }) =>
      Metric.update(
        Metric.withAttributes(metric, {
          [attributes.account]: of.account,
          [attributes.messageType]: of.messageType,
          ...(of.outcome === undefined ? {} : { [attributes.outcome]: of.outcome })
        }),
        size
      ),
    { discard: true }
  )
}
