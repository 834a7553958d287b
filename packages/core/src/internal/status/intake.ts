/**
 * Takes things in at once and handles them later: never more than a given number, and never two of one key at a time.
 *
 * What is of one key is handled in the order in which it came, so that reports about one message do not overtake each
 * other. What was taken in lives in this process only.
 */
import type * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import * as CauseSummary from "../../CauseSummary.ts"

/** How an intake works. */
export interface IntakeOptions<A, E, R> {
  /** Stands before what it logs. */
  readonly name: string
  /** How many things it holds at most, those being handled among them. */
  readonly queueSize: number
  /** How many are handled at a time. */
  readonly concurrency: number
  /** How long those it holds when it is closed have to be handled. */
  readonly grace: Duration.Duration
  readonly keyOf: (item: A) => string
  readonly handle: (item: A) => Effect.Effect<void, E, R>
}

/** Takes a thing in, or says that there is no room. */
export type Offer<A> = (item: A) => Effect.Effect<boolean>

/** Starts an intake; it closes with the scope. */
export const make = Effect.fnUntraced(function* <A, E, R>(
  options: IntakeOptions<A, E, R>
): Effect.fn.Return<Offer<A>, never, R | Scope.Scope> {
  const { concurrency, grace, handle, keyOf, name, queueSize } = options
  let held = 0
  let isFull = false
  const lanes = yield* Effect.all(Array.from({ length: concurrency }, () => Queue.unbounded<A, Cause.Done>()))

  const work = (lane: Queue.Queue<A, Cause.Done>) =>
    Queue.take(lane).pipe(
      Effect.flatMap((item) =>
        handle(item).pipe(
          Effect.catchCause((cause) =>
            Effect.logError(`${name}: the handler failed, and is not run again`, CauseSummary.of(cause))
          ),
          Effect.ensuring(
            Effect.sync(() => {
              held--
              if (held <= queueSize / 2) isFull = false
            })
          )
        )
      ),
      Effect.forever,
      Effect.catchTag("Done", () => Effect.void)
    )
  const workers = yield* Effect.forEach(lanes, (lane) => Effect.forkScoped(work(lane)))

  // Runs before the workers are interrupted, since finalizers run last in, first out.
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      for (const lane of lanes) Queue.endUnsafe(lane)
      const done = yield* Effect.interruptible(Effect.timeoutOption(Fiber.awaitAll(workers), grace))
      if (Option.isNone(done) && held > 0) {
        yield* Effect.logWarning(`${name}: closed before ${held} of those taken in were handled`)
      }
    })
  )

  return (item) =>
    Effect.suspend(() => {
      if (held >= queueSize) {
        if (isFull) return refused
        isFull = true
        return Effect.as(Effect.logWarning(`${name}: full, with ${held} waiting; refusing more`), false)
      }
      const lane = lanes[hash(keyOf(item)) % lanes.length]
      if (lane === undefined || !Queue.offerUnsafe(lane, item)) return refused
      held++
      return taken
    })
})

const taken = Effect.succeed(true)
const refused = Effect.succeed(false)

/** Any number from 0 up that is the same for the same key and spreads keys about evenly (FNV-1a). */
const hash = (key: string): number => {
  let value = 0x811c9dc5
  for (let index = 0; index < key.length; index++) {
    value = Math.imul(value ^ key.charCodeAt(index), 0x01000193)
  }
  return value >>> 0
}
