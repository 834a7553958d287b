/**
 * What can be wrong with a connection, as data: the toxics of a `FaultProxy`, set while it runs or written as text.
 *
 * Names and attributes are those of Toxiproxy (https://github.com/Shopify/toxiproxy#toxics), and so is their meaning
 * unless it is said otherwise. A toxic works on one direction of a connection (`stream`), and on that share of all
 * connections that `toxicity` says. Several may be set at once: delays add up, the smallest rate and limit count.
 *
 * Every wait counts from the moment when the proxy received the bytes, on the `Clock` of the proxy.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as SchemaIssue from "effect/SchemaIssue"
import * as toxicText from "./internal/proxy/toxicText.ts"

/** A direction: `upstream` goes from the client to the target, `downstream` from the target to the client. */
export const Direction = Schema.Literals(["upstream", "downstream"])

/** @see Direction */
export type Direction = typeof Direction.Type

const FiniteTime = Schema.Duration.check(
  Schema.makeFilter((duration) => {
    const millis = Duration.toMillis(duration)
    return (Number.isFinite(millis) && millis >= 0) || "a finite time"
  })
)

/** A `Duration` in memory; milliseconds or a text such as `"2 seconds"` in JSON. */
const Time = Schema.Unknown.pipe(
  Schema.decodeTo(FiniteTime, {
    decode: SchemaGetter.transformEffect((input: unknown) => {
      // fromInput answers None for what is no duration at all.
      const duration = Duration.fromInput(input as Duration.Input)
      return duration._tag === "Some"
        ? Effect.succeed(duration.value)
        : Effect.fail(new SchemaIssue.InvalidValue({ message: "expected a time" }))
    }),
    encode: SchemaGetter.transform(Duration.toMillis)
  })
  // The encoded side is Unknown to the schema, since `decode` checks it by itself.
) as unknown as Schema.Codec<Duration.Duration, Duration.Input>

const NoTime = Time.pipe(Schema.withDecodingDefaultKey(Effect.succeed(0)))

const common = {
  /** Defaults to `"downstream"`. */
  stream: Schema.Literals(["upstream", "downstream", "both"]).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed("downstream" as const))
  ),
  /** How likely it is to work on a connection: more than 0, at most 1. Defaults to 1. */
  toxicity: Schema.optionalKey(Schema.Finite.check(Schema.isGreaterThan(0), Schema.isLessThanOrEqualTo(1)))
}

/** Delays everything by `latency`, give or take `jitter`. The order is kept. `latency:20ms:jitter=5ms` */
export const Latency = Schema.TaggedStruct("Latency", {
  ...common,
  latency: Time,
  /** Defaults to 0. */
  jitter: NoTime
})

/** Lets no more through than `rate` kilobytes (of 1,000 bytes) a second; at least 0.001. `bandwidth:64:upstream` */
export const Bandwidth = Schema.TaggedStruct("Bandwidth", {
  ...common,
  rate: Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0.001))
})

/** Delays the end of the stream by `delay`. `slow_close:1s` */
export const SlowClose = Schema.TaggedStruct("SlowClose", { ...common, delay: Time })

/**
 * Lets nothing through, not even the end of the stream, and closes the connection `timeout` after the first thing
 * that it held up; with 0 it never closes, which is half of a half-open connection. Other than in Toxiproxy what was
 * held up is not lost: it goes on its way when the toxic is taken away, as over a network that has healed.
 * `timeout:5s`, `timeout:both`
 */
export const Timeout = Schema.TaggedStruct("Timeout", {
  ...common,
  /** Defaults to 0. */
  timeout: NoTime
})

/**
 * Resets the connection (a TCP RST to both sides) in place of the first thing that would pass, `timeout` after it
 * came. Downstream, the target has the request and the client gets the reset for a reply.
 * `reset_peer`, `reset_peer:100ms:upstream`
 */
export const ResetPeer = Schema.TaggedStruct("ResetPeer", {
  ...common,
  /** Defaults to 0. */
  timeout: NoTime
})

/**
 * Cuts the stream into slices of `averageSize` bytes, give or take `sizeVariation`, with `delay` between them. The
 * cuts fall at the same bytes of the stream for the same seed. `slicer:64:size_variation=32:delay=1ms`
 */
