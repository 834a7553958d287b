/**
 * Tells relays when to look: at once in this process, by a throttled NOTIFY elsewhere.
 *
 * NOTIFY never runs in a caller's transaction, because Postgres takes one lock for the whole database at the commit
 * of a transaction that notifies. It is sent after the commit, on another connection, and a lost one costs only the
 * time until the next poll.
 */
import type { PgClient } from "@effect/sql-pg/PgClient"
import * as CauseSummary from "@effect-cascade/core/CauseSummary"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"

export interface PgWake {
  /** Says that something has just been committed. Never waits, never fails. */
  readonly committed: Effect.Effect<void>
  readonly wakes: Effect.Effect<Queue.Dequeue<void>, never, Scope.Scope>
}

/** At most one NOTIFY in this time. */
const throttle = Duration.millis(50)

const reconnectAfter = Duration.millis(100)

const reconnect = Schedule.min([Schedule.exponential(reconnectAfter), Schedule.spaced("5 seconds")])

export const make = Effect.fnUntraced(function* (options: {
  readonly client: PgClient
  readonly channel: string
  /** Without NOTIFY a wake reaches this process only; the poll finds the rest. */
  readonly notify: boolean
}): Effect.fn.Return<PgWake, never, Scope.Scope> {
  const { channel, client } = options
  const listeners = new Set<Queue.Queue<void>>()
  const nudge = () => {
    for (const listener of listeners) Queue.offerUnsafe(listener, undefined)
  }

  const outgoing = yield* Queue.sliding<void>(1)
  if (options.notify) {
    yield* Queue.take(outgoing).pipe(
      Effect.andThen(client.notify(channel, "")),
      Effect.catchCause((cause) =>
        Effect.logDebug("outbox: could not notify other processes", CauseSummary.of(cause))
      ),
      Effect.andThen(Effect.sleep(throttle)),
      Effect.forever,
      Effect.forkScoped
    )
  }

  const notListening = Effect.tapCause((cause) =>
    Effect.logWarning("outbox: not listening for other processes, polling", CauseSummary.of(cause))
  )

  // Any notification says the same: look. So it does not matter who sent it or how many there were.
  const listenOnce = Effect.scoped(
    Effect.gen(function* () {
      // Retried here, so that each loss begins with a short wait, however many there have been.
      const notifications = yield* client.listen(channel).pipe(notListening, Effect.retry(reconnect))
      // What was committed while nobody listened was told to nobody.
      nudge()
      return yield* Effect.forever(Effect.tap(Queue.take(notifications), () => Effect.sync(nudge))).pipe(
        notListening
      )
    })
  )
  const listen = listenOnce.pipe(Effect.ignore, Effect.andThen(Effect.sleep(reconnectAfter)), Effect.forever)

  return {
    committed: Effect.sync(() => {
      nudge()
      Queue.offerUnsafe(outgoing, undefined)
    }),
    wakes: Effect.gen(function* () {
      const wakes = yield* Effect.acquireRelease(
        Effect.tap(Queue.sliding<void>(1), (queue) => Effect.sync(() => listeners.add(queue))),
        (queue) => Effect.sync(() => listeners.delete(queue))
      )
      if (options.notify) yield* Effect.forkScoped(listen)
      return wakes
    })
  }
})
