/**
 * Envelopes for the laws: good ones, ones that are refused, and ones that come too late. The text of each, its answers
 * and its phone number are such that they are found again wherever they leak.
 */
import * as Envelope from "@effect-cascade/core/Envelope"
import * as Message from "@effect-cascade/core/Message"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import { phones, type TransportFeatures } from "./spec.ts"

/** What is expected of an envelope while nothing is wrong. */
export type Kind = "good" | "rejected" | "expired"

/** An envelope, and what is expected of it. */
export interface Sample {
  readonly id: string
  readonly kind: Kind
  readonly envelope: Envelope.Envelope
}

/** A batch of samples. */
export type Batch = NonEmptyReadonlyArray<Sample>

/** A word of every text and every answer. */
export const word = "secret-canary"

/** Makes samples with ids that begin with `prefix`, of each type and route in turn. */
export const maker = (prefix: string, features: TransportFeatures<never>) => {
  const types = features.types ?? allTypes
  const routes = features.routes ?? (["standard", "tg-viber"] as const)
  // A text that is refused needs a message that has one.
  const refusable =
    features.rejects?.text === undefined ? types : types.filter((type) => type !== "FlashCall")
  let made = 0

  const one = Effect.fnUntraced(function* (kind: Kind): Effect.fn.Return<Sample> {
    const number = made++
    const id = `${prefix}-${number}`
    const pool = kind === "rejected" ? refusable : types
    const message = yield* Effect.orDie(
      Message.make({
        ...contentOf(pool[number % pool.length] ?? "Transaction", `${word} text ${number}`),
        id,
        fromName: "Suite",
        toPhone: phones[number % phones.length] ?? phones[0],
        ...(kind === "rejected" ? features.rejects : {}),
        ...(kind === "expired" ? { ttl: "1 minute" } : {})
      })
    )
    const now = yield* DateTime.now
    const createdAt = kind === "expired" ? DateTime.subtract(now, { hours: 1 }) : now
    const route = routes[Math.floor(number / types.length) % routes.length]
    return { id, kind, envelope: Envelope.at(message, createdAt, { route }) }
  })

  return Effect.fnUntraced(function* (kinds: NonEmptyReadonlyArray<Kind>): Effect.fn.Return<Batch> {
    const [first, ...others] = kinds
    return [yield* one(first), ...(yield* Effect.forEach(others, one))]
  })
}

/** So many good ones, at least one. */
export const good = (count: number): NonEmptyReadonlyArray<Kind> => [
  "good",
  ...Array.from({ length: count - 1 }, (): Kind => "good")
]

const allTypes = ["Transaction", "Promo", "ViberSurvey", "FlashCall"] as const

const contentOf = (type: Message.Message["_tag"], text: string) => {
  switch (type) {
    case "Transaction":
    case "Promo":
      return { _tag: type, text }
    case "ViberSurvey":
      return { _tag: type, text, surveyOptions: [`${word} yes`, `${word} no`] }
    case "FlashCall":
      return { _tag: type }
  }
}
