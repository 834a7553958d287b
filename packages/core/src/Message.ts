/**
 * What a caller wants sent: a `Transaction`, a `Promo`, a `ViberSurvey` or a `FlashCall`.
 *
 * Make one with {@link make} (typed input) or {@link decode} (JSON from outside). Both report every problem at
 * once. A message that exists is valid; only its schedule is judged again, against the clock, when it is sealed.
 *
 * In memory a message is a tagged union with a `Duration` and a `DateTime`; its JSON form is the provider's own,
 * field by field. Printing one (log, `console.log`, `inspect`, `JSON.stringify`, `String`) shows its phone number
 * masked and only the length of its text; {@link encode} gives the full JSON form.
 *
 * See https://smsbat.com/help/api/cascade/send/ (Parameters, Message Types).
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as SchemaIssue from "effect/SchemaIssue"
import * as mask from "./internal/mask.ts"
import * as masked from "./internal/maskedClass.ts"
import { trusted } from "./internal/trusted.ts"
import * as rules from "./internal/messageRules.ts"
import { isObject, own } from "./internal/unknown.ts"
import { InvalidMessage, Problem } from "./InvalidMessage.ts"
import { PhoneNumber } from "./PhoneNumber.ts"
import { SenderName } from "./SenderName.ts"
import { TrackingId } from "./TrackingId.ts"

const isWholeSeconds = (ttl: Duration.Duration): boolean =>
  // Compared as durations, since a number of seconds cannot hold the nanoseconds of a long one.
  Duration.equals(ttl, Duration.seconds(Duration.toSeconds(ttl)))

const Ttl = Schema.Duration.annotate({
  // Only here does a generator learn of the rule below, and without it would never meet it.
  toCodecArbitrary: () =>
    Schema.link<Duration.Duration>()(
      Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: rules.ttlLimit })),
      { decode: SchemaGetter.transform(Duration.seconds), encode: SchemaGetter.transform(Duration.toSeconds) }
    )
}).check(
  Schema.makeFilter((ttl) => (rules.isTtl(Duration.toSeconds(ttl)) && isWholeSeconds(ttl)) || rules.ttlRule)
)

const ScheduledSent = Schema.DateTimeUtc.check(
  Schema.makeIsBetween({ order: DateTime.Order })(rules.scheduleLimits, { message: rules.scheduleRule })
)

const Text = Schema.String.check(
  Schema.isMinLength(1, { message: rules.textRule }),
  Schema.isPattern(rules.wholeText, { message: rules.wholeRule })
)

const common = {
  /** The caller's own id, echoed as `trackinId`; also the dedupe key. */
  id: TrackingId,
  /** The sender's display name. */
  fromName: SenderName,
  /** The recipient, in E.164 form. */
  toPhone: PhoneNumber,
  /** How long the message is worth delivering, from its scheduled instant or else from now. Whole seconds. */
  ttl: Schema.optionalKey(Ttl),
  /** When to send it. */
  scheduledSent: Schema.optionalKey(ScheduledSent)
}

/** A confirmation, a payment, a change of an account, a one-time code: something the recipient waits for. */
export class Transaction extends Schema.TaggedClass<Transaction>("@effect-cascade/core/Transaction")(
  "Transaction",
  { ...common, text: Text },
  masked.annotation
) {}

/** Marketing. */
export class Promo extends Schema.TaggedClass<Promo>("@effect-cascade/core/Promo")(
  "Promo",
  { ...common, text: Text },
  masked.annotation
) {}

/** A question with 2 to 5 answers; its text has at most 85 UTF-16 units. Shown as buttons in Viber. */
export class ViberSurvey extends Schema.TaggedClass<ViberSurvey>("@effect-cascade/core/ViberSurvey")(
  "ViberSurvey",
  {
    ...common,
    text: Text.check(Schema.isMaxLength(rules.surveyTextLimit, { message: rules.surveyTextRule })),
    surveyOptions: Schema.Array(Text).check(
      Schema.isBetweenLength(rules.surveyOptionLimits.minimum, rules.surveyOptionLimits.maximum),
      Schema.isUnique()
    )
  },
  masked.annotation
) {}

