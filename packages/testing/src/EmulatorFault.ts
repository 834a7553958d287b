/**
 * What the emulator can do wrong, as data: a plan of faults that is given at the start, changed while it runs,
 * scripted request by request, or written as text on a command line.
 *
 * A plan is a list. For each request the emulator goes through it in order: a fault fires if the request is one it
 * is meant for (`where`), if it has not fired `count` times, and if its own dice say so (`probability`). Of the
 * faults that decide what becomes of a request (`TooManyRequests`, `ServerError`, `Reset`, `Hang`, `Redirect`,
 * `Unauthorized`, `Poison`, `WrongShape`, `Html200`, `EmptyReply`) the first that fires wins; delays and changes
 * of a reply add up.
 *
 * The same seed and the same order of requests give the same faults. Each fault has dice of its own, seeded by its
 * place in the plan, so that adding one at the end changes nothing for those before it.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as SchemaIssue from "effect/SchemaIssue"
import * as faultText from "./internal/emulator/faultText.ts"

/** What a request can be for: sending, the status of a message, the upload of variables. */
export const Endpoint = Schema.Literals(["send", "status", "items"])

/** @see Endpoint */
export type Endpoint = typeof Endpoint.Type

/** Which requests a fault is meant for. */
export const Where = Schema.Struct({
  /** Defaults to `"send"`. */
  endpoint: Schema.optionalKey(Endpoint),
  /** Only this one of the two sending endpoints. Defaults to both. */
  route: Schema.optionalKey(Schema.Literals(["standard", "tg-viber"])),
  /** Only requests of this account. Defaults to every account. */
  account: Schema.optionalKey(Schema.NonEmptyString),
  /** Only batches in which some tracking id begins so. Defaults to every batch. */
  prefix: Schema.optionalKey(Schema.NonEmptyString)
})

/** @see Where */
export type Where = typeof Where.Type

const isWholeMillis = (duration: Duration.Duration): boolean => {
  const millis = Duration.toMillis(duration)
  return Number.isSafeInteger(millis) && millis >= 0
}

/** A `Duration` in memory; milliseconds or a text such as `"2 seconds"` in JSON. Whole milliseconds only. */
const Time = Schema.Unknown.pipe(
  Schema.decodeTo(Schema.Duration, {
    decode: SchemaGetter.transformEffect((input: unknown) => {
      // fromInput answers None for what is no duration at all.
      const duration = Duration.fromInput(input as Duration.Input)
      return duration._tag === "Some" && isWholeMillis(duration.value)
        ? Effect.succeed(duration.value)
        : Effect.fail(new SchemaIssue.InvalidValue({ message: "expected a time of whole milliseconds" }))
    }),
    encode: SchemaGetter.transform(Duration.toMillis)
  })
  // The encoded side is Unknown to the schema, since `decode` checks it by itself.
) as unknown as Schema.Codec<Duration.Duration, Duration.Input>

const Positive = Schema.Int.check(Schema.isGreaterThan(0))
const One = Positive.pipe(Schema.withDecodingDefaultKey(Effect.succeed(1)))
const Stage = Schema.Literals(["before", "after"])
const Before = Stage.pipe(Schema.withDecodingDefaultKey(Effect.succeed("before" as const)))
const After = Stage.pipe(Schema.withDecodingDefaultKey(Effect.succeed("after" as const)))

const common = {
  /** How likely it is to fire: more than 0, at most 1. Defaults to 1. */
  probability: Schema.optionalKey(
    Schema.Finite.check(Schema.isGreaterThan(0), Schema.isLessThanOrEqualTo(1))
  ),
  /** How often it fires at most. Defaults to no limit. In a script: how many requests the entry serves. */
  count: Schema.optionalKey(Positive),
  /** Defaults to every request that sends. */
  where: Schema.optionalKey(Where)
}

const retryAfter = {
  /** What the `Retry-After` header asks for. Defaults to no such header. */
  retryAfter: Schema.optionalKey(Time),
  /** How the header says it. Seconds are rounded up. Defaults to `"seconds"`. */
  form: Schema.optionalKey(Schema.Literals(["seconds", "date"]))
}

/**
 * Waits from `min` to `max` on the emulator's clock: before the messages are accepted, or before the reply.
 * What waits is accepted even if the client has gone away meanwhile, as a real server would. `latency:20-80ms`
 */
export const Latency = Schema.TaggedStruct("Latency", {
  ...common,
  min: Time,
  /** Defaults to `min`. */
  max: Schema.optionalKey(Time),
  /** Defaults to `"before"`. */
  when: Before
}).check(
  Schema.makeFilter(
    ({ max, min }) => max === undefined || !Duration.isLessThan(max, min) || "a max that is not below min"
  )
)

/** Answers 429; nothing is accepted. `429`, `429:0.05:retry-after=1s`, `429:retry-after-date=30s` */
export const TooManyRequests = Schema.TaggedStruct("TooManyRequests", { ...common, ...retryAfter })

