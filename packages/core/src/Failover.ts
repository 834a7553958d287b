/**
 * Several transports as one: the next one is asked for what the one before surely did not send.
 *
 * What it promises:
 *
 * - An envelope goes to another transport only after `NotSent`. After `Unknown` it stays where it is: somebody may
 *   have received it. So it never sends a message twice that a transport did not deny having sent.
 * - It moves on when the lane or the attempt was at fault (keys, redirect, throttling, network). A message that is
 *   itself refused (`Rejected`, `Unencodable`) stays refused: a provider may refuse a recipient who opted out, and to
 *   go round that by another provider must be somebody's decision (`movesOn`). What is `Expired` or `Withheld` never
 *   moves on.
 * - Nothing is given up before every transport was asked. One that failed is asked last during its cool-down, or as
 *   long as it asked to be left alone; afterwards it is back in its place. There is no list of the dead.
 * - Every cause is kept: {@link attempts} reads them from a delivery, and each move is logged.
 *
 * @example
 * ```ts
 * import { Failover, Transport } from "@effect-cascade/core"
 * import { Effect, Layer } from "effect"
 *
 * declare const main: Effect.Effect<Transport.TransportShape>
 * declare const spare: Effect.Effect<Transport.TransportShape>
 *
 * const layer = Layer.effect(
 *   Transport.Transport,
 *   Effect.map(Effect.all([main, spare]), Failover.failover)
 * )
 * ```
 */
import { isReadonlyArrayNonEmpty, type NonEmptyReadonlyArray } from "effect/Array"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Deliveries from "./Delivery.ts"
import type { Delivery } from "./Delivery.ts"
import type { Envelope } from "./Envelope.ts"
import { attempt } from "./internal/attempt.ts"
import * as usable from "./internal/usable.ts"
import type { TrackingId } from "./TrackingId.ts"
import type { TransportShape } from "./Transport.ts"
import * as TransportReason from "./TransportReason.ts"

/** The reasons after which another transport may be asked. */
export type MovableReason = Exclude<
  TransportReason.NotSentReason,
  TransportReason.Expired | TransportReason.Withheld
>

/** How transports stand in for each other. */
export interface FailoverOptions {
  /** Defaults to the names of the transports, such as `"main > spare"`. */
  readonly name?: string | undefined
  /** How long one that failed as a whole is asked last, unless it says for how long. Defaults to 10 seconds. */
  readonly coolDown?: Duration.Input | undefined
  /** Whether the next one is asked. Defaults to all reasons that do not lie with the message (`scope`). */
  readonly movesOn?: ((reason: MovableReason) => boolean) | undefined
}

const defaults = {
  coolDown: "10 seconds",
  movesOn: (reason: MovableReason) => reason.scope !== "message"
} as const

/** What one of the transports said of an envelope that it did not send. */
export class FailoverAttempt extends Schema.Class<FailoverAttempt>("@effect-cascade/core/FailoverAttempt")({
  /** The name of the transport. */
  transport: Schema.String,
  reason: TransportReason.NotSentReason
}) {}

/**
 * A `NotSent` of several transports. Its `reason` is the most hopeful of theirs: one that passes by itself before one
 * that needs a person, and that before a refusal, so that nothing is given up that a transport may yet take.
 */
export class NotSentAnywhere extends Deliveries.NotSent.extend<NotSentAnywhere>(
  "@effect-cascade/core/NotSentAnywhere"
)({
  /** What each of them said, in the order in which they were asked. */
  attempts: Schema.NonEmptyArray(FailoverAttempt)
}) {}

/** What each transport said of an envelope that none of them sent; empty for a delivery without a failover. */
export const attempts = (delivery: Delivery): ReadonlyArray<FailoverAttempt> =>
  delivery instanceof NotSentAnywhere ? delivery.attempts : []

