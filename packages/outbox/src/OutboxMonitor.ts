/**
 * Reads how an outbox stands into gauges: what waits, for how long, and which lanes are paused.
 *
 * One process is enough, though several do no harm: all of them see the same database. A look costs what waits, not
 * what was ever sent. While the database cannot be read the gauges keep their last values, and the log says so.
 */
import * as CauseSummary from "@effect-cascade/core/CauseSummary"
import { attributes } from "@effect-cascade/core/Telemetry"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import { OutboxAdminStore } from "./OutboxAdminStore.ts"
import * as OutboxCounts from "./OutboxCounts.ts"
import type { StoreError } from "./OutboxError.ts"
import { lanePaused, oldestDue, pending } from "./OutboxTelemetry.ts"

/** How an outbox is watched. */
export interface OutboxMonitorOptions {
  /** Time between two looks, a quarter more or less. Defaults to 15 seconds. */
  readonly every?: Duration.Input | undefined
}

const defaults = { every: "15 seconds" } as const

/** Makes one look: reads the counts and sets the gauges. What was there at the last look and is gone is set to 0. */
export const make: Effect.Effect<Effect.Effect<void, StoreError>, never, OutboxAdminStore> = Effect.gen(
  function* () {
    const store = yield* OutboxAdminStore
    let before: ReadonlyMap<string, Reading> = new Map()

    return Effect.gen(function* () {
      const [waiting, parked, held] = yield* Effect.all([
        store.countLanes,
        store.countParked,
        store.heldLanes
      ])
      const now = readings(OutboxCounts.of(waiting, parked, held))
      for (const [key, reading] of before) if (!now.has(key)) yield* set({ ...reading, value: 0 })
      for (const reading of now.values()) yield* set(reading)
      before = now
    })
  }
)

/** Looks again and again until the scope closes. */
export const run = Effect.fnUntraced(function* (
  options?: OutboxMonitorOptions
): Effect.fn.Return<void, never, OutboxAdminStore | Scope.Scope> {
  const look = yield* make
  const every = Duration.toMillis(Duration.fromInputUnsafe(options?.every ?? defaults.every))
  yield* Effect.gen(function* () {
    yield* look.pipe(
      // An idle program must not fill a trace store with its looks.
      Effect.withTracerEnabled(false),
      // Also an interruption that comes from within the store. One of this very fiber ends it, and comes by no handler.
      Effect.catchCause((cause) =>
        Effect.logWarning(
          "outbox: its gauges could not be read, trying again with the next look",
          CauseSummary.of(cause)
        )
      )
    )
    // Processes that start together must not look together.
    yield* Effect.sleep(every * (0.75 + 0.5 * (yield* Random.next)))
  }).pipe(Effect.forever, Effect.forkScoped)
})

/** Looks again and again for as long as the layer lives. */
export const layer = (options?: OutboxMonitorOptions): Layer.Layer<never, never, OutboxAdminStore> =>
  Layer.effectDiscard(run(options))

interface Reading {
  readonly gauge: Metric.Gauge<number>
  readonly attributes: Readonly<Record<string, string>>
  readonly value: number
}

const set = ({ attributes, gauge, value }: Reading) =>
  Metric.update(Metric.withAttributes(gauge, attributes), value)

const states = ["due", "scheduled", "leased", "dead", "uncertain"] as const

const readings = ({ lanes, paused }: OutboxCounts.OutboxCounts): ReadonlyMap<string, Reading> => {
  const found = new Map<string, Reading>()
  const add = (reading: Reading) => {
    const of = Object.entries(reading.attributes).map(([name, value]) => `${name}=${value}`)
    found.set([reading.gauge.id, ...of].join("\n"), reading)
  }
  for (const figures of lanes) {
    const about = { [attributes.lane]: figures.lane, [attributes.messageType]: figures.messageType }
    const waited = figures.oldestDue === undefined ? 0 : Duration.toSeconds(figures.oldestDue)
    for (const state of states) {
      add({ gauge: pending, attributes: { ...about, [attributes.state]: state }, value: figures[state] })
    }
    add({ gauge: oldestDue, attributes: about, value: waited })
  }
  for (const { lane, state } of paused) {
    add({ gauge: lanePaused, attributes: { [attributes.lane]: lane }, value: state === "paused" ? 1 : 0.5 })
  }
  return found
}