/** Answers 500, 502, 503 or 504, with nothing or with everything accepted. `500`, `503:retry-after=2s`, `502-after` */
export const ServerError = Schema.TaggedStruct("ServerError", {
  ...common,
  ...retryAfter,
  status: Schema.Literals([500, 502, 503, 504]),
  /** Defaults to `"before"`. */
  when: Before
})

/**
 * Resets the connection (a TCP RST): while the request is still being read, before the messages are accepted, or
 * when they are accepted and the reply is due. `reset-reading`, `reset`, `reset-after`
 */
export const Reset = Schema.TaggedStruct("Reset", {
  ...common,
  /** Defaults to `"before"`. */
  when: Schema.Literals(["reading", "before", "after"]).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed("before" as const))
  )
}).check(
  Schema.makeFilter(
    ({ when, where }) =>
      when !== "reading" ||
      where?.prefix === undefined ||
      "no prefix for a reset while reading: the tracking ids are not known by then"
  )
)

/** Never answers, with nothing or with everything accepted. `hang`, `hang-after` */
export const Hang = Schema.TaggedStruct("Hang", {
  ...common,
  /** Defaults to `"before"`. */
  when: Before
})

/** Sends the first half of the reply and closes the connection. `truncated` */
export const TruncatedBody = Schema.TaggedStruct("TruncatedBody", common)

/** Answers for the messages in another order. `shuffled` */
export const Shuffled = Schema.TaggedStruct("Shuffled", common)

/** Accepts everything but leaves messages out of the reply. `missing-ids`, `missing-ids:amount=3` */
export const MissingIds = Schema.TaggedStruct("MissingIds", {
  ...common,
  /** How many. Defaults to 1. */
  amount: One
})

/** Answers also for messages that nobody sent. `foreign-ids`, `foreign-ids:amount=3` */
export const ForeignIds = Schema.TaggedStruct("ForeignIds", {
  ...common,
  /** How many. Defaults to 1. */
  amount: One
})

/**
 * Accepts everything and answers 200 in JSON of another shape: `object` (the array inside of an object), `renamed`
 * (elements with `id` for `trackinId`), `numbers` (numbers for ids), `null`. `wrong-shape`, `wrong-shape:shape=null`
 */
export const WrongShape = Schema.TaggedStruct("WrongShape", {
  ...common,
  /** Defaults to `"object"`. */
  shape: Schema.Literals(["object", "renamed", "numbers", "null"]).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed("object" as const))
  )
})

/** Answers 200 with a page of HTML, as a proxy might. `html`, `html-before` */
export const Html200 = Schema.TaggedStruct("Html200", {
  ...common,
  /** Defaults to `"after"`. */
  when: After
})

/** Answers 200 with no body. `empty`, `empty-before` */
export const EmptyReply = Schema.TaggedStruct("EmptyReply", {
  ...common,
  /** Defaults to `"after"`. */
  when: After
})

/** Redirects to `location`; nothing is accepted. `302:to=http://127.0.0.1:9/` */
export const Redirect = Schema.TaggedStruct("Redirect", {
  ...common,
  status: Schema.Literals([301, 302, 303, 307, 308]),
  location: Schema.String.check(Schema.isPattern(/^[\x21-\x7e]+$/u, { message: "expected an address" }))
})

/** Sends the reply a few bytes at a time. `slow-body`, `slow-body:bytes=16:pause=50ms` */
export const SlowBody = Schema.TaggedStruct("SlowBody", {
  ...common,
  /** How many bytes at a time. Defaults to 16. */
  bytes: Positive.pipe(Schema.withDecodingDefaultKey(Effect.succeed(16))),
  /** The pause between them. Defaults to 10 milliseconds. */
  pause: Time.pipe(Schema.withDecodingDefaultKey(Effect.succeed(10)))
})

/** Refuses the key (401) or the account (403). `401`, `403:3x` */
export const Unauthorized = Schema.TaggedStruct("Unauthorized", {
  ...common,
  status: Schema.Literals([401, 403])
})

/**
 * Refuses a whole batch for one message in it: one of `trackingIds`, or one whose tracking id or text contains
 * `marker`. As the provider does, the refusal does not say which. `poison:ids=a|b`, `poison:marker=BOOM:status=422`
 */
export const Poison = Schema.TaggedStruct("Poison", {
  ...common,
  trackingIds: Schema.optionalKey(Schema.Array(Schema.NonEmptyString).check(Schema.isMinLength(1))),
  marker: Schema.optionalKey(Schema.NonEmptyString),
  /** Defaults to 400. */
  status: Schema.Literals([400, 413, 422]).pipe(Schema.withDecodingDefaultKey(Effect.succeed(400 as const)))
}).check(
  Schema.makeFilter(
    ({ marker, trackingIds }) =>
      marker !== undefined || trackingIds !== undefined || "trackingIds or a marker, or both"
  )
)

