/**
 * The fake provider: a transport that goes through the real wire codec to a script instead of a network.
 */
import * as Delivery from "@effect-cascade/core/Delivery"
import type { Envelope } from "@effect-cascade/core/Envelope"
import * as Message from "@effect-cascade/core/Message"
import * as SmsBatWire from "@effect-cascade/core/SmsBatWire"
import type { TrackingId } from "@effect-cascade/core/TrackingId"
import type { TransportShape } from "@effect-cascade/core/Transport"
import * as TransportReason from "@effect-cascade/core/TransportReason"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as outcome from "./outcome.ts"
import type { Script } from "./script.ts"

/** A message that the transport was asked to send, and what became of it. */
export interface SentMessage {
  /**
   * The message as it stood in the body of the request: with the ttl that was left, and with its schedule only where
   * the provider was to wait. As it was sealed where no request was made of it.
   */
  readonly message: Message.Message
  /** What the transport was handed. */
  readonly envelope: Envelope
  readonly delivery: Delivery.Delivery
  /** Which call of the transport it was part of, from 1. */
  readonly call: number
  readonly at: DateTime.Utc
}

/** What has happened so far. */
export interface History {
  readonly attempts: Array<SentMessage>
  /** Messages of which nothing was declared, where that is asked for. */
  readonly undeclared: Array<SentMessage>
  /** Until when the provider cannot be reached. */
  downUntil: DateTime.Utc | undefined
  calls: number
  messageIds: number
}

/** Nothing yet. */
export const emptyHistory = (): History => ({
  attempts: [],
  undeclared: [],
  downUntil: undefined,
  calls: 0,
  messageIds: 0
})

/** A transport that does what `script` says, and adds to `history`. */
export const make = (
  options: { readonly name: string; readonly maxBatchSize: number },
  script: Script,
  history: History
): TransportShape => ({
  ...options,
  send: Effect.fnUntraced(function* (batch): Effect.fn.Return<ReadonlyArray<Delivery.Delivery>> {
    const at = yield* DateTime.now
    const { unsendable, written } = yield* write(batch, at)
    const call = ++history.calls
    const messages = new Map(written.map(({ envelope, message }) => [envelope, message]))
    const deliveries = new Map(unsendable.map((delivery) => [delivery.trackingId, delivery]))
    const undeclared = new Set<TrackingId>()
    for (const { outcome: what, ids } of grouped(written, decide(written, at, script, history))) {
      if (what === undefined) for (const id of ids) undeclared.add(id)
      const answers =
        what === undefined
          ? ids.map((id) => Delivery.notAccepted(id, withheld))
          : outcome.reply(what, ids, at, () => messageId(++history.messageIds))
      for (const delivery of answers) deliveries.set(delivery.trackingId, delivery)
    }
    for (const envelope of batch) {
      const delivery = deliveries.get(envelope.trackingId)
      if (delivery === undefined) continue
      const message = messages.get(envelope) ?? envelope.message
      const sent = { message, envelope, delivery, call, at }
      history.attempts.push(sent)
      if (undeclared.has(envelope.trackingId)) history.undeclared.push(sent)
    }
    return [...deliveries.values()]
  })
})

type Written = Pick<SentMessage, "envelope" | "message">

interface Batch {
  readonly written: ReadonlyArray<Written>
  readonly unsendable: ReadonlyArray<Delivery.Delivery>
}

/** Writes the body of a request, and reads it as the provider would. */
const write = Effect.fnUntraced(function* (
  batch: ReadonlyArray<Envelope>,
  at: DateTime.Utc
): Effect.fn.Return<Batch> {
  const sendable: Array<readonly [Envelope, SmsBatWire.WireMessage]> = []
  const unsendable: Array<Delivery.Delivery> = []
  for (const envelope of batch) {
    const encoded = SmsBatWire.encode(envelope, at)
    if (Result.isSuccess(encoded)) sendable.push([envelope, encoded.success])
    else unsendable.push(Delivery.notAccepted(envelope.trackingId, encoded.failure))
  }
  const body: unknown = JSON.parse(JSON.stringify(sendable.map(([, message]) => message)))
  const elements: ReadonlyArray<unknown> = Array.isArray(body) ? body : []
  const written = yield* Effect.forEach(sendable, ([envelope], index) =>
    // What the codec writes is a message: if not, the codec is broken, and the test should say so.
    Effect.map(Effect.orDie(Message.decode(elements[index])), (message) => ({ envelope, message }))
  )
  return { written, unsendable }
})

const decide = (
  written: ReadonlyArray<Written>,
  at: DateTime.Utc,
  script: Script,
  history: History
): ReadonlyArray<outcome.Outcome | undefined> => {
  if (written.length === 0) return []
  if (history.downUntil !== undefined && DateTime.isLessThan(at, history.downUntil))
    return written.map(() => down)
  const outcomes = script.decide(written)
  const lengths = outcomes.flatMap((one) =>
    one?._tag === "Down" ? Duration.toMillis(Duration.fromInputUnsafe(one.for)) : []
  )
  if (lengths.length === 0) return outcomes
  history.downUntil = DateTime.add(at, { milliseconds: Math.max(...lengths) })
  // There is no connection for one message and none for another.
  return written.map(() => down)
}

const down: outcome.Outcome = { _tag: "Down", for: 0 }

const withheld = new TransportReason.Withheld({ mode: "strict" })

const grouped = (
  written: ReadonlyArray<Written>,
  outcomes: ReadonlyArray<outcome.Outcome | undefined>
): ReadonlyArray<{
  readonly outcome: outcome.Outcome | undefined
  readonly ids: ReadonlyArray<TrackingId>
}> => {
  const groups = new Map<outcome.Outcome | undefined, Array<TrackingId>>()
  written.forEach(({ envelope }, index) => {
    const group = groups.get(outcomes[index])
    if (group === undefined) groups.set(outcomes[index], [envelope.trackingId])
    else group.push(envelope.trackingId)
  })
  return Array.from(groups, ([outcome, ids]) => ({ outcome, ids }))
}

const messageId = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, "0")}`
