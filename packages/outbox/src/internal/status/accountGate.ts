/**
 * Whether an account may be asked with: closed after a refusal that every other look-up would meet too.
 *
 * A pause is written to the store, so that every tracker keeps it; here it is kept too, for when the store is away.
 * After it one look-up at a time shows whether the account works again.
 */
import * as CauseSummary from "@effect-cascade/core/CauseSummary"
import type { StatusReason } from "@effect-cascade/core/StatusLookup"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { StatusStoreShape } from "../../StatusStore.ts"
import { type CheckSchedule, delayAfter } from "./checkSchedule.ts"

export interface AccountGate {
  readonly isOpen: Effect.Effect<boolean>
  /** Whether the last look-ups met an obstacle, so that the next one is a probe. */
  readonly isOnProbation: () => boolean
  /** A look-up met an obstacle. */
  readonly obstructed: (reason: StatusReason) => Effect.Effect<void>
  /** A look-up got through. */
  readonly passed: () => void
}

export interface AccountGateOptions {
  readonly account: string
  readonly store: StatusStoreShape
  /** The pauses after obstacles that do not say how long, one after another. */
  readonly backoff: CheckSchedule
  readonly maxPause: Duration.Duration
  readonly unauthorizedPause: Duration.Duration
}

export const make = (options: AccountGateOptions): AccountGate => {
  const { account, backoff, maxPause, store, unauthorizedPause } = options
  let closedUntil: bigint | undefined
  let trips = 0

  const isOpen = Effect.map(
    Clock.monotonicTimeNanos,
    (now) => closedUntil === undefined || now >= closedUntil
  )

  const durationOf = Effect.fnUntraced(function* (reason: StatusReason) {
    const asked = reason._tag === "Throttled" ? reason.retryAfter : undefined
    // "At once" is no answer to "when".
    if (asked !== undefined && Duration.isPositive(asked)) return Duration.min(asked, maxPause)
    if (reason._tag === "Unauthorized" || reason._tag === "Redirected") return unauthorizedPause
    const delay = yield* delayAfter(backoff, { check: trips, status: undefined, reason }).pipe(
      Effect.catchCause((cause) =>
        Effect.as(
          Effect.logError("outbox: the backoff of status look-ups failed", CauseSummary.of(cause)),
          undefined
        )
      )
    )
    return Duration.min(delay ?? maxPause, maxPause)
  })

  const obstructed = Effect.fnUntraced(function* (reason: StatusReason) {
    // What was under way together met one and the same obstacle.
    if (!(yield* isOpen)) return
    const now = yield* Clock.monotonicTimeNanos
    closedUntil = now + Duration.toNanosUnsafe(maxPause)
    trips++
    const millis = Math.round(Duration.toMillis(Duration.max(yield* durationOf(reason), shortestPause)))
    const duration = Duration.millis(millis)
    closedUntil = now + Duration.toNanosUnsafe(duration)
    yield* Effect.logWarning(`outbox: status look-ups paused: ${reason.message}`).pipe(
      Effect.annotateLogs({ account, reason: reason._tag, for: Duration.format(duration) })
    )
    yield* store
      .pause(account, duration)
      .pipe(
        Effect.catchCause((cause) =>
          Effect.logWarning(
            "outbox: a pause of status look-ups is known to this tracker alone",
            CauseSummary.of(cause)
          )
        )
      )
  })

  return {
    isOpen,
    isOnProbation: () => trips > 0,
    obstructed,
    passed: () => {
      trips = 0
    }
  }
}

/** Whatever a schedule says, a refusal is never answered by asking at once. */
const shortestPause = Duration.seconds(1)
