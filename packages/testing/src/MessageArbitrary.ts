/**
 * Messages at random, for property tests: everything that the rules allow, and nothing that they refuse.
 *
 * Derived from the schemas of `Message`, so that a rule that changes there changes what is drawn here. What fails is made
 * smaller by itself. Give them to `it.effect.prop`, or to `Arbitrary.checkEffect` with any test runner.
 *
 * @example
 * ```ts
 * import { Message } from "@effect-cascade/core"
 * import { MessageArbitrary } from "@effect-cascade/testing"
 * import { Arbitrary } from "effect"
 *
 * const readable = Arbitrary.checkEffect(MessageArbitrary.message, (message) =>
 *   Message.decodeResult(Message.encode(message))._tag === "Success"
 * )
 * ```
 */
import * as Envelope from "@effect-cascade/core/Envelope"
import * as Message from "@effect-cascade/core/Message"
import * as Lane from "@effect-cascade/outbox/Lane"
import type { EnqueueOptions } from "@effect-cascade/outbox/Outbox"
import { Uncertainty } from "@effect-cascade/outbox/Uncertainty"
import * as Arbitrary from "effect/Arbitrary"
import * as Arr from "effect/Array"
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"

/** Any `Transaction`. */
export const transaction: Arbitrary.Arbitrary<Message.Transaction> = Arbitrary.schema(Message.Transaction)

/** Any `Promo`. */
export const promo: Arbitrary.Arbitrary<Message.Promo> = Arbitrary.schema(Message.Promo)

/** Any `ViberSurvey`. */
export const viberSurvey: Arbitrary.Arbitrary<Message.ViberSurvey> = Arbitrary.schema(Message.ViberSurvey)

/** Any `FlashCall`. */
export const flashCall: Arbitrary.Arbitrary<Message.FlashCall> = Arbitrary.schema(Message.FlashCall)

/** Any message of any kind. */
export const message: Arbitrary.Arbitrary<Message.Message> = Arbitrary.schema(Message.Message)

/** How many messages a batch has. */
export interface BatchOptions {
  /** Defaults to 1. */
  readonly minLength?: number | undefined
  /** Defaults to 20. */
  readonly maxLength?: number | undefined
}

const defaults = { minLength: 1, maxLength: 20 }

/** Messages of which no two have the same tracking id. */
export const batch = (options?: BatchOptions): Arbitrary.Arbitrary<ReadonlyArray<Message.Message>> => {
  const minLength = options?.minLength ?? defaults.minLength
  const maxLength = options?.maxLength ?? Math.max(defaults.maxLength, minLength)
  return Arbitrary.array(message, { minLength, maxLength }).pipe(
    Arbitrary.map(Arr.dedupeWith((a, b) => a.id === b.id)),
    Arbitrary.filter((messages) => messages.length >= minLength)
  )
}

const account = Arbitrary.schema(Lane.Account)
const route = Arbitrary.schema(Envelope.Route)
const headers = Arbitrary.schema(Schema.Record(Schema.String, Schema.String))
const optional = <A>(some: Arbitrary.Arbitrary<A>): Arbitrary.Arbitrary<A | undefined> =>
  Arbitrary.flatMap(Arbitrary.schema(Schema.Boolean), (there) =>
    there ? some : Arbitrary.Constant(undefined)
  )

/** Any envelope that the outbox may hold, created at an instant of this century. */
export const envelope: Arbitrary.Arbitrary<Envelope.Envelope> = Arbitrary.map(
  Arbitrary.all({
    message,
    account,
    route,
    headers: optional(headers),
    createdAt: Arbitrary.schema(
      Schema.Int.check(Schema.isBetween({ minimum: 946_684_800_000, maximum: 4_102_444_799_999 }))
    )
  }),
  ({ createdAt, message, ...options }) =>
    Envelope.at(message, DateTime.makeUnsafe(createdAt), { ...options, schedule: "outbox" })
)

/** Any way to enqueue a message that does not put it off. */
export const enqueueOptions: Arbitrary.Arbitrary<EnqueueOptions> = Arbitrary.all({
  account: optional(account),
  route: optional(route),
  headers: optional(headers),
  priority: optional(Arbitrary.schema(Lane.Priority)),
  uncertainty: optional(Arbitrary.schema(Uncertainty))
})
