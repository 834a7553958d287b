/**
 * Time and turns of a simulation: nothing runs but what is next, and time passes only when nothing is left to run.
 *
 * Fibers run on a scheduler that keeps what is ready in one list. Which of it comes next is drawn from the seed, so that
 * one schedule meets many orders; the same seed meets the same one. No timer of the machine is involved.
 */
import { Clock, Context, Duration, Effect, type Fiber, Random, References, Scheduler } from "effect"
import * as Heap from "../../src/internal/memory/heap.ts"
import type { Prng } from "./prng.ts"

interface Timer {
  readonly at: number
  readonly number: number
  readonly fire: () => void
}

/** Where the clocks of every simulation begin. */
export const epoch = Date.UTC(2026, 0, 1)

/** A fiber that runs for longer than this without a wait is taken to run for ever. */
const turnLimit = 200_000

export interface World {
  /** Epoch milliseconds of the true time, which is that of the database. */
  readonly now: () => number
  /** Calls `fire` after so many milliseconds. */
  readonly after: (millis: number, fire: () => void) => void
  /** Lets time pass until `end`, or until `done` says so. Answers whether it did. */
  readonly run: (end: number, done?: () => boolean) => boolean
  /** A clock that is `offset()` ahead, and wakes its sleepers through `tell`. */
  readonly clock: (options?: {
    readonly offset: () => number
    readonly tell: (news: () => void) => void
  }) => Clock.Clock
  /** Begins an effect on a clock, with random numbers of its own. */
  readonly fork: <A, E>(clock: Clock.Clock, seed: string, effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
}

export const make = (prng: Prng): World => {
  const ready: Array<() => void> = []
  const timers = Heap.make<Timer>((a, b) => a.at < b.at || (a.at === b.at && a.number < b.number))
  let now = epoch
  let number = 0

  const scheduler: Scheduler.Scheduler = {
    executionMode: "async",
    shouldYield: (fiber) => fiber.currentOpCount >= fiber.cache.maxOpsBeforeYield,
    makeDispatcher: () => ({
      scheduleTask: (task) => {
        ready.push(task)
      },
      flush: () => {}
    })
  }

  const after: World["after"] = (millis, fire) =>
    timers.push({ at: now + Math.max(0, millis), number: number++, fire })

  const turn = () => {
    let turns = 0
    while (ready.length > 0) {
      if (++turns > turnLimit) throw new Error("something runs for ever without waiting")
      const [task] = ready.splice(Math.floor(prng.next() * ready.length), 1)
      task?.()
    }
  }

  return {
    now: () => now,
    after,
    run: (end, done = () => false) => {
      turn()
      while (!done()) {
        const timer = timers.peek()
        if (timer === undefined || timer.at > end) {
          now = Math.max(now, end)
          return false
        }
        timers.pop()
        now = Math.max(now, timer.at)
        timer.fire()
        turn()
      }
      return true
    },
    clock: ({ offset, tell } = { offset: () => 0, tell: (news) => news() }) => {
      const millis = () => Math.floor(now) + offset()
      const nanos = () => BigInt(millis()) * 1_000_000n
      // Begins at another point than the time of day, as the clock of a machine does.
      const monotonic = () => BigInt(Math.round((now - epoch) * 1_000_000)) + 7_000_000_000n
      return {
        currentTimeMillisUnsafe: millis,
        currentTimeMillis: Effect.sync(millis),
        currentTimeNanosUnsafe: nanos,
        currentTimeNanos: Effect.sync(nanos),
        monotonicTimeNanosUnsafe: monotonic,
        monotonicTimeNanos: Effect.sync(monotonic),
        sleep: (duration) =>
          Duration.isFinite(duration)
            ? Effect.callback<void>((resume) => {
                let over = false
                after(Duration.toMillis(duration), () =>
                  tell(() => {
                    if (!over) resume(Effect.void)
                  })
                )
                return Effect.sync(() => {
                  over = true
                })
              })
            : Effect.never
      }
    },
    fork: (clock, seed, effect) =>
      Effect.runForkWith(
        Context.make(Scheduler.Scheduler, scheduler).pipe(
          Context.add(Clock.Clock, clock),
          Context.add(References.MinimumLogLevel, "None"),
          Context.add(References.TracerEnabled, false)
        )
      )(Random.withSeed(effect, seed))
  }
}
