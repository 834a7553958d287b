/**
 * A message sealed for travel: the message, how it is to travel, until when, and on behalf of which trace.
 *
 * It is the only thing that the outbox stores and the only thing that a transport sees. {@link seal} makes one.
 */
import { isReadonlyArrayNonEmpty } from "effect/Array"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Struct from "effect/Struct"
import * as Tracer from "effect/Tracer"
import { trusted } from "./internal/trusted.ts"
import * as masked from "./internal/maskedClass.ts"
import * as mask from "./internal/mask.ts"
import { kindOf } from "./internal/unknown.ts"
import { InvalidMessage, Problem } from "./InvalidMessage.ts"
import * as Message from "./Message.ts"

/**
 * Which of the provider's two endpoints a message takes: `standard` tries every channel in sequence, `tg-viber`
 * prefers Telegram and Viber. See https://smsbat.com/help/api/cascade/send/ (Endpoints).
 */
export const Route = Schema.Literals(["standard", "tg-viber"])

/** @see Route */
export type Route = typeof Route.Type

/**
 * Who waits until `scheduledSent`: `outbox` holds the message here, where it can be cancelled to the last moment and
 * may lie any number of days ahead; `provider` hands the instant over, which is possible for 30 days ahead.
 */
export const ScheduleHolder = Schema.Literals(["outbox", "provider"])

/** @see ScheduleHolder */
export type ScheduleHolder = typeof ScheduleHolder.Type

/** How far ahead the provider takes a schedule. See https://smsbat.com/help/api/cascade/send/ (Scheduled Messages). */
export const providerScheduleLimit: Duration.Duration = Duration.days(30)

/** The account a message is sent from when none is named. */
export const defaultAccount = "default"

/** A message sealed for travel. */
export class Envelope extends Schema.Class<Envelope>("@effect-cascade/core/Envelope")(
  {
    message: Message.Message,
    route: Route,
    schedule: ScheduleHolder,
    /** The name of the account it is sent from: which transport and credentials. */
    account: Schema.NonEmptyString,
    createdAt: Schema.DateTimeUtc,
    /** The instant after which it must not be sent any more: `(scheduledSent ?? createdAt) + ttl`. None without a ttl. */
    deadline: Schema.optionalKey(Schema.DateTimeUtc),
    /** The W3C `traceparent` of the span that sealed it. */
    traceparent: Schema.optionalKey(Schema.String),
    /** The caller's own notes (tenant, campaign), for routing between transports. Never sent to the provider. */
    headers: Schema.optionalKey(Schema.Record(Schema.String, Schema.String))
  },
  masked.annotation
) {
  /** The message's own id. */
  get trackingId(): Message.Message["id"] {
    return this.message.id
  }
}

masked.install(Envelope, (envelope) => ({
  message: envelope.message,
  route: envelope.route,
  schedule: envelope.schedule,
  account: envelope.account,
  createdAt: Message.formatInstant(envelope.createdAt),
  ...(envelope.deadline === undefined ? {} : { deadline: Message.formatInstant(envelope.deadline) })
}))

