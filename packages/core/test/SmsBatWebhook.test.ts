import { assert, describe, it } from "@effect/vitest"
import { DateTime, Deferred, Duration, Effect, Fiber, Layer, Redacted, Result, Tracer } from "effect"
import { HttpRouter } from "effect/http"
import { TestClock } from "effect/testing"
import { inspect } from "node:util"
import * as CascadeEvents from "../src/CascadeEvents.ts"
import type * as DeliveryStatus from "../src/DeliveryStatus.ts"
import * as SmsBatWebhook from "../src/SmsBatWebhook.ts"
import * as StatusLookup from "../src/StatusLookup.ts"
import * as TransportReason from "../src/TransportReason.ts"
import { variants } from "./support/mutate.ts"
import { caller, page, post, report, statusError } from "./support/status.ts"

const secret = Redacted.make("canaryZx84-secret-0123456789abcdef")
const path = "/hooks/smsbat"
const whole = `${path}/${Redacted.value(secret)}`

const body = (messageId: string, deliverystatus: string, others: object = {}) =>
  JSON.stringify({ messageId, deliverystatus, timestamp: "2025-01-23T10:30:00Z", ...others })

describe("decode", () => {
  const decode = (json: unknown) => SmsBatWebhook.decodeResult(json)
  const read = (json: unknown) => ({ ...Result.getOrThrow(decode(json)) })

  it("reads the page's example", () => {
    assert.deepStrictEqual(read(JSON.parse(page.webhook)), {
      messageId: "abc123def456",
      status: "delivered",
      source: "webhook",
      confirmed: false,
      cost: 0.05,
      reportedAt: DateTime.makeUnsafe("2025-01-23T10:30:00Z")
    } as never)
  })

  it.effect("does so as an effect, too", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* SmsBatWebhook.decode(JSON.parse(page.webhook))).status, "delivered")
      assert.strictEqual((yield* Effect.flip(SmsBatWebhook.decode(null)))._tag, "InvalidWebhook")
    })
  )

  it("passes over other fields, and never believes a body that calls itself confirmed", () => {
    const given = {
      ...JSON.parse(page.webhook),
      confirmed: true,
      source: "poll",
      phone: "+380671112233",
      x: [1]
    }
    assert.deepStrictEqual(read(given), read(JSON.parse(page.webhook)))
  })

  it("leaves out an instant without a zone, and one that is none", () => {
    for (const timestamp of [
      "2025-01-23T10:30:00",
      "2025-02-30T00:00:00Z",
      "now",
      1737628200,
      null,
      {},
      ""
    ]) {
      assert.notProperty(read({ ...JSON.parse(page.webhook), timestamp }), "reportedAt")
    }
    const { reportedAt } = read({ ...JSON.parse(page.webhook), timestamp: "2025-01-23T12:30:00.5+02:00" })
    assert.strictEqual(
      reportedAt === undefined ? "" : DateTime.formatIso(reportedAt),
      "2025-01-23T10:30:00.500Z"
    )
  })

  it("tells every problem, and nothing of what came", () => {
    const rows: ReadonlyArray<readonly [unknown, ReadonlyArray<string>]> = [
      [null, [""]],
      [[], [""]],
      ["canaryZx84", [""]],
      [7, [""]],
      [undefined, [""]],
      [{}, ["messageId", "deliverystatus"]],
      [{ messageId: "canaryZx84 phone +380671112233", deliverystatus: "delivered" }, ["messageId"]],
      [{ messageId: "m", deliverystatus: 7 }, ["deliverystatus"]],
      [{ messageId: "m", deliverystatus: " " }, ["deliverystatus"]],
      [{ messageId: "..", deliverystatus: ["canaryZx84"] }, ["messageId", "deliverystatus"]],
      [
        JSON.parse('{"__proto__":{"messageId":"m","deliverystatus":"delivered"}}'),
        ["messageId", "deliverystatus"]
      ],
      [Object.create({ messageId: "m", deliverystatus: "delivered" }), ["messageId", "deliverystatus"]]
    ]
    for (const [json, paths] of rows) {
      const error = Result.getOrThrow(Result.flip(decode(json)))
      assert.deepStrictEqual(
        error.problems.map(({ path }) => path),
        paths
      )
      assert.notInclude(inspect(error, { depth: null }) + error.message + JSON.stringify(error), "canaryZx84")
    }
  })

  it("survives 4,000 broken bodies", () => {
    const odd = '{"messageId":"a","deliverystatus":"processing","cost":null,"extendedStatuses":{"a":"b"}}'
    let read = 0
    for (const text of variants([page.webhook, odd], 2000, 5)) {
      const json = Result.try((): unknown => JSON.parse(text))
      if (Result.isFailure(json)) continue
      read++
      const result = decode(json.success)
      if (Result.isSuccess(result)) assert.isFalse(result.success.confirmed)
      else assert.strictEqual(result.failure._tag, "InvalidWebhook")
    }
    assert.isAbove(read, 300)
  })

  it("survives 2,000 values of any type in any field", () => {
    const values: ReadonlyArray<unknown> = [
      undefined,
      null,
      true,
      0,
      -0,
      Number.NaN,
      Infinity,
      1e308,
      10n,
      "",
      "x",
      "\u0000",
      "\ud800",
      Symbol("s"),
      [],
      [[]],
      {},
      { toString: null },
      Object.create(null),
      () => 1,
      new Date(Number.NaN),
      new Map(),
      "x".repeat(10_000)
    ]
    let count = 0
    for (const messageId of values)
      for (const deliverystatus of values)
        for (const other of ["a", "b", "c", "d"]) {
          const result = decode({
            messageId,
            deliverystatus,
            cost: values[count % values.length],
            timestamp: values[(count * 7) % values.length],
            extendedStatuses: { [other]: values[(count * 3) % values.length] }
          })
          count++
          if (Result.isFailure(result)) assert.strictEqual(result.failure._tag, "InvalidWebhook")
        }
    assert.isAbove(count, 2000)
  })
})

