import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Logger, Redacted, References } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { TestClock } from "effect/testing"
import { createServer } from "node:http"
import * as net from "node:net"
import { inspect } from "node:util"
import * as SmsBatInbound from "../../../src/SmsBatInbound.ts"
import * as SmsBatWebhook from "../../../src/SmsBatWebhook.ts"
import { random, variants } from "../../support/mutate.ts"
import { caller, inboundPage, page, post } from "../../support/status.ts"

const secret = Redacted.make("canaryZx84-secret-0123456789abcdef")
const path = "/hooks/smsbat"
const whole = `${path}/${Redacted.value(secret)}`

const hook = (options: Partial<SmsBatWebhook.SmsBatWebhookOptions<never, never, false>> = {}) =>
  SmsBatWebhook.route({ path, secret, confirm: false, onReport: () => Effect.void, ...options })

describe("who may call", () => {
  it.effect("answers a wrong secret as a path that does not exist", () =>
    Effect.gen(function* () {
      const call = yield* caller(hook({ onReport: () => Effect.die("not reached") }))
      const unknown = yield* call(post("/nowhere/at-all", page.webhook))
      const wrong = [
        `${path}/wrong`,
        `${path}/${"x".repeat(30)}`,
        `${path}/${"x".repeat(100)}`,
        `${path}/${"x".repeat(5000)}`,
        `${whole}x`,
        `${whole}/`.slice(0, -2),
        `${whole}/more`,
        `${path}/%00`,
        `${path}/%zz`,
        `${path}/`,
        path,
        `${path}?secret=${Redacted.value(secret)}`
      ]
      for (const each of wrong) {
        // Whatever is in the body, and whatever it claims to be.
        for (const [body, type] of [
          [page.webhook, "application/json"],
          ["nonsense", "text/html"]
        ] as const) {
          const reply = yield* call(post(each, body, { "content-type": type }))
          assert.strictEqual(reply.status, 404, each)
          assert.strictEqual(reply.body, unknown.body)
          assert.deepStrictEqual([...reply.headers], [...unknown.headers])
        }
      }
    })
  )

  it.effect("answers any other method as a path that does not exist", () =>
    Effect.gen(function* () {
      const call = yield* caller(hook())
      for (const method of ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]) {
        const reply = yield* call(new Request(`http://127.0.0.1${whole}`, { method }))
        assert.strictEqual(reply.status, 404, method)
      }
    })
  )

  it.effect("takes the secret in any spelling of the same path", () =>
    Effect.gen(function* () {
      const call = yield* caller(hook())
      const spelt = whole.replace("canary", "c%61nary")
      for (const each of [whole, spelt, `${whole}?x=1`, `${whole}#x`]) {
        assert.strictEqual((yield* call(post(each, page.webhook))).status, 200, each)
      }
    })
  )
})

