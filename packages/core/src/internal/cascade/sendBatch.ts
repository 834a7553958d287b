/**
 * The attempts at one batch: send, see which envelopes may be sent again, wait, send those.
 */
import { isReadonlyArrayNonEmpty, type NonEmptyReadonlyArray } from "effect/Array"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Schedule from "effect/Schedule"
import * as CauseSummary from "../../CauseSummary.ts"
import type { Delivery } from "../../Delivery.ts"
import type { Envelope } from "../../Envelope.ts"
import type { TrackingId } from "../../TrackingId.ts"
import type { TransportShape } from "../../Transport.ts"
import * as SendTelemetry from "../../SendTelemetry.ts"
import * as TransportReason from "../../TransportReason.ts"
import { attempt } from "../attempt.ts"
import * as deadline from "../deadline.ts"

/** When a batch is sent again. */
export interface Policy {
  readonly retry: Schedule.Schedule<unknown, TransportReason.TransportReason> | "none"
  readonly longestWait: Duration.Duration
  readonly uncertainty: "hold" | "resend"
}

/** Answers for every envelope of a batch, in its order. `onAttempt` hears of each attempt as soon as it is over. */
export const sendBatch = Effect.fnUntraced(function* (
  transport: TransportShape,
  batch: NonEmptyReadonlyArray<Envelope>,
  policy: Policy,
  onAttempt: (batch: ReadonlyArray<Envelope>, deliveries: ReadonlyArray<Delivery>) => Effect.Effect<void>
): Effect.fn.Return<ReadonlyArray<Delivery>> {
  const answers = new Map<TrackingId, Delivery>()
  const record = (delivery: Delivery) =>
    answers.set(delivery.trackingId, merge(answers.get(delivery.trackingId), delivery))
  const nextDelay = yield* delays(policy)

  let due: ReadonlyArray<Envelope> = batch
  while (true) {
    const { expired, live } = deadline.separate(due, yield* DateTime.now)
    expired.forEach(record)
    if (!isReadonlyArrayNonEmpty(live)) break
    const deliveries = yield* SendTelemetry.observe(
      live,
      { transport: transport.name },
      attempt(transport, live)
    )
    deliveries.forEach(record)
    // What was sent is sent: no oddity of an answer may cost the others theirs.
    yield* Effect.catchDefect(onAttempt(live, deliveries), logDefect("nobody could be told of an acceptance"))

    const failures = live.flatMap((envelope, index) => {
      const reason = retryable(envelope, deliveries[index], policy)
      return reason === undefined ? [] : [{ envelope, reason }]
    })
    if (failures.length === 0) break
    const delay = yield* nextDelay(failures.map(({ reason }) => reason))
    if (delay === undefined) break
    // Who would be too late after the wait keeps the reason why it was not sent, and is not waited for.
    const then = DateTime.addDuration(yield* DateTime.now, delay)
    due = failures.map(({ envelope }) => envelope).filter((envelope) => deadline.isLive(envelope, then))
    if (due.length === 0) break
    yield* Effect.sleep(delay)
  }
  return batch.flatMap(({ trackingId }) => answers.get(trackingId) ?? [])
})

const logDefect = (what: string) => (defect: unknown) =>
  Effect.annotateLogs(Effect.logError(what), { reasons: [CauseSummary.ofError(defect)] })

// A message that may have been sent stays so whatever a later attempt says, short of an acceptance.
const merge = (before: Delivery | undefined, after: Delivery): Delivery =>
  before?._tag === "Unknown" && after._tag === "NotSent" ? before : after

/** Whether a second copy is better than none. */
const mayReachTwice = {
  Transaction: true,
  FlashCall: true,
  Promo: false,
  ViberSurvey: false
} satisfies Record<Envelope["message"]["_tag"], boolean>

const retryable = (
  { message }: Envelope,
  delivery: Delivery | undefined,
  policy: Policy
): TransportReason.TransportReason | undefined => {
  if (delivery === undefined || delivery._tag === "Accepted") return undefined
  const { reason } = delivery
  if (delivery._tag === "Unknown") {
    return policy.uncertainty === "resend" && mayReachTwice[message._tag] ? reason : undefined
  }
  if (reason._tag === "Unreachable") return reason
  if (reason._tag !== "Throttled") return undefined
  return Duration.isLessThanOrEqualTo(asked(reason), policy.longestWait) ? reason : undefined
}

type NextDelay = (
  reasons: ReadonlyArray<TransportReason.TransportReason>
) => Effect.Effect<Duration.Duration | undefined>

/** The schedule's delays, none of them shorter than what the other side asked for; `undefined` when it is over. */
const delays = Effect.fnUntraced(function* (policy: Policy): Effect.fn.Return<NextDelay> {
  if (policy.retry === "none") return () => Effect.succeed(undefined)
  const step = yield* Schedule.toStep(policy.retry)
  return Effect.fnUntraced(function* (reasons: ReadonlyArray<TransportReason.TransportReason>) {
    const slowest = reasons.reduce((a, b) => (Duration.isGreaterThan(asked(b), asked(a)) ? b : a))
    const delay = yield* step(yield* Clock.currentTimeMillis, slowest).pipe(
      Effect.map(([, delay]): Duration.Duration | undefined => delay),
      Pull.catchDone(() => Effect.succeed(undefined)),
      // The caller's own functions run in it, and what was sent by then must not be lost with them.
      Effect.catchDefect((defect) =>
        Effect.as(logDefect("the retry schedule died, so nothing is sent again")(defect), undefined)
      )
    )
    return delay === undefined ? undefined : Duration.max(delay, asked(slowest))
  })
})

const asked = (reason: TransportReason.TransportReason): Duration.Duration =>
  TransportReason.retryAfter(reason) ?? Duration.zero