/** Asks the first transport, and the next for what the one before surely did not send. Takes the smallest batch of theirs. */
export const failover = (
  transports: NonEmptyReadonlyArray<TransportShape>,
  options?: FailoverOptions
): TransportShape => {
  const coolDown = usable.time(options?.coolDown, defaults.coolDown)
  const mayMove = options?.movesOn ?? defaults.movesOn
  // Whatever the function does about one envelope must not become the fate of the others.
  const movesOn = (reason: MovableReason): boolean =>
    Result.getOrElse(
      Result.try(() => mayMove(reason) === true),
      () => false
    )
  const coolingUntil = new Map<TransportShape, number>()

  const inOrder = (now: number) => {
    const isCooling = (transport: TransportShape) => (coolingUntil.get(transport) ?? now) > now
    return [
      ...transports.filter((transport) => !isCooling(transport)),
      ...transports.filter((transport) => isCooling(transport))
    ]
  }

  const note = Effect.fnUntraced(function* (transport: TransportShape, deliveries: ReadonlyArray<Delivery>) {
    const wait = coolDownOf(deliveries, coolDown)
    if (wait === undefined) coolingUntil.delete(transport)
    else coolingUntil.set(transport, (yield* Clock.currentTimeMillis) + Duration.toMillis(wait))
  })

  const send = Effect.fnUntraced(function* (
    batch: NonEmptyReadonlyArray<Envelope>
  ): Effect.fn.Return<ReadonlyArray<Delivery>> {
    const denials = new Map<TrackingId, ReadonlyArray<FailoverAttempt>>()
    const answers: Array<Delivery> = []
    let left: ReadonlyArray<Envelope> = batch
    let from: TransportShape | undefined
    for (const transport of inOrder(yield* Clock.currentTimeMillis)) {
      if (!isReadonlyArrayNonEmpty(left)) break
      if (from !== undefined) yield* logMove(from, transport, left, denials)
      const deliveries = yield* attempt(transport, left)
      yield* note(transport, deliveries)
      const moving = new Set<TrackingId>()
      for (const delivery of deliveries) {
        if (delivery._tag !== "NotSent") {
          answers.push(delivery)
          continue
        }
        const denied = [...(denials.get(delivery.trackingId) ?? []), ...attemptsOf(transport, delivery)]
        if (isMovable(delivery.reason) && movesOn(delivery.reason)) {
          denials.set(delivery.trackingId, denied)
          moving.add(delivery.trackingId)
        } else {
          answers.push(notSent(delivery.trackingId, delivery.reason, denied))
        }
      }
      left = left.filter(({ trackingId }) => moving.has(trackingId))
      from = transport
    }
    return [
      ...answers,
      ...left.flatMap(({ trackingId }) => {
        const denied = denials.get(trackingId) ?? []
        const best = mostHopeful(denied)
        return best === undefined ? [] : notSent(trackingId, best, denied)
      })
    ]
  })

  return {
    name: options?.name ?? transports.map(({ name }) => name).join(" > "),
    maxBatchSize: Math.min(...transports.map(({ maxBatchSize }) => usable.atLeastOne(maxBatchSize))),
    send
  }
}

const isMovable = (reason: TransportReason.NotSentReason): reason is MovableReason =>
  reason._tag !== "Expired" && reason._tag !== "Withheld"

// A transport that is itself a failover tells of all of its own.
const attemptsOf = (
  transport: TransportShape,
  delivery: Deliveries.NotSent
): ReadonlyArray<FailoverAttempt> =>
  delivery instanceof NotSentAnywhere
    ? delivery.attempts
    : [new FailoverAttempt({ transport: transport.name, reason: delivery.reason }, { disableChecks: true })]

const notSent = (
  trackingId: TrackingId,
  reason: TransportReason.NotSentReason,
  denied: ReadonlyArray<FailoverAttempt>
): Delivery =>
  isReadonlyArrayNonEmpty(denied) && denied.length > 1
    ? new NotSentAnywhere({ trackingId, reason, attempts: denied }, { disableChecks: true })
    : Deliveries.notAccepted(trackingId, reason)

/** How long a transport is asked last: only where its lane failed for every envelope that it was given. */
const coolDownOf = (
  deliveries: ReadonlyArray<Delivery>,
  coolDown: Duration.Duration
): Duration.Duration | undefined => {
  let wait = Duration.zero
  for (const delivery of deliveries) {
    if (delivery._tag !== "NotSent" || delivery.reason.scope !== "lane") return undefined
    wait = Duration.max(wait, TransportReason.retryAfter(delivery.reason) ?? coolDown)
  }
  return wait
}

const hopes: Readonly<Record<TransportReason.NotSentReason["_tag"], number>> = {
  Throttled: 0,
  Unreachable: 1,
  Redirected: 2,
  Unauthorized: 2,
  Rejected: 3,
  Unencodable: 4,
  Withheld: 5,
  Expired: 5
}

/** Of two throttlings the one that asks for the shorter wait, since one transport is enough. */
const mostHopeful = (denied: ReadonlyArray<FailoverAttempt>): TransportReason.NotSentReason | undefined =>
  denied
    .map(({ reason }) => reason)
    .reduce<TransportReason.NotSentReason | undefined>((best, reason) => {
      if (best === undefined || hopes[reason._tag] < hopes[best._tag]) return reason
      if (hopes[reason._tag] > hopes[best._tag]) return best
      const [waitOfBest, wait] = [TransportReason.retryAfter(best), TransportReason.retryAfter(reason)]
      if (waitOfBest === undefined || wait === undefined) return best
      return Duration.isLessThan(wait, waitOfBest) ? reason : best
    }, undefined)

const logMove = (
  from: TransportShape,
  to: TransportShape,
  left: ReadonlyArray<Envelope>,
  denials: ReadonlyMap<TrackingId, ReadonlyArray<FailoverAttempt>>
): Effect.Effect<void> => {
  const reasons = left.flatMap(({ trackingId }) => denials.get(trackingId)?.at(-1)?.reason.message ?? [])
  return Effect.annotateLogs(Effect.logWarning("messages move on to another transport"), {
    from: from.name,
    to: to.name,
    messages: left.length,
    reasons: [...new Set(reasons)]
  })
}
