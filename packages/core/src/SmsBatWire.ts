/**
 * What goes over the wire to SMSBAT and back: envelopes to the body of a request, a reply to deliveries.
 *
 * Everything here is pure. Use it to write an emulator or a proxy of the provider; to send, use `SmsBatTransport`.
 *
 * See https://smsbat.com/help/api/cascade/send/ (Request Body, Response).
 */
import * as DateTime from "effect/DateTime"
import * as Result from "effect/Result"
import type * as Delivery from "./Delivery.ts"
import * as Deliveries from "./Delivery.ts"
import * as Envelope from "./Envelope.ts"
import { own } from "./internal/unknown.ts"
import * as Message from "./Message.ts"
import type { TrackingId } from "./TrackingId.ts"
import * as TransportReason from "./TransportReason.ts"

/** The most messages that the provider takes in one request (Bulk Sending). */
export const requestLimit = 1000

/** Where each route is, below the base URL (Endpoints). */
export const sendPath: Readonly<Record<Envelope.Route, string>> = {
  standard: "/api/CascadeMessage/send_message/async",
  "tg-viber": "/api/CascadeMessage/send_message/tg-viber/async"
}

/** Where the values of variables go. See https://smsbat-help.pages.dev/api/cascade/variables/. */
export const variablesPath = "/api/items"

/**
 * Where the status of a message is. See https://smsbat.com/help/api/smsbat/status/; that the messages of Cascade are
 * found there too is not documented.
 */
export const statusPath = (messageId: string): string => `/bat/message/${encodeURIComponent(messageId)}`

/** One message as it stands in the body of a request, in the order of the fields there. */
export interface WireMessage {
  /** The tracking id. */
  readonly id: string
  readonly fromName: string
  readonly toPhone: string
  readonly messageType: Message.MessageJson["messageType"]
  readonly text?: string
  readonly surveyOptions?: ReadonlyArray<string>
  /** Whole seconds. */
  readonly ttl?: number
  /** UTC, such as `2026-01-25T10:00:00Z`. */
  readonly scheduledSent?: string
}

/** One element of a success reply. */
export interface WireReceipt {
  readonly messageId: string
  readonly trackinId: string
}

/**
 * The message of an envelope as it is sent at `now`: with the ttl that is left, and with `scheduledSent` only where
 * the provider is to wait.
 *
 * `Expired` with less than a second of ttl left; `Unencodable` where the provider would have to wait for more than
 * 30 days (Scheduled Messages).
 */
export const encode = (
  envelope: Envelope.Envelope,
  now: DateTime.Utc
): Result.Result<WireMessage, TransportReason.Expired | TransportReason.Unencodable> => {
  const ttl = Envelope.remainingTtl(envelope, now)
  if (ttl !== undefined && ttl < 1) return Result.fail(expired)
  const scheduledSent = Envelope.handedSchedule(envelope, now)
  if (scheduledSent !== undefined && DateTime.isGreaterThan(scheduledSent, latestSchedule(now))) {
    return Result.fail(tooFarAhead)
  }
  const { scheduledSent: _, ttl: __, ...content } = Message.encode(envelope.message)
  return Result.succeed({
    ...content,
    ...(ttl === undefined ? {} : { ttl }),
    ...(scheduledSent === undefined ? {} : { scheduledSent: Message.formatInstant(scheduledSent) })
  })
}

/**
 * What a success reply says became of each message, in the order of `ids`.
 *
 * Messages are found by `trackinId` (or `trackingId`, which stands for it where it is missing), compared exactly, and
 * never by their place in the reply. One that is not named, or that is named without a usable `messageId`, is
 * `Unknown`; so is every message where the body is not the documented array. Elements about other messages and fields
 * that are not documented are passed over. Where a message is named several times, the first usable `messageId`
 * counts: it was taken on at least once.
 *
 * It takes any text: one that cannot be read is an answer, never an exception.
 */
export const decodeReply = (
  body: string,
  ids: ReadonlyArray<TrackingId>
): ReadonlyArray<Delivery.Accepted | Delivery.Unknown> => {
  const parsed = Result.try((): unknown => JSON.parse(body))
  if (Result.isFailure(parsed)) return ids.map((id) => unknown(id, notJson))
  if (!Array.isArray(parsed.success)) return ids.map((id) => unknown(id, notAnArray))
  const receipts = readReceipts(parsed.success)
  return ids.map((id) => {
    const messageId = receipts.get(id)
    if (messageId === undefined) return unknown(id, notNamed)
    return messageId === unusable ? unknown(id, noMessageId) : Deliveries.accepted(id, messageId)
  })
}

const expired = new TransportReason.Expired({})

const tooFarAhead = new TransportReason.Unencodable({
  problem: "scheduledSent lies more than 30 days ahead, which is more than the provider waits"
})

const latestSchedule = (now: DateTime.Utc) => DateTime.addDuration(now, Envelope.providerScheduleLimit)

const unreadable = (problem: string) => new TransportReason.UnreadableReply({ problem })
const notJson = unreadable("it is not JSON")
const notAnArray = unreadable("it is not an array")
const notNamed = unreadable("it does not name this message")
const noMessageId = unreadable("it names this message without a usable messageId")

const unknown = (id: TrackingId, reason: TransportReason.UnreadableReply) =>
  new Deliveries.Unknown({ trackingId: id, reason }, { disableChecks: true })

const unusable = Symbol("unusable")

/** The first usable message id for each tracking id. A map, so that no id is taken for a member of an object. */
const readReceipts = (elements: ReadonlyArray<unknown>): Map<string, string | typeof unusable> => {
  const receipts = new Map<string, string | typeof unusable>()
  for (const element of elements) {
    const id = own(element, "trackinId") ?? own(element, "trackingId")
    if (typeof id !== "string" || typeof receipts.get(id) === "string") continue
    const messageId = own(element, "messageId")
    receipts.set(id, isMessageId(messageId) ? messageId : unusable)
  }
  return receipts
}

// Documented as a UUID. Whatever it is, it is stored, shown and put into a URL; so it must be one short printable word.
const isMessageId = (value: unknown): value is string =>
  typeof value === "string" && /^[^\s\p{C}\ufffd]{1,255}$/u.test(value)