/** One fault. Its JSON form takes times as milliseconds or as text, and leaves out what has a default. */
export const Fault = Schema.Union([
  Latency,
  TooManyRequests,
  ServerError,
  Reset,
  Hang,
  TruncatedBody,
  Shuffled,
  MissingIds,
  ForeignIds,
  WrongShape,
  Html200,
  EmptyReply,
  Redirect,
  SlowBody,
  Unauthorized,
  Poison
])

/** @see Fault */
export type Fault = typeof Fault.Type

/** What a program writes for a fault: `{ _tag: "Reset", when: "after", probability: 0.02 }`. */
export type FaultInput = typeof Fault.Encoded

/** Faults, as text or as data. */
export type PlanInput = string | ReadonlyArray<FaultInput>

/** One entry for each of the next requests: a fault, several at once, or none (`[]`). In text: `429, ok, hang`. */
export type ScriptInput = string | ReadonlyArray<FaultInput | ReadonlyArray<FaultInput>>

/** Faults that cannot be read, with everything that is wrong with them. */
export class InvalidFaults extends Schema.TaggedError<InvalidFaults>(
  "@effect-cascade/testing/EmulatorFault/InvalidFaults"
)("InvalidFaults", { problems: Schema.Array(Schema.String) }) {
  override get message(): string {
    return `these faults cannot be read:\n${this.problems.map((problem) => `  ${problem}`).join("\n")}`
  }
}

/**
 * Reads a plan.
 *
 * @example
 * ```ts
 * import { EmulatorFault } from "@effect-cascade/testing"
 *
 * const fromText = EmulatorFault.plan("429:0.05:retry-after=1s, reset-after:0.02, latency:20-80ms")
 * const fromData = EmulatorFault.plan([{ _tag: "Latency", min: "20 millis", max: "80 millis" }])
 * ```
 */
export const plan = (input: PlanInput): Effect.Effect<ReadonlyArray<Fault>, InvalidFaults> =>
  typeof input === "string"
    ? Effect.map(script(input), (entries) => entries.flat())
    : Effect.mapError(decodeFaults(input), (error) => invalid(error))

/** Reads a script: for each of the next requests the faults that meet it. */
export const script = (
  input: ScriptInput
): Effect.Effect<ReadonlyArray<ReadonlyArray<Fault>>, InvalidFaults> =>
  Effect.suspend(() => {
    if (typeof input !== "string") {
      return scriptFromJson(input)
    }
    const { entries, problems } = faultText.parse(input)
    if (problems.length > 0) return Effect.fail(new InvalidFaults({ problems }))
    return Effect.mapError(decodeEntries(entries), (error) =>
      invalid(error, ([entry, index, ...rest]) => {
        const fault = entries[Number(entry)]?.[Number(index)]
        return [...(fault === undefined ? [] : [faultText.nameOf(fault)]), ...rest]
      })
    )
  })

/** Reads a plan from JSON of unknown origin. */
export const planFromJson = (json: unknown): Effect.Effect<ReadonlyArray<Fault>, InvalidFaults> =>
  Effect.mapError(decodeFaults(json), (error) => invalid(error))

/** Reads a script from JSON of unknown origin: an array of faults and of arrays of faults. */
export const scriptFromJson = (
  json: unknown
): Effect.Effect<ReadonlyArray<ReadonlyArray<Fault>>, InvalidFaults> =>
  Effect.mapError(
    decodeEntries(
      Array.isArray(json) ? json.map((entry: unknown) => (Array.isArray(entry) ? entry : [entry])) : json
    ),
    (error) => invalid(error)
  )

/** The text form of a plan; {@link plan} reads it back. */
export const format = (faults: ReadonlyArray<Fault>): string => faults.map(formatOne).join(", ")

/** The name of a fault in its text form: `reset-after`. */
export const nameOf = (fault: Fault): string => faultText.nameOf(fault)

const formatOne = (fault: Fault): string => faultText.format(encode(fault))

const strict = { errors: "all", onExcessProperty: "error" } as const
const decodeFaults = Schema.decodeUnknownEffect(Schema.Array(Fault), strict)
const decodeEntries = Schema.decodeUnknownEffect(Schema.Array(Schema.Array(Fault)), strict)
const encode = Schema.encodeSync(Fault)
const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

type Path = ReadonlyArray<PropertyKey>

/** The problems of an error; `name` may give a path that the reader of the input will recognise. */
const invalid = (error: Schema.SchemaError, name = (path: Path): Path => path): InvalidFaults =>
  new InvalidFaults({
    problems: issuesOf(error.issue).issues.map(({ message, path }) => {
      const keys = (path ?? []).map((segment) => (typeof segment === "object" ? segment.key : segment))
      return [...name(keys).map(String), message].join(": ")
    })
  })
