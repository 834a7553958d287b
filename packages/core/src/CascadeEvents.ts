/**
 * The events of a program, from those who make them to any number of subscribers, within one process.
 *
 * They are for observing. A subscriber that is slower than the events loses the oldest of those that wait for it
 * (counted in `lost`), one that was not there when an event happened never gets it, and a process that ends takes
 * with it whatever was not read yet. So nothing that must happen may hang on an event: what became of a message
 * is told by its `Delivery`, and in the outbox by the table.
 *
 * The service is optional. Those who make events publish through {@link publish} and {@link publisher}, which do
 * nothing where the layer is absent.
 */
import type * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { CascadeEvent } from "./CascadeEvent.ts"
import { atLeastOne } from "./internal/usable.ts"

/** How much waits for a slow subscriber. */
export interface CascadeEventsOptions {
  /** How many events wait for each subscriber before the oldest is lost; at least 1. Defaults to 1,024. */
  readonly capacity?: number | undefined
}

/** The side of those who make events. */
export interface Publisher {
  /** Hands an event to every subscriber. Never waits for one. */
  readonly publish: (event: CascadeEvent) => Effect.Effect<void>
  /** As `publish`, for several events in their order. They are made (iterated) only where somebody subscribes. */
  readonly publishAll: (events: Iterable<CascadeEvent>) => Effect.Effect<void>
}

/** What the events service does. */
export interface CascadeEventsShape extends Publisher {
  /** Every event from the moment the stream is run. Ends with the layer. */
  readonly stream: Stream.Stream<CascadeEvent>
  /**
   * Every event from the moment this effect is done until its scope closes: for a subscriber that must not miss
   * what happens while its fiber starts. The stream is for one reader.
   */
  readonly subscribe: Effect.Effect<Stream.Stream<CascadeEvent>, never, Scope.Scope>
  /** How many events were lost to slow subscribers, summed over all of them since the layer was built. */
  readonly lost: Effect.Effect<number>
}

const defaults = { capacity: 1024 }

/** The events of a program. */
export class CascadeEvents extends Context.Service<CascadeEvents, CascadeEventsShape>()(
  "@effect-cascade/core/CascadeEvents"
) {}

/** Makes the service; its streams end with the scope. */
export const make = Effect.fnUntraced(function* (
  options?: CascadeEventsOptions
): Effect.fn.Return<CascadeEventsShape, never, Scope.Scope> {
  const capacity = atLeastOne(options?.capacity ?? defaults.capacity)
  const subscribers = new Set<Queue.Queue<CascadeEvent, Cause.Done>>()
  let lost = 0
  let closed = false

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      closed = true
      for (const queue of subscribers) Queue.endUnsafe(queue)
    })
  )

  const publishUnsafe = (event: CascadeEvent): void => {
    for (const queue of subscribers) {
      if (Queue.isFullUnsafe(queue)) lost++
      Queue.offerUnsafe(queue, event)
    }
  }

  const attach = Effect.tap(Queue.sliding<CascadeEvent, Cause.Done>(capacity), (queue) =>
    Effect.sync(() => {
      if (closed) Queue.endUnsafe(queue)
      else subscribers.add(queue)
    })
  )
  const detach = (queue: Queue.Queue<CascadeEvent, Cause.Done>) =>
    Effect.suspend(() => {
      subscribers.delete(queue)
      return Queue.shutdown(queue)
    })
  const subscribe = Effect.map(Effect.acquireRelease(attach, detach), Stream.fromQueue)

  return {
    publish: (event) => Effect.sync(() => publishUnsafe(event)),
    publishAll: (events) =>
      Effect.sync(() => {
        if (subscribers.size === 0) return
        for (const event of events) publishUnsafe(event)
      }),
    stream: Stream.unwrap(subscribe),
    subscribe,
    lost: Effect.sync(() => lost)
  }
})

/**
 * The events of a program.
 *
 * @example
 * ```ts
 * import { CascadeEvents } from "@effect-cascade/core"
 * import { Effect, Layer, Stream } from "effect"
 *
 * const log = Layer.effectDiscard(
 *   Effect.gen(function* () {
 *     const events = yield* CascadeEvents.CascadeEvents
 *     const stream = yield* events.subscribe
 *     yield* Effect.forkScoped(Stream.runForEach(stream, (event) => Effect.logInfo(event._tag)))
 *   })
 * )
 *
 * const observed = Layer.provideMerge(log, CascadeEvents.layer())
 * ```
 */
export const layer = (options?: CascadeEventsOptions): Layer.Layer<CascadeEvents> =>
  Layer.effect(CascadeEvents, make(options))

/** Publishes an event to the `CascadeEvents` of the fiber that runs this; does nothing where there is none. */
export const publish = (event: CascadeEvent): Effect.Effect<void> =>
  Effect.flatMap(Effect.serviceOption(CascadeEvents), (events) =>
    Option.isSome(events) ? events.value.publish(event) : Effect.void
  )

/** As {@link publish}, for several events in their order. */
export const publishAll = (events: Iterable<CascadeEvent>): Effect.Effect<void> =>
  Effect.flatMap(Effect.serviceOption(CascadeEvents), (found) =>
    Option.isSome(found) ? found.value.publishAll(events) : Effect.void
  )

/**
 * The publisher for a service that is built in a layer: the events that the layer is built with, else those of the
 * fiber that publishes, else none.
 */
export const publisher: Effect.Effect<Publisher> = Effect.map(
  Effect.serviceOption(CascadeEvents),
  Option.getOrElse((): Publisher => ({ publish, publishAll }))
)
