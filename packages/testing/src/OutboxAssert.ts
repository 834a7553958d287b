/**
 * What a test says about the outbox: that a message is in it, or is not.
 *
 * It asks `EnqueuedMessages`, so the same assertions hold for the outbox in memory and for Postgres. A message matches
 * when it has every field that is named; its text and id may be given as a pattern. An assertion that does not hold
 * fails with {@link OutboxAssertionError}, which any test runner shows: it lists what is in the outbox, the nearest
 * first, with what differs. Phone numbers and texts are masked.
 *
 * @example
 * ```ts
 * import { OutboxAssert } from "@effect-cascade/testing"
 * import { Effect } from "effect"
 *
 * const test = Effect.gen(function* () {
 *   // … place an order …
 *   yield* OutboxAssert.assertEnqueued({
 *     _tag: "Transaction",
 *     id: "order-confirmed:1042",
 *     toPhone: "+380671112233",
 *     text: /confirmed/,
 *     priority: "high"
 *   })
 *   yield* OutboxAssert.refuteEnqueued({ _tag: "Promo" })
 * })
 * ```
 */
import type * as Lane from "@effect-cascade/outbox/Lane"
import type { StoreError } from "@effect-cascade/outbox/OutboxError"
import type { Uncertainty } from "@effect-cascade/outbox/Uncertainty"
import type * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type EnqueuedMessage, EnqueuedMessages, type MessageState } from "./EnqueuedMessages.ts"
import { OutboxAssertionError } from "./internal/enqueued/OutboxAssertionError.ts"
import * as match from "./internal/enqueued/match.ts"
import * as report from "./internal/enqueued/report.ts"
import type { MessageMatch } from "./internal/fake/match.ts"

export { OutboxAssertionError }

/** What a message in the outbox has to be in the fields named. */
export interface EnqueuedMatch extends MessageMatch {
  /** Such as `default/high`. */
  readonly lane?: string
  readonly priority?: Lane.Priority
  readonly uncertainty?: Uncertainty
  readonly state?: MessageState
  /** When it is due: its schedule, its `availableAt` or its next attempt. None once it has ended. */
  readonly dueAt?: DateTime.DateTime | Date | string
}

/** How exactly something has to be there. */
export interface AssertEnqueuedOptions {
  /** By how much `scheduledSent` and `dueAt` may differ from what is expected, either way. Defaults to 1 second. */
  readonly within?: Duration.Input | undefined
  /** How many messages have to match. Defaults to at least one. */
  readonly times?: number | undefined
}

const defaults = { within: Duration.seconds(1) }

/** Fails unless a message in the outbox matches; answers with the oldest that does. */
export const assertEnqueued = Effect.fn("OutboxAssert.assertEnqueued")(function* (
  expected: EnqueuedMatch,
  options?: AssertEnqueuedOptions
): Effect.fn.Return<EnqueuedMessage, OutboxAssertionError | StoreError, EnqueuedMessages> {
  const { all, differencesOf, found } = yield* find(expected, options)
  const [first] = found
  const times = options?.times
  if (first !== undefined && (times === undefined || found.length === times)) return first
  const wanted =
    times === undefined ? "a message" : `exactly ${times} ${times === 1 ? "message" : "messages"}`
  return yield* new OutboxAssertionError({
    details: [
      `expected ${wanted} in the outbox to match ${match.describe(expected)}, found ${found.length}`,
      all.length === 0 ? "  the outbox is empty" : report.nearest(all, differencesOf)
    ].join("\n")
  })
})

/** Fails if a message in the outbox matches. */
export const refuteEnqueued = Effect.fn("OutboxAssert.refuteEnqueued")(function* (
  unexpected: EnqueuedMatch,
  options?: Pick<AssertEnqueuedOptions, "within">
): Effect.fn.Return<void, OutboxAssertionError | StoreError, EnqueuedMessages> {
  const { found } = yield* find(unexpected, options)
  if (found.length === 0) return
  return yield* new OutboxAssertionError({
    details: [
      `expected no message in the outbox to match ${match.describe(unexpected)}, found ${found.length}`,
      report.listed(found)
    ].join("\n")
  })
})

/** Every committed message, whatever became of it, the oldest first. */
export const allEnqueued = (): Effect.Effect<ReadonlyArray<EnqueuedMessage>, StoreError, EnqueuedMessages> =>
  EnqueuedMessages.use(({ all }) => all)

const find = Effect.fnUntraced(function* (
  expected: EnqueuedMatch,
  options: Pick<AssertEnqueuedOptions, "within"> | undefined
) {
  const within = Duration.fromInputUnsafe(options?.within ?? defaults.within)
  const differencesOf = yield* match.compile(expected, within)
  const all = yield* allEnqueued()
  return { all, differencesOf, found: all.filter((message) => differencesOf(message).length === 0) }
})
