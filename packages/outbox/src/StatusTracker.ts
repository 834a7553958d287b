/**
 * Follows messages of the outbox after the provider accepted them: asks what became of each, takes in what webhooks
 * say, and keeps one state for each message that never goes back.
 *
 * It follows what a relay accepts over a store with `trackStatus` (see `PgOutboxStoreOptions`): the row that is followed
 * is written in one statement with the outcome `sent`, so that no crash leaves one without the other. Run any number of
 * trackers on any number of machines over one database. Each message is leased to one of them for a look-up; the lease
 * runs out by itself. Reports join in the database, under the lock of the row: polls and webhooks in any order, at the
 * same time and however often end in the same state, and `StatusChanged` is published by the one report that moved it.
 *
 * Nothing is promised about when an end is known: that depends on the provider, which documents the look-up for its
 * other API only (https://smsbat.com/help/api/smsbat/status/).
 */
import type { StatusReport } from "@effect-cascade/core/DeliveryStatus"
import * as Envelope from "@effect-cascade/core/Envelope"
import { StatusLookup, type StatusLookupShape } from "@effect-cascade/core/StatusLookup"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as AccountGate from "./internal/status/accountGate.ts"
import * as CheckScheduling from "./internal/status/checkSchedule.ts"
import * as Checker from "./internal/status/checker.ts"
import { checkLoop } from "./internal/status/checkLoop.ts"
import * as ReportIntake from "./internal/status/reportIntake.ts"
import * as TellMove from "./internal/status/tellMove.ts"
import * as Lane from "./Lane.ts"
import type { StoreError } from "./OutboxError.ts"
import { StatusStore, type TrackedStatus } from "./StatusStore.ts"

export type {
  /** What a schedule is told about a check that did not find an end. */
  Checked,
  /** A schedule of checks: the delay after each that did not find an end. */
  CheckSchedule
} from "./internal/status/checkSchedule.ts"

/** How messages are followed. Every member has a default. */
export interface StatusTrackerOptions {
  /** The look-ups of further accounts, by the account's name. The `StatusLookup` service serves `"default"`. */
  readonly accounts?: Readonly<Record<string, StatusLookupShape>> | undefined
  /**
   * When a message is asked about again, replayed from the number of its checks; no sooner than after a second. Where
   * the schedule ends the message is given up. Defaults to {@link defaultSchedule}.
   */
  readonly schedule?: CheckScheduling.CheckSchedule | undefined
  /** When a message without a confirmed end is given up, with one last look. */
  readonly giveUp?:
    | {
        /** This long after its deadline. Defaults to 1 hour. */
        readonly afterDeadline?: Duration.Input | undefined
        /** This long after its acceptance, where it has no deadline. Defaults to 3 days. */
        readonly afterAcceptance?: Duration.Input | undefined
      }
    | undefined
  /**
   * How often in a row the provider may say that it does not know a message before it is given up as `unrecognised`.
   * Right after a send that may only mean "not yet". Defaults to 5.
   */
  readonly notFoundLimit?: number | undefined
  /** How many look-ups of an account are under way at a time. Defaults to 8. */
  readonly concurrency?: number | undefined
  /**
   * How many look-ups of an account begin in a second at most. With a `RateLimiter` in the context that many for all who
   * share its store, else for this tracker alone. The provider allows 50 (https://help.smsbat.com/api/rate-limits/), of
   * which some are for the confirmation of webhooks. Defaults to 40, so that with bursts no second has more than 50.
   */
  readonly rate?: number | undefined
  /** How many messages of an account are claimed at a time, from 1 to 1,000. Defaults to 50. */
  readonly batch?: number | undefined
  /** How long a claim holds a message against other trackers. Longer than `lookupTimeout`. Defaults to 1 minute. */
  readonly lease?: Duration.Input | undefined
  /** The longest time that one look-up may take. Defaults to 10 seconds. */
  readonly lookupTimeout?: Duration.Input | undefined
  /** How long to wait between looks while nothing is due, give or take a quarter. Defaults to 1 second. */
  readonly poll?: Duration.Input | undefined
  /** The pauses of an account's look-ups. None of it counts as a check. */
  readonly pause?:
    | {
        /** When throttled without a word on how long, or unreachable. Defaults to 1 s, doubled up to 1 minute. */
        readonly backoff?: CheckScheduling.CheckSchedule | undefined
        /** The longest `Retry-After` that is honoured. Defaults to 15 minutes. */
        readonly maximum?: Duration.Input | undefined
        /** How often an account whose keys are refused, or that is redirected, is tried. Defaults to 5 minutes. */
        readonly unauthorized?: Duration.Input | undefined
      }
    | undefined
}

/** About 7, 11, 17, 25, … seconds, half as much again each time, up to half an hour; without an end. */
export const defaultSchedule: CheckScheduling.CheckSchedule = CheckScheduling.defaultSchedule

const defaults = {
  afterDeadline: "1 hour",
  afterAcceptance: "3 days",
  notFoundLimit: 5,
  concurrency: 8,
  rate: 40,
  batch: 50,
  lease: "1 minute",
  lookupTimeout: "10 seconds",
  poll: "1 second",
  maximum: "15 minutes",
  unauthorized: "5 minutes"
} as const