describe("what it takes", () => {
  const statusOf = (
    body: Parameters<typeof post>[1],
    headers?: Readonly<Record<string, string>>,
    options = {}
  ) =>
    Effect.gen(function* () {
      const call = yield* caller(hook(options))
      return (yield* call(post(whole, body, headers))).status
    })

  it.effect("takes JSON by any of its names", () =>
    Effect.gen(function* () {
      for (const type of [
        "application/json",
        "Application/JSON; charset=utf-8",
        'application/json;charset="UTF8"; x=y',
        "application/cloudevents+json",
        "text/json",
        ""
      ]) {
        assert.strictEqual(yield* statusOf(page.webhook, { "content-type": type }), 200, type)
      }
      for (const type of [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "application/json; charset=windows-1251",
        "application/jsonp",
        "json",
        ";;;"
      ]) {
        assert.strictEqual(
          yield* statusOf(page.webhook, { "content-type": type }),
          type === ";;;" ? 200 : 415,
          type
        )
      }
      assert.strictEqual(yield* statusOf(page.webhook, { "content-encoding": "gzip" }), 415)
      assert.strictEqual(yield* statusOf(page.webhook, { "content-encoding": "identity" }), 200)
    })
  )

  it.effect("takes no more than it may, announced or not", () =>
    Effect.gen(function* () {
      const limit = { bodyLimit: page.webhook.length }
      assert.strictEqual(yield* statusOf(page.webhook, {}, limit), 200)
      assert.strictEqual(yield* statusOf(`${page.webhook} `, {}, limit), 413)
      assert.strictEqual(yield* statusOf(`${page.webhook} `, { "content-length": "99999999" }), 413)
      const streamed = (text: string) =>
        new ReadableStream({
          start: (controller) => {
            for (const each of text) controller.enqueue(new TextEncoder().encode(each))
            controller.close()
          }
        })
      assert.strictEqual(yield* statusOf(streamed(page.webhook), {}, limit), 200)
      assert.strictEqual(yield* statusOf(streamed(`${page.webhook} `), {}, limit), 413)
      // Counted in bytes.
      assert.strictEqual(yield* statusOf(`"${"ї".repeat(10)}"`, {}, { bodyLimit: 21 }), 413)
      assert.strictEqual(yield* statusOf(" ".repeat(65_537)), 413)
      assert.strictEqual(yield* statusOf(" ".repeat(65_536)), 400)
    })
  )

  it.effect("does not wait for ever for a body", () =>
    Effect.gen(function* () {
      const call = yield* caller(hook({ bodyTimeout: "3 seconds" }))
      let cancelled = false
      const endless = new ReadableStream({
        cancel: () => {
          cancelled = true
        }
      })
      const fiber = yield* Effect.forkChild(call(post(whole, endless)), { startImmediately: true })
      // The secret is compared by the platform, in its own time.
      while (fiber.pollUnsafe() === undefined) {
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        yield* TestClock.adjust("1 second")
      }
      assert.strictEqual((yield* Fiber.join(fiber)).status, 408)
      assert.isTrue(cancelled)
    })
  )

  it.effect("refuses a body that breaks off, is empty or is no text", () =>
    Effect.gen(function* () {
      const broken = new ReadableStream({
        start: (controller) => {
          controller.enqueue(new TextEncoder().encode(page.webhook.slice(0, 10)))
          controller.error(new Error("canaryZx84"))
        }
      })
      assert.strictEqual(yield* statusOf(broken), 400)
      assert.strictEqual(yield* statusOf(""), 400)
      assert.strictEqual(yield* statusOf(new Uint8Array([0xff, 0xfe, 0x00, 0x7b])), 400)
    })
  )

  it.effect("says 503 when it is full, and when to come again", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const call = yield* caller(hook({ queueSize: 2, onReport: () => Deferred.await(gate) }))
      const request = () => post(whole, page.webhook)
      assert.strictEqual((yield* call(request())).status, 200)
      assert.strictEqual((yield* call(request())).status, 200)
      const full = yield* call(request())
      assert.strictEqual(full.status, 503)
      assert.strictEqual(full.headers.get("retry-after"), "5")
      yield* Deferred.succeed(gate, undefined)
      yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow)
      assert.strictEqual((yield* call(request())).status, 200)
    })
  )
})

