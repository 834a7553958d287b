import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, DateTime, Deferred, Effect, Equal, Fiber, Layer, Redacted } from "effect"
import { FetchHttpClient, HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import * as Envelope from "../src/Envelope.ts"
import * as SmsBatTransport from "../src/SmsBatTransport.ts"
import { deliver, Transport } from "../src/Transport.ts"
import * as TransportReason from "../src/TransportReason.ts"
import { clients, fake } from "./support/clients.ts"
import * as RawServer from "./support/RawServer.ts"
import {
  acceptAll,
  envelopes,
  ids,
  idsOf,
  options,
  over,
  seal,
  secrets,
  transaction
} from "./support/smsbat.ts"

const accepting = RawServer.answering((request) => RawServer.response(200, acceptAll(request.body)))

/** Lets everything that is ready run. */
const turn = Effect.promise(() => new Promise(setImmediate))

const standard = "/api/CascadeMessage/send_message/async"
const tgViber = "/api/CascadeMessage/send_message/tg-viber/async"

for (const [name, client] of Object.entries(clients)) {
  describe(`send over ${name}`, () => {
    it.effect("makes the documented request of each route", () =>
      Effect.gen(function* () {
        const server = yield* accepting
        const transport = yield* SmsBatTransport.make(options(`${server.url}/prefix/`))
        const [first] = yield* envelopes(["a"])
        const [second] = yield* envelopes(["b"], { route: "tg-viber" })
        const deliveries = yield* transport.send([second, first])
        assert.deepStrictEqual(
          deliveries.map((delivery) => delivery._tag === "Accepted" && delivery.messageId).sort(),
          ["uuid-a", "uuid-b"]
        )
        assert.deepStrictEqual(
          server.requests.map(({ body, method, path }) => [method, path, idsOf(body)]),
          [
            ["POST", `/prefix${standard}`, ["a"]],
            ["POST", `/prefix${tgViber}`, ["b"]]
          ]
        )
        const request = server.requests[0]
        assert.strictEqual(
          request?.body,
          `[{"id":"a","fromName":"Shop","toPhone":"${secrets.phone}","messageType":"transaction","text":"${secrets.text}"}]`
        )
        const headers = request?.headers ?? {}
        assert.strictEqual(headers["content-type"], "application/json")
        assert.strictEqual(headers["x-authorization-key"], secrets.apiKey)
        assert.strictEqual(headers["x-viber-auth-token"], secrets.viberToken)
        assert.strictEqual(headers["x-tg-bot-key"], secrets.telegramKey)
        for (const trace of ["traceparent", "tracestate", "b3", "x-b3-traceid"])
          assert.notProperty(headers, trace)
      }).pipe(Effect.withSpan("caller"), Effect.provide(client))
    )

    it.effect("sends a key header only for a key that is there, and the trace only if asked", () =>
      Effect.gen(function* () {
        const server = yield* accepting
        const transport = yield* SmsBatTransport.make({
          baseUrl: server.url,
          keys: { viberToken: Redacted.make("only") },
          propagateTrace: true
        })
        yield* transport.send(yield* envelopes(["a"]))
        const headers = server.requests[0]?.headers ?? {}
        assert.strictEqual(headers["x-viber-auth-token"], "only")
        assert.notProperty(headers, "x-authorization-key")
        assert.notProperty(headers, "x-tg-bot-key")
        const trace = (yield* Effect.currentSpan).traceId
        assert.match(headers["traceparent"] ?? "", new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`, "u"))
      }).pipe(Effect.withSpan("caller"), Effect.provide(client))
    )

    it.effect("divides a large batch", () =>
      Effect.gen(function* () {
        const server = yield* accepting
        const transport = yield* SmsBatTransport.make(options(server.url, { maxBatchSize: 10 }))
        assert.strictEqual(transport.maxBatchSize, 10)
        const deliveries = yield* transport.send(yield* envelopes(ids(25)))
        assert.isTrue(deliveries.every(({ _tag }) => _tag === "Accepted"))
        assert.deepStrictEqual(
          server.requests.map(({ body }) => idsOf(body).length),
          [10, 10, 5]
        )
      }).pipe(Effect.provide(client))
    )

    it.effect("keeps its connections", () =>
      Effect.gen(function* () {
        const server = yield* accepting
        const transport = yield* SmsBatTransport.make(options(server.url))
        for (const id of ids(10)) yield* transport.send(yield* envelopes([id]))
        assert.strictEqual(server.requests.length, 10)
        // A client may take a second one while the first is being given back.
        if (name !== "node:http") assert.isAtMost(server.connections(), 2)
      }).pipe(Effect.provide(client))
    )

    it.effect("does not let one bad message hold up the others", () =>
      Effect.gen(function* () {
        const server = yield* RawServer.answering(({ body }) =>
          idsOf(body).includes("m-41")
            ? RawServer.response(400, '{"error":{"code":"INVALID_PHONE","message":"…","field":"toPhone"}}')
            : RawServer.response(200, acceptAll(body))
        )
        const transport = yield* SmsBatTransport.make(options(server.url))
        const deliveries = yield* transport.send(yield* envelopes(ids(100)))
        const others = deliveries.filter(({ _tag }) => _tag !== "Accepted")
        assert.strictEqual(deliveries.length, 100)
        assert.strictEqual(others.length, 1)
        const [bad] = others
        assert.isTrue(bad?._tag === "NotSent" && bad.trackingId === "m-41")
        assert.isTrue(
          bad?._tag === "NotSent" &&
            Equal.equals(
              bad.reason,
              new TransportReason.Rejected({ status: 400, code: "INVALID_PHONE", field: "toPhone" })
            )
        )
        assert.isAtMost(server.requests.length, 1 + 14)
      }).pipe(Effect.provide(client))
    )

    it.effect("aborts the request when it is interrupted", () =>
      Effect.gen(function* () {
        const server = yield* RawServer.make({})
        const transport = yield* SmsBatTransport.make(options(server.url))
        const batch = yield* envelopes(["a"])
        const fiber = yield* Effect.forkChild(transport.send(batch))
        yield* Deferred.await(server.received)
        yield* Fiber.interrupt(fiber)
        yield* Deferred.await(server.closed)
        assert.strictEqual(server.requests.length, 1)
      }).pipe(Effect.provide(client))
    )

    it.effect("aborts the request when its time is over: TimedOut", () =>
      Effect.gen(function* () {
        const server = yield* RawServer.make({})
        const transport = yield* SmsBatTransport.make(options(server.url, { timeout: "5 seconds" }))
        const batch = yield* envelopes(["a"])
        const fiber = yield* Effect.forkChild(Effect.flip(transport.send(batch)))
        yield* Deferred.await(server.received)
        yield* TestClock.adjust("5 seconds")
        assert.strictEqual((yield* Fiber.join(fiber)).reason._tag, "TimedOut")
        yield* Deferred.await(server.closed)
      }).pipe(Effect.provide(client))
    )
  })
}

describe("send", () => {
  it.effect("fails as a whole where one thing is true of every message, and else answers for each", () =>
    Effect.gen(function* () {
      const everyone = yield* over(fake(() => new Response("", { status: 401 })))
      const error = yield* Effect.flip(everyone.send(yield* envelopes(ids(3))))
      assert.isTrue(Equal.equals(error.reason, new TransportReason.Unauthorized({ status: 401 })))
      assert.strictEqual(error.transport, "smsbat")
      assert.strictEqual(error.message, "smsbat: the provider refused the keys of this account (401)")
      const named = yield* over(
        fake(() => new Response("", { status: 401 })),
        { name: "north" }
      )
      assert.strictEqual(named.name, "north")
      assert.strictEqual((yield* Effect.flip(named.send(yield* envelopes(ids(1))))).transport, "north")
      const some = yield* over(fake(() => new Response('[{"trackinId":"m-1","messageId":"1"}]')))
      assert.deepStrictEqual(
        (yield* some.send(yield* envelopes(ids(3)))).map(({ _tag }) => _tag),
        ["Unknown", "Accepted", "Unknown"]
      )
      // Refused one by one, and all for the same reason.
      const each = yield* over(fake(() => new Response("", { status: 422 })))
      assert.strictEqual((yield* Effect.flip(each.send(yield* envelopes(ids(3))))).reason._tag, "Rejected")
      const none = yield* over(fake(() => new Response("[]")))
      assert.strictEqual(
        (yield* Effect.flip(none.send(yield* envelopes(ids(3))))).reason._tag,
        "UnreadableReply"
      )
    })
  )

  it.effect("sends the second route whatever is unknown about the first", () =>
    Effect.gen(function* () {
      const transport = yield* over(
        fake((body) => new Response(body.includes('"a"') ? "?" : acceptAll(body)))
      )
      const [a] = yield* envelopes(["a"])
      const [b] = yield* envelopes(["b"], { route: "tg-viber" })
      const deliveries = yield* deliver(transport, [a, b])
      assert.deepStrictEqual(
        deliveries.map(({ _tag }) => _tag),
        ["Unknown", "Accepted"]
      )
    })
  )

  it.effect("makes no request for a message that has expired or cannot be sent", () =>
    Effect.gen(function* () {
      let requests = 0
      const transport = yield* over(
        fake((body) => {
          requests++
          return new Response(acceptAll(body))
        }),
        { maxBodyBytes: 500 }
      )
      const now = yield* DateTime.now
      const dead = Envelope.at(
        transaction("dead", { ttl: "5 seconds" }),
        DateTime.subtract(now, { minutes: 1 })
      )
      const huge = yield* seal(transaction("huge", { text: "ж".repeat(250) }))
      assert.strictEqual((yield* Effect.flip(transport.send([dead]))).reason._tag, "Expired")
      assert.strictEqual((yield* Effect.flip(transport.send([huge]))).reason._tag, "Unencodable")
      assert.strictEqual(requests, 0)
      const deliveries = yield* deliver(transport, [dead, ...(yield* envelopes(["a"])), huge])
      assert.deepStrictEqual(
        deliveries.map((delivery) => (delivery._tag === "Accepted" ? "Accepted" : delivery.reason._tag)),
        ["Expired", "Accepted", "Unencodable"]
      )
      assert.strictEqual(requests, 1)
    })
  )

  it.effect("looks at the clock before each request: a message may expire while its batch is halved", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make({
        onRequest: (_, socket, index) => {
          if (index === 0) socket.write(RawServer.response(400))
        }
      })
      const transport = yield* SmsBatTransport.make(options(server.url, { timeout: "10 seconds" }))
      const batch = [
        yield* seal(transaction("a")),
        yield* seal(transaction("b", { ttl: "5 seconds" }))
      ] as const
      const fiber = yield* Effect.forkChild(deliver(transport, batch))
      // The half with "a" is never answered; meanwhile "b" dies.
      while (server.requests.length < 2) yield* turn
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(
        (yield* Fiber.join(fiber)).map((delivery) => delivery._tag !== "Accepted" && delivery.reason._tag),
        ["TimedOut", "Expired"]
      )
      assert.strictEqual(server.requests.length, 2)
    }).pipe(Effect.provide(clients.undici))
  )

  it.effect("one limit for head and body; beyond it the status decides, if it can", () =>
    Effect.gen(function* () {
      const reasons: Array<string> = []
      for (const status of [200, 400, 503]) {
        const sockets: Array<{ readonly write: (bytes: string) => unknown }> = []
        const server = yield* RawServer.make({ onRequest: (_, socket) => void sockets.push(socket) })
        const arrived = yield* Deferred.make<void>()
        const noticing = HttpClient.tap(yield* HttpClient.HttpClient, () =>
          Deferred.succeed(arrived, undefined)
        )
        const transport = yield* SmsBatTransport.make(options(server.url, { timeout: "2 seconds" })).pipe(
          Effect.provideService(HttpClient.HttpClient, noticing)
        )
        const batch = yield* envelopes(["a"])
        const fiber = yield* Effect.forkChild(Effect.flip(transport.send(batch)))
        yield* Deferred.await(server.received)
        yield* TestClock.adjust("1500 millis")
        for (const socket of sockets) {
          socket.write(`HTTP/1.1 ${status} x\r\ncontent-length: 100\r\nretry-after: 3\r\n\r\n[`)
        }
        yield* Deferred.await(arrived)
        yield* turn
        yield* TestClock.adjust("500 millis")
        reasons.push((yield* Fiber.join(fiber)).reason._tag)
        yield* Deferred.await(server.closed)
      }
      assert.deepStrictEqual(reasons, ["TimedOut", "Rejected", "Throttled"])
    }).pipe(Effect.provide(clients.fetch))
  )
})

describe("layers", () => {
  const env = (record: Record<string, string>) => ConfigProvider.layer(ConfigProvider.fromEnvRecord(record))

  it.effect("layer", () =>
    Effect.gen(function* () {
      const transport = yield* Transport
      assert.deepStrictEqual([transport.name, transport.maxBatchSize], ["smsbat", 7])
    }).pipe(
      Effect.provide(
        SmsBatTransport.layer(options("https://restapi.smsbat.com", { maxBatchSize: 7 })).pipe(
          Layer.provide(FetchHttpClient.layer)
        )
      )
    )
  )

  it.effect("layerConfig takes address and keys from the environment", () =>
    Effect.gen(function* () {
      const server = yield* accepting
      const layer = SmsBatTransport.layerConfig({ maxBatchSize: 5 }).pipe(
        Layer.provide(clients.fetch),
        Layer.provide(
          env({
            SMSBAT_BASE_URL: server.url,
            SMSBAT_API_KEY: "one",
            SMSBAT_VIBER_TOKEN: "two",
            SMSBAT_TELEGRAM_KEY: "three"
          })
        )
      )
      const batch = yield* envelopes(["a"])
      const size = yield* Transport.use((transport) =>
        Effect.as(transport.send(batch), transport.maxBatchSize)
      ).pipe(Effect.provide(layer))
      assert.strictEqual(size, 5)
      const headers = server.requests[0]?.headers ?? {}
      assert.deepStrictEqual(
        [headers["x-authorization-key"], headers["x-viber-auth-token"], headers["x-tg-bot-key"]],
        ["one", "two", "three"]
      )
    })
  )

  const failing = (record: Record<string, string>) =>
    Effect.flip(
      Effect.scoped(
        Layer.build(
          SmsBatTransport.layerConfig().pipe(Layer.provide(clients.fetch), Layer.provide(env(record)))
        )
      )
    )

  it.effect("layerConfig refuses no key, a bad one and a bad address", () =>
    Effect.gen(function* () {
      assert.include((yield* failing({})).message, "SMSBAT_API_KEY")
      assert.include((yield* failing({ SMSBAT_VIBER_TOKEN: "" })).message, "SMSBAT_API_KEY")
      assert.include(
        (yield* failing({ SMSBAT_API_KEY: "x", SMSBAT_VIBER_TOKEN: " " })).message,
        "keys.viberToken"
      )
      const error = yield* failing({ SMSBAT_API_KEY: "x", SMSBAT_BASE_URL: "http://example.com" })
      assert.strictEqual(error._tag, "SmsBatConfigError")
      assert.include(error.message, "baseUrl")
      const bare = yield* failing({ SMSBAT_API_KEY: "x", SMSBAT_BASE_URL: "localhost:4010" })
      assert.include(bare.message, "http://127.0.0.1")
    })
  )
})

describe("verify", () => {
  const verdict = (status: number, keys?: SmsBatTransport.SmsBatKeys) =>
    Effect.gen(function* () {
      const server = yield* RawServer.answering(() =>
        RawServer.response(status, "{}", status === 302 ? { location: "/elsewhere" } : {})
      )
      const found = yield* SmsBatTransport.verify(options(server.url, keys === undefined ? {} : { keys }))
      assert.strictEqual(server.requests.length, 1)
      const [request] = server.requests
      assert.strictEqual(request?.method, "GET")
      assert.strictEqual(request?.body, "")
      assert.match(
        request?.path ?? "",
        /^\/bat\/message\/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/u
      )
      return found
    }).pipe(Effect.scoped)

  for (const [name, client] of Object.entries(clients)) {
    it.effect(`tells what it can over ${name}`, () =>
      Effect.gen(function* () {
        for (const status of [200, 400, 404, 429, 500])
          assert.strictEqual(yield* verdict(status), "reachable")
        for (const status of [401, 403]) assert.strictEqual(yield* verdict(status), "unauthorized")
        assert.strictEqual(yield* verdict(302), "unreachable")
        const bots = { viberToken: Redacted.make("x") }
        assert.strictEqual(yield* verdict(401, bots), "reachable")
        const dead = yield* RawServer.deadPort
        assert.strictEqual(yield* SmsBatTransport.verify(options(`http://127.0.0.1:${dead}`)), "unreachable")
      }).pipe(Effect.provide(client))
    )
  }

  it.effect("gives up in time", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.make({})
      const fiber = yield* Effect.forkChild(SmsBatTransport.verify(options(server.url)))
      yield* Deferred.await(server.received)
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "unreachable")
    }).pipe(Effect.provide(clients.undici))
  )
})