const defaultBackoff: CheckScheduling.CheckSchedule = Schedule.jittered(
  Schedule.min([Schedule.exponential("1 second", 2), Schedule.spaced("1 minute")])
)

/** Options that cannot work together. */
export class InvalidStatusTrackerOptions extends Schema.TaggedError<InvalidStatusTrackerOptions>(
  "@effect-cascade/outbox/InvalidStatusTrackerOptions"
)("InvalidStatusTrackerOptions", { problem: Schema.String }) {
  override get message(): string {
    return `the status tracker's options cannot work: ${this.problem}`
  }
}

/** What a tracker did since it was made: its checks by what they came to, and the reports it was given. */
export interface StatusTally extends Checker.CheckTally, ReportIntake.ReportTally {}

/** What a tracker does. */
export interface StatusTrackerShape {
  /**
   * Takes a report in: for `onReport` of `SmsBatWebhook.route`. A report about a message that is not followed is
   * counted and ignored; whoever reported it learns nothing. `account` is the one that the webhook is for, by default
   * that of the `StatusLookup` service: of another account's message it changes nothing. While the store is away it is
   * tried for a few seconds; what is not heard of here is found by a check.
   */
  readonly report: (
    report: StatusReport,
    options?: { readonly account?: string | undefined }
  ) => Effect.Effect<void, StoreError>

  /** What is known of a message's delivery; `undefined` where it is not followed, or was not accepted yet. */
  readonly status: (
    account: string,
    trackingId: string
  ) => Effect.Effect<TrackedStatus | undefined, StoreError>

  /** Counts since it was made. */
  readonly tally: Effect.Effect<StatusTally>
}

/**
 * The status tracker of a program.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { StatusTracker } from "@effect-cascade/outbox"
 *
 * const hasArrived = Effect.fn("hasArrived")(function* (trackingId: string) {
 *   const tracker = yield* StatusTracker.StatusTracker
 *   const known = yield* tracker.status("default", trackingId)
 *   return known?.state?.status === "delivered" && known.state.confirmed
 * })
 * ```
 */
export class StatusTracker extends Context.Service<StatusTracker, StatusTrackerShape>()(
  "@effect-cascade/outbox/StatusTracker"
) {}

/** Starts a tracker, which asks until the scope closes. */
export const make = Effect.fnUntraced(function* (
  options?: StatusTrackerOptions
): Effect.fn.Return<
  StatusTrackerShape,
  InvalidStatusTrackerOptions,
  StatusStore | StatusLookup | Scope.Scope
> {
  const settings = yield* settingsOf(options)
  const intake = yield* ReportIntake.make
  const room = yield* Queue.sliding<void>(1)
  const checker = yield* makeChecker(settings, () => Queue.offerUnsafe(room, undefined))
  yield* Effect.forkScoped(checkLoop(checker, room, settings.poll))
  return {
    report: intake.report,
    status: intake.status,
    tally: Effect.zipWith(checker.tally, intake.tally, (checks, reports) => ({ ...checks, ...reports }))
  }
})

/** The status tracker as a layer. */
export const layer = (
  options?: StatusTrackerOptions
): Layer.Layer<StatusTracker, InvalidStatusTrackerOptions, StatusStore | StatusLookup> =>
  Layer.effect(StatusTracker, make(options))

/**
 * A tracker that asks nobody: for processes that take webhooks in, or want to know a status, while others ask.
 */
export const layerNoPolling: Layer.Layer<StatusTracker, never, StatusStore> = Layer.effect(
  StatusTracker,
  Effect.suspend(() =>
    Effect.map(ReportIntake.make, ({ report, status, tally }) => ({
      report,
      status,
      tally: Effect.map(tally, (reports) => ({ ...noChecks, ...reports }))
    }))
  )
)

/** Asks about every message that is due now, then ends: for scripts, tests and cron. */
export const runOnce = Effect.fn("StatusTracker.runOnce")(function* (
  options?: StatusTrackerOptions
): Effect.fn.Return<
  Checker.CheckTally,
  InvalidStatusTrackerOptions | StoreError,
  StatusStore | StatusLookup
> {
  const settings = yield* settingsOf(options)
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const checker = yield* makeChecker(settings, () => undefined)
      while ((yield* checker.claim).rows > 0) yield* checker.idle
      return yield* checker.tally
    })
  )
})

const noChecks: Checker.CheckTally = { answered: 0, failed: 0, released: 0, gaveUp: 0, lost: 0 }

type Settings = Effect.Success<ReturnType<typeof settingsOf>>

