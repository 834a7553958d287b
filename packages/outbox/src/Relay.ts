/**
 * The read side: drains the outbox to a transport, with retries, and writes down what became of each message.
 *
 * Run any number of relays on any number of machines over one database. Each row is leased to one of them at a time;
 * the lease runs out by itself, so that what a killed relay held goes on elsewhere within the time of a lease.
 * Delivery is at least once under `resend` and at most once under `hold`; see `Uncertainty`.
 *
 * A relay that stops takes nothing new, gives back what it has not begun, lets what is under way finish for a grace
 * period, and writes every outcome before it ends.
 */
import * as CauseSummary from "@effect-cascade/core/CauseSummary"
import * as CascadeEvents from "@effect-cascade/core/CascadeEvents"
import * as Envelope from "@effect-cascade/core/Envelope"
import * as Message from "@effect-cascade/core/Message"
import { Transport, type TransportShape } from "@effect-cascade/core/Transport"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Struct from "effect/Struct"
import * as Engine from "./internal/relay/engine.ts"
import * as LaneBoard from "./internal/relay/laneBoard.ts"
import * as Settler from "./internal/relay/settler.ts"
import { warnOfPaused } from "./internal/relay/warnOfPaused.ts"
import { strayOption } from "./internal/strayOption.ts"
import * as Lane from "./Lane.ts"
import type { StoreError } from "./OutboxError.ts"
import type { ClaimedRow } from "./OutboxRow.ts"
import { OutboxStore, type Wakes } from "./OutboxStore.ts"
import * as RetryPolicy from "./RetryPolicy.ts"

/** How a relay works. Every member has a default; a name that is none of these is refused. */
export interface RelayOptions {
  /** Its name in the outcomes it writes and in its logs. Defaults to `relay-` and eight random characters. */
  readonly name?: string | undefined
  /** The transports of further accounts, by the account's name (see `Lane.Account`). The `Transport` service serves `"default"`. */
  readonly accounts?: Readonly<Record<string, TransportShape>> | undefined
  /**
   * How many batches of a lane are sent at the same time. More means more throughput, and more messages in doubt when
   * a process dies. Defaults to `{ urgent: 4, high: 4, normal: 2, low: 2 }`.
   */
  readonly slots?: Partial<Readonly<Record<Lane.Priority, number>>> | undefined
  /**
   * The most messages of one batch, from 1 to 1,000. An unknown outcome casts doubt on a whole batch.
   * Defaults to `{ urgent: 20, high: 200, normal: 200, low: 200 }`.
   */
  readonly batchSize?: Partial<Readonly<Record<Lane.Priority, number>>> | undefined
  /**
   * How long a claim holds a row against other relays; renewed while its batch is under way. What a killed relay held
   * goes on after this time. Must be longer than `sendTimeout` and `heartbeat` together. Defaults to 30 seconds.
   */
  readonly lease?: Duration.Input | undefined
  /**
   * How often leases are renewed, the state of lanes is read, and what has waited past its deadline is expired.
   * Defaults to 5 seconds.
   */
  readonly heartbeat?: Duration.Input | undefined
  /** The longest time that one call of the transport may take; then its outcome is unknown. Defaults to 20 seconds. */
  readonly sendTimeout?: Duration.Input | undefined
  /** How long to wait between looks while there is work, and at most when there is none. Defaults to 25 ms and 1 s. */
  readonly poll?: { readonly busy: Duration.Input; readonly idle: Duration.Input } | undefined
  /**
   * How long a stop waits for sends under way before it cuts them short. Each outcome that is not written by then has
   * one try more, as long as the store lets a statement take. Defaults to 10 seconds.
   */
  readonly gracePeriod?: Duration.Input | undefined
  /** When a message whose outcome is unknown is sent again. Defaults to `RetryPolicy.defaultSchedule`. */
  readonly retry?: RetryPolicy.RetrySchedule | undefined
  /** Other schedules for some types of message. Defaults to none. */
  readonly retryByType?:
    | Partial<Readonly<Record<Message.MessageJson["messageType"], RetryPolicy.RetrySchedule>>>
    | undefined
  /** The pauses of lanes. */
  readonly pause?: PauseOptions | undefined
}

/** How long lanes pause. None of it costs a message an attempt. */
export interface PauseOptions {
  /** When throttled without a word on how long, or unreachable. Defaults to 1 s, doubled up to 1 minute, jittered. */
  readonly backoff?: RetryPolicy.RetrySchedule | undefined
  /** The longest `Retry-After` that is honoured. Defaults to 15 minutes. */
  readonly maximum?: Duration.Input | undefined
  /** How often a lane whose keys are refused, or that is redirected, is tried. Defaults to 5 minutes. */
  readonly unauthorized?: Duration.Input | undefined
}

