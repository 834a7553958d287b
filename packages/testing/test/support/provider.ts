/**
 * The other side of a transport, in memory: it does what a provider does and goes wrong when it is told, and keeps the
 * ledger of what it received. With it, a transport that keeps to its contract.
 */
import { Delivery, Envelope, type Transport, TransportError, TransportReason } from "@effect-cascade/core"
import { DateTime, Deferred, Effect } from "effect"

export type Fault = "none" | "throttled" | "unreachable" | "unauthorized" | "lost" | "hanging"

/** The number that it refuses. */
export const refusedPhone = "+380000000007"

export interface Provider {
  /** The tracking ids of everything received. */
  readonly received: Array<string>
  fault: Fault
  /** A request to send all of these, or none: it takes a turn before it comes in, and one before the reply. */
  readonly request: (
    envelopes: ReadonlyArray<Envelope.Envelope>
  ) => Effect.Effect<ReadonlyArray<string>, TransportReason.TransportReason>
  underWay: Deferred.Deferred<void>
  givenUp: Deferred.Deferred<void>
}

export const makeProvider = (): Provider => {
  const provider: Provider = {
    received: [],
    fault: "none",
    underWay: Deferred.makeUnsafe(),
    givenUp: Deferred.makeUnsafe(),
    request: Effect.fnUntraced(function* (envelopes) {
      yield* Effect.yieldNow
      switch (provider.fault) {
        case "throttled":
          return yield* new TransportReason.Throttled({ status: 429 })
        case "unreachable":
          return yield* new TransportReason.Unreachable({ code: "ECONNREFUSED" })
        case "unauthorized":
          return yield* new TransportReason.Unauthorized({ status: 401 })
        case "hanging":
          return yield* Effect.andThen(Deferred.succeed(provider.underWay, undefined), Effect.never).pipe(
            Effect.onInterrupt(() => Deferred.succeed(provider.givenUp, undefined))
          )
        default:
      }
      if (envelopes.some(({ message }) => message.toPhone === refusedPhone)) {
        return yield* new TransportReason.Rejected({ status: 400, code: "INVALID_PHONE" })
      }
      provider.received.push(...envelopes.map(({ trackingId }) => trackingId))
      yield* Effect.yieldNow
      if (provider.fault === "lost") return yield* new TransportReason.ConnectionLost({ code: "ECONNRESET" })
      return envelopes.map(({ trackingId }) => `message-${trackingId}`)
    })
  }
  return provider
}

/** What the laws may know and do of one or more providers that stand in for one. */
export const featuresOf = <Control>(providersOf: (control: Control) => ReadonlyArray<Provider>) => {
  const begin = (fault: Fault) => (control: Control) =>
    Effect.sync(() => {
      for (const provider of providersOf(control)) provider.fault = fault
    })
  return {
    received: (control: Control) =>
      Effect.sync(() => providersOf(control).flatMap(({ received }) => received)),
    rejects: { toPhone: refusedPhone },
    faults: {
      throttled: begin("throttled"),
      unreachable: begin("unreachable"),
      unauthorized: begin("unauthorized"),
      lost: begin("lost"),
      hanging: (control: Control) =>
        Effect.gen(function* () {
          const providers = providersOf(control)
          for (const provider of providers) {
            provider.underWay = yield* Deferred.make<void>()
            provider.givenUp = yield* Deferred.make<void>()
          }
          yield* begin("hanging")(control)
          const any = (of: (provider: Provider) => Deferred.Deferred<void>) =>
            Effect.raceAll(providers.map((provider) => Deferred.await(of(provider))))
          return { underWay: any(({ underWay }) => underWay), givenUp: any(({ givenUp }) => givenUp) }
        }),
      restored: begin("none")
    }
  }
}

/** Who is late at this moment, and who is not. */
export const separate = Effect.fnUntraced(function* (batch: ReadonlyArray<Envelope.Envelope>) {
  const now = yield* DateTime.now
  const isLive = (envelope: Envelope.Envelope) => (Envelope.remainingTtl(envelope, now) ?? 1) >= 1
  return { live: batch.filter(isLive), late: batch.filter((envelope) => !isLive(envelope)) }
})

export const expired = new TransportReason.Expired({})

export const notAccepted = (
  envelopes: ReadonlyArray<Envelope.Envelope>,
  reason: TransportReason.TransportReason
): ReadonlyArray<Delivery.Delivery> =>
  envelopes.map(({ trackingId }) => Delivery.notAccepted(trackingId, reason))

/** A transport that keeps to its contract: it halves what is refused, and answers in another order. */
export const soundTransport = (
  provider: Provider,
  options: { readonly name?: string; readonly maxBatchSize?: number } = {}
): Transport.TransportShape => {
  const name = options.name ?? "sound"

  const sendAll = (
    envelopes: ReadonlyArray<Envelope.Envelope>
  ): Effect.Effect<ReadonlyArray<Delivery.Delivery>> =>
    provider.request(envelopes).pipe(
      Effect.map((ids) =>
        envelopes.map(({ trackingId }, index) => Delivery.accepted(trackingId, ids[index] ?? ""))
      ),
      Effect.catch((reason) => {
        if (reason._tag !== "Rejected" || envelopes.length === 1) {
          return Effect.succeed(notAccepted(envelopes, reason))
        }
        const middle = Math.ceil(envelopes.length / 2)
        return Effect.map(
          Effect.forEach([envelopes.slice(0, middle), envelopes.slice(middle)], sendAll),
          (halves) => halves.flat()
        )
      })
    )

  return {
    name,
    maxBatchSize: options.maxBatchSize ?? 100,
    send: Effect.fnUntraced(function* (batch) {
      const { late, live } = yield* separate(batch)
      const answers = live.length === 0 ? [] : yield* sendAll(live)
      const [first] = answers
      const shared = first?._tag === "Accepted" ? undefined : first?.reason
      if (
        late.length === 0 &&
        shared !== undefined &&
        answers.every((answer) => answer._tag !== "Accepted" && answer.reason._tag === shared._tag)
      ) {
        return yield* new TransportError.TransportError({ transport: name, reason: shared })
      }
      return [...notAccepted(late, expired), ...answers].toReversed()
    })
  }
}
