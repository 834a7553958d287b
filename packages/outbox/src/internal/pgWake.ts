/**
 * Tells relays when to look: at once in this process, by a throttled NOTIFY elsewhere.
 *
 * NOTIFY never runs in a caller's transaction, because Postgres takes one lock for the whole database at the commit
 * of a transaction that notifies. It is sent after the commit, on another connection, and a lost one costs only the
 * time until the next poll, or heartbeat. A script may end as soon as it has said its word: what is not sent when the
 * scope closes is sent then.
 */
import type { PgClient } from "@effect/sql-pg/PgClient"
import * as CauseSummary from "@effect-cascade/core/CauseSummary"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import type { Wakes } from "../OutboxStore.ts"
import * as PgListener from "./pgListener.ts"
import { abandonAfter, noAnswer } from "./unanswered.ts"

export interface PgWake {
  /** Says that something has just been committed. Never waits, never fails. */
  readonly committed: Effect.Effect<void>
  /** Says that a lane has just been paused or opened. Never waits, never fails. */
  readonly lanesChanged: Effect.Effect<void>
  readonly wakes: Effect.Effect<Wakes, never, Scope.Scope>
}

/** At most one NOTIFY in this time. */
const throttle = Duration.millis(50)

/** What a notification says: there may be work. Any other text that is no ping is taken for it. */
const workPayload = ""

/** What a notification says: a lane was paused or opened, so there may be work too. */
const lanesPayload = "lanes"

/** The longest that a scope which closes waits for the last notification, where a statement may take longer. */
const closeTime = Duration.seconds(5)

interface Subscriber {
  readonly work: Queue.Queue<void>
  readonly lanes: Queue.Queue<void>
}

export const make = Effect.fnUntraced(function* (options: {
  readonly client: PgClient
  readonly channel: string
  /** Without NOTIFY a wake reaches this process only; the poll finds the rest. */
  readonly notify: boolean
  readonly statementTimeout: Duration.Duration
  readonly ping: PgListener.Ping
}): Effect.fn.Return<PgWake, never, Scope.Scope> {
  const { channel, client, statementTimeout } = options
  const subscribers = new Set<Subscriber>()
  const hear = (subscriber: Subscriber, payload: string) => {
    if (payload === lanesPayload) Queue.offerUnsafe(subscriber.lanes, undefined)
    Queue.offerUnsafe(subscriber.work, undefined)
  }
  const notifyWithin = (timeout: Duration.Duration) => (payload: string) =>
    abandonAfter(client.notify(channel, payload), { timeout, error: () => noAnswer("notify", timeout) })
  const notify = notifyWithin(statementTimeout)

  // A word is kept until it has been sent or has failed, so that one which a closing scope cuts short is not lost.
  let waiting: string | undefined
  let underWay: string | undefined
  const send = <E>(by: (payload: string) => Effect.Effect<void, E>) =>
    Effect.suspend(() => {
      underWay = both(underWay, waiting)
      waiting = undefined
      return underWay === undefined ? Effect.void : by(underWay)
    })

  const outgoing = yield* Queue.sliding<void>(1)
  if (options.notify) {
    yield* Effect.addFinalizer(() =>
      send(notifyWithin(Duration.min(statementTimeout, closeTime))).pipe(
        Effect.catchCause((cause) =>
          Effect.logWarning(
            "outbox: closed before other processes could be notified; they look by themselves",
            CauseSummary.of(cause)
          )
        )
      )
    )
    yield* Queue.take(outgoing).pipe(
      Effect.andThen(send(notify)),
      Effect.catchCause((cause) =>
        Effect.logDebug("outbox: could not notify other processes", CauseSummary.of(cause))
      ),
      Effect.andThen(
        Effect.sync(() => {
          underWay = undefined
        })
      ),
      Effect.andThen(Effect.sleep(throttle)),
      Effect.forever,
      Effect.forkScoped
    )
  }

  const say = (payload: string) =>
    Effect.sync(() => {
      for (const subscriber of subscribers) hear(subscriber, payload)
      waiting = both(waiting, payload)
      Queue.offerUnsafe(outgoing, undefined)
    })

  return {
    committed: say(workPayload),
    lanesChanged: say(lanesPayload),
    wakes: Effect.gen(function* () {
      const subscriber = { work: yield* Queue.sliding<void>(1), lanes: yield* Queue.sliding<void>(1) }
      yield* Effect.acquireRelease(
        Effect.sync(() => subscribers.add(subscriber)),
        () => Effect.sync(() => subscribers.delete(subscriber))
      )
      if (!options.notify) return { ...subscriber, isDeaf: Effect.succeed(false) }
      const listener = yield* PgListener.make({
        config: client.config,
        channel,
        notify,
        timeout: statementTimeout,
        ping: options.ping,
        onNotification: (payload) => hear(subscriber, payload),
        // What was said while nobody listened was said to nobody; and who has become deaf must look by itself.
        onChange: () => hear(subscriber, lanesPayload)
      })
      return { ...subscriber, isDeaf: listener.isDeaf }
    })
  }
})

/** One word that says what two say: that of lanes speaks of work too. */
const both = (a: string | undefined, b: string | undefined): string | undefined =>
  a === lanesPayload ? a : (b ?? a)
