/**
 * A collector of OTLP over HTTP that remembers what it was sent: in place of Grafana Alloy, Jaeger or a vendor's.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"

const Span = Schema.Struct({
  name: Schema.String,
  traceId: Schema.String,
  spanId: Schema.String,
  links: Schema.optionalKey(Schema.Array(Schema.Struct({ traceId: Schema.String, spanId: Schema.String })))
})
const Traces = Schema.Struct({
  resourceSpans: Schema.Array(
    Schema.Struct({ scopeSpans: Schema.Array(Schema.Struct({ spans: Schema.Array(Span) })) })
  )
})
const Metrics = Schema.Struct({
  resourceMetrics: Schema.Array(
    Schema.Struct({
      scopeMetrics: Schema.Array(
        Schema.Struct({ metrics: Schema.Array(Schema.Struct({ name: Schema.String })) })
      )
    })
  )
})

/** What was sent, so far. */
export const spans: Array<typeof Span.Type> = []
export const metrics = new Set<string>()

const routes = Layer.effectDiscard(
  Effect.gen(function* () {
    const router = yield* HttpRouter.HttpRouter
    yield* router.add(
      "POST",
      "/v1/traces",
      Effect.gen(function* () {
        const { resourceSpans } = yield* HttpServerRequest.schemaBodyJson(Traces)
        for (const { scopeSpans } of resourceSpans) for (const scope of scopeSpans) spans.push(...scope.spans)
        return HttpServerResponse.empty()
      })
    )
    yield* router.add(
      "POST",
      "/v1/metrics",
      Effect.gen(function* () {
        const { resourceMetrics } = yield* HttpServerRequest.schemaBodyJson(Metrics)
        for (const { scopeMetrics } of resourceMetrics) {
          for (const scope of scopeMetrics) for (const { name } of scope.metrics) metrics.add(name)
        }
        return HttpServerResponse.empty()
      })
    )
    yield* router.add("POST", "/v1/logs", HttpServerResponse.empty())
  })
)

/** The collector, on a free port of this machine. */
export const layer = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
)