/** A look-up that answers with what is next in the script, the last again and again, and counts. */
const scriptedLookup = (
  ...script: ReadonlyArray<DeliveryStatus.DeliveryStatus | StatusLookup.StatusReason | "defect">
) => {
  const asked: Array<string> = []
  const layer = Layer.succeed(StatusLookup.StatusLookup, {
    lookup: (messageId) =>
      Effect.suspend(() => {
        const said = script[Math.min(asked.length, script.length - 1)]
        asked.push(messageId)
        if (said === undefined || said === "defect") return Effect.die(new Error("canaryZx84"))
        return typeof said === "string"
          ? Effect.succeed(report(said, { messageId, partscount: 2 }))
          : Effect.fail(statusError(said))
      })
  })
  return { asked, layer }
}

const sound = new TransportReason.ServerError({ status: 500 })

describe("route", () => {
  /** Calls the route with a body and gives back the first report that comes of it. */
  const reportOf = (
    lookup: ReturnType<typeof scriptedLookup>,
    text: string,
    options: Partial<SmsBatWebhook.SmsBatWebhookOptions<never, never>> = {}
  ) =>
    Effect.gen(function* () {
      const reported = yield* Deferred.make<DeliveryStatus.StatusReport>()
      const call = yield* caller(
        SmsBatWebhook.route({
          path,
          secret,
          ...options,
          onReport: (each) => Deferred.succeed(reported, each)
        }).pipe(Layer.provide(lookup.layer))
      )
      const reply = yield* call(post(whole, text))
      assert.strictEqual(reply.status, 200)
      const fiber = yield* Effect.forkChild(Deferred.await(reported), { startImmediately: true })
      yield* TestClock.adjust("1 hour")
      return yield* Fiber.join(fiber)
    })

  it.effect("reports what is on its way as it came, without asking", () =>
    Effect.gen(function* () {
      const lookup = scriptedLookup("delivered")
      const found = yield* reportOf(lookup, body("m-1", "processing"))
      assert.deepInclude(
        { ...found },
        { messageId: "m-1", status: "processing", source: "webhook", confirmed: false }
      )
      assert.deepStrictEqual(lookup.asked, [])
    })
  )

  it.effect("confirms an end before it is reported", () =>
    Effect.gen(function* () {
      const lookup = scriptedLookup("delivered")
      const found = yield* reportOf(lookup, body("m-1", "delivered", { cost: 0.05 }))
      assert.deepInclude(
        { ...found },
        {
          status: "delivered",
          source: "webhook",
          confirmed: true,
          cost: 0.05,
          partscount: 2
        }
      )
      assert.deepStrictEqual(lookup.asked, ["m-1"])
    })
  )

  it.effect("believes the look-up where it names another end", () =>
    Effect.gen(function* () {
      const found = yield* reportOf(scriptedLookup("undeliverable"), body("m-1", "delivered"))
      assert.deepInclude({ ...found }, { status: "undeliverable", source: "poll", confirmed: true })
    })
  )

  it.effect("asks again while the look-up lags behind or fails for the moment", () =>
    Effect.gen(function* () {
      const lookup = scriptedLookup("processing", sound, "delivered")
      const found = yield* reportOf(lookup, body("m-1", "delivered"))
      assert.isTrue(found.confirmed)
      assert.strictEqual(lookup.asked.length, 3)
    })
  )

  it.effect("waits as long as the provider asks", () =>
    Effect.gen(function* () {
      const busy = new TransportReason.Throttled({ status: 429, retryAfter: Duration.seconds(8) })
      const lookup = scriptedLookup(busy, "delivered")
      assert.isTrue((yield* reportOf(lookup, body("m-1", "delivered"))).confirmed)
      const longer = new TransportReason.Throttled({ status: 429, retryAfter: Duration.seconds(11) })
      const late = scriptedLookup(longer, "delivered")
      assert.isFalse((yield* reportOf(late, body("m-1", "delivered"))).confirmed)
      assert.strictEqual(late.asked.length, 1)
    })
  )

  it.effect("reports an end as it came where the look-up cannot tell", () =>
    Effect.gen(function* () {
      const hint = { status: "delivered", source: "webhook", confirmed: false } as const
      const rows = [
        [new StatusLookup.NotFound({}), 1],
        [new TransportReason.Unauthorized({ status: 401 }), 1],
        // At once and after 1, 2 and 4 seconds; the next time would be after the ten.
        [new TransportReason.Unreachable({}), 4],
        [sound, 4],
        ["processing", 4],
        ["defect", 1]
      ] as const
      for (const [said, times] of rows) {
        const lookup = scriptedLookup(said)
        assert.deepInclude({ ...(yield* reportOf(lookup, body("m-1", "delivered"))) }, hint)
        assert.strictEqual(lookup.asked.length, times)
      }
    })
  )

  it.effect("asks for as long as it is told", () =>
    Effect.gen(function* () {
      const lookup = scriptedLookup("processing")
      yield* reportOf(lookup, body("m-1", "delivered"), { confirmWithin: "2 seconds" })
      assert.strictEqual(lookup.asked.length, 2)
    })
  )

  it.effect("needs no look-up without confirming, and then knows only hints", () =>
    Effect.gen(function* () {
      const reported = yield* Deferred.make<DeliveryStatus.StatusReport>()
      // No StatusLookup is provided: that it compiles is half of the test.
      const call = yield* caller(
        SmsBatWebhook.route({ path, confirm: false, onReport: (each) => Deferred.succeed(reported, each) })
      )
      assert.strictEqual((yield* call(post(path, body("m-1", "delivered")))).status, 200)
      assert.isFalse((yield* Deferred.await(reported)).confirmed)
    })
  )

  it.effect("runs the handler with the services of the layer", () =>
    Effect.gen(function* () {
      const call = yield* caller(
        SmsBatWebhook.route({
          path,
          secret,
          onReport: (each) =>
            Effect.flatMap(StatusLookup.StatusLookup, ({ lookup }) => lookup(`seen:${each.messageId}`))
        }).pipe(Layer.provide(lookup.layer), Layer.provideMerge(CascadeEvents.layer()))
      )
      yield* call(post(whole, body("m-1", "scheduled")))
      yield* Effect.yieldNow
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(lookup.asked, ["seen:m-1"])
    })
  )
  const lookup = scriptedLookup("delivered")

  it.effect("refuses options that cannot be used, and shows no secret", () =>
    Effect.gen(function* () {
      const rows = [
        [{ path: "/a b" }, "path"],
        [{ path: "/a/:id" }, "path"],
        [{ path: "/a/*" }, "path"],
        [{ path: "/a/../b" }, "path"],
        [{ path: "/a//b" }, "path"],
        [{ path: "/a?b" }, "path"],
        [{ secret: Redacted.make("canaryZx84-short") }, "secret"],
        [{ secret: Redacted.make("canaryZx84/with/slashes/and/long/enough") }, "secret"],
        [{ secret: Redacted.make("") }, "secret"],
        [{ bodyLimit: 0 }, "bodyLimit"],
        [{ queueSize: 1.5 }, "queueSize"],
        [{ concurrency: Number.NaN }, "concurrency"],
        [{ concurrency: 1001 }, "concurrency"],
        [{ bodyTimeout: "Infinity" }, "bodyTimeout"],
        [{ grace: Infinity }, "grace"],
        [{ confirmWithin: Infinity }, "confirmWithin"]
      ] as const
      for (const [wrong, option] of rows) {
        const routes = SmsBatWebhook.route({ path, onReport: () => Effect.void, ...(wrong as object) })
        const error = yield* Effect.flip(Effect.scoped(caller(routes.pipe(Layer.provide(lookup.layer)))))
        assert.deepInclude({ ...error }, { _tag: "SmsBatConfigError", option })
        assert.notInclude(error.message, "canaryZx84")
      }
    })
  )
})