/** Options that cannot work together. */
export class InvalidRelayOptions extends Schema.TaggedError<InvalidRelayOptions>(
  "@effect-cascade/outbox/InvalidRelayOptions"
)("InvalidRelayOptions", { problem: Schema.String }) {
  override get message(): string {
    return `the relay's options cannot work: ${this.problem}`
  }
}

/** How many messages ended in each way since a relay started. `lost` counts leases lost before they were settled. */
export type RelayTally = Engine.Tally

/** A running relay. */
export interface RelayShape {
  readonly name: string
  /** Counts since it started. */
  readonly tally: Effect.Effect<RelayTally>
}

/** The relay of a program. */
export class Relay extends Context.Service<Relay, RelayShape>()("@effect-cascade/outbox/Relay") {}

/**
 * Starts a relay, which runs until the scope closes.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Relay } from "@effect-cascade/outbox"
 *
 * // Two relays in one process; more often each process runs one, by `Relay.layer`.
 * const both = Effect.all([Relay.make({ name: "a" }), Relay.make({ name: "b" })])
 * ```
 */
export const make = Effect.fnUntraced(function* (
  options?: RelayOptions
): Effect.fn.Return<RelayShape, InvalidRelayOptions, OutboxStore | Transport | Scope.Scope> {
  const config = yield* settingsOf(options)
  const store = yield* OutboxStore
  const { board, engine, free, inner } = yield* start(config)
  const wakes = yield* Scope.provide(store.wakes, inner)
  yield* watchLanes(board, wakes, free, config).pipe(Effect.forkIn(inner))

  const pump = yield* pumpLoop(engine, wakes, free, config).pipe(Effect.forkIn(inner))
  yield* Effect.addFinalizer(() => stop(engine, pump, config))
  yield* Effect.logInfo("outbox: relay started").pipe(Effect.annotateLogs({ relay: config.name }))
  return { name: config.name, tally: engine.tally }
})

/** A relay as a layer. */
export const layer = (
  options?: RelayOptions
): Layer.Layer<Relay, InvalidRelayOptions, OutboxStore | Transport> => Layer.effect(Relay, make(options))

/**
 * Sends until nothing is due, then ends: for scripts, tests and cron. Rows of paused lanes, and those due later, stay.
 */
export const drain = Effect.fn("Relay.drain")(function* (
  options?: RelayOptions
): Effect.fn.Return<RelayTally, InvalidRelayOptions | StoreError, OutboxStore | Transport> {
  const config = yield* settingsOf(options)
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const { engine } = yield* start(config)
      yield* Effect.addFinalizer(() => finish(engine, config))
      let claimed = yield* engine.claim
      while (claimed.rows > 0) {
        yield* engine.idle
        claimed = yield* engine.claim
      }
      return yield* engine.tally
    })
  )
})

type Settings = Effect.Success<ReturnType<typeof settingsOf>>

const settingsOf = Effect.fnUntraced(function* (options: RelayOptions | undefined) {
  const settings = {
    name: options?.name ?? `relay-${SecureRandom.uuidV4Unsafe().slice(0, 8)}`,
    accounts: options?.accounts ?? {},
    slots: { urgent: 4, high: 4, normal: 2, low: 2, ...options?.slots },
    batchSize: { urgent: 20, high: 200, normal: 200, low: 200, ...options?.batchSize },
    lease: Duration.fromInputUnsafe(options?.lease ?? "30 seconds"),
    heartbeat: Duration.fromInputUnsafe(options?.heartbeat ?? "5 seconds"),
    sendTimeout: Duration.fromInputUnsafe(options?.sendTimeout ?? "20 seconds"),
    busy: Duration.fromInputUnsafe(options?.poll?.busy ?? "25 millis"),
    idle: Duration.fromInputUnsafe(options?.poll?.idle ?? "1 second"),
    gracePeriod: Duration.fromInputUnsafe(options?.gracePeriod ?? "10 seconds"),
    retry: (row: ClaimedRow): RetryPolicy.RetrySchedule =>
      retryByType.get(row.messageType) ?? options?.retry ?? RetryPolicy.defaultSchedule,
    backoff: options?.pause?.backoff ?? defaultBackoff,
    maxPause: Duration.fromInputUnsafe(options?.pause?.maximum ?? "15 minutes"),
    unauthorizedPause: Duration.fromInputUnsafe(options?.pause?.unauthorized ?? "5 minutes")
  }
  const retryByType = new Map(Object.entries(options?.retryByType ?? {}))
  const problem = strayName(options) ?? problemOf(settings)
  if (problem !== undefined) return yield* new InvalidRelayOptions({ problem })
  return settings
})

