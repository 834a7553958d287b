/**
 * A transport that does as it is told and keeps what it was asked, for the tests of what is built on transports.
 */
import { type DateTime, type Duration, Effect, Schema } from "effect"
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Delivery from "../../src/Delivery.ts"
import * as Envelope from "../../src/Envelope.ts"
import * as Message from "../../src/Message.ts"
import type { TransportShape } from "../../src/Transport.ts"
import { TransportError } from "../../src/TransportError.ts"
import * as TransportReason from "../../src/TransportReason.ts"

/** A word for everything that a transport can do with an envelope. */
export const Word = Schema.Literals([
  "accepted",
  "rejected",
  "unencodable",
  "withheld",
  "unauthorized",
  "redirected",
  "throttled",
  "unreachable",
  "serverError",
  "timedOut",
  "silent"
])
export type Word = typeof Word.Type

/** A word for what a transport can do with a whole batch instead. */
export const Whole = Schema.Literals([
  "none",
  "throttled",
  "unauthorized",
  "timedOut",
  "defect",
  "throw",
  "interrupt"
])
export type Whole = typeof Whole.Type

export const reasons = {
  rejected: new TransportReason.Rejected({ status: 400, code: "INVALID_PHONE" }),
  unencodable: new TransportReason.Unencodable({ problem: "too long" }),
  withheld: new TransportReason.Withheld({ mode: "dryRun" }),
  unauthorized: new TransportReason.Unauthorized({ status: 401 }),
  redirected: new TransportReason.Redirected({ status: 302 }),
  throttled: new TransportReason.Throttled({ status: 429 }),
  unreachable: new TransportReason.Unreachable({ code: "ECONNREFUSED" }),
  serverError: new TransportReason.ServerError({ status: 500 }),
  timedOut: new TransportReason.TimedOut({})
} as const

/** What a caller must hear of an envelope after a word. */
export const certaintyOf = (word: Word): Delivery.Delivery["_tag"] =>
  word === "accepted" ? "Accepted" : word === "silent" ? "Unknown" : reasons[word].certainty

export interface ScriptedOptions {
  readonly name?: string
  readonly maxBatchSize?: number
  /** What happens to the whole batch of the call with this number, from 0. Defaults to `"none"`. */
  readonly whole?: (call: number) => Whole
  /** Run before each answer. */
  readonly before?: Effect.Effect<void>
}

export interface Scripted extends TransportShape {
  /** The batches it was asked to send, in order. */
  readonly calls: Array<NonEmptyReadonlyArray<Envelope.Envelope>>
  /** How often an envelope was in a batch. */
  readonly times: (id: string) => number
}

/** A transport that answers for an envelope with what `say` says, given how often it was asked before. */
export const scripted = (
  say: (envelope: Envelope.Envelope, times: number) => Word | TransportReason.TransportReason,
  options?: ScriptedOptions
): Scripted => {
  const calls: Scripted["calls"] = []
  const asked = new Map<string, number>()
  const name = options?.name ?? "scripted"
  return {
    name,
    maxBatchSize: options?.maxBatchSize ?? 1000,
    calls,
    times: (id) => asked.get(id) ?? 0,
    send: (batch) => {
      const whole = options?.whole?.(calls.length) ?? "none"
      calls.push(batch)
      const answers = batch.map((envelope) => {
        const times = asked.get(envelope.trackingId) ?? 0
        asked.set(envelope.trackingId, times + 1)
        return { id: envelope.trackingId, said: say(envelope, times) }
      })
      if (whole === "throw") throw new Error("canary-Zx84 +380671112233")
      return Effect.andThen(options?.before ?? Effect.void, () => {
        if (whole === "defect") return Effect.die(new TypeError("canary-Zx84 +380671112233"))
        if (whole === "interrupt") return Effect.interrupt
        if (whole !== "none")
          return Effect.fail(new TransportError({ transport: name, reason: reasons[whole] }))
        return Effect.succeed(
          answers.flatMap(({ id, said }) => {
            if (said === "silent") return []
            if (said === "accepted") return Delivery.accepted(id, `${name}:${id}`)
            return Delivery.notAccepted(id, typeof said === "string" ? reasons[said] : said)
          })
        )
      })
    }
  }
}

/** The fields that a test may want otherwise. */
export interface MessageOptions {
  readonly _tag?: "Transaction" | "Promo" | "ViberSurvey"
  readonly toPhone?: string
  readonly fromName?: string
  readonly text?: string
  readonly surveyOptions?: ReadonlyArray<string>
  readonly ttl?: Duration.Input
  readonly scheduledSent?: DateTime.Utc
}

/** A valid message. */
export const message = (id: string, options?: MessageOptions): Message.Message => {
  const {
    _tag = "Transaction",
    surveyOptions = ["canary-Zx84 yes", "canary-Zx84 no"],
    ...others
  } = options ?? {}
  const fields = { id, fromName: "Shop", toPhone: "+380671112233", text: "canary-Zx84 text", ...others }
  return _tag === "ViberSurvey"
    ? Message.makeUnsafe({ _tag, surveyOptions, ...fields })
    : Message.makeUnsafe({ _tag, ...fields })
}

/** A valid flash call. */
export const flashCall = (id: string): Message.Message =>
  Message.makeUnsafe({ _tag: "FlashCall", id, fromName: "Shop", toPhone: "+380671112233" })

/** An envelope sealed now. */
export const envelope = (
  id: string,
  options?: MessageOptions,
  seal?: Envelope.SealOptions
): Effect.Effect<Envelope.Envelope> => Effect.orDie(Envelope.seal(message(id, options), seal))

/** Some of them, named `m0`, `m1` and so on. */
export const envelopes = (
  count: number,
  seal?: Envelope.SealOptions
): Effect.Effect<NonEmptyReadonlyArray<Envelope.Envelope>> =>
  Effect.gen(function* () {
    const first = yield* envelope("m0", {}, seal)
    const rest = yield* Effect.forEach(Array.from({ length: count - 1 }), (_, n) =>
      envelope(`m${n + 1}`, {}, seal)
    )
    return [first, ...rest]
  })
