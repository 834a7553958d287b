/**
 * From a batch of leased rows to a settlement for each: look, send, decide. Never fails.
 *
 * Whatever cuts the send short (time-out, stop, a defect in the transport) is an unknown outcome for all that was
 * handed over: the transport may have sent any of it.
 */
import * as CauseSummary from "@effect-cascade/core/CauseSummary"
import * as Delivery from "@effect-cascade/core/Delivery"
import type * as Envelope from "@effect-cascade/core/Envelope"
import * as SendTelemetry from "@effect-cascade/core/SendTelemetry"
import * as Telemetry from "@effect-cascade/core/Telemetry"
import * as Transport from "@effect-cascade/core/Transport"
import * as Reason from "@effect-cascade/core/TransportReason"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import { type ClaimedRow, toEnvelope } from "../../OutboxRow.ts"
import * as RetryPolicy from "../../RetryPolicy.ts"
import * as Settlement from "../../Settlement.ts"
import type { Batch } from "./batch.ts"

/** A row with what is to become of it. */
export interface Decided {
  readonly row: ClaimedRow
  readonly envelope: Envelope.Envelope | undefined
  readonly settlement: Settlement.Settlement
}

export interface DeliverOptions {
  readonly relay: string
  readonly transport: Transport.TransportShape
  readonly sendTimeout: Duration.Duration
  readonly retry: (row: ClaimedRow) => RetryPolicy.RetrySchedule
  /** Done when sends under way are to be cut short. */
  readonly cut: Deferred.Deferred<void>
  /** Whether nothing new is to be sent: the relay is stopping, or the lane was paused while it was claimed from. */
  readonly isHalted: () => boolean
}

interface ToSend {
  readonly row: ClaimedRow
  readonly envelope: Envelope.Envelope
}

export const deliverBatch = Effect.fnUntraced(function* (
  batch: Batch,
  options: DeliverOptions
): Effect.fn.Return<ReadonlyArray<Decided>> {
  const passed = yield* sinceClaim(batch)
  // On the clock as it is now, which may have been set since the claim; how long that is ago, the monotonic one tells.
  const claimedAt = DateTime.subtract(yield* DateTime.now, { milliseconds: passed })
  const decided: Array<Decided> = []
  const toSend: Array<ToSend> = []

  for (const row of batch.rows) {
    const envelope = toEnvelope(row, claimedAt)
    if (Result.isFailure(envelope)) {
      const settlement = Settlement.unreadable(envelope.failure.problem)
      decided.push({ row, envelope: undefined, settlement })
      continue
    }
    const before = Settlement.decideBefore({ ...row, expired: remaining(row, passed) === 0 })
    if (before === undefined) toSend.push({ row, envelope: envelope.success })
    else decided.push({ row, envelope: envelope.success, settlement: before })
  }

  if (!Arr.isArrayNonEmpty(toSend)) return decided
  if (options.isHalted() || (yield* isLate(batch, options.sendTimeout))) {
    return [...decided, ...toSend.map((sent): Decided => ({ ...sent, settlement: { kind: "released" } }))]
  }

  const deliveries = yield* SendTelemetry.observe(
    Arr.map(toSend, ({ envelope }) => envelope),
    {
      transport: options.transport.name,
      // The batch has messages of many traces, and links to each.
      root: true,
      attributes: {
        [Telemetry.attributes.lane]: batch.lane,
        [Telemetry.attributes.relay]: options.relay
      }
    },
    attempt(toSend, options)
  )
  const after = yield* sinceClaim(batch)
  for (const [index, sent] of toSend.entries()) {
    // `attempt` answers for each envelope in its order.
    const delivery = deliveries[index] ?? Delivery.notAccepted(sent.envelope.trackingId, defect)
    // Only what is unknown depends on more than the delivery.
    const facts =
      delivery._tag === "Unknown" ? yield* factsOf(sent, delivery.reason, after, options) : noFacts
    const settlement = Settlement.decide(delivery, { uncertainty: sent.row.uncertainty, ...facts })
    decided.push({ row: sent.row, envelope: sent.envelope, settlement })
  }
  return decided
})

