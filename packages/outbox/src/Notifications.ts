/**
 * From a service's own domain events to messages: one table that says, for every event, what people are told.
 *
 * The table is complete at compile time: a new event does not compile until somebody has decided what it means to
 * people ({@link none}: nothing). The tracking id follows from the event's name and id, so that an event that is
 * handled twice still gives one message; events may therefore come at least once, from any bus.
 */
import type { InvalidMessage } from "@effect-cascade/core/InvalidMessage"
import * as Message from "@effect-cascade/core/Message"
import * as TrackingId from "@effect-cascade/core/TrackingId"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { InvalidName, NotInTransaction, StoreError } from "./OutboxError.ts"
import { type AlreadyEnqueued, type Enqueued, type EnqueueOptions, Outbox } from "./Outbox.ts"

/** What an event tells people: a message without its id, which follows from the event. */
export type Draft = DraftOf<Message.MessageInput> & { readonly options?: EnqueueOptions | undefined }

type DraftOf<Input> = Input extends unknown ? Omit<Input, "id"> : never

/** Nobody is told of this event. */
export const none: unique symbol = Symbol.for("@effect-cascade/outbox/Notifications/none")

/** @see none */
export type None = typeof none

interface AnyEvent {
  readonly _tag: string
}

/** For each event, what people are told. A function may say {@link none} for one event and not for another. */
export type Table<Event extends AnyEvent> = {
  readonly [Tag in Event["_tag"]]: None | ((event: Extract<Event, { readonly _tag: Tag }>) => Draft | None)
}

/** An event whose message was written, or had been before, or that has none. */
export type Published = Enqueued | AlreadyEnqueued | { readonly _tag: "NothingToTell" }

/** What publishing can fail with. */
export type PublishError = NotInTransaction | InvalidMessage | InvalidName | StoreError

/** The notifications of a service. */
export interface Notifications<Event extends AnyEvent> {
  /** The tracking id of an event's message. */
  readonly trackingId: (event: Event) => TrackingId.TrackingId
  /**
   * Enqueues what the event tells people, in the transaction that is open: call it where the event is recorded.
   *
   * The same event again is `AlreadyEnqueued`, also when the table has changed meanwhile: the first message stands.
   */
  readonly publish: (event: Event) => Effect.Effect<Published, PublishError, Outbox>
  /**
   * Does the same for each event of a stream, in a transaction of its own, one after another, and answers for each when
   * that has committed. Ends with the stream; fails with the stream's own error, or with the first event that cannot be
   * published. Events that come again after that give no second message.
   */
  readonly consume: <E, R>(
    events: Stream.Stream<Event, E, R>
  ) => Stream.Stream<Published, E | PublishError, R | Outbox>
  /** As `consume`, for events in the encoded form of the schema: JSON from a bus, say. */
  readonly consumeEncoded: <E, R>(
    events: Stream.Stream<unknown, E, R>
  ) => Stream.Stream<Published, E | PublishError | Schema.SchemaError, R | Outbox>
}

/**
 * Makes the notifications of a service from the schema of its events and the table.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Notifications } from "@effect-cascade/outbox"
 *
 * const ShopEvent = Schema.Union([
 *   Schema.TaggedStruct("OrderPlaced", { order: Schema.Int, phone: Schema.String }),
 *   Schema.TaggedStruct("OrderViewed", { order: Schema.Int })
 * ])
 *
 * const notifications = Notifications.make(ShopEvent, {
 *   id: (event) => event.order,
 *   table: {
 *     OrderPlaced: ({ order, phone }) => ({
 *       _tag: "Transaction",
 *       fromName: "Shop",
 *       toPhone: phone,
 *       text: `Your order ${order} is placed`
 *     }),
 *     OrderViewed: Notifications.none
 *   }
 * })
 * ```
 */
export const make = <Event extends AnyEvent, Encoded>(
  schema: Schema.Codec<Event, Encoded>,
  options: {
    /** What tells two events of one name apart. It becomes part of the tracking id, so nothing personal. */
    readonly id: (event: Event) => string | number | bigint
    readonly table: Table<Event>
  }
): Notifications<Event> => {
  const decode = Schema.decodeUnknownEffect(schema)

  const draftOf = (event: Event): Draft | None => {
    // The key is the event's own tag, so the entry is the one for this very event.
    const entry = options.table[event._tag as Event["_tag"]] as None | ((event: Event) => Draft | None)
    return entry === none ? none : entry(event)
  }

  const trackingId = (event: Event) => TrackingId.of(event._tag, options.id(event))

  const publish = Effect.fn("Notifications.publish")(function* (
    event: Event
  ): Effect.fn.Return<Published, PublishError, Outbox> {
    const draft = draftOf(event)
    if (draft === none) return { _tag: "NothingToTell" }
    const outbox = yield* Outbox
    const { options: enqueueOptions, ...fields } = draft
    const id = trackingId(event)
    const message = yield* Message.make({ ...fields, id })
    return yield* outbox
      .enqueue(message, enqueueOptions)
      .pipe(
        Effect.catchTag("TrackingIdReused", (error) =>
          Effect.logWarning("an event was published before with another text; the first message stands").pipe(
            Effect.annotateLogs({ trackingId: id }),
            Effect.as<Published>({ _tag: "AlreadyEnqueued", id: error.existingIds[0], trackingId: id })
          )
        )
      )
  })

  const publishInTransaction = (event: Event) => Outbox.use((outbox) => outbox.transaction(publish(event)))

  return {
    trackingId,
    publish,
    consume: (events) => Stream.mapEffect(events, publishInTransaction),
    consumeEncoded: (events) =>
      Stream.mapEffect(events, (json) => Effect.flatMap(decode(json), publishInTransaction))
  }
}