export const Slicer = Schema.TaggedStruct("Slicer", {
  ...common,
  averageSize: Schema.Int.check(Schema.isGreaterThan(0)),
  /** Defaults to 0. */
  sizeVariation: Schema.Natural.pipe(Schema.withDecodingDefaultKey(Effect.succeed(0))),
  /** Defaults to 0. */
  delay: NoTime
}).check(
  Schema.makeFilter(
    ({ averageSize, sizeVariation }) => sizeVariation < averageSize || "a sizeVariation below averageSize"
  )
)

/** Closes the connection after `bytes` bytes, counted from the moment when the toxic was set. `limit_data:1000` */
export const LimitData = Schema.TaggedStruct("LimitData", { ...common, bytes: Schema.Natural })

/** Refuses new connections, and resets those that are open when it is set. `down` */
export const Down = Schema.TaggedStruct("Down", {})

/** One toxic. Its JSON form takes times as milliseconds or as text, and leaves out what has a default. */
export const Toxic = Schema.Union([
  Latency,
  Bandwidth,
  SlowClose,
  Timeout,
  ResetPeer,
  Slicer,
  LimitData,
  Down
])

/** @see Toxic */
export type Toxic = typeof Toxic.Type

/** What a program writes for a toxic: `{ _tag: "Latency", latency: "20 millis", stream: "both" }`. */
export type ToxicInput = typeof Toxic.Encoded

/** Toxics, as text (`latency:20ms:both, reset_peer:5%`) or as data. */
export type PlanInput = string | ReadonlyArray<ToxicInput>

/** Toxics that cannot be read, with everything that is wrong with them. */
export class InvalidToxics extends Schema.TaggedError<InvalidToxics>(
  "@effect-cascade/testing/Toxic/InvalidToxics"
)("InvalidToxics", { problems: Schema.Array(Schema.String) }) {
  override get message(): string {
    return `these toxics cannot be read:\n${this.problems.map((problem) => `  ${problem}`).join("\n")}`
  }
}

/**
 * Reads toxics.
 *
 * In text they stand apart by commas, the parts of one by colons: the first attribute by itself (`latency:20ms`,
 * `limit_data:1000`), others by name (`jitter=5ms`), the stream by its name, the toxicity in percent.
 *
 * @example
 * ```ts
 * import { Toxic } from "@effect-cascade/testing"
 *
 * const fromText = Toxic.plan("latency:20ms:jitter=5ms:both, limit_data:1000:upstream, reset_peer:5%")
 * const fromData = Toxic.plan([{ _tag: "Latency", latency: "20 millis", stream: "both" }])
 * ```
 */
export const plan = (input: PlanInput): Effect.Effect<ReadonlyArray<Toxic>, InvalidToxics> =>
  Effect.suspend(() => {
    if (typeof input !== "string") return decode(input)
    const { problems, toxics } = toxicText.parse(input)
    return problems.length > 0 ? Effect.fail(new InvalidToxics({ problems })) : decode(toxics)
  })

/** The text form of toxics; {@link plan} reads it back. */
export const format = (toxics: ReadonlyArray<Toxic>): string =>
  toxics.map((toxic) => toxicText.format(encode(toxic))).join(", ")

const encode = Schema.encodeSync(Toxic)
const decodeAll = Schema.decodeUnknownEffect(Schema.Array(Toxic), {
  errors: "all",
  onExcessProperty: "error"
})
const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

const decode = (toxics: ReadonlyArray<object>): Effect.Effect<ReadonlyArray<Toxic>, InvalidToxics> =>
  Effect.mapError(
    decodeAll(toxics),
    (error) =>
      new InvalidToxics({
        problems: issuesOf(error.issue).issues.map(({ message, path }) => {
          const [index, ...keys] = (path ?? []).map((part) => (typeof part === "object" ? part.key : part))
          const toxic: unknown = index === undefined ? undefined : toxics[Number(index)]
          const name = typeof toxic === "object" && toxic !== null ? [toxicText.nameOf(toxic)] : []
          return [...name, ...keys.map(String), message].join(": ")
        })
      })
  )
