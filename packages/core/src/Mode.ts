/**
 * Whom a program lets messages out to: everybody, nobody, or the numbers on a list.
 *
 * Put it around the transport, below every call site, so that no part of a test or staging environment can forget it.
 */
import { isReadonlyArrayNonEmpty } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Deliveries from "./Delivery.ts"
import type { Envelope } from "./Envelope.ts"
import { attempt } from "./internal/attempt.ts"
import { isObject } from "./internal/unknown.ts"
import * as PhoneNumber from "./PhoneNumber.ts"
import type { TransportShape } from "./Transport.ts"
import * as TransportReason from "./TransportReason.ts"

/**
 * `live`: everything goes out. `dryRun`: nothing does. `allowlist`: only what is for one of these numbers, in E.164
 * form. One that can be corrected with certainty is; any other allows nobody.
 */
export type Mode = "live" | "dryRun" | { readonly allowlist: Iterable<string> }

/**
 * Keeps `transport` to a mode, and says at once in the log which one it is. What is withheld is `NotSent` (`Withheld`).
 * Something else than a mode, which takes a cast, lets nothing out.
 *
 * @example
 * ```ts
 * import { Mode, type Transport } from "@effect-cascade/core"
 *
 * const staging = (transport: Transport.TransportShape) =>
 *   Mode.withMode(transport, { allowlist: ["+380671112233"] })
 * ```
 */
export const withMode = Effect.fnUntraced(function* (
  transport: TransportShape,
  mode: Mode
): Effect.fn.Return<TransportShape> {
  const announce = (log: Effect.Effect<void>, mode: string, others?: Readonly<Record<string, number>>) =>
    Effect.annotateLogs(log, { transport: transport.name, mode, ...others })

  if (mode === "live") {
    yield* announce(Effect.logInfo("messages go out to everybody"), mode)
    return transport
  }
  if (mode === "dryRun") {
    yield* announce(Effect.logWarning("no message goes out"), mode)
    return guard(transport, mode, () => false)
  }
  const list = listOf(mode)
  if (list === undefined) {
    yield* announce(Effect.logError("the mode is none, so no message goes out"), "unusable")
    return guard(transport, "unusable", () => false)
  }
  const usable = list.flatMap(numberIn)
  const allowed = new Set(usable)
  const unusable = list.length - usable.length
  yield* announce(Effect.logWarning("messages go out to listed numbers only"), "allowlist", {
    numbers: allowed.size,
    ...(unusable === 0 ? {} : { unusable })
  })
  return guard(transport, "allowlist", ({ message }) => allowed.has(message.toPhone))
})

const listOf = (mode: unknown): ReadonlyArray<unknown> | undefined => {
  const list = isObject(mode) ? mode["allowlist"] : undefined
  return Predicate.isIterable(list)
    ? Result.getOrUndefined(Result.try((): ReadonlyArray<unknown> => [...list]))
    : undefined
}

const numberIn = (listed: unknown): ReadonlyArray<string> => {
  if (isPhoneNumber(listed)) return [listed]
  const corrected = typeof listed === "string" ? PhoneNumber.correct(listed) : undefined
  return corrected === undefined ? [] : [corrected]
}

const isPhoneNumber = Schema.is(PhoneNumber.PhoneNumber)

const guard = (
  transport: TransportShape,
  mode: string,
  isAllowed: (envelope: Envelope) => boolean
): TransportShape => {
  const reason = new TransportReason.Withheld({ mode })
  return {
    name: transport.name,
    maxBatchSize: transport.maxBatchSize,
    send: (batch) => {
      const withheld = batch
        .filter((envelope) => !isAllowed(envelope))
        .map(({ trackingId }) => Deliveries.notAccepted(trackingId, reason))
      if (withheld.length === 0) return transport.send(batch)
      const allowed = batch.filter(isAllowed)
      // An attempt that answers for each: an error would be about the withheld ones too.
      return isReadonlyArrayNonEmpty(allowed)
        ? Effect.map(attempt(transport, allowed), (deliveries) => [...deliveries, ...withheld])
        : Effect.succeed(withheld)
    }
  }
}