/** How a message is to travel. */
export interface SealOptions {
  /** Defaults to `"standard"`. */
  readonly route?: Route | undefined
  /** Defaults to `"provider"`: a transport on its own cannot hold a message. The outbox seals with `"outbox"`. */
  readonly schedule?: ScheduleHolder | undefined
  /** Defaults to `"default"`. */
  readonly account?: string | undefined
  /** Defaults to the trace of the span around it, if there is one. */
  readonly traceparent?: string | undefined
  /** Defaults to none. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/**
 * Seals a message at the current instant of the `Clock`.
 *
 * Fails with `InvalidMessage` where the schedule would be handed to the provider and lies more than 30 days ahead. What
 * only looks like a message, such as a copy with a changed field (`{ ...message, text }`), is made one first, by every
 * rule of `Message.make`. An option that cannot be used is a problem of the message too, such as `options.headers`.
 */
export const seal = Effect.fnUntraced(function* (
  message: Message.Message,
  options?: SealOptions
): Effect.fn.Return<Envelope, InvalidMessage> {
  const whole = isMessage(message) ? message : yield* Message.make(message)
  yield* checkOptions(whole, options)
  const now = yield* DateTime.now
  const schedule = options?.schedule ?? "provider"
  if (schedule === "provider") yield* checkSchedule(whole, now)
  return at(whole, now, {
    ...options,
    schedule,
    traceparent: options?.traceparent ?? (yield* currentTraceparent)
  })
})

const isMessage = Schema.is(Message.Message)

/** An envelope of parts that have been checked where they were made; looks at none of them. */
export const unchecked: (parts: EnvelopeParts) => Envelope = trusted(Envelope)

/** The parts of an envelope. */
export type EnvelopeParts = Schema.Struct.Type<typeof Envelope.fields>

/** Seals a message that was created at a known instant: how the outbox brings a stored one back to life. */
export const at = (message: Message.Message, createdAt: DateTime.Utc, options?: SealOptions): Envelope => {
  const deadline = deadlineOf(message, createdAt)
  return unchecked({
    message,
    route: options?.route ?? "standard",
    schedule: options?.schedule ?? "provider",
    account: options?.account ?? defaultAccount,
    createdAt,
    ...(deadline === undefined ? {} : { deadline }),
    ...(options?.traceparent === undefined ? {} : { traceparent: options.traceparent }),
    // A copy: the envelope must not change when the caller's notes do.
    ...(options?.headers === undefined ? {} : { headers: { ...options.headers } })
  })
}

/** The instant after which a message must not be sent, or `undefined` for one without a ttl. */
export const deadlineOf = (message: Message.Message, createdAt: DateTime.Utc): DateTime.Utc | undefined =>
  message.ttl === undefined
    ? undefined
    : DateTime.addDuration(message.scheduledSent ?? createdAt, message.ttl)

/**
 * The whole seconds of ttl to put on the wire at `now`: what is left until the deadline, or all of it where the
 * provider holds the message until a later schedule. `undefined` without a ttl; 0 or less when it is too late.
 */
export const remainingTtl = (envelope: Envelope, now: DateTime.Utc): number | undefined => {
  const { deadline, message } = envelope
  if (deadline === undefined) return undefined
  if (message.ttl !== undefined && handedSchedule(envelope, now) !== undefined) {
    return Duration.toSeconds(message.ttl)
  }
  return Math.floor(Duration.toSeconds(DateTime.distance(now, deadline)))
}

/** The instant to put on the wire as `scheduledSent`: only one that the provider is to hold and that is still ahead. */
export const handedSchedule = (envelope: Envelope, now: DateTime.Utc): DateTime.Utc | undefined => {
  const scheduled = envelope.message.scheduledSent
  return envelope.schedule === "provider" && scheduled !== undefined && DateTime.isGreaterThan(scheduled, now)
    ? scheduled
    : undefined
}

const optionRules = {
  route: { holds: Schema.is(Route), rule: `one of ${Route.literals.join(", ")}` },
  schedule: { holds: Schema.is(ScheduleHolder), rule: `one of ${ScheduleHolder.literals.join(", ")}` },
  account: { holds: Schema.is(Schema.NonEmptyString), rule: "a non-empty text" },
  traceparent: { holds: Schema.is(Schema.String), rule: "a text" },
  headers: { holds: Schema.is(Schema.Record(Schema.String, Schema.String)), rule: "an object of texts" }
} satisfies Record<keyof SealOptions, { readonly holds: (value: unknown) => boolean; readonly rule: string }>

const optionNames = Struct.keys(optionRules)

// Headers often come from a request, where a value may be missing whatever their type says.
const checkOptions = (
  message: Message.Message,
  options: SealOptions | undefined
): Effect.Effect<void, InvalidMessage> => {
  const problems = optionNames.flatMap((name) => {
    const value: unknown = options?.[name]
    const { holds, rule } = optionRules[name]
    if (value === undefined || holds(value)) return []
    return new Problem({ path: `options.${name}`, rule, received: kindOf(value) })
  })
  return isReadonlyArrayNonEmpty(problems)
    ? Effect.fail(new InvalidMessage({ id: mask.identifier(message.id), problems }))
    : Effect.void
}

const checkSchedule = (message: Message.Message, now: DateTime.Utc): Effect.Effect<void, InvalidMessage> => {
  const limit = DateTime.addDuration(now, providerScheduleLimit)
  if (message.scheduledSent === undefined || !DateTime.isGreaterThan(message.scheduledSent, limit))
    return Effect.void
  const problem = new Problem({
    path: "scheduledSent",
    rule: "an instant at most 30 days ahead, as the provider is to hold it",
    received: Message.formatInstant(message.scheduledSent),
    fix: `let the outbox hold it (schedule: "outbox"), or choose ${Message.formatInstant(limit)} or earlier`
  })
  return Effect.fail(new InvalidMessage({ id: mask.identifier(message.id), problems: [problem] }))
}

// Of the span around it, be it one of this process or one that it was handed from outside.
const currentTraceparent = Effect.map(Effect.serviceOption(Tracer.ParentSpan), (span) => {
  if (span._tag === "None") return undefined
  const { sampled, spanId, traceId } = span.value
  const traceparent = `00-${traceId.padStart(32, "0")}-${spanId}-${sampled ? "01" : "00"}`
  // While tracing is switched off, spans have names in place of ids.
  return /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/u.test(traceparent) ? traceparent : undefined
})
