/**
 * Removes what is no longer needed: the text and phone number of finished messages after one period, the messages
 * themselves after another.
 *
 * A finished message is one that was sent, expired, cancelled, discarded or resolved; a dead or an uncertain one
 * stays whole until somebody decides about it, unless told otherwise. Run it in every process: what one has in hand
 * the others leave out. It works in small batches, walks the messages in the order of their creation, and remembers
 * how far it came, so that a run looks only at what has come of age since the last one; every few hours it starts
 * over, for messages that ended long after they were enqueued.
 */
import * as CauseSummary from "@effect-cascade/core/CauseSummary"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Semaphore from "effect/Semaphore"
import { OutboxAdminStore, type OutboxAdminStoreShape } from "./OutboxAdminStore.ts"
import type { StoreError } from "./OutboxError.ts"

/** How long what is kept. Every member has a default. */
export interface RetentionPrunerOptions {
  /**
   * How long after its end a message keeps its text and phone number; `Duration.infinity` for ever. A scrubbed message
   * cannot be requeued, and its tracking id counts as the same message whatever is enqueued under it. Defaults to 7
   * days.
   */
  readonly scrubAfter?: Duration.Input | undefined
  /**
   * How long after its end a message is there at all; `Duration.infinity` for ever. Then its tracking id is free, and
   * the same message enqueued once more would be sent once more. Defaults to 90 days.
   */
  readonly deleteAfter?: Duration.Input | undefined
  /** How often to look, give or take a quarter. Defaults to 1 minute. */
  readonly every?: Duration.Input | undefined
  /** How many messages one statement looks at. Defaults to 1,000. */
  readonly batch?: number | undefined
  /** Whether dead and uncertain messages wait for an operator for ever. Defaults to `true`. */
  readonly keepParked?: boolean | undefined
}

const defaults = {
  scrubAfter: "7 days",
  deleteAfter: "90 days",
  every: "1 minute",
  batch: 1_000,
  keepParked: true
} as const satisfies RetentionPrunerOptions

/** What a run did. */
export interface RetentionFigures {
  /** Messages whose text and phone number it removed. */
  readonly scrubbed: number
  /** Messages that it deleted. */
  readonly deleted: number
  /** Messages that it looked at, those that it left alone included. */
  readonly walked: number
}

/** What the pruner does. */
export interface RetentionPrunerShape {
  /** Does now what is due. Runs of one pruner wait for each other. */
  readonly runOnce: Effect.Effect<RetentionFigures, StoreError>
}

/** The retention of a program's outbox. */
export class RetentionPruner extends Context.Service<RetentionPruner, RetentionPrunerShape>()(
  "@effect-cascade/outbox/RetentionPruner"
) {}

/** Makes a pruner that runs when it is told to. */
export const make = Effect.fnUntraced(function* (
  options?: RetentionPrunerOptions
): Effect.fn.Return<RetentionPrunerShape, never, OutboxAdminStore> {
  const store = yield* OutboxAdminStore
  const settings = { ...settingsOf(options), store }
  const duties = [
    makeDuty("scrub", settings.scrubAfter, settings),
    makeDuty("prune", settings.deleteAfter, settings)
  ] as const
  const turn = Semaphore.makeUnsafe(1)

  const runOnce = Effect.gen(function* () {
    const [scrubbed, deleted] = [yield* duties[0], yield* duties[1]]
    return {
      scrubbed: scrubbed.changed,
      deleted: deleted.changed,
      walked: scrubbed.walked + deleted.walked
    }
  })
  return { runOnce: turn.withPermit(runOnce).pipe(Effect.withSpan("RetentionPruner.runOnce")) }
})

/** A pruner that runs by itself for as long as the layer lives. */
export const layer = (
  options?: RetentionPrunerOptions
): Layer.Layer<RetentionPruner, never, OutboxAdminStore> =>
  Layer.effect(
    RetentionPruner,
    Effect.gen(function* () {
      const pruner = yield* make(options)
      yield* Effect.forkScoped(runForever(pruner, settingsOf(options).every))
      return pruner
    })
  )

/** One run, for scripts and cron. */
export const runOnce = (
  options?: RetentionPrunerOptions
): Effect.Effect<RetentionFigures, StoreError, OutboxAdminStore> =>
  Effect.flatMap(make(options), (pruner) => pruner.runOnce)

const settingsOf = (options: RetentionPrunerOptions | undefined) => ({
  scrubAfter: Duration.fromInputUnsafe(options?.scrubAfter ?? defaults.scrubAfter),
  deleteAfter: Duration.fromInputUnsafe(options?.deleteAfter ?? defaults.deleteAfter),
  every: Duration.fromInputUnsafe(options?.every ?? defaults.every),
  batch: Math.max(1, Math.floor(options?.batch ?? defaults.batch)),
  keepParked: options?.keepParked ?? defaults.keepParked
})

const runForever = (pruner: RetentionPrunerShape, every: Duration.Duration) =>
  Effect.gen(function* () {
    // Processes that start together must not look together.
    const fraction = 0.75 + 0.5 * (yield* Random.next)
    yield* Effect.sleep(Duration.millis(Duration.toMillis(every) * fraction))
    yield* pruner.runOnce.pipe(
      Effect.tap((figures) =>
        figures.scrubbed + figures.deleted > 0
          ? Effect.annotateLogs(Effect.logDebug("outbox: retention"), { ...figures })
          : Effect.void
      ),
      // Also an interruption that comes from within the store. One of this very fiber ends it, and comes by no handler.
      Effect.catchCause((cause) =>
        Effect.logWarning("outbox: retention failed, trying again with the next run", CauseSummary.of(cause))
      )
    )
  }).pipe(Effect.forever)

/** Most messages end within this time after they were enqueued; what came of age so lately is looked at again. */
const slack = Duration.minutes(5)

/** How often to start over, for messages that ended later. */
const restart = Duration.hours(6)

/** A moment for others between two batches. */
const breath = Duration.millis(10)

const firstId = "00000000-0000-0000-0000-000000000000"

const makeDuty = (
  name: "scrub" | "prune",
  period: Duration.Duration,
  settings: {
    readonly store: OutboxAdminStoreShape
    readonly batch: number
    readonly keepParked: boolean
  }
): Effect.Effect<{ readonly changed: number; readonly walked: number }, StoreError> => {
  const { batch, keepParked, store } = settings
  if (!Duration.isFinite(period)) return Effect.succeed({ changed: 0, walked: 0 })
  let position = firstId
  let startedAt: bigint | undefined

  return Effect.gen(function* () {
    const now = yield* Clock.monotonicTimeNanos
    if (startedAt === undefined || now - startedAt >= Duration.toNanosUnsafe(restart)) {
      position = firstId
      startedAt = now
    }
    let after = position
    let changed = 0
    let walked = 0
    while (true) {
      const step = yield* store[name]({ after, batch, period, slack, keepParked })
      changed += step.changed
      walked += step.walked
      after = step.last ?? after
      position = step.resume ?? position
      if (step.walked < batch) return { changed, walked }
      yield* Effect.sleep(breath)
    }
  })
}