const knownNames = {
  name: true,
  accounts: true,
  slots: true,
  batchSize: true,
  lease: true,
  heartbeat: true,
  sendTimeout: true,
  poll: true,
  gracePeriod: true,
  retry: true,
  retryByType: true,
  pause: true
} satisfies Record<keyof RelayOptions, true>

/** The names within options that have some of their own. */
const knownParts = {
  slots: Lane.priorities,
  batchSize: Lane.priorities,
  poll: ["busy", "idle"],
  retryByType: Object.values(Message.messageType),
  pause: ["backoff", "maximum", "unauthorized"]
} satisfies Partial<Record<keyof RelayOptions, ReadonlyArray<string>>>

// A name with a slip in it would otherwise leave its option at the default, without a word.
const strayName = (options: RelayOptions | undefined): string | undefined => {
  const stray = strayOption(options, Struct.keys(knownNames))
  if (stray !== undefined) return `${stray} is no option; there are ${Struct.keys(knownNames).join(", ")}`
  for (const part of Struct.keys(knownParts)) {
    const within = strayOption(options?.[part], knownParts[part])
    if (within !== undefined) return `${part} takes no ${within}; it takes ${knownParts[part].join(", ")}`
  }
  return undefined
}

const isAccount = Schema.is(Lane.Account)

const problemOf = (settings: {
  readonly accounts: Readonly<Record<string, TransportShape>>
  readonly slots: Readonly<Record<Lane.Priority, number>>
  readonly batchSize: Readonly<Record<Lane.Priority, number>>
  readonly lease: Duration.Duration
  readonly heartbeat: Duration.Duration
  readonly sendTimeout: Duration.Duration
  readonly busy: Duration.Duration
  readonly idle: Duration.Duration
}): string | undefined => {
  if (!Object.keys(settings.accounts).every(isAccount)) {
    return "the names of accounts must be 1 to 100 characters of A-Z a-z 0-9 . _ : -"
  }
  for (const [priority, slots] of Object.entries(settings.slots)) {
    if (!Number.isInteger(slots) || slots < 1) return `slots.${priority} must be a whole number from 1`
  }
  for (const [priority, size] of Object.entries(settings.batchSize)) {
    if (!Number.isInteger(size) || size < 1 || size > 1_000) {
      return `batchSize.${priority} must be a whole number from 1 to 1,000`
    }
  }
  for (const name of ["heartbeat", "sendTimeout", "busy", "idle"] as const) {
    const label = name === "busy" || name === "idle" ? `poll.${name}` : name
    if (!Duration.isPositive(settings[name])) return `${label} must be longer than nothing`
  }
  const needed = Duration.sum(settings.sendTimeout, settings.heartbeat)
  return Duration.isGreaterThan(settings.lease, needed)
    ? undefined
    : "lease must be longer than sendTimeout and heartbeat together, or a row could be another relay's while it is sent"
}

const defaultBackoff: RetryPolicy.RetrySchedule = Schedule.jittered(
  Schedule.min([Schedule.exponential("1 second", 2), Schedule.spaced("1 minute")])
)

/** How long one relay at a time has the right to try a lane whose pause is over. */
const probeWindow = Duration.seconds(5)

/** The parts of a relay, in a scope of their own that closes after its stop. */
const start = Effect.fnUntraced(function* (config: Settings) {
  const store = yield* OutboxStore
  const transport = yield* Transport
  const events = yield* CascadeEvents.publisher
  // Closed by hand at the very end: closing it interrupts what a graceful stop still waits for.
  const inner = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const free = yield* Queue.sliding<void>(1)
  const board = LaneBoard.make({
    store,
    events,
    backoff: config.backoff,
    maxPause: config.maxPause,
    unauthorizedPause: config.unauthorizedPause,
    probeWindow
  })
  const settler = yield* Scope.provide(Settler.make({ store, relay: config.name }), inner)
  const engine = yield* Scope.provide(
    Engine.make({
      relay: config.name,
      store,
      settler,
      board,
      events,
      transports: new Map([[Envelope.defaultAccount, transport], ...Object.entries(config.accounts)]),
      slots: config.slots,
      batchSize: config.batchSize,
      lease: config.lease,
      sendTimeout: config.sendTimeout,
      retry: config.retry,
      onFree: () => Queue.offerUnsafe(free, undefined)
    }),
    inner
  )
  const warned = (problem: string) =>
    Effect.catchCause((cause: Cause.Cause<StoreError>) =>
      Effect.logWarning(`outbox: ${problem}`, CauseSummary.of(cause)).pipe(
        Effect.annotateLogs({ relay: config.name })
      )
    )
  const beat = Effect.andThen(engine.renew, board.refresh).pipe(
    warned("a heartbeat failed; leases run out unless the next succeeds"),
    Effect.andThen(engine.expire.pipe(warned("messages past their deadline could not be expired"))),
    Effect.withTracerEnabled(false)
  )
  yield* beat
  const served = new Set([Envelope.defaultAccount, ...Object.keys(config.accounts)])
  const paused = yield* board.paused
  yield* warnOfPaused(
    config.name,
    paused.filter(({ lane }) => served.has(Lane.accountOf(lane)))
  )
  yield* Effect.forkIn(Effect.forever(Effect.andThen(Effect.sleep(config.heartbeat), beat)), inner)
  return { board, engine, free, inner }
})

