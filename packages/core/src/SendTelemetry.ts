/**
 * What an attempt to send tells of itself: its span and its metrics. For those who call transports, as the client and
 * the relay do; a transport of one's own needs none of it.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as discreetSpan from "./internal/discreetSpan.ts"
import type { Delivery } from "./Delivery.ts"
import type { Envelope } from "./Envelope.ts"
import { linksTo } from "./internal/spanLinks.ts"
import * as Message from "./Message.ts"
import { attributes, batchSize, operation, recordDuration, sentMessages } from "./Telemetry.ts"

/** How an attempt is observed. */
export interface ObserveOptions {
  /** The transport's name. */
  readonly transport: string
  /** Whether the span begins a trace of its own. Defaults to `false`. */
  readonly root?: boolean | undefined
  /** Further attributes of the span. Defaults to none. */
  readonly attributes?: Readonly<Record<string, string>> | undefined
}

/**
 * Observes one attempt to send a batch: a span `send <transport>` that links to the span which created each message
 * (to 128 of them at most), and the metrics of this package.
 */
export const observe = Effect.fnUntraced(function* <E>(
  batch: NonEmptyReadonlyArray<Envelope>,
  options: ObserveOptions,
  send: Effect.Effect<ReadonlyArray<Delivery>, E>
): Effect.fn.Return<ReadonlyArray<Delivery>, E> {
  const [first] = batch
  const began = yield* Clock.monotonicTimeNanos
  return yield* send.pipe(
    Effect.tap((deliveries) => Effect.annotateCurrentSpan(summaryOf(deliveries))),
    Effect.onExit((exit) =>
      Effect.flatMap(Clock.monotonicTimeNanos, (ended) => {
        const deliveries = Exit.isSuccess(exit) ? exit.value : []
        return record(batch, deliveries, options.transport, ended - began)
      })
    ),
    discreetSpan.withSpan(`send ${options.transport}`, {
      kind: "client",
      root: options.root,
      links: linksTo(batch),
      attributes: {
        ...operation("send", options.transport),
        ...options.attributes,
        [attributes.batchSize]: batch.length,
        ...(batch.length === 1 ? { [attributes.messageId]: first.trackingId } : {}),
        ...shared(
          attributes.account,
          batch.map(({ account }) => account)
        ),
        ...shared(attributes.messageType, batch.map(typeOf))
      }
    })
  )
})

const record = Effect.fnUntraced(function* (
  batch: NonEmptyReadonlyArray<Envelope>,
  deliveries: ReadonlyArray<Delivery>,
  transport: string,
  nanos: bigint
) {
  const byId = new Map(deliveries.map((delivery) => [delivery.trackingId, delivery]))
  const counts = new Map<string, { readonly attributes: Record<string, string>; count: number }>()
  for (const envelope of batch) {
    const delivery = byId.get(envelope.trackingId)
    const error = errorOf(delivery)
    const outcome = delivery === undefined ? "unknown" : words[delivery._tag]
    const key = `${envelope.account}\n${envelope.message._tag}\n${outcome}\n${error ?? ""}`
    const seen = counts.get(key)
    if (seen !== undefined) {
      seen.count++
      continue
    }
    const found = {
      ...operation("send", transport),
      [attributes.account]: envelope.account,
      [attributes.messageType]: typeOf(envelope),
      [attributes.outcome]: outcome,
      ...(error === undefined ? {} : { [attributes.errorType]: error })
    }
    counts.set(key, { attributes: found, count: 1 })
  }
  for (const one of counts.values()) {
    yield* Metric.update(Metric.withAttributes(sentMessages, one.attributes), one.count)
  }
  yield* Metric.update(Metric.withAttributes(batchSize, operation("send", transport)), batch.length)
  yield* recordDuration(
    "send",
    transport,
    nanos,
    oneError(batch.map((envelope) => errorOf(byId.get(envelope.trackingId))))
  )
})

const words = { Accepted: "accepted", NotSent: "not_sent", Unknown: "unknown" } as const

const typeOf = (envelope: Envelope) => Message.messageType[envelope.message._tag]

const errorOf = (delivery: Delivery | undefined): string | undefined =>
  delivery === undefined ? "_OTHER" : delivery._tag === "Accepted" ? undefined : delivery.reason._tag

const summaryOf = (deliveries: ReadonlyArray<Delivery>): Record<string, string> => {
  const error = oneError(deliveries.map(errorOf))
  const outcomes = new Set(deliveries.map(({ _tag }) => words[_tag]))
  const [outcome = "unknown"] = outcomes
  return {
    [attributes.outcome]: outcomes.size > 1 ? "mixed" : outcome,
    ...(error === undefined ? {} : { [attributes.errorType]: error })
  }
}

/** The error of an attempt as a whole: the first there is. */
const oneError = (errors: ReadonlyArray<string | undefined>): string | undefined =>
  errors.find((error) => error !== undefined)

const shared = (name: string, values: ReadonlyArray<string>): Record<string, string> => {
  const [first = ""] = values
  return values.every((value) => value === first) ? { [name]: first } : {}
}
