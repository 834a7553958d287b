import { readFileSync } from "node:fs"
import * as Delivery from "@effect-cascade/core/Delivery"
import * as Telemetry from "@effect-cascade/core/Telemetry"
import { Transport } from "@effect-cascade/core/Transport"
import * as TransportReason from "@effect-cascade/core/TransportReason"
import * as Outbox from "@effect-cascade/outbox/Outbox"
import * as OutboxTelemetry from "@effect-cascade/outbox/OutboxTelemetry"
import * as Relay from "@effect-cascade/outbox/Relay"
import * as MemoryOutboxStore from "@effect-cascade/testing/MemoryOutboxStore"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric, Tracer } from "effect"
import { transaction } from "./support/messages.ts"
import { recording } from "./support/transport.ts"

const doc = readFileSync(new URL("../../../docs/telemetry.md", import.meta.url), "utf8")

/** The rows of the table under a heading of the guide, as the first cell and all names in the row. */
const tableOf = (heading: string): ReadonlyMap<string, string> => {
  const section = doc.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? ""
  return new Map(
    section
      .split("\n")
      .filter((line) => line.startsWith("| `"))
      .map((line) => [/`([^`]+)`/u.exec(line)?.[1] ?? "", line])
  )
}

const own = Object.values(Telemetry.attributes)
const everywhere: ReadonlyArray<string> = [
  Telemetry.attributes.system,
  Telemetry.attributes.operationName,
  Telemetry.attributes.operationType,
  Telemetry.attributes.destination
]

/** What a program tells: its spans and its metrics, in a registry of its own. */
const observed = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const spans: Array<Tracer.NativeSpan> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    const exit = yield* Effect.exit(Effect.provideService(self, Tracer.Tracer, tracer))
    return { exit, spans, metrics: yield* Metric.snapshot }
  }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))

const outbox = Outbox.layer.pipe(Layer.provideMerge(MemoryOutboxStore.layer))

const named = (spans: ReadonlyArray<Tracer.NativeSpan>, name: string) =>
  spans.filter((span) => span.name === name)

/** Two messages, one of them twice and one reused; one is accepted, one is rejected, one is lost on the way. */
const program = Effect.gen(function* () {
  const outbox = yield* Outbox.Outbox
  const placed = outbox.enqueueAll([transaction("a"), transaction("b")])
  yield* outbox.transaction(placed).pipe(Effect.withSpan("POST /orders"))
  yield* outbox.transaction(outbox.enqueue(transaction("a")))
  yield* Effect.exit(outbox.transaction(outbox.enqueue(transaction("a", { text: "another" }))))
  yield* Effect.exit(
    outbox.transaction(Effect.andThen(outbox.enqueue(transaction("c")), Effect.fail("sold out")))
  )
  const sent = recording((batch) =>
    Effect.succeed(
      batch.map(({ trackingId }) =>
        trackingId === "b"
          ? Delivery.notAccepted(trackingId, new TransportReason.Rejected({ status: 400 }))
          : Delivery.accepted(trackingId, "provider-a")
      )
    )
  )
  yield* Relay.drain({ name: "relay-1" }).pipe(Effect.provideService(Transport, sent.transport))
}).pipe(Effect.provide(outbox))

describe("the telemetry of a run", () => {
  it.effect("has the spans of the guide, with its attributes, linked across the commit", () =>
    Effect.gen(function* () {
      const { spans } = yield* observed(program)
      const published = tableOf("Spans")
      for (const name of ["create outbox", "receive outbox", "settle outbox", "send <transport>"]) {
        const line = published.get(name) ?? assert.fail(`the guide has no span ${name}`)
        const found = named(spans, name.replace("<transport>", "recording"))
        assert.isNotEmpty(found, name)
        for (const span of found) {
          const keys = [...span.attributes.keys()]
          for (const key of everywhere) assert.include(keys, key, name)
          for (const key of keys)
            assert.isTrue(everywhere.includes(key) || line.includes(`\`${key}\``), `${name}: ${key}`)
          assert.include(line, `| ${span.kind} |`)
        }
      }
      const [create] = named(spans, "create outbox")
      const [order] = named(spans, "POST /orders")
      assert.strictEqual(create?.traceId, order?.traceId)
      const sends = named(spans, "send recording")
      assert.deepStrictEqual(
        sends.flatMap(({ links }) => links.map(({ span }) => span.spanId)),
        sends.map(() => create?.spanId)
      )
      for (const span of sends) assert.notStrictEqual(span.traceId, create?.traceId)
    })
  )

  it.effect("has the counters and histograms of the guide, with its attributes and the right figures", () =>
    Effect.gen(function* () {
      const { metrics } = yield* observed(program)
      const published = tableOf("Metrics")
      for (const { attributes, id } of metrics) {
        const line = published.get(id) ?? assert.fail(`the guide has no metric ${id}`)
        for (const key of Object.keys(attributes ?? {})) {
          const common = everywhere.includes(key) && line.includes("| common")
          assert.isTrue(common || line.includes(`\`${key}\``), `${id}: ${key}`)
        }
      }
      const count = (id: string, outcome?: string) =>
        metrics
          .filter((metric) => metric.id === id)
          .filter(
            ({ attributes }) =>
              outcome === undefined || attributes?.[Telemetry.attributes.outcome] === outcome
          )
          .reduce((sum, metric) => sum + (metric.type === "Counter" ? Number(metric.state.count) : 0), 0)
      assert.strictEqual(count(OutboxTelemetry.metrics.enqueued), 2)
      assert.strictEqual(count(OutboxTelemetry.metrics.duplicates, "same"), 1)
      assert.strictEqual(count(OutboxTelemetry.metrics.duplicates, "refused"), 1)
      assert.strictEqual(count(OutboxTelemetry.metrics.settled, "sent"), 1)
      assert.strictEqual(count(OutboxTelemetry.metrics.settled, "dead"), 1)
      assert.strictEqual(count(Telemetry.metrics.sentMessages, "accepted"), 1)
      assert.strictEqual(count(Telemetry.metrics.sentMessages, "not_sent"), 1)
      const seen = new Set(metrics.map(({ id }) => id))
      for (const id of Object.values(Telemetry.metrics)) assert.isTrue(seen.has(id), id)
    })
  )

  it.effect("of an idle relay is no span at all", () =>
    Effect.gen(function* () {
      const { spans } = yield* observed(
        Relay.drain().pipe(Effect.provideService(Transport, recording().transport), Effect.provide(outbox))
      )
      assert.deepStrictEqual(
        spans.map(({ name }) => name),
        ["Relay.drain"]
      )
    })
  )

  it("is published whole: each name of the code is in the guide, and none else", () => {
    assert.sameMembers(
      [...tableOf("Metrics").keys()],
      [...Object.values(Telemetry.metrics), ...Object.values(OutboxTelemetry.metrics)]
    )
    for (const name of own) assert.include(doc, `\`${name}\``)
  })

  it("is what the dashboard shows: no query names a metric that is not published, and none is left out", () => {
    const dashboard = readFileSync(new URL("../../../docs/grafana-dashboard.json", import.meta.url), "utf8")
    const queries = [...dashboard.matchAll(/"expr": "([^\n]*)",?\n/gu)]
      .map(([, query = ""]) => query)
      .join("\n")
    const asShown = (name: string) => name.replaceAll(".", "_")
    const shown = new Set(
      [...queries.matchAll(/\b(messaging_[a-z_]+)(?=\{|\[|\))/gu)].map(([, name = ""]) =>
        name.replace(/_(?:bucket|sum|count)$/u, "")
      )
    )
    const names = [...Object.values(Telemetry.metrics), ...Object.values(OutboxTelemetry.metrics)].map(
      asShown
    )
    const labels = new Set(own.map(asShown))
    assert.sameMembers(
      [...shown].filter((name) => !labels.has(name)),
      names
    )
  })
})
