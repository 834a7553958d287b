/**
 * Tells relays when to look: at once in this process, by a throttled NOTIFY elsewhere.
 *
 * NOTIFY never runs in a caller's transaction, because Postgres takes one lock for the whole database at the commit
 * of a transaction that notifies. It is sent after the commit, on another connection, and a lost one costs only the
 * time until the next poll, or heartbeat.
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
  const notify = (payload: string) =>
    abandonAfter(client.notify(channel, payload), {
      timeout: statementTimeout,
      error: () => noAnswer("notify", statementTimeout)
    })

  const outgoing = yield* Queue.sliding<void>(1)
  let lanesChanged = false
  const next = Effect.map(Queue.take(outgoing), () => {
    const payload = lanesChanged ? lanesPayload : workPayload
    lanesChanged = false
    return payload
  })
  if (options.notify) {
    yield* next.pipe(
      Effect.flatMap(notify),
      Effect.catchCause((cause) =>
        Effect.logDebug("outbox: could not notify other processes", CauseSummary.of(cause))
      ),
      Effect.andThen(Effect.sleep(throttle)),
      Effect.forever,
      Effect.forkScoped
    )
  }

  const say = (payload: string) =>
    Effect.sync(() => {
      for (const subscriber of subscribers) hear(subscriber, payload)
      if (payload === lanesPayload) lanesChanged = true
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