const settingsOf = Effect.fnUntraced(function* (options: StatusTrackerOptions | undefined) {
  const duration = (input: Duration.Input | undefined, otherwise: Duration.Input) =>
    Duration.fromInputUnsafe(input ?? otherwise)
  const settings = {
    accounts: options?.accounts ?? {},
    policy: {
      schedule: options?.schedule ?? defaultSchedule,
      notFoundLimit: options?.notFoundLimit ?? defaults.notFoundLimit,
      afterDeadline: duration(options?.giveUp?.afterDeadline, defaults.afterDeadline),
      afterAcceptance: duration(options?.giveUp?.afterAcceptance, defaults.afterAcceptance)
    },
    concurrency: options?.concurrency ?? defaults.concurrency,
    rate: options?.rate ?? defaults.rate,
    batch: options?.batch ?? defaults.batch,
    lease: duration(options?.lease, defaults.lease),
    lookupTimeout: duration(options?.lookupTimeout, defaults.lookupTimeout),
    poll: duration(options?.poll, defaults.poll),
    backoff: options?.pause?.backoff ?? defaultBackoff,
    maxPause: duration(options?.pause?.maximum, defaults.maximum),
    unauthorizedPause: duration(options?.pause?.unauthorized, defaults.unauthorized)
  }
  const problem = problemOf(settings)
  if (problem !== undefined) return yield* new InvalidStatusTrackerOptions({ problem })
  return settings
})

const isAccount = Schema.is(Lane.Account)

const problemOf = (settings: {
  readonly accounts: Readonly<Record<string, StatusLookupShape>>
  readonly policy: { readonly notFoundLimit: number }
  readonly concurrency: number
  readonly rate: number
  readonly batch: number
  readonly lease: Duration.Duration
  readonly lookupTimeout: Duration.Duration
  readonly poll: Duration.Duration
  readonly maxPause: Duration.Duration
  readonly unauthorizedPause: Duration.Duration
}): string | undefined => {
  const { batch, concurrency, lease, lookupTimeout, policy, rate } = settings
  if (!Object.keys(settings.accounts).every(isAccount)) {
    return "the names of accounts must be 1 to 100 characters of A-Z a-z 0-9 . _ : -"
  }
  for (const [name, value] of Object.entries({ notFoundLimit: policy.notFoundLimit, concurrency })) {
    if (!Number.isInteger(value) || value < 1) return `${name} must be a whole number from 1`
  }
  if (!Number.isInteger(batch) || batch < 1 || batch > 1_000) {
    return "batch must be a whole number from 1 to 1,000"
  }
  if (!Number.isFinite(rate) || rate <= 0) return "rate must be more than 0"
  const times = {
    lookupTimeout,
    lease,
    poll: settings.poll,
    "pause.maximum": settings.maxPause,
    "pause.unauthorized": settings.unauthorizedPause
  }
  for (const [name, value] of Object.entries(times)) {
    if (!Duration.isPositive(value) || !Duration.isFinite(value))
      return `${name} must be some time, with an end`
  }
  return Duration.isGreaterThan(lease, lookupTimeout)
    ? undefined
    : "lease must be longer than lookupTimeout, or a message could be another tracker's while it is asked about"
}

const makeChecker = Effect.fnUntraced(function* (settings: Settings, onRoom: () => void) {
  const { backoff, concurrency, lease, lookupTimeout, maxPause, policy, unauthorizedPause } = settings
  const store = yield* StatusStore
  const lookup = yield* StatusLookup
  const publish = yield* TellMove.make
  const limiter = Option.getOrElse(yield* Effect.serviceOption(RateLimiter.RateLimiter), () => undefined)
  const turns = limiter ?? (yield* Effect.provide(RateLimiter.make, RateLimiter.layerStoreMemory))
  const accounts = Object.entries({ [Envelope.defaultAccount]: lookup, ...settings.accounts })
  return yield* Checker.make({
    store,
    policy,
    concurrency,
    lease,
    lookupTimeout,
    publish,
    onRoom,
    room: roomOf(settings),
    accounts: accounts.map(([account, { lookup }]) => ({
      account,
      lookup,
      turn: turnOf(turns, account, settings.rate),
      gate: AccountGate.make({ account, store, backoff, maxPause, unauthorizedPause })
    }))
  })
})

/** No more than can be asked about in half the time that a lease leaves. */
const roomOf = ({ batch, lease, lookupTimeout, rate }: Settings): number =>
  Math.max(
    1,
    Math.min(batch, Math.floor((rate * Duration.toSeconds(Duration.subtract(lease, lookupTimeout))) / 2))
  )

/** A small bucket, filled at the rate: what goes at once after a rest is a quarter of a second's share. */
const turnOf = (limiter: RateLimiter.RateLimiter, account: string, rate: number) => {
  const limit = Math.max(1, Math.floor(rate / 4))
  return RateLimiter.sleep(limiter, {
    algorithm: "token-bucket",
    key: `cascade-status/${account}`,
    limit,
    window: Duration.seconds(limit / rate)
  }).pipe(
    Effect.tapError((error) =>
      Effect.logWarning("outbox: the rate limiter failed, so nobody is asked").pipe(
        Effect.annotateLogs({ account, reason: error.reason._tag }),
        // What is given back is due at once: a limiter that is away must not be hammered.
        Effect.andThen(Effect.sleep("5 seconds"))
      )
    )
  )
}
