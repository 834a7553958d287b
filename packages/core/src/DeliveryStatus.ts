/**
 * What the provider says about the delivery of a message, and how any number of reports become one state.
 *
 * Reports come from look-ups (`StatusLookup`) and from webhooks (`SmsBatWebhook`): repeated, out of order, some of them
 * forged. {@link advance} folds them: whatever the order and however often each is repeated, the same reports end in
 * the same state, and a state never goes back. {@link track} does so and tells `CascadeEvents` what changed.
 *
 * See https://smsbat.com/help/api/smsbat/status/.
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as CascadeEvent from "./CascadeEvent.ts"
import * as CascadeEvents from "./CascadeEvents.ts"
import * as PhoneNumber from "./PhoneNumber.ts"

/**
 * Where a message is on its way, in the provider's words, weakest first.
 *
 * - `unrecognised`: the provider used another word. It says nothing, so every other status is stronger.
 * - `scheduled`, `processing`: on its way.
 * - `permanenterror`: taken off the provider's queue after an error that lasted. Final.
 * - `undeliverable`: refused or failed (a wrong number, the network). Final.
 * - `delivered`: it arrived. Final.
 *
 * The provider documents one end for each message. Should it report two, the stronger one stands: `delivered` wins,
 * since a delivery that happened cannot be taken back, while a failure may be that of one channel of several.
 */
export const DeliveryStatus = Schema.Literals([
  "unrecognised",
  "scheduled",
  "processing",
  "permanenterror",
  "undeliverable",
  "delivered"
])

/** @see DeliveryStatus */
export type DeliveryStatus = typeof DeliveryStatus.Type

/** How strong a status is: 0 for `unrecognised` to 5 for `delivered`. No two share a rank. */
export const rank = (status: DeliveryStatus): number => DeliveryStatus.literals.indexOf(status)

/** Whether nothing more is to come: `delivered`, `undeliverable` and `permanenterror`. */
export const isFinal = (status: DeliveryStatus): boolean => rank(status) >= rank("permanenterror")

/**
 * The stronger of two statuses. Commutative, associative and idempotent, and never weaker than either.
 *
 * It trusts both alike; {@link joinStates} knows a confirmed status from a hint.
 */
export const join = (one: DeliveryStatus, other: DeliveryStatus): DeliveryStatus =>
  rank(one) >= rank(other) ? one : other

/** The status that a word of the provider's stands for. Case and blanks at the ends do not matter. */
export const fromWord = (word: string): DeliveryStatus => {
  const plain = word.trim().toLowerCase()
  return isStatus(plain) ? plain : "unrecognised"
}

const isStatus = Schema.is(DeliveryStatus)

/**
 * One report about one message. It holds no personal data.
 *
 * For its JSON form use `Schema.toCodecJson(StatusReport)`.
 */
export class StatusReport extends Schema.Class<StatusReport>("@effect-cascade/core/StatusReport")({
  /** The provider's id of the message: that of `Delivery.Accepted`. */
  messageId: Schema.String,
  status: DeliveryStatus,
  /** The provider's own word where the status is `unrecognised` and the word is short enough to be one. */
  word: Schema.optionalKey(Schema.String),
  /** `poll`: the answer to a look-up. `webhook`: the provider, or somebody in its name, told us. */
  source: Schema.Literals(["poll", "webhook"]),
  /**
   * Whether the provider itself said so when asked. A webhook is not signed; so what it says is a hint, until a look-up
   * says the same.
   */
  confirmed: Schema.Boolean,
  /** The price. The currency is that of the account. */
  cost: Schema.optionalKey(Schema.Finite),
  /** How many parts the text took. */
  partscount: Schema.optionalKey(Schema.Natural),
  /** The provider's words for each channel, such as `{ viber: "delivered", sms: "not_used" }`. Look-ups only. */
  extendedStatuses: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
  /** A webhook: when it happened, as the webhook says. A poll: when the answer came. */
  reportedAt: Schema.optionalKey(Schema.DateTimeUtc)
}) {}

