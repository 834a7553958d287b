/**
 * From the spans that created messages to the span that sends them.
 */
import * as Tracer from "effect/Tracer"
import type { Envelope } from "../Envelope.ts"

/** The most links of one span: what OpenTelemetry's exporters keep. */
const limit = 128

/** A link to the creation context of each envelope that has one, each context once. */
export const linksTo = (batch: ReadonlyArray<Envelope>): ReadonlyArray<Tracer.SpanLink> => {
  const contexts = new Set<string>()
  for (const { traceparent } of batch) {
    if (traceparent !== undefined) contexts.add(traceparent)
    if (contexts.size >= limit) break
  }
  return Array.from(contexts).flatMap((traceparent) => {
    const span = parse(traceparent)
    return span === undefined ? [] : { span, attributes: {} }
  })
}

/** A span of another place and time, from its W3C `traceparent`. */
const parse = (traceparent: string): Tracer.ExternalSpan | undefined => {
  const [, traceId, spanId, flags] =
    /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/u.exec(traceparent) ?? []
  return traceId === undefined || spanId === undefined || flags === undefined
    ? undefined
    : Tracer.externalSpan({ traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 })
}