/** A call that verifies a phone number; it has no text. */
export class FlashCall extends Schema.TaggedClass<FlashCall>("@effect-cascade/core/FlashCall")(
  "FlashCall",
  common,
  masked.annotation
) {}

/** Any message, as a schema of the values in memory. For JSON use {@link MessageFromJson}. */
export const Message = Schema.Union([Transaction, Promo, ViberSurvey, FlashCall]).pipe(
  Schema.toTaggedUnion("_tag")
)

/** @see Message */
export type Message = typeof Message.Type

for (const constructor of [Transaction, Promo, ViberSurvey, FlashCall]) {
  masked.install<Message>(constructor, (message) => {
    const json = encode(message)
    return {
      ...json,
      fromName: mask.line(json.fromName),
      toPhone: mask.phone(json.toPhone),
      ...("text" in json ? { text: mask.text(json.text) } : {}),
      ...("surveyOptions" in json ? { surveyOptions: json.surveyOptions.map(mask.text) } : {})
    }
  })
}

interface CommonInput {
  /** 1 to 254 characters of `A-Z a-z 0-9 . _ : -`; see `TrackingId.of`. */
  readonly id: string
  readonly fromName: string
  /** E.164: `+380671112233`. */
  readonly toPhone: string
  /**
   * Whole seconds, as a `Duration` or `"5 minutes"`; a bare number is milliseconds, as everywhere in Effect. See the
   * `Ttl` module for recommended values. Defaults to none: no deadline.
   */
  readonly ttl?: Duration.Input | undefined
  /** An instant, or its ISO text with a zone. Defaults to now. */
  readonly scheduledSent?: DateTime.DateTime | Date | string | undefined
}

interface InputByTag {
  readonly Transaction: CommonInput & { readonly text: string }
  readonly Promo: CommonInput & { readonly text: string }
  readonly ViberSurvey: CommonInput & { readonly text: string; readonly surveyOptions: ReadonlyArray<string> }
  readonly FlashCall: CommonInput
}

/** What {@link make} takes: the fields of a message in the types a program has at hand. */
export type MessageInput = { [Tag in keyof InputByTag]: Input<Tag> }[keyof InputByTag]

// The tag stands beside the fields, so that it is inferred from the input and the fields are checked against it.
type Input<Tag extends Message["_tag"]> = { readonly _tag: Tag } & InputByTag[Tag]

interface CommonJson {
  readonly id: string
  readonly fromName: string
  readonly toPhone: string
  readonly ttl?: number
  readonly scheduledSent?: string
}

/** The JSON form of a message: the provider's own field names, `ttl` in seconds, `scheduledSent` in UTC. */
export type MessageJson =
  | (CommonJson & { readonly messageType: "transaction" | "promo"; readonly text: string })
  | (CommonJson & {
      readonly messageType: "viber_survey"
      readonly text: string
      readonly surveyOptions: ReadonlyArray<string>
    })
  | (CommonJson & { readonly messageType: "flashcall" })

/** The provider's word for each kind of message, sent as `messageType`. */
export const messageType = {
  Transaction: "transaction",
  Promo: "promo",
  ViberSurvey: "viber_survey",
  FlashCall: "flashcall"
} as const satisfies Record<Message["_tag"], rules.MessageType>

type ByTag<Tag extends Message["_tag"]> = Extract<Message, { readonly _tag: Tag }>

/**
 * Makes a message, or fails with every problem in it.
 *
 * @example
 * ```ts
 * import { Message, TrackingId, Ttl } from "@effect-cascade/core"
 *
 * const confirmation = Message.make({
 *   _tag: "Transaction",
 *   id: TrackingId.of("order-confirmed", 1042),
 *   fromName: "Shop",
 *   toPhone: "+380671112233",
 *   text: "Your order 1042 is confirmed",
 *   ttl: Ttl.transaction
 * })
 * ```
 */