/** What is known of a message: the strongest of all reports about it. Two columns, where it is stored. */
export const DeliveryState = Schema.Struct({
  status: DeliveryStatus,
  /** Whether that status is confirmed. See `StatusReport.confirmed`. */
  confirmed: Schema.Boolean
})

/** @see DeliveryState */
export type DeliveryState = typeof DeliveryState.Type

/**
 * The stronger of two states. Commutative, associative and idempotent, and never weaker than either.
 *
 * An end is stronger than what is on its way, a confirmed end is stronger than any hint, and beyond that the order of
 * {@link DeliveryStatus} holds. So a forged `delivered` gives way to a confirmed `undeliverable`, and never the other
 * way about.
 */
export const joinStates = (one: DeliveryState, other: DeliveryState): DeliveryState =>
  weight(one) >= weight(other) ? one : other

/** One number for each of the 12 states, so that the stronger of two is the greater of two numbers. */
const weight = ({ confirmed, status }: DeliveryState): number =>
  isFinal(status) ? 12 + rank(status) + (confirmed ? 6 : 0) : 2 * rank(status) + (confirmed ? 1 : 0)

/** What a report did to a state. */
export interface Step {
  readonly next: DeliveryState
  /** Whether it is another state than before, so that it has to be stored. */
  readonly changed: boolean
}

/**
 * The state after one more report: a pure fold, for one message. `previous` is `undefined` before the first report.
 *
 * Whoever stores the state has to read and write it in one step, or two reports at once may lose one of them.
 *
 * @example
 * ```ts
 * import { DeliveryStatus } from "@effect-cascade/core"
 *
 * const fold = (reports: ReadonlyArray<DeliveryStatus.StatusReport>) =>
 *   reports.reduce<DeliveryStatus.DeliveryState | undefined>(
 *     (state, report) => DeliveryStatus.advance(state, report).next,
 *     undefined
 *   )
 * ```
 */
export const advance = (previous: DeliveryState | undefined, report: StatusReport): Step => {
  const reported: DeliveryState = { status: report.status, confirmed: report.confirmed }
  if (previous === undefined) return { next: reported, changed: true }
  return weight(reported) > weight(previous)
    ? { next: reported, changed: true }
    : { next: previous, changed: false }
}

/** What the caller knows of a message and the provider does not say. */
export interface AboutStatus {
  readonly trackingId?: string | undefined
  readonly messageType?: CascadeEvent.MessageType | undefined
  readonly account?: string | undefined
  /** In full or masked; the event has it masked. */
  readonly toPhone?: string | undefined
}

/**
 * As {@link advance}, and publishes `StatusChanged` where the status is another one than before. A confirmation of what
 * was a hint changes the state, not the status.
 */
export const track = Effect.fnUntraced(function* (
  previous: DeliveryState | undefined,
  report: StatusReport,
  about?: AboutStatus
): Effect.fn.Return<Step> {
  const step = advance(previous, report)
  if (step.changed && step.next.status !== previous?.status) {
    yield* CascadeEvents.publish(eventOf(previous, report, about, yield* DateTime.now))
  }
  return step
})

const eventOf = (
  previous: DeliveryState | undefined,
  report: StatusReport,
  about: AboutStatus | undefined,
  at: DateTime.Utc
) => {
  const toPhone = about?.toPhone === undefined ? undefined : PhoneNumber.mask(about.toPhone)
  return new CascadeEvent.StatusChanged(
    {
      ...(about?.trackingId === undefined ? {} : { trackingId: about.trackingId }),
      ...(about?.messageType === undefined ? {} : { messageType: about.messageType }),
      ...(about?.account === undefined ? {} : { account: about.account }),
      ...(isMasked(toPhone) ? { toPhone } : {}),
      messageId: report.messageId,
      status: report.word ?? report.status,
      confirmed: report.confirmed,
      ...(previous === undefined ? {} : { previous: previous.status }),
      at
    },
    { disableChecks: true }
  )
}

const isMasked = Schema.is(CascadeEvent.MaskedPhone)
