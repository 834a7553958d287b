/**
 * The write side: puts messages into the outbox in the caller's own transaction.
 *
 * What commits with the business change is sent at least once (or shown as uncertain, see `Uncertainty`); what rolls
 * back is never sent. Nothing is sent from here: a `Relay` does that, in this process or in another.
 */
import * as Envelope from "@effect-cascade/core/Envelope"
import { InvalidMessage, Problem } from "@effect-cascade/core/InvalidMessage"
import * as CascadeEvent from "@effect-cascade/core/CascadeEvent"
import * as CascadeEvents from "@effect-cascade/core/CascadeEvents"
import * as Message from "@effect-cascade/core/Message"
import * as Telemetry from "@effect-cascade/core/Telemetry"
import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Iterable from "effect/Iterable"
import * as Layer from "effect/Layer"
import * as SecureRandom from "effect/crypto/SecureRandom"
import { checkOptions } from "./internal/enqueueOptions.ts"
import * as Lane from "./Lane.ts"
import { type InvalidName, type NotInTransaction, type StoreError, TrackingIdReused } from "./OutboxError.ts"
import { encodePayload, type InsertedRow, type NewRow } from "./OutboxRow.ts"
import { OutboxStore } from "./OutboxStore.ts"
import * as OutboxTelemetry from "./OutboxTelemetry.ts"
import * as Uncertainty from "./Uncertainty.ts"

/** How a message is to be treated. A name that is none of these, or a value that its option does not have, is refused. */
export interface EnqueueOptions {
  /** Which of the provider's endpoints it takes. Defaults to `"standard"`. */
  readonly route?: Envelope.Route | undefined
  /** The account it is sent from; a relay must serve it. Defaults to `"default"`. */
  readonly account?: string | undefined
  /** Defaults to the type's: flash call `urgent`, transaction `high`, survey `normal`, promo `low`. */
  readonly priority?: Lane.Priority | undefined
  /** Not to be sent before this instant. Its ttl counts from now all the same. Defaults to now. */
  readonly availableAt?: DateTime.DateTime | Date | undefined
  /** Who waits for the message's `scheduledSent`. Defaults to `"outbox"`. */
  readonly schedule?: Envelope.ScheduleHolder | undefined
  /** What to do when nobody knows whether it was sent. Defaults to the type's; see `Uncertainty.defaults`. */
  readonly uncertainty?: Uncertainty.Uncertainty | undefined
  /** Notes for a transport that routes by them. Never sent to the provider. Defaults to none. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** The message is in the outbox. */
export interface Enqueued {
  readonly _tag: "Enqueued"
  /** The outbox's id of it, a UUIDv7. */
  readonly id: string
  readonly trackingId: string
}

/**
 * The same message was in the outbox before; nothing was written.
 *
 * That says nothing of what became of it: it may wait, have been sent, or have ended otherwise. One that was cancelled
 * stays so; what can be called off and asked for again needs another tracking id. `OutboxAdmin.explain` tells the state.
 */
export interface AlreadyEnqueued {
  readonly _tag: "AlreadyEnqueued"
  /** The id under which it is there. */
  readonly id: string
  readonly trackingId: string
}

/** What enqueueing can fail with. All of it is found before anything is sent. */
export type EnqueueError = NotInTransaction | TrackingIdReused | InvalidMessage | InvalidName | StoreError

/** What the outbox does. */
export interface OutboxShape {
  /**
   * Writes one message in the open transaction.
   *
   * The same message again (same tracking id, same content) is `AlreadyEnqueued`; another message under the same
   * tracking id is the error `TrackingIdReused`.
   */
  readonly enqueue: (
    message: Message.Message,
    options?: EnqueueOptions
  ) => Effect.Effect<Enqueued | AlreadyEnqueued, EnqueueError>

  /**
   * Writes many messages in the open transaction, 5,000 to a statement. Answers for each, in order.
   *
   * With `TrackingIdReused` the other messages of the call have been written. They go when the error ends the
   * transaction; a caller that catches it and goes on commits them, unless the call has a `transaction` of its own inside.
   */
  readonly enqueueAll: (
    messages: Iterable<Message.Message>,
    options?: EnqueueOptions
  ) => Effect.Effect<ReadonlyArray<Enqueued | AlreadyEnqueued>, EnqueueError>