export const make = <Tag extends Message["_tag"]>(
  input: Input<Tag>
): Effect.Effect<ByTag<Tag>, InvalidMessage> =>
  // What is made is the member of the union that the input's tag names.
  Effect.suspend(() => Effect.fromResult(makeResult(input))) as Effect.Effect<ByTag<Tag>, InvalidMessage>

/** As {@link make}, but throws the `InvalidMessage`. For literals in tests and scripts. */
export const makeUnsafe = <Tag extends Message["_tag"]>(input: Input<Tag>): ByTag<Tag> =>
  // As in `make`.
  Result.getOrThrow(makeResult(input)) as ByTag<Tag>

// Nothing is taken on trust: a caller without types, or with a cast, gets the same error.
const makeResult = (input: unknown): Result.Result<Message, InvalidMessage> => {
  if (!isObject(input)) return refuse({}, [rules.notAnObject(input)])
  const { _tag, ...fields } = input
  const type = typeOfTag(own(input, "_tag"))
  return build("_tag", type, jsonOf(fields), (problem) => explainMillis(problem, fields["ttl"]))
}

/**
 * Reads a message from JSON of unknown origin, for a service that takes messages over HTTP.
 *
 * The form is {@link MessageJson}. A field that a message does not have is a problem too: a misspelt
 * `scheduledSent` would otherwise send the message at once.
 */
export const decode = (json: unknown): Effect.Effect<Message, InvalidMessage> =>
  Effect.suspend(() => Effect.fromResult(decodeResult(json)))

/** As {@link decode}, synchronously. */
export const decodeResult = (json: unknown): Result.Result<Message, InvalidMessage> => {
  if (!isObject(json)) return refuse({}, [rules.notAnObject(json)])
  const { messageType: _, ...fields } = json
  const type = own(json, "messageType")
  return build("messageType", isMessageType(type) ? type : { received: type }, fields)
}

/** The JSON form of a message, whole: with its phone number and its text. What the outbox stores and the wire carries. */
export const encode = (message: Message): MessageJson => {
  const head = { id: message.id, fromName: message.fromName, toPhone: message.toPhone }
  const tail = {
    ...(message.ttl === undefined ? {} : { ttl: Duration.toSeconds(message.ttl) }),
    ...(message.scheduledSent === undefined ? {} : { scheduledSent: formatInstant(message.scheduledSent) })
  }
  switch (message._tag) {
    case "Transaction":
    case "Promo":
      return { ...head, messageType: messageType[message._tag], text: message.text, ...tail }
    case "ViberSurvey":
      return {
        ...head,
        messageType: "viber_survey",
        text: message.text,
        surveyOptions: message.surveyOptions,
        ...tail
      }
    case "FlashCall":
      return { ...head, messageType: "flashcall", ...tail }
  }
}

/** UTC with a `Z`, to the second where there is nothing finer: the form of the provider's examples. */
export const formatInstant = (instant: DateTime.Utc): string =>
  DateTime.formatIso(instant).replace(".000Z", "Z")

/** A message and its JSON form as one schema, to be used as a field or as a payload of an HTTP API. */
export const MessageFromJson: Schema.Codec<Message, MessageJson> = Schema.Unknown.pipe(
  Schema.decodeTo(Schema.toType(Message), {
    decode: SchemaGetter.transformEffect((json: unknown) =>
      Effect.mapError(decode(json), (error) => new SchemaIssue.InvalidValue({ message: error.message }))
    ),
    encode: SchemaGetter.transform(encode)
  })
  // The encoded side is Unknown to the schema, since `decode` checks it by itself.
) as unknown as Schema.Codec<Message, MessageJson>

const isMessageType = (type: unknown): type is rules.MessageType =>
  typeof type === "string" && Object.hasOwn(tagOf, type)

const tagOf: Record<rules.MessageType, Message["_tag"]> = {
  transaction: "Transaction",
  promo: "Promo",
  viber_survey: "ViberSurvey",
  flashcall: "FlashCall"
}

type UnknownType = { readonly received: unknown }

