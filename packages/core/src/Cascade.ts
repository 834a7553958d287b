/**
 * The client of programs that send without an outbox: message in, delivery out.
 *
 * Use it where a message that is lost with the process is no loss: scripts, tools, a notice that can be asked for
 * again. Where a message must go out if and only if a transaction commits, use the outbox.
 *
 * What it promises:
 *
 * - No error. Whatever happens to a message is its `Delivery`; one comes back for every message that goes in, in the
 *   same order, also when parts of a call fail. A transport that dies leaves its batch `Unknown`, and is logged.
 * - It sends again what was surely not sent because the provider was too busy (`Throttled`, after at least as long
 *   as it asks) or could not be reached (`Unreachable`), by `retry`. Only such envelopes are sent again, and none
 *   after its deadline.
 * - It does not send again what may have been sent. `Unknown` comes back as it is, for the caller to judge, unless the
 *   caller says `uncertainty: "resend"`; and then only for a `Transaction` and a `FlashCall`. A message that was
 *   `Unknown` once is `Accepted` or `Unknown` in the end, never `NotSent`.
 * - Everything else that was not sent (`Rejected`, `Unauthorized`, …) would meet the same again and comes back at once.
 * - Interrupting a call stops it at once. Requests under way are aborted, and nobody knows what became of them.
 *
 * Every acceptance is published to `CascadeEvents`, where that is present.
 */
import { chunksOf, isReadonlyArrayNonEmpty, type NonEmptyReadonlyArray } from "effect/Array"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as CascadeEvent from "./CascadeEvent.ts"
import * as CascadeEvents from "./CascadeEvents.ts"
import * as Deliveries from "./Delivery.ts"
import type { Delivery } from "./Delivery.ts"
import * as Envelope from "./Envelope.ts"
import { distinct } from "./internal/cascade/distinct.ts"
import { sendBatch } from "./internal/cascade/sendBatch.ts"
import type { StatusReport } from "./DeliveryStatus.ts"
import type { InvalidMessage } from "./InvalidMessage.ts"
import { own } from "./internal/unknown.ts"
import * as usable from "./internal/usable.ts"
import * as Message from "./Message.ts"
import { lookup, type StatusError, type StatusLookup } from "./StatusLookup.ts"
import * as TrackingId from "./TrackingId.ts"
import { Transport } from "./Transport.ts"
import * as TransportReason from "./TransportReason.ts"

/** When a message is sent again. */
export interface RetryOptions {
  /**
   * How long to wait before each further attempt, or `"none"` for a single one. Its input is why the last attempt
   * failed; where the provider asks for a longer wait, that counts. Defaults to {@link defaultRetry}.
   */
  readonly retry?: Schedule.Schedule<unknown, TransportReason.TransportReason> | "none" | undefined
  /**
   * The longest wait that the provider may ask for. Where it asks for more, the message comes back as `Throttled`
   * with its `retryAfter`. Defaults to 1 minute.
   */
  readonly longestWait?: Duration.Input | undefined
  /**
   * `hold`: what may have been sent is never sent again. `resend`: a `Transaction` or a `FlashCall` of which nobody
   * knows is sent again by `retry`, and may reach a person twice; a `Promo` or a `ViberSurvey` never is.
   * Defaults to `"hold"`.
   */
  readonly uncertainty?: "hold" | "resend" | undefined
}

