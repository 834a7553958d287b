/**
 * The names under which the library tells of itself: spans, metrics and attributes, after OpenTelemetry's conventions
 * for messaging. They are a contract; `docs/telemetry.md` lists them with their meanings.
 *
 * Everything goes through Effect's own `Tracer` and `Metric`, so that any exporter works. No attribute ever holds a
 * phone number, a text or a key.
 *
 * See https://opentelemetry.io/docs/specs/semconv/messaging/.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import type * as Tracer from "effect/Tracer"
import * as discreetSpan from "./internal/discreetSpan.ts"

/** The names of attributes, of spans and of metrics alike. */
export const attributes = {
  /** Always `smsbat`. */
  system: "messaging.system",
  /** `create`, `send`, `receive` or `settle`. */
  operationName: "messaging.operation.name",
  /** As the name. */
  operationType: "messaging.operation.type",
  /** The transport's name, or `outbox`. */
  destination: "messaging.destination.name",
  /** How many messages an operation is about. Spans only. */
  batchSize: "messaging.batch.message_count",
  /** The tracking id, where a span is about one message. Spans only. */
  messageId: "messaging.message.id",
  /** The tag of the reason why it failed, such as `TimedOut`; `_OTHER` for what has none. Absent on success. */
  errorType: "error.type",
  /** The type of message: `transaction`, `promo`, … */
  messageType: "messaging.smsbat.message_type",
  /** The account it is sent from. */
  account: "messaging.smsbat.account",
  /** What became of it; see each span and metric for its words. */
  outcome: "messaging.smsbat.outcome",
  /** The provider's endpoint: `standard`, `tg-viber` or `mixed`. Spans only. */
  route: "messaging.smsbat.route",
  /** The lane, such as `default/high`. */
  lane: "messaging.smsbat.lane",
  /** The relay's name. Spans only. */
  relay: "messaging.smsbat.relay",
  /** Where a message stands that is not finished: `due`, `scheduled`, `leased`, `dead` or `uncertain`. Metrics only. */
  state: "messaging.smsbat.state"
} as const

/** The value of {@link attributes}`.system`. */
export const system = "smsbat"

/** What the library does with messages, in OpenTelemetry's words. */
export type Operation = "create" | "send" | "receive" | "settle"

/** The attributes that every span and every duration of an operation has. */
export const operation = (name: Operation, destination: string) => ({
  [attributes.system]: system,
  [attributes.operationName]: name,
  [attributes.operationType]: name,
  [attributes.destination]: destination
})

/** The names of the metrics of this package. */
export const metrics = {
  /** Histogram, seconds: how long one operation took. */
  operationDuration: "messaging.client.operation.duration",
  /** Counter: messages of attempts to send, by type, account and outcome (`accepted`, `not_sent`, `unknown`). */
  sentMessages: "messaging.client.sent.messages",
  /** Histogram: messages in one attempt to send. */
  batchSize: "messaging.smsbat.batch.size"
} as const

/** How long operations took, in seconds, with the boundaries that the conventions advise. */
export const operationDuration: Metric.Histogram<number> = Metric.histogram(metrics.operationDuration, {
  description: "Duration of messaging operation initiated by a producer or consumer client, in seconds.",
  boundaries: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
})

/** Messages of attempts to send. */
export const sentMessages: Metric.Counter<number> = Metric.counter(metrics.sentMessages, {
  description: "Number of messages producer attempted to send to the broker.",
  incremental: true
})

/** Messages in one attempt to send. */
export const batchSize: Metric.Histogram<number> = Metric.histogram(metrics.batchSize, {
  description: "Messages in one attempt to send.",
  boundaries: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
})

/** Observes an operation that is not a send: its span, and how long it took. */
export const observe =
  (name: Exclude<Operation, "send">, destination: string, options?: Tracer.SpanOptions) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    timed(name, destination, self).pipe(
      discreetSpan.withSpan(`${name} ${destination}`, {
        ...options,
        attributes: { ...operation(name, destination), ...options?.attributes }
      })
    )

/** Records how long an operation took, and what it failed with; without a span. */
export const timed = <A, E, R>(
  name: Operation,
  destination: string,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.flatMap(Clock.monotonicTimeNanos, (began) =>
    Effect.onExit(self, (exit) =>
      Effect.flatMap(Clock.monotonicTimeNanos, (ended) =>
        recordDuration(name, destination, ended - began, Exit.isSuccess(exit) ? undefined : "_OTHER")
      )
    )
  )

/** Records how long an operation took that ended in `error`, a tag of low cardinality. */
export const recordDuration = (
  name: Operation,
  destination: string,
  nanos: bigint,
  error: string | undefined
) =>
  Metric.update(
    Metric.withAttributes(operationDuration, {
      ...operation(name, destination),
      ...(error === undefined ? {} : { [attributes.errorType]: error })
    }),
    Duration.toSeconds(Duration.nanos(nanos))
  )