const typeOfTag = (tag: unknown): rules.MessageType | UnknownType =>
  isTag(tag) ? messageType[tag] : { received: tag }

const isTag = (tag: unknown): tag is Message["_tag"] =>
  typeof tag === "string" && Object.hasOwn(messageType, tag)

/** The JSON form of typed input. What cannot be converted is left as it is, for the rules to refuse. */
const jsonOf = (input: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  const { scheduledSent, ttl } = input
  return {
    ...input,
    ...(ttl === undefined ? {} : { ttl: secondsOf(ttl) }),
    ...(scheduledSent === undefined ? {} : { scheduledSent: isoOf(scheduledSent) })
  }
}

const secondsOf = (ttl: unknown): unknown =>
  // fromInput answers None for what is no duration at all.
  Option.match(Duration.fromInput(ttl as Duration.Input), {
    onNone: () => ttl,
    onSome: (duration) => {
      const seconds = Duration.toSeconds(duration)
      return rules.isTtl(seconds) && !isWholeSeconds(duration) ? Duration.format(duration) : seconds
    }
  })

/** A bare number was taken for milliseconds, which is the likely mistake of one who has read the provider's page. */
const explainMillis = (problem: Problem, ttl: unknown): Problem =>
  problem.path !== "ttl" || typeof ttl !== "number"
    ? problem
    : new Problem({
        path: problem.path,
        rule: problem.rule,
        received: `${mask.identifier(String(ttl))} milliseconds, as a bare number is`,
        // Beyond eleven days it is less likely to be meant in seconds, and might even be a phone number.
        ...(rules.isTtl(ttl) && ttl < 1_000_000 ? { fix: `for seconds, write Duration.seconds(${ttl})` } : {})
      })

const isoOf = (instant: unknown): unknown => {
  if (DateTime.isDateTime(instant)) return DateTime.formatIso(instant)
  if (instant instanceof Date) return Number.isNaN(instant.getTime()) ? "Invalid Date" : instant.toISOString()
  return instant
}

const build = (
  typeKey: "_tag" | "messageType",
  type: rules.MessageType | UnknownType,
  fields: Readonly<Record<string, unknown>>,
  explain: (problem: Problem) => Problem = (problem) => problem
): Result.Result<Message, InvalidMessage> => {
  if (typeof type !== "string") {
    const names = typeKey === "_tag" ? Object.keys(messageType) : Object.keys(tagOf)
    const others = rules.problems(undefined, fields).map(explain)
    return refuse(fields, [rules.typeProblem(typeKey, names, type.received), ...others])
  }
  const [first, ...rest] = rules.problems(type, fields).map(explain)
  if (first !== undefined) return refuse(fields, [first, ...rest])
  const { scheduledSent, surveyOptions, ttl, ...others } = fields
  const values = {
    ...others,
    // A copy: the message must not change when the caller's array does.
    ...(Array.isArray(surveyOptions) ? { surveyOptions: [...surveyOptions] } : {}),
    ...(ttl === undefined ? {} : { ttl: Duration.seconds(Number(ttl)) }),
    ...(scheduledSent === undefined
      ? {}
      : { scheduledSent: DateTime.makeUnsafe(rules.instant(scheduledSent) ?? Number.NaN) })
  }
  const tag = tagOf[type]
  // The rules have just been checked; the schema need not check them a second time.
  return Result.succeed(constructors[tag]({ _tag: tag, ...values } as never))
}

const constructors = {
  Transaction: trusted(Transaction),
  Promo: trusted(Promo),
  ViberSurvey: trusted(ViberSurvey),
  FlashCall: trusted(FlashCall)
}

const refuse = (
  fields: Readonly<Record<string, unknown>>,
  problems: readonly [Problem, ...Array<Problem>]
): Result.Result<never, InvalidMessage> =>
  Result.fail(
    new InvalidMessage({
      ...(typeof fields["id"] === "string" && fields["id"] !== ""
        ? { id: mask.identifier(fields["id"]) }
        : {}),
      problems
    })
  )