describe("through a web handler", () => {
  /** Routes as a program runs them, with everything that is logged. */
  const serve = Effect.gen(function* () {
    const seen = { reports: 0, messages: 0 }
    const logged: Array<unknown> = []
    const keep = Logger.make(({ cause, fiber, message }) => {
      logged.push(message, cause, fiber.getRef(References.CurrentLogAnnotations))
    })
    const routes = Layer.mergeAll(
      hook({ queueSize: 1_000_000, onReport: () => Effect.sync(() => void seen.reports++) }),
      SmsBatInbound.route({
        path: "/inbound",
        secret,
        queueSize: 1_000_000,
        onMessage: () => Effect.sync(() => void seen.messages++)
      })
    )
    const web = HttpRouter.toWebHandler(
      routes.pipe(
        Layer.provideMerge(Logger.layer([keep])),
        Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "All"))
      )
    )
    yield* Effect.addFinalizer(() => Effect.promise(() => web.dispose()))
    const call = (request: Request) => Effect.promise(() => web.handler(request))
    return { call, logged, seen, dispose: Effect.promise(() => web.dispose()) }
  })

  const deep = (open: string, close: string, depth: number) => open.repeat(depth) + close.repeat(depth)

  /** Bodies that no provider sends. Each of them holds what must show nowhere. */
  const odd = (canary: string): ReadonlyArray<string | Uint8Array<ArrayBuffer>> => {
    const values = [
      "null",
      "true",
      "0",
      "-1",
      "1e999",
      '""',
      `"${canary}"`,
      "[]",
      "{}",
      `["${canary}"]`,
      '"\\ud800"'
    ]
    const keys = [
      "messageId",
      "deliverystatus",
      "timestamp",
      "cost",
      "idUuid",
      "phoneNumber",
      "text",
      "dt",
      "alphaName"
    ]
    const typed = keys.flatMap((key) =>
      values.flatMap((value) => [
        `{"${key}":${value}}`,
        page.webhook.replace(/\}$/u, `,"${key}":${value}}`),
        inboundPage.replace(/\}$/u, `,"${key}":${value}}`)
      ])
    )
    return [
      ...typed,
      ...values,
      `{"__proto__":${page.webhook}}`,
      `{"constructor":{"prototype":${page.webhook}}}`,
      '{"__proto__":null,"toString":null,"messageId":{"toString":null},"deliverystatus":{"__proto__":[]}}',
      deep("[", "]", 30_000),
      deep('{"a":', "}", 10_000),
      `{"messageId":${deep("[", "]", 20_000)},"deliverystatus":"delivered"}`,
      `{"messageId":"a","deliverystatus":"delivered","extendedStatuses":${deep('{"a":', "}", 5000)}}`,
      "[".repeat(60_000),
      `"${canary.repeat(10_000)}"`,
      canary.repeat(1000),
      "\u0000".repeat(1000),
      `\ufeff${page.webhook}`,
      new Uint8Array([0xc3, 0x28, 0xa0, 0xa1, 0xf0, 0x28, 0x8c, 0x28]),
      new Uint8Array(65_537)
    ]
  }

  it.live(
    "answers 6,000 broken requests in so many words, and shows nothing of them",
    () =>
      Effect.gen(function* () {
        const canary = "canaryZx84 +380671112233 my code is 4711"
        const { call, dispose, logged, seen } = yield* serve
        const next = random(42)
        const withCanary = page.webhook
          .replace("abc123def456", "canaryZx84-id")
          .replace("delivered", "canaryZx84-word")
        const inbound = inboundPage.replace("Hello", canary).replace("380936670003", "380671112233")
        const bodies = [
          ...odd(canary),
          ...variants([page.webhook, withCanary, page.fallback, inboundPage, inbound], 550, 7)
        ]
        const types = [
          "application/json",
          "application/json; charset=utf-8",
          "",
          "text/plain",
          canary,
          "application/json;;"
        ]
        const paths = [whole, `/inbound/${Redacted.value(secret)}`]
        const tally = new Map<number, number>()
        let count = 0
        for (const body of bodies) {
          for (const path of paths) {
            // Most requests are right but for their bodies.
            const type = next(8) === 0 ? (types[next(types.length)] ?? "") : "application/json"
            const wrong = next(16) === 0
            const response = yield* call(
              post(wrong ? `${path}x` : path, body, {
                "content-type": type,
                "user-agent": canary,
                ...(next(32) === 0 ? { "content-encoding": "br" } : {})
              })
            )
            count++
            tally.set(response.status, (tally.get(response.status) ?? 0) + 1)
            assert.include([200, 400, 404, 413, 415], response.status)
            if (wrong) assert.strictEqual(response.status, 404)
            assert.notInclude(yield* Effect.promise(() => response.text()), "canaryZx84")
          }
        }
        yield* dispose
        assert.isAbove(count, 6000)
        for (const status of [200, 400, 404, 413, 415])
          assert.isAbove(tally.get(status) ?? 0, 3, String(status))
        // Everything that was taken in was handled, and nothing else.
        assert.strictEqual(seen.reports + seen.messages, tally.get(200))
        assert.isAbove(seen.reports, 100)
        assert.isAbove(seen.messages, 100)
        assert.notInclude(
          inspect(logged, { depth: 8, maxArrayLength: null, maxStringLength: null }),
          "canaryZx84"
        )
      }),
    120_000
  )

  it.live("keeps the secret out of the log of requests, whatever the method", () =>
    Effect.gen(function* () {
      const logged: Array<unknown> = []
      const web = HttpRouter.toWebHandler(
        hook().pipe(
          Layer.provideMerge(
            Logger.layer([
              Logger.make(({ cause, fiber, message }) => {
                logged.push(message, cause, fiber.getRef(References.CurrentLogAnnotations))
              })
            ])
          ),
          Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "All"))
        )
      )
      const call = (target: string, method: string) =>
        Effect.promise(() => web.handler(new Request(`http://127.0.0.1${target}`, { method })))
      for (const method of ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
        assert.strictEqual((yield* call(whole, method)).status, 404, method)
      }
      yield* call("/elsewhere", "GET")
      yield* Effect.promise(() => web.dispose())
      const shown = inspect(logged, { depth: 8 })
      assert.include(shown, "/elsewhere")
      assert.notInclude(shown, Redacted.value(secret))
    })
  )

  it.live("logs a handler's failure without the message", () =>
    Effect.gen(function* () {
      const logged: Array<unknown> = []
      const failed = yield* Deferred.make<void>()
      const web = HttpRouter.toWebHandler(
        SmsBatInbound.route({
          path: "/inbound",
          secret,
          onMessage: (message) => Effect.fail({ _tag: "NoDatabase", message })
        }).pipe(
          Layer.provideMerge(
            Logger.layer([
              Logger.make(({ cause, message }) => {
                logged.push(message, cause)
                Deferred.doneUnsafe(failed, Effect.void)
              })
            ])
          )
        )
      )
      const request = post(`/inbound/${Redacted.value(secret)}`, inboundPage)
      assert.strictEqual((yield* Effect.promise(() => web.handler(request))).status, 200)
      yield* Deferred.await(failed)
      yield* Effect.promise(() => web.dispose())
      const shown = inspect(logged, { depth: 8 })
      assert.include(shown, "NoDatabase")
      for (const canary of ["Hello", "6670003", "canaryZx84"]) assert.notInclude(shown, canary)
    })
  )
})

