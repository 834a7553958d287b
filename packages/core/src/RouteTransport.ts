/**
 * Several transports side by side: each envelope goes to the one that a function chooses, by its account, its headers
 * (tenant, campaign), its type or the beginning of its phone number.
 *
 * The parts of a batch are sent independently: whatever happens to one, the others are answered for as their own
 * transports say. An envelope for which none is chosen is `NotSent` (`Unencodable`); it is the only one.
 */
import { chunksOf, isReadonlyArrayNonEmpty } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Deliveries from "./Delivery.ts"
import type { Delivery } from "./Delivery.ts"
import type { Envelope } from "./Envelope.ts"
import { attempt } from "./internal/attempt.ts"
import { atLeastOne } from "./internal/usable.ts"
import type { TransportShape } from "./Transport.ts"
import * as TransportReason from "./TransportReason.ts"

/** How a batch is divided. */
export interface RouteOptions {
  /** Defaults to `"route"`. */
  readonly name?: string | undefined
  /** The most envelopes taken at once; a part that its transport finds too large is divided. Defaults to 1,000. */
  readonly maxBatchSize?: number | undefined
  /** How many parts are under way at once. Defaults to 4. */
  readonly concurrency?: number | undefined
}

const defaults = { name: "route", maxBatchSize: 1000, concurrency: 4 }

/**
 * Sends each envelope through the transport that `choose` names; `undefined` for none.
 *
 * `choose` must give the same object for the same transport each time, since envelopes travel together by it.
 *
 * @example
 * ```ts
 * import { RouteTransport, type Transport } from "@effect-cascade/core"
 *
 * const byCountry = (ukraine: Transport.TransportShape, elsewhere: Transport.TransportShape) =>
 *   RouteTransport.route(({ message }) => (message.toPhone.startsWith("+380") ? ukraine : elsewhere))
 * ```
 */
export const route = (
  choose: (envelope: Envelope) => TransportShape | undefined,
  options?: RouteOptions
): TransportShape => ({
  name: options?.name ?? defaults.name,
  maxBatchSize: atLeastOne(options?.maxBatchSize ?? defaults.maxBatchSize),
  send: Effect.fnUntraced(function* (batch): Effect.fn.Return<ReadonlyArray<Delivery>> {
    const { astray, parts } = divide(batch, choose)
    if (isReadonlyArrayNonEmpty(astray)) {
      yield* Effect.annotateLogs(Effect.logWarning("no transport was chosen for some messages"), {
        transport: options?.name ?? defaults.name,
        messages: astray.length
      })
    }
    const requests = Array.from(parts, ([transport, envelopes]) =>
      chunksOf(envelopes, atLeastOne(transport.maxBatchSize)).map((chunk) => attempt(transport, chunk))
    )
    const sent = yield* Effect.all(requests.flat(), {
      concurrency: atLeastOne(options?.concurrency ?? defaults.concurrency)
    })
    return [...astray, ...sent.flat()]
  })
})

const divide = (
  batch: ReadonlyArray<Envelope>,
  choose: (envelope: Envelope) => TransportShape | undefined
) => {
  const parts = new Map<TransportShape, Array<Envelope>>()
  const astray: Array<Delivery> = []
  for (const envelope of batch) {
    // Whatever the function does to one envelope must not become the fate of the others.
    const transport = Result.getOrUndefined(Result.try(() => choose(envelope) ?? undefined))
    if (transport === undefined) {
      astray.push(Deliveries.notAccepted(envelope.trackingId, nowhere))
      continue
    }
    const part = parts.get(transport)
    if (part === undefined) parts.set(transport, [envelope])
    else part.push(envelope)
  }
  return { parts, astray }
}

const nowhere = new TransportReason.Unencodable({ problem: "no transport is chosen for it" })
