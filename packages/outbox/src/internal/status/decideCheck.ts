/**
 * What is to happen to a message after a check, decided from what the check found.
 */
import * as DeliveryStatus from "@effect-cascade/core/DeliveryStatus"
import type { StatusReason } from "@effect-cascade/core/StatusLookup"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { DueCheck } from "../../StatusStore.ts"
import { type CheckSchedule, delayAfter } from "./checkSchedule.ts"

/** What a check found. A closed set. */
export type Finding =
  | { readonly _tag: "Told"; readonly report: DeliveryStatus.StatusReport }
  | { readonly _tag: "Failed"; readonly reason: StatusReason }
  /** The look-up broke its contract. */
  | { readonly _tag: "Broken" }
  /** Nobody was asked. */
  | { readonly _tag: "NotAsked" }

/** How long to follow a message, and how often to ask. */
export interface CheckPolicy {
  readonly schedule: CheckSchedule
  readonly notFoundLimit: number
  readonly afterDeadline: Duration.Duration
  readonly afterAcceptance: Duration.Duration
}

/** How a check ends. A closed set. */
export type Decision =
  | {
      readonly kind: "again"
      readonly delay: Duration.Duration
      readonly misses: number
      readonly report: DeliveryStatus.StatusReport | undefined
    }
  | {
      readonly kind: "over"
      readonly misses: number
      readonly report: DeliveryStatus.StatusReport | undefined
      /** Whether it ends without an answer that is an end. */
      readonly gaveUp: boolean
    }
  /** As if it had not been: the account was at fault, or nobody was asked. */
  | { readonly kind: "released" }

/** The provider asks not to be asked about one message more often than this. */
const shortestDelay = Duration.seconds(1)

/** Beyond any schedule that means something, and within what a database can add to an instant. */
const longestDelay = Duration.days(365)

/** Whether every other message of the account would meet the same. */
export const isObstacle = (reason: StatusReason): boolean => "scope" in reason && reason.scope === "lane"

/** Whether the provider answered, and knows nothing of the message or will not say. */
export const isMiss = (reason: StatusReason): boolean =>
  reason._tag === "NotFound" || reason._tag === "Rejected"

/** Decides. Effectful only in that a schedule may draw its delays at random. */
export const decide = Effect.fnUntraced(function* (
  check: DueCheck,
  finding: Finding,
  policy: CheckPolicy
): Effect.fn.Return<Decision> {
  switch (finding._tag) {
    case "NotAsked":
      return { kind: "released" }
    case "Told": {
      const { report } = finding
      return report.confirmed && DeliveryStatus.isFinal(report.status)
        ? { kind: "over", misses: 0, report, gaveUp: false }
        : yield* askAgain(check, { report }, policy)
    }
    case "Broken":
      return yield* askAgain(check, {}, policy)
    case "Failed": {
      const { reason } = finding
      if (isObstacle(reason)) return { kind: "released" }
      if (reason._tag === "Unencodable") return giveUp(check, check.misses + 1)
      const missed = isMiss(reason)
      // Right after a send "not found" may only mean "not yet".
      if (missed && check.misses + 1 >= policy.notFoundLimit) return giveUp(check, check.misses + 1)
      return yield* askAgain(check, { reason, missed }, policy)
    }
  }
})

const askAgain = Effect.fnUntraced(function* (
  check: DueCheck,
  found: {
    readonly report?: DeliveryStatus.StatusReport
    readonly reason?: StatusReason
    readonly missed?: boolean
  },
  policy: CheckPolicy
): Effect.fn.Return<Decision> {
  const { missed = false, reason, report } = found
  const misses = missed ? check.misses + 1 : 0
  const left = timeLeft(check, policy)
  const next =
    left <= 0
      ? undefined
      : yield* delayAfter(policy.schedule, { check: check.checks, status: report?.status, reason })
  if (next === undefined) {
    return missed ? giveUp(check, misses) : { kind: "over", misses, report, gaveUp: true }
  }
  // The last look is at the very end of the time.
  const delay = Duration.clamp(Duration.min(next, Duration.millis(left)), {
    minimum: shortestDelay,
    maximum: longestDelay
  })
  return { kind: "again", delay, misses, report }
})

/** Milliseconds until the tracker gives up. */
const timeLeft = (check: DueCheck, policy: CheckPolicy): number =>
  check.remainingMillis === null
    ? Duration.toMillis(policy.afterAcceptance) - check.ageMillis
    : check.remainingMillis + Duration.toMillis(policy.afterDeadline)

/** The provider knows no such message: all that can be said of it is that it is not recognised. */
const giveUp = (check: DueCheck, misses: number): Decision => ({
  kind: "over",
  misses,
  report: new DeliveryStatus.StatusReport(
    { messageId: check.providerMessageId, status: "unrecognised", source: "poll", confirmed: false },
    { disableChecks: true }
  ),
  gaveUp: true
})
