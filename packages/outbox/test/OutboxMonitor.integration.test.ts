import { StoreError } from "@effect-cascade/outbox/OutboxError"
import * as Outbox from "@effect-cascade/outbox/Outbox"
import * as OutboxAdmin from "@effect-cascade/outbox/OutboxAdmin"
import { OutboxAdminStore } from "@effect-cascade/outbox/OutboxAdminStore"
import * as OutboxMonitor from "@effect-cascade/outbox/OutboxMonitor"
import * as OutboxTelemetry from "@effect-cascade/outbox/OutboxTelemetry"
import * as PgOutboxAdminStore from "@effect-cascade/outbox/PgOutboxAdminStore"
import { assert } from "@effect/vitest"
import { Effect, Layer, Metric, Tracer } from "effect"
import { TestClock } from "effect/testing"
import { SqlClient } from "effect/sql"
import { onDatabase } from "./support/database.ts"
import { promo, transaction } from "./support/messages.ts"

const admin = OutboxAdmin.layer.pipe(Layer.provideMerge(PgOutboxAdminStore.layer()))

/** The gauges as `name lane … value`, without the zeros. */
const gauges = Effect.map(Metric.snapshot, (all) =>
  all
    .filter(({ id }) => id !== OutboxTelemetry.metrics.enqueued)
    .flatMap((metric) =>
      metric.type === "Gauge" && Number(metric.state.value) > 0
        ? `${metric.id.replace("messaging.smsbat.", "")} ${Object.values(metric.attributes ?? {}).join(" ")} ${metric.state.value}`
        : []
    )
    .sort()
)

onDatabase("OutboxMonitor", (test) => {
  test("shows what waits, for how long, and which lanes are paused; and 0 once it is gone", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox.Outbox
      const operator = yield* OutboxAdmin.OutboxAdmin
      const sql = yield* SqlClient.SqlClient
      const look = yield* OutboxMonitor.make
      yield* look
      assert.deepStrictEqual(yield* gauges, [])

      yield* outbox.transaction(outbox.enqueueAll([transaction("a"), transaction("b"), promo("c")]))
      yield* sql`UPDATE cascade.work SET due_at = now() - interval '90 seconds' WHERE lane = 'default/low'`
      yield* sql`UPDATE cascade.work SET due_at = now() + interval '1 hour' WHERE lane = 'default/high'`
      yield* operator.pause({ lane: "default/low" })
      yield* look
      const [paused, oldest, ...waiting] = yield* gauges
      assert.strictEqual(paused, "lane.paused default/low 1")
      assert.match(oldest ?? "", /^outbox\.oldest_due default\/low promo 9\d(\.\d+)?$/u)
      assert.deepStrictEqual(waiting, [
        "outbox.pending default/high transaction scheduled 2",
        "outbox.pending default/low promo due 1"
      ])

      yield* operator.resume({ lane: "default/low" })
      yield* sql`TRUNCATE cascade.message, cascade.work, cascade.outcome`
      yield* look
      assert.deepStrictEqual(yield* gauges, [])
    }).pipe(Effect.provide(admin), Effect.provideService(Metric.MetricRegistry, new Map())))

  test("goes on when the database cannot be read, says so, and leaves no trace", () =>
    Effect.gen(function* () {
      const away = new StoreError({ operation: "countLanes", detail: "away", isRetryable: true })
      let looks = 0
      const store = yield* OutboxAdminStore
      const spans: Array<string> = []
      const tracer = Tracer.make({
        span: (options) => {
          spans.push(options.name)
          return new Tracer.NativeSpan(options)
        }
      })
      yield* Effect.gen(function* () {
        yield* OutboxMonitor.run({ every: "10 seconds" })
        yield* TestClock.adjust("1 minute")
      }).pipe(
        Effect.scoped,
        Effect.provideService(OutboxAdminStore, {
          ...store,
          countLanes: Effect.suspend(() => {
            looks++
            return looks === 1 ? Effect.interrupt : Effect.fail(away)
          })
        }),
        Effect.provideService(Tracer.Tracer, tracer),
        Effect.provide(TestClock.layer())
      )
      assert.isAtLeast(looks, 5)
      assert.isAtMost(looks, 9)
      assert.deepStrictEqual(spans, [])
    }).pipe(Effect.provide(admin)))
})