const sinceClaim = (batch: Batch): Effect.Effect<number> =>
  Effect.map(Clock.monotonicTimeNanos, (now) => Number(now - batch.claimedAt) / 1_000_000)

/** How many milliseconds are left to the deadline, so many after the claim. */
const remaining = (row: ClaimedRow, passed: number): number | undefined =>
  row.remainingMillis === null ? undefined : Math.max(0, row.remainingMillis - passed)

/** Whether a send that began now could still be under way when the lease is over, and the row another relay's. */
const isLate = (batch: Batch, sendTimeout: Duration.Duration): Effect.Effect<boolean> =>
  Effect.map(Clock.monotonicTimeNanos, (now) => now + Duration.toNanosUnsafe(sendTimeout) >= batch.leaseEnd)

const attempt = (
  toSend: Arr.NonEmptyReadonlyArray<ToSend>,
  options: DeliverOptions
): Effect.Effect<ReadonlyArray<Delivery.Delivery>> => {
  const all = (reason: Reason.TransportReason) =>
    toSend.map(({ envelope }) => Delivery.notAccepted(envelope.trackingId, reason))
  return Transport.deliver(
    options.transport,
    Arr.map(toSend, ({ envelope }) => envelope)
  ).pipe(
    unwaited,
    // The batch's own fiber cannot be interrupted, so that its outcome is always written; the send can.
    Effect.interruptible,
    Effect.timeoutOrElse({ duration: options.sendTimeout, orElse: () => Effect.succeed(all(timedOut)) }),
    Effect.raceFirst(Effect.map(Deferred.await(options.cut), () => all(interrupted))),
    Effect.catchCause((cause) =>
      Effect.as(
        Effect.logError(
          "outbox: the transport broke its contract; its batch is taken for unknown",
          CauseSummary.of(cause)
        ),
        all(defect)
      )
    )
  )
}

/** How long a send that is cut short may take to tidy up. */
const tidyTime = Duration.seconds(1)

/**
 * The same, in a fiber that is left behind where it does not end when it is told to: a transport that cannot be
 * interrupted must keep neither a slot nor the stop of its relay for ever.
 */
const unwaited = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.contextWith((context: Context.Context<R>) =>
    Effect.callback<A, E>((resume) => {
      const fiber = Effect.runForkWith(context)(self)
      fiber.addObserver(resume)
      return Effect.suspend(() => {
        fiber.interruptUnsafe()
        return Effect.timeoutOrElse(Effect.asVoid(Fiber.await(fiber)), {
          duration: tidyTime,
          orElse: () =>
            Effect.logError(
              "outbox: a send that was cut short goes on, because its transport cannot be interrupted"
            )
        })
      })
    })
  )

const timedOut = new Reason.TimedOut()
const interrupted = new Reason.CutShort({ by: "interruption" })
const defect = new Reason.CutShort({ by: "defect" })

type Facts = Omit<Settlement.Facts, "uncertainty">

const noFacts: Facts = { next: undefined, remaining: undefined }

const factsOf = (
  { row }: ToSend,
  reason: Reason.UnknownReason,
  passed: number,
  options: DeliverOptions
): Effect.Effect<Facts> =>
  Effect.map(nextDelay(row, reason, options), (next) => {
    const left = remaining(row, passed)
    return { next, remaining: left === undefined ? undefined : Duration.millis(left) }
  })

// A schedule is the program's own code. If it breaks, its row waits as uncertain; the rest of the batch is not lost.
const nextDelay = (row: ClaimedRow, reason: Reason.TransportReason, options: DeliverOptions) =>
  Effect.suspend(() =>
    RetryPolicy.delayAfter(options.retry(row), { attempt: row.attempts + 1, reason })
  ).pipe(
    Effect.catchCause((cause) =>
      Effect.as(
        Effect.logError(
          "outbox: the retry schedule failed; no other attempt is made",
          CauseSummary.of(cause)
        ),
        undefined
      )
    )
  )