/** How a message is sent. */
export interface SendOptions extends RetryOptions {
  /** Which of the provider's endpoints it takes. Defaults to `"standard"`. */
  readonly route?: Envelope.Route | undefined
  /** The account it is sent from, for transports that know several. Defaults to `"default"`. */
  readonly account?: string | undefined
  /** The caller's own notes (tenant, campaign), for routing between transports. Defaults to none. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** How many messages are sent. */
export interface SendAllOptions extends SendOptions {
  /** How many go in one request, at most what the transport takes. Defaults to what the transport takes. */
  readonly batchSize?: number | undefined
  /** How many requests are under way at once. Defaults to 4. */
  readonly concurrency?: number | undefined
}

/** How a stream of messages is sent. */
export interface SendStreamOptions extends SendAllOptions {
  /** How long the first message of a batch waits for others to join it. Defaults to 100 milliseconds. */
  readonly within?: Duration.Input | undefined
}

/** What holds for every call that does not say otherwise. */
export type CascadeOptions = Omit<SendStreamOptions, "headers">

/** The provider's own advice: three tries in all, after 1 and 2 seconds, each give or take a fifth. */
export const defaultRetry: Schedule.Schedule<unknown, TransportReason.TransportReason> = Schedule.exponential(
  "1 second"
).pipe(Schedule.jittered, Schedule.upTo({ times: 2 }))

const defaults = {
  retry: defaultRetry,
  longestWait: "1 minute",
  uncertainty: "hold",
  concurrency: 4,
  within: "100 millis"
} as const

/** What the client does. */
export interface CascadeShape {
  /**
   * Sends a message. A schedule that the provider does not take makes it `NotSent` (`Unencodable`); so does what breaks
   * a rule of messages, as a copy with a changed field may (`{ ...message, text }`).
   */
  readonly send: (message: Message.Message, options?: SendOptions) => Effect.Effect<Delivery>
  /**
   * Sends messages, in as many requests as it takes, and answers for each in their order.
   *
   * A tracking id is sent once a call. A later message with the id of an earlier one shares its delivery where the two
   * are the same in every field, and else is `NotSent` (`Unencodable`).
   */
  readonly sendAll: (
    messages: Iterable<Message.Message>,
    options?: SendAllOptions
  ) => Effect.Effect<ReadonlyArray<Delivery>>
  /**
   * Sends messages as they come, and answers for each in their order. It holds about twice as many batches as
   * are under way, so that the stream may be of any length; it remembers none, so that two messages with the same
   * tracking id are only told from one another within a batch. Where the stream fails, it fails after the answers for
   * what was sent; what was still waiting for its batch is not sent.
   */
  readonly sendStream: <E, R>(
    messages: Stream.Stream<Message.Message, E, R>,
    options?: SendStreamOptions
  ) => Stream.Stream<Delivery, E, R>
  /**
   * Asks the provider what became of an accepted message, by the provider's own id of it. Needs a `StatusLookup`, such
   * as `SmsBatStatus.layer`; see there for what is known of it.
   */
  readonly status: (messageId: string) => Effect.Effect<StatusReport, StatusError, StatusLookup>
}

/** The client of a program. */
export class Cascade extends Context.Service<Cascade, CascadeShape>()("@effect-cascade/core/Cascade") {}

/** Makes a client of the transport, with `options` for every call that does not say otherwise. */
export const make = Effect.fnUntraced(function* (
  options?: CascadeOptions
): Effect.fn.Return<CascadeShape, never, Transport> {
  const transport = yield* Transport
  const events = yield* CascadeEvents.publisher

  const publishAccepted = Effect.fnUntraced(function* (
    batch: ReadonlyArray<Envelope.Envelope>,
    deliveries: ReadonlyArray<Delivery>
  ) {
    const at = yield* DateTime.now
    yield* events.publishAll(
      batch.flatMap((envelope, index) => {
        const delivery = deliveries[index]
        if (delivery?._tag !== "Accepted") return []
        return new CascadeEvent.Accepted(
          { ...CascadeEvent.about(envelope, at), messageId: delivery.messageId },
          { disableChecks: true }
        )
      })
    )
  })

  const sendChunk = (
    chunk: NonEmptyReadonlyArray<Envelope.Envelope>,
    call: SendOptions | undefined
  ): Effect.Effect<ReadonlyArray<Delivery>> =>
    sendBatch(
      transport,
      chunk,
      {
        retry: call?.retry ?? options?.retry ?? defaults.retry,
        longestWait: usable.time(call?.longestWait ?? options?.longestWait, defaults.longestWait),
        uncertainty: call?.uncertainty ?? options?.uncertainty ?? defaults.uncertainty
      },
      publishAccepted
    )

  const sendTogether = Effect.fnUntraced(function* (
    all: ReadonlyArray<Message.Message>,
    call: SendAllOptions | undefined,
    concurrency: number
  ): Effect.fn.Return<ReadonlyArray<Delivery>> {
    const checked: Array<Message.Message | Delivery> = []
    for (const message of all) checked.push(isMessage(message) ? message : yield* remade(message))
    const { answer, messages } = distinct(checked)
    const sealed: Array<Envelope.Envelope> = []
    const refused: Array<Delivery> = []
    for (const message of messages) {
      yield* Envelope.seal(message, sealOptions(call)).pipe(
        Effect.match({
          onSuccess: (envelope) => void sealed.push(envelope),
          onFailure: (error) => void refused.push(unsealable(message.id, error))
        })
      )
    }
    const chunks = chunksOf(sealed, batchSize(call))
    const sent = yield* Effect.forEach(chunks, (chunk) => sendChunk(chunk, call), { concurrency })
    return answer([...sent.flat(), ...refused])
  })

  const sealOptions = (call: SendOptions | undefined): Envelope.SealOptions => ({
    route: call?.route ?? options?.route,
    account: call?.account ?? options?.account,
    headers: call?.headers
  })
  const batchSize = (call: SendAllOptions | undefined) => {
    const limit = usable.atLeastOne(transport.maxBatchSize)
    return Math.min(limit, usable.atLeastOne(call?.batchSize ?? options?.batchSize ?? limit))
  }
  const concurrencyOf = (call: SendAllOptions | undefined) =>
    usable.atLeastOne(call?.concurrency ?? options?.concurrency ?? defaults.concurrency)

  return {
    send: Effect.fn("Cascade.send")(function* (message, call) {
      const [delivery] = yield* sendTogether([message], call, 1)
      return delivery ?? Deliveries.notAccepted(idOf(message), unanswered)
    }),
    sendAll: Effect.fn("Cascade.sendAll")(function* (messages, call) {
      const all = [...messages]
      yield* Effect.annotateCurrentSpan("messages", all.length)
      return yield* sendTogether(all, call, concurrencyOf(call))
    }),
    sendStream: (messages, call) =>
      Stream.suspend(() => {
        const concurrency = concurrencyOf(call)
        const within = usable.time(call?.within ?? options?.within, defaults.within)
        return messages.pipe(
          Stream.groupedWithin(batchSize(call), within),
          Stream.mapEffect((batch) => sendTogether(batch, call, 1), { concurrency }),
          Stream.filter(isReadonlyArrayNonEmpty),
          Stream.flattenArray
        )
      }),
    status: lookup
  }
})

/** The client of a program, with every default. */
export const layer: Layer.Layer<Cascade, never, Transport> = Layer.effect(Cascade, make())

/** As {@link layer}, with `options` for every call that does not say otherwise. */
export const layerWith = (options: CascadeOptions): Layer.Layer<Cascade, never, Transport> =>
  Layer.effect(Cascade, make(options))

/**
 * Sends a message.
 *
 * @example
 * ```ts
 * import { Cascade, Delivery, Message, Ttl } from "@effect-cascade/core"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const message = yield* Message.make({
 *     _tag: "FlashCall",
 *     id: "login-42",
 *     fromName: "Shop",
 *     toPhone: "+380671112233",
 *     ttl: Ttl.verification
 *   })
 *   const delivery = yield* Cascade.send(message)
 *   return Delivery.Delivery.match(delivery, {
 *     Accepted: ({ messageId }) => `on its way as ${messageId}`,
 *     NotSent: ({ reason }) => `nobody was called: ${reason.message}`,
 *     Unknown: ({ reason }) => `perhaps: ${reason.message}`
 *   })
 * })
 * ```
 *
 * @see CascadeShape.send
 */
export const send = (
  message: Message.Message,
  options?: SendOptions
): Effect.Effect<Delivery, never, Cascade> => Cascade.use((cascade) => cascade.send(message, options))

/** Sends messages and answers for each in their order. @see CascadeShape.sendAll */
export const sendAll = (
  messages: Iterable<Message.Message>,
  options?: SendAllOptions
): Effect.Effect<ReadonlyArray<Delivery>, never, Cascade> =>
  Cascade.use((cascade) => cascade.sendAll(messages, options))

/** Sends messages as they come and answers for each in their order. @see CascadeShape.sendStream */
export const sendStream = <E, R>(
  messages: Stream.Stream<Message.Message, E, R>,
  options?: SendStreamOptions
): Stream.Stream<Delivery, E, R | Cascade> =>
  Stream.unwrap(Cascade.useSync((cascade) => cascade.sendStream(messages, options)))

/** Asks the provider what became of an accepted message. @see CascadeShape.status */
export const status = (messageId: string): Effect.Effect<StatusReport, StatusError, StatusLookup | Cascade> =>
  Cascade.use((cascade) => cascade.status(messageId))

const isMessage = Schema.is(Message.Message)

/** A message by every rule of messages, of what has only its type, or why it is none. */
const remade = (value: Message.Message): Effect.Effect<Message.Message | Delivery> =>
  Effect.match(Message.make(value), {
    onSuccess: (message) => message,
    onFailure: (error) => unsealable(idOf(value), error)
  })

/** The tracking id to answer with for a value that may be none of a message. */
const idOf = (value: unknown): TrackingId.TrackingId => {
  const id = own(value, "id")
  return isTrackingId(id) ? id : TrackingId.of("invalid")
}

const isTrackingId = Schema.is(TrackingId.TrackingId)

const unsealable = (id: TrackingId.TrackingId, error: InvalidMessage): Delivery =>
  Deliveries.notAccepted(
    id,
    new TransportReason.Unencodable({
      problem: error.problems
        .map(({ path, rule }) => `${path === "" ? "it" : path}: expected ${rule}`)
        .join("; ")
    })
  )

const unanswered = new TransportReason.UnreadableReply({ problem: "there is no answer for it" })