/** Reads the lanes again as soon as one has changed, be it here or elsewhere; what it misses the heartbeat finds. */
const watchLanes = (
  board: LaneBoard.LaneBoard,
  wakes: Wakes,
  free: Queue.Enqueue<void>,
  config: Settings
): Effect.Effect<never> =>
  Queue.take(wakes.lanes).pipe(
    Effect.andThen(board.refresh),
    // Only now can it be claimed from a lane that was opened.
    Effect.andThen(Queue.offer(free, undefined)),
    Effect.withTracerEnabled(false),
    Effect.catchCause((cause) =>
      Effect.logWarning(
        "outbox: a lane has changed and could not be read; the heartbeat tries again",
        CauseSummary.of(cause)
      ).pipe(Effect.annotateLogs({ relay: config.name }))
    ),
    Effect.forever
  )

/**
 * The longest pause, in milliseconds, after claims that failed. A database that is away may be back at any moment, and
 * the rows of a relay that was killed meanwhile wait for this one.
 */
const longestPause = { away: 1_000, broken: 5_000 } as const

const isAway = (cause: Cause.Cause<StoreError>): boolean =>
  Option.exists(Cause.findErrorOption(cause), ({ isRetryable }) => isRetryable)

const pumpLoop = Effect.fnUntraced(function* (
  engine: Engine.Engine,
  wakes: Wakes,
  free: Queue.Dequeue<void>,
  config: Settings
) {
  const signal = Effect.raceFirst(Queue.take(wakes.work), Queue.take(free))
  const idleMillis = Duration.toMillis(config.idle)
  const busyMillis = Math.min(Duration.toMillis(config.busy), idleMillis)
  let failures = 0
  let delay = busyMillis

  while (true) {
    const claimed = yield* engine.claimRecent.pipe(
      // Also an interruption that comes from within the store. One of this very fiber ends it, and comes by no handler.
      Effect.catchCause((cause) =>
        Effect.logWarning("outbox: claiming failed, trying again", CauseSummary.of(cause)).pipe(
          Effect.annotateLogs({ relay: config.name, failures: failures + 1 }),
          Effect.as({ failure: cause })
        )
      )
    )
    if ("failure" in claimed) {
      // Never faster than this, whatever wakes it: a database that is away must not be hammered.
      const longest = isAway(claimed.failure) ? longestPause.away : longestPause.broken
      yield* Effect.sleep(Math.min(longest, 100 * 2 ** Math.min(failures, 10)))
      failures++
      continue
    }
    failures = 0
    if (claimed.more) continue
    // Who cannot hear of work has to look for it.
    const isBusy = claimed.rows > 0 || (yield* wakes.isDeaf)
    delay = isBusy ? busyMillis : Math.min(delay * 2, idleMillis)
    const jittered = delay * (0.75 + 0.5 * (yield* Random.next))
    const woken = yield* Effect.timeoutOption(signal, jittered)
    if (Option.isSome(woken)) delay = busyMillis
  }
})

const stop = Effect.fnUntraced(function* (
  engine: Engine.Engine,
  pump: Fiber.Fiber<unknown, unknown>,
  config: Settings
) {
  yield* engine.stop
  // A claim under way is not cut short: what it got is started, and given back untried.
  yield* finish(engine, config, Fiber.interrupt(pump))
  yield* Effect.logInfo("outbox: relay stopped").pipe(Effect.annotateLogs({ relay: config.name }))
})

const finish = Effect.fnUntraced(function* (
  engine: Engine.Engine,
  config: Settings,
  ended: Effect.Effect<void> = Effect.void
) {
  yield* engine.stop
  const idle = Effect.andThen(ended, engine.idle)
  const finished = yield* Effect.timeoutOption(idle, config.gracePeriod)
  if (Option.isSome(finished)) return
  yield* Effect.logWarning("outbox: the grace period is over; sends under way are cut short").pipe(
    Effect.annotateLogs({ relay: config.name })
  )
  yield* engine.cut
  yield* idle
})
