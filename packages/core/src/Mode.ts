/**
 * Whom a program lets messages out to: everybody, nobody, or the numbers on a list.
 *
 * Put it around the transport, below every call site, so that no part of a test or staging environment can forget it.
 */
import { isReadonlyArrayNonEmpty } from "effect/Array"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Deliveries from "./Delivery.ts"
import type { Envelope } from "./Envelope.ts"
import { attempt } from "./internal/attempt.ts"
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
  if (mode === "live") {
    yield* announce(Effect.logInfo("messages go out to everybody"), { transport: transport.name, mode })
    return transport
  }
  if (mode === "dryRun") {
    yield* announce(Effect.logWarning("no message goes out"), { transport: transport.name, mode })
    return guard(transport, mode, () => false)
  }
  const listed = [...mode.allowlist]
  const allowed = new Set(listed.filter(isPhoneNumber))
  for (const phone of listed.map(PhoneNumber.correct)) if (phone !== undefined) allowed.add(phone)
  const unusable = listed.filter((phone) => !isPhoneNumber(phone) && PhoneNumber.correct(phone) === undefined)
  yield* announce(Effect.logWarning("messages go out to listed numbers only"), {
    transport: transport.name,
    mode: "allowlist",
    numbers: allowed.size,
    ...(unusable.length === 0 ? {} : { unusable: unusable.length })
  })
  return guard(transport, "allowlist", ({ message }) => allowed.has(message.toPhone))
})

const isPhoneNumber = Schema.is(PhoneNumber.PhoneNumber)

const announce = (log: Effect.Effect<void>, annotations: Record<string, unknown>): Effect.Effect<void> =>
  Effect.annotateLogs(log, annotations)

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