describe("on a Node server", () => {
  const address = HttpServer.HttpServer.useSync((server) => HttpServer.formatAddress(server.address))
  const serve = (options: Parameters<typeof hook>[0] = {}) =>
    Layer.build(
      HttpRouter.serve(hook(options), { disableListenLog: true, disableLogger: true }).pipe(
        Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" }))
      )
    ).pipe(Effect.flatMap((context) => Effect.provide(address, context)))

  it.live("takes a report, and refuses one that is too long, while the caller still writes", () =>
    Effect.gen(function* () {
      const seen = yield* Deferred.make<string>()
      const url = yield* serve({ onReport: ({ messageId }) => Deferred.succeed(seen, messageId) })
      const call = (body: string) =>
        Effect.promise(() =>
          fetch(`${url}${whole}`, { method: "POST", body, headers: { "content-type": "application/json" } })
        )
      assert.strictEqual((yield* call(page.webhook)).status, 200)
      assert.strictEqual(yield* Deferred.await(seen), "abc123def456")
      assert.strictEqual((yield* call("x".repeat(5_000_000))).status, 413)
      assert.strictEqual((yield* call(page.webhook)).status, 200)
    })
  )

  it.live("answers a caller that stops in the middle, and goes on for others", () =>
    Effect.gen(function* () {
      const url = yield* serve({ bodyTimeout: "30 millis" })
      const { hostname, port } = new URL(url)
      const head = `POST ${whole} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 80\r\n\r\n{"mess`
      const answer = yield* Effect.callback<string>((resume) => {
        const socket = net.connect({ host: hostname, port: Number(port) }, () => socket.write(head))
        socket.on("data", (chunk) => {
          resume(Effect.succeed(chunk.toString("latin1")))
          socket.destroy()
        })
      })
      assert.match(answer, /^HTTP\/1\.1 408 /u)
      const response = yield* Effect.promise(() =>
        fetch(`${url}${whole}`, {
          method: "POST",
          body: page.webhook,
          headers: { "content-type": "application/json" }
        })
      )
      assert.strictEqual(response.status, 200)
    })
  )
})
