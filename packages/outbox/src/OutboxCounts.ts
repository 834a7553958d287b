/**
 * How much an outbox holds that is not finished, for dashboards and alerts.
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import type { HeldLane, LaneCount, ParkedCount } from "./OutboxAdminStore.ts"
import * as ReasonSummary from "./ReasonSummary.ts"

const figures = {
  /** Could be claimed now, were their lane open. */
  due: Schema.Int,
  /** Due later: scheduled, or waiting for another attempt. */
  scheduled: Schema.Int,
  /** Held by a relay. */
  leased: Schema.Int,
  /** Given up; they wait for an operator. */
  dead: Schema.Int,
  /** May have been sent; they wait for an operator. */
  uncertain: Schema.Int,
  /** For how long the one that waits longest has been due. */
  oldestDue: Schema.optionalKey(Schema.DurationFromMillis)
}

/** The figures of one lane and type of message. */
export const LaneFigures = Schema.Struct({ lane: Schema.String, messageType: Schema.String, ...figures })

/** @see LaneFigures */
export type LaneFigures = typeof LaneFigures.Type

/** A lane that is not simply open. */
export const PausedLane = Schema.Struct({
  lane: Schema.String,
  /** `probation`: its pause is over, and relays try with one message whether it works again. */
  state: Schema.Literals(["paused", "probation"]),
  /** Absent until an operator resumes it. */
  until: Schema.optionalKey(Schema.DateTimeUtc),
  /** Why relays paused it; absent where an operator did. */
  reason: Schema.optionalKey(ReasonSummary.ReasonSummary),
  /** What the operator said to it. */
  note: Schema.optionalKey(Schema.String),
  /** How many pauses in a row ended in another. */
  trips: Schema.Int,
  since: Schema.DateTimeUtc
})

/** @see PausedLane */
export type PausedLane = typeof PausedLane.Type

/** Everything that is not finished. */
export const OutboxCounts = Schema.Struct({
  total: Schema.Struct(figures),
  /** By lane and type of message, in the order of their names. */
  lanes: Schema.Array(LaneFigures),
  paused: Schema.Array(PausedLane)
})

/** @see OutboxCounts */
export type OutboxCounts = typeof OutboxCounts.Type

/** The counts, from a store's rows. */
export const of = (
  waiting: ReadonlyArray<typeof LaneCount.Type>,
  parked: ReadonlyArray<typeof ParkedCount.Type>,
  held: ReadonlyArray<typeof HeldLane.Type>
): OutboxCounts => {
  const lanes = new Map<string, LaneFigures>()
  const add = (lane: string, messageType: string, more: Partial<LaneFigures>) => {
    const key = `${lane} ${messageType}`
    lanes.set(key, { ...(lanes.get(key) ?? { lane, messageType, ...none }), ...more })
  }
  for (const { due, lane, leased, messageType, oldestDueMillis, scheduled } of waiting) {
    add(lane, messageType, {
      due,
      scheduled,
      leased,
      ...(oldestDueMillis === null ? {} : { oldestDue: Duration.millis(oldestDueMillis) })
    })
  }
  for (const { dead, lane, messageType, uncertain } of parked) add(lane, messageType, { dead, uncertain })
  const sorted = Array.from(lanes.keys())
    .sort()
    .flatMap((key) => lanes.get(key) ?? [])
  return { total: totalOf(sorted), lanes: sorted, paused: held.map(pausedLaneOf) }
}

const none = { due: 0, scheduled: 0, leased: 0, dead: 0, uncertain: 0 }

const totalOf = (lanes: ReadonlyArray<LaneFigures>): OutboxCounts["total"] => {
  const total = { ...none }
  let oldestDue: Duration.Duration | undefined
  for (const lane of lanes) {
    total.due += lane.due
    total.scheduled += lane.scheduled
    total.leased += lane.leased
    total.dead += lane.dead
    total.uncertain += lane.uncertain
    if (lane.oldestDue !== undefined) {
      oldestDue = oldestDue === undefined ? lane.oldestDue : Duration.max(oldestDue, lane.oldestDue)
    }
  }
  return { ...total, ...(oldestDue === undefined ? {} : { oldestDue }) }
}

/** A lane, from a store's row. */
export const pausedLaneOf = (row: typeof HeldLane.Type): PausedLane => ({
  lane: row.lane,
  state: row.paused ? "paused" : "probation",
  ...(row.until === null ? {} : { until: row.until }),
  ...(row.reason === null ? {} : { reason: ReasonSummary.of(row.reason) }),
  ...(row.note === null ? {} : { note: row.note }),
  trips: row.trips,
  since: row.since
})