  /**
   * Runs an effect in a transaction of the outbox's `SqlClient`.
   *
   * As `sql.withTransaction`, except that a connection lost on the way is a `StoreError` which can be caught and
   * retried, where `sql.withTransaction` dies.
   */
  readonly transaction: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | StoreError, R>
}

/**
 * The outbox of a program.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Message, TrackingId } from "@effect-cascade/core"
 * import { Outbox } from "@effect-cascade/outbox"
 *
 * const confirm = Effect.fn("confirm")(function* (order: { id: number; phone: string }) {
 *   const outbox = yield* Outbox.Outbox
 *   const message = yield* Message.make({
 *     _tag: "Transaction",
 *     id: TrackingId.of("order-confirmed", order.id),
 *     fromName: "Shop",
 *     toPhone: order.phone,
 *     text: `Your order ${order.id} is confirmed`
 *   })
 *   return yield* outbox.transaction(outbox.enqueue(message))
 * })
 * ```
 */
export class Outbox extends Context.Service<Outbox, OutboxShape>()("@effect-cascade/outbox/Outbox") {}

/** Makes the outbox over the store of the context. */
export const make: Effect.Effect<OutboxShape, never, OutboxStore> = Effect.gen(function* () {
  const store = yield* OutboxStore
  const publisher = yield* CascadeEvents.publisher

  const write = Effect.fnUntraced(function* (
    messages: Iterable<Message.Message>,
    options: EnqueueOptions | undefined
  ): Effect.fn.Return<ReadonlyArray<Enqueued | AlreadyEnqueued>, EnqueueError> {
    yield* checkOptions(options)
    const envelopes = yield* Effect.forEach(messages, (message) => seal(message, options))
    const rows = yield* Effect.forEach(envelopes, (envelope) => toRow(envelope, options))
    if (!Arr.isReadonlyArrayNonEmpty(rows)) return []
    yield* Effect.annotateCurrentSpan(describe(rows))
    const inserted = yield* store.insert(rows)
    yield* tell(envelopes, inserted)
    const [conflict, ...conflicts] = inserted.filter((row) => row.result === "conflict")
    if (conflict !== undefined) {
      return yield* new TrackingIdReused({
        account: rows[0].account,
        trackingIds: [conflict.trackingId, ...conflicts.map((row) => row.trackingId)],
        existingIds: [conflict.id, ...conflicts.map((row) => row.id)]
      })
    }
    return inserted.map((row): Enqueued | AlreadyEnqueued => ({
      _tag: row.result === "inserted" ? "Enqueued" : "AlreadyEnqueued",
      id: row.id,
      trackingId: row.trackingId
    }))
  })

  /** What was written is told once it is committed; what was found, at once. */
  const tell = Effect.fnUntraced(function* (
    envelopes: ReadonlyArray<Envelope.Envelope>,
    inserted: ReadonlyArray<InsertedRow>
  ) {
    const written: Array<Envelope.Envelope> = []
    const found: Array<OutboxTelemetry.Counted & { readonly outcome: "same" | "refused" }> = []
    for (const [index, { result }] of inserted.entries()) {
      const envelope = envelopes[index]
      if (envelope === undefined) continue
      if (result === "inserted") written.push(envelope)
      else found.push({ ...countedOf(envelope), outcome: result === "existing" ? "same" : "refused" })
    }
    if (found.length > 0) yield* OutboxTelemetry.countDuplicates(found)
    if (written.length > 0) {
      yield* store.afterCommit(
        Effect.andThen(
          OutboxTelemetry.countEnqueued(written.map(countedOf)),
          publisher.publishAll(Iterable.map(written, enqueuedEvent))
        )
      )
    }
  })

  return {
    enqueueAll: (messages, options) => write(messages, options).pipe(created),
    enqueue: (message, options) =>
      // One message in, one answer out: the store answers for each row.
      Effect.map(write([message], options), ([result]) => result as Enqueued | AlreadyEnqueued).pipe(created),
    transaction: (self) => store.transaction(self)
  }
})

/** The span that creates messages: the one that the span of their sending links to. */
const created = Telemetry.observe("create", OutboxTelemetry.destination, { kind: "producer" })

const describe = (rows: Arr.NonEmptyReadonlyArray<NewRow>): Record<string, string | number> => ({
  [Telemetry.attributes.account]: rows[0].account,
  [Telemetry.attributes.batchSize]: rows.length,
  ...(rows.length === 1
    ? {
        [Telemetry.attributes.messageId]: rows[0].trackingId,
        [Telemetry.attributes.messageType]: rows[0].messageType
      }
    : {})
})

/** The outbox as a layer. */
export const layer: Layer.Layer<Outbox, never, OutboxStore> = Layer.effect(Outbox, make)

const countedOf = ({ account, message }: Envelope.Envelope): OutboxTelemetry.Counted => ({
  account,
  messageType: Message.messageType[message._tag]
})

const enqueuedEvent = (envelope: Envelope.Envelope): CascadeEvent.Enqueued =>
  new CascadeEvent.Enqueued(CascadeEvent.about(envelope, envelope.createdAt), unchecked)

const unchecked = { disableChecks: true }

const seal = (message: Message.Message, options: EnqueueOptions | undefined) =>
  Envelope.seal(message, {
    route: options?.route,
    account: options?.account,
    headers: options?.headers,
    schedule: options?.schedule ?? "outbox"
  })

const toRow = Effect.fnUntraced(function* (
  envelope: Envelope.Envelope,
  options: EnqueueOptions | undefined
): Effect.fn.Return<NewRow, InvalidMessage> {
  const { account, message } = envelope
  const availableAt = yield* instantOf(options?.availableAt)
  const held = envelope.schedule === "outbox" ? message.scheduledSent : undefined
  return {
    id: SecureRandom.uuidV7Unsafe(),
    account,
    trackingId: message.id,
    lane: Lane.of(account, options?.priority ?? Lane.defaultPriority[message._tag]),
    messageType: Message.messageType[message._tag],
    uncertainty: options?.uncertainty ?? Uncertainty.defaults[message._tag],
    payload: encodePayload(envelope),
    availableAt: latest(availableAt, held),
    ttlFrom: message.scheduledSent === undefined ? undefined : DateTime.toEpochMillis(message.scheduledSent),
    ttlMillis: message.ttl === undefined ? undefined : Duration.toMillis(message.ttl),
    traceparent: envelope.traceparent
  }
})

const latest = (a: number | undefined, held: DateTime.Utc | undefined): number | undefined =>
  held === undefined ? a : Math.max(a ?? 0, DateTime.toEpochMillis(held))

const instantOf = (
  value: DateTime.DateTime | Date | undefined
): Effect.Effect<number | undefined, InvalidMessage> => {
  if (value === undefined) return Effect.undefined
  const millis = value instanceof Date ? value.getTime() : DateTime.toEpochMillis(value)
  return Number.isFinite(millis)
    ? Effect.succeed(millis)
    : Effect.fail(
        new InvalidMessage({
          problems: [new Problem({ path: "availableAt", rule: "an instant", received: "an invalid date" })]
        })
      )
}
