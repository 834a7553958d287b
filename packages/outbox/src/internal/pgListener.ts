/**
 * Listens to a channel on a connection of its own, and makes sure that it can be heard there.
 *
 * A connection that is half-open says nothing for ever, and so does one that a pooler has given to somebody else. So
 * the listener says a word to itself through the channel every so often, on another connection. When the word does not
 * come back in time, the connection is given up and another one is made. Said in the log: once when it is lost, once
 * when it is back.
 *
 * The connection is not the pool's, because a pool takes back what it has lent in good order alone, by an UNLISTEN that
 * a dead connection never answers.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as CauseSummary from "@effect-cascade/core/CauseSummary"
import type * as Cause from "effect/Cause"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import { abandonAfter, noAnswer } from "./unanswered.ts"

/** How a listener makes sure that it is heard. */
export interface Ping {
  /** Time between two pings. */
  readonly every: Duration.Duration
  /** How long a ping may take. */
  readonly timeout: Duration.Duration
}

export interface ListenerOptions {
  readonly config: PgConnection.Config
  readonly channel: string
  /** Says a word on the channel, on another connection. */
  readonly notify: (payload: string) => Effect.Effect<void, unknown>
  /** How long the answer to LISTEN may take. */
  readonly timeout: Duration.Duration
  readonly ping: Ping
  /** Called with what others say. */
  readonly onNotification: (payload: string) => void
  /** Called when it has become deaf, and when it hears. */
  readonly onChange: () => void
}

export interface Listener {
  /** Whether it has lost its connection, or has tried to get one in vain. */
  readonly isDeaf: Effect.Effect<boolean>
}

/** All pings begin so, those of other listeners too. */
const pingPrefix = "ping:"

/** Milliseconds before the first attempt after a loss; doubled with each one that fails. */
const firstWait = 100
const longestWait = 5_000

/** Listens until the scope closes. */
export const make = Effect.fnUntraced(function* (
  options: ListenerOptions
): Effect.fn.Return<Listener, never, Scope.Scope> {
  const { onChange, ping } = options
  let deaf = false
  let failures = 0

  const lost = (cause: Cause.Cause<unknown>) =>
    Effect.suspend(() => {
      if (deaf) return Effect.void
      deaf = true
      onChange()
      return Effect.logWarning("outbox: not listening for other processes, polling", CauseSummary.of(cause))
    })

  const heard = Effect.suspend(() => {
    const wasDeaf = deaf
    deaf = false
    failures = 0
    onChange()
    return wasDeaf ? Effect.logInfo("outbox: listening for other processes again") : Effect.void
  })

  const listen = Effect.gen(function* () {
    const session = yield* open(options)
    yield* heard
    const mine = `${pingPrefix}${SecureRandom.uuidV4Unsafe()}`
    const back = yield* Latch.make(false)

    const receive = Effect.map(Queue.take(session.notifications), ({ payload }) => {
      if (payload === mine) Latch.openUnsafe(back)
      else if (!payload.startsWith(pingPrefix)) options.onNotification(payload)
    })
    const check = Effect.gen(function* () {
      // Listeners that began together must not ping together.
      yield* Effect.sleep(Duration.toMillis(ping.every) * (0.75 + 0.5 * (yield* Random.next)))
      Latch.closeUnsafe(back)
      const said = yield* Effect.exit(options.notify(mine))
      // A word that could not be said tells nothing of the listener.
      if (Exit.isFailure(said)) return
      const answered = yield* Effect.timeoutOption(Latch.await(back), ping.timeout)
      if (Option.isSome(answered)) return
      session.giveUp()
      return yield* noAnswer("hear its own ping", ping.timeout)
    })
    return yield* Effect.raceFirst(Effect.forever(receive), Effect.forever(check))
  })

  yield* listen.pipe(
    Effect.scoped,
    Effect.tapCause(lost),
    Effect.ignoreCause,
    Effect.andThen(
      Effect.suspend(() => Effect.sleep(Math.min(longestWait, firstWait * 2 ** Math.min(failures++, 10))))
    ),
    Effect.forever,
    Effect.withTracerEnabled(false),
    Effect.forkScoped
  )
  return { isDeaf: Effect.sync(() => deaf) }
})

/** A connection that listens. Nothing that a dead one never answers is waited for when the scope closes. */
const open = Effect.fnUntraced(function* ({ channel, config, timeout }: ListenerOptions) {
  let dead: PgConnection.PgConnection | undefined
  const scopes = yield* Effect.acquireRelease(
    Effect.all({ listening: Scope.make(), connected: Scope.make() }),
    ({ connected, listening }) => {
      // The connection first: the other way round an UNLISTEN would be sent and waited for.
      const close = Effect.andThen(Scope.close(connected, Exit.void), Scope.close(listening, Exit.void))
      return dead === undefined ? close : Effect.forkDetach(Effect.andThen(destroy(dead), close))
    }
  )
  const connection = yield* Scope.provide(PgConnection.make(config), scopes.connected)
  const pinned = yield* Scope.provide(connection.pin, scopes.listening)
  const notifications = yield* abandonAfter(Scope.provide(pinned.listen(channel), scopes.listening), {
    timeout,
    error: () => noAnswer("listen", timeout)
  })
  return {
    notifications,
    giveUp: () => {
      dead = pinned
    }
  }
})

/**
 * Ends a connection that does not answer. Closing it would leave the socket to the system, which tries for many minutes
 * and keeps the process alive as long; a query that is given up makes the driver destroy it after 5 seconds.
 */
const destroy = (connection: PgConnection.PgConnection) =>
  Effect.ignoreCause(Effect.timeoutOption(connection.query("SELECT 1", [], false), "1 millis"))