describe("pathWithSecret", () => {
  it("is the path of the route, and shows itself to nobody", () => {
    for (const prefix of [path, `${path}/`] as const) {
      const full = SmsBatWebhook.pathWithSecret(prefix, secret)
      assert.strictEqual(Redacted.value(full), whole)
      assert.notInclude(inspect(full) + JSON.stringify(full) + String(full), "canaryZx84")
    }
    assert.strictEqual(
      Redacted.value(SmsBatWebhook.pathWithSecret("/", secret)),
      `/${Redacted.value(secret)}`
    )
  })

  it.effect("leads to the route, at the root too", () =>
    Effect.gen(function* () {
      for (const prefix of ["/", "/hooks/", "/a/b-c/d.e~f"] as const) {
        const call = yield* caller(
          SmsBatWebhook.route({ path: prefix, secret, confirm: false, onReport: () => Effect.void })
        )
        const full = Redacted.value(SmsBatWebhook.pathWithSecret(prefix, secret))
        assert.strictEqual((yield* call(post(full, page.webhook))).status, 200)
      }
    })
  )
})

describe("layerUntraced", () => {
  const spansOf = (untraced: Layer.Layer<never>) =>
    Effect.gen(function* () {
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (spanOptions) => {
          const span = new Tracer.NativeSpan(spanOptions)
          spans.push(span)
          return span
        }
      })
      const other = HttpRouter.add("GET", "/other", () => Effect.die("not reached"))
      const web = HttpRouter.toWebHandler(
        Layer.mergeAll(
          SmsBatWebhook.route({ path, secret, confirm: false, onReport: () => Effect.void }),
          other
        ).pipe(Layer.provideMerge(untraced), Layer.provideMerge(Layer.succeed(Tracer.Tracer, tracer))),
        { disableLogger: true }
      )
      yield* Effect.addFinalizer(() => Effect.promise(() => web.dispose()))
      for (const each of [whole, `/${whole}`, `${path}/wrong`, "/unknown"]) {
        yield* Effect.promise(() => web.handler(post(each, page.webhook)))
      }
      return { spans, shown: inspect(spans, { depth: 6, showHidden: true }) }
    })

  it.live("keeps the secret out of the server's spans, and only that", () =>
    Effect.gen(function* () {
      const bare = yield* spansOf(Layer.empty)
      assert.include(bare.shown, Redacted.value(secret))
      const { shown, spans } = yield* spansOf(SmsBatWebhook.layerUntraced(path))
      assert.notInclude(shown, Redacted.value(secret))
      assert.strictEqual(spans.filter(({ kind }) => kind === "server").length, 1)
    })
  )
})
