import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import * as tls from "node:tls"
import * as SmsBatTransport from "../../../src/SmsBatTransport.ts"
import { clients } from "../../support/clients.ts"
import * as RawServer from "../../support/RawServer.ts"
import { acceptAll, envelopes, options } from "../../support/smsbat.ts"

const reasonAt = (url: string, others: Partial<SmsBatTransport.SmsBatOptions> = {}) =>
  Effect.gen(function* () {
    const transport = yield* SmsBatTransport.make(options(url, others))
    return (yield* Effect.flip(transport.send(yield* envelopes(["a"])))).reason
  })

/** What a server does at socket level, and what may be said about it. */
const faults: Record<string, readonly [RawServer.Behaviour, ReadonlyArray<string>]> = {
  "resets as soon as it is reached": [
    {
      onConnection: (socket) => {
        socket.resetAndDestroy()
        return "ignore"
      }
    },
    // Whether the client was connected before the reset came is a race; both say what is true.
    ["Unreachable", "ConnectionLost"]
  ],
  "closes as soon as it is reached": [
    {
      onConnection: (socket) => {
        socket.end()
        return "ignore"
      }
    },
    ["ConnectionLost"]
  ],
  "resets when the first bytes come": [
    {
      onConnection: (socket) => {
        socket.once("data", () => socket.resetAndDestroy())
        return "ignore"
      }
    },
    ["ConnectionLost"]
  ],
  "resets after the request": [
    { onRequest: (_, socket) => void socket.resetAndDestroy() },
    ["ConnectionLost"]
  ],
  "closes after the request": [{ onRequest: (_, socket) => void socket.end() }, ["ConnectionLost"]],
  "sends half a head": [{ onRequest: (_, socket) => void socket.end("HTTP/1.1 200 O") }, ["ConnectionLost"]],
  "sends no HTTP": [
    { onRequest: (_, socket) => void socket.end("\0\x01\x02 no HTTP at all\r\n\r\n") },
    ["ConnectionLost"]
  ],
  "sends half a body and closes": [
    { onRequest: (_, socket) => void socket.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[{") },
    ["UnreadableReply"]
  ],
  "sends half a body and resets": [
    {
      onRequest: (_, socket) =>
        void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[{", () =>
          setImmediate(() => socket.resetAndDestroy())
        )
    },
    // The reset may overtake the bytes before it.
    ["UnreadableReply", "ConnectionLost"]
  ],
  "sends half a chunk": [
    {
      onRequest: (_, socket) =>
        void socket.end("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\n[{")
    },
    ["UnreadableReply"]
  ],
  "sends no body": [
    { onRequest: (_, socket) => void socket.write("HTTP/1.1 204 No\r\n\r\n") },
    ["UnreadableReply"]
  ],
  "sends HTML": [
    { onRequest: (_, socket) => void socket.write(RawServer.response(200, "<html>OK</html>")) },
    ["UnreadableReply"]
  ],
  "sends what is no UTF-8": [
    {
      onRequest: (_, socket) => {
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n")
        socket.write(Buffer.from([0x5b, 0xff, 0xfe, 0x5d]))
      }
    },
    ["UnreadableReply"]
  ],
  "cuts the body of a 400": [
    {
      onRequest: (_, socket) =>
        void socket.end('HTTP/1.1 400 x\r\ncontent-length: 99\r\n\r\n{"error":{"code":"X')
    },
    ["Rejected"]
  ],
  "cuts the body of a 401": [
    { onRequest: (_, socket) => void socket.end("HTTP/1.1 401 x\r\ncontent-length: 99\r\n\r\n{") },
    ["Unauthorized"]
  ],
  "cuts the body of a 429": [
    { onRequest: (_, socket) => void socket.end("HTTP/1.1 429 x\r\ncontent-length: 99\r\n\r\n{") },
    ["Throttled"]
  ],
  "cuts the body of a 500": [
    { onRequest: (_, socket) => void socket.end("HTTP/1.1 500 x\r\ncontent-length: 99\r\n\r\n{") },
    ["ServerError"]
  ],
  "says 503": [{ onRequest: (_, socket) => void socket.write(RawServer.response(503)) }, ["ServerError"]],
  "says 503 and when": [
    { onRequest: (_, socket) => void socket.write(RawServer.response(503, "", { "retry-after": "1" })) },
    ["Throttled"]
  ],
  "says 409": [
    { onRequest: (_, socket) => void socket.write(RawServer.response(409)) },
    ["UnexpectedStatus"]
  ],
  "says 999": [{ onRequest: (_, socket) => void socket.write(RawServer.response(999)) }, ["UnexpectedStatus"]]
}

for (const [name, client] of Object.entries(clients)) {
  describe(`a server over ${name}`, () => {
    for (const [fault, [behaviour, expected]] of Object.entries(faults)) {
      it.effect(`${fault}: ${expected.join(" or ")}`, () =>
        Effect.gen(function* () {
          const server = yield* RawServer.make(behaviour)
          assert.include(expected, (yield* reasonAt(server.url))._tag)
          // One attempt: nothing is ever sent a second time.
          assert.isAtMost(server.requests.length, 1)
        }).pipe(Effect.provide(client))
      )
    }

    for (const host of ["127.0.0.1", "localhost", "[::1]"]) {
      it.effect(`nobody listens at ${host}: Unreachable`, () =>
        Effect.gen(function* () {
          const reason = yield* reasonAt(`http://${host}:${yield* RawServer.deadPort}`)
          assert.strictEqual(reason._tag, "Unreachable")
        }).pipe(Effect.provide(client))
      )
    }

    it.effect("TLS that fails: Unreachable", () =>
      Effect.gen(function* () {
        // Without a certificate it has no cipher to offer.
        const context = tls.createSecureContext()
        const noCipher = yield* RawServer.make({
          onConnection: (socket) => {
            new tls.TLSSocket(socket, { isServer: true, secureContext: context }).on("error", () => {})
            return "ignore"
          }
        })
        assert.strictEqual((yield* reasonAt(`https://127.0.0.1:${noCipher.port}`))._tag, "Unreachable")
        const closes = yield* RawServer.make({
          onConnection: (socket) => {
            socket.once("data", () => socket.end())
            return "ignore"
          }
        })
        assert.strictEqual((yield* reasonAt(`https://127.0.0.1:${closes.port}`))._tag, "Unreachable")
      }).pipe(Effect.provide(client))
    )

    it.effect("a reply that never ends is read only so far", () =>
      Effect.gen(function* () {
        let written = 0
        const server = yield* RawServer.make({
          onRequest: (_, socket) => {
            socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            const chunk = `${(65_536).toString(16)}\r\n${" ".repeat(65_536)}\r\n`
            const pump = (): void => {
              while (!socket.destroyed) {
                written += 65_536
                if (!socket.write(chunk)) return void socket.once("drain", pump)
              }
            }
            pump()
          }
        })
        const reason = yield* reasonAt(server.url, { maxReplyBytes: 200_000 })
        assert.strictEqual(reason._tag, "UnreadableReply")
        // What the two kernels buffer comes on top.
        assert.isBelow(written, 64 * 1024 * 1024)
      }).pipe(Effect.provide(client))
    )

    it.effect("a reply of exactly so many bytes is read", () =>
      Effect.gen(function* () {
        const reply = '[{"trackinId":"a","messageId":"1"}]'
        const server = yield* RawServer.answering(() => RawServer.response(200, reply))
        const batch = yield* envelopes(["a"])
        const send = (maxReplyBytes: number) =>
          Effect.flatMap(SmsBatTransport.make(options(server.url, { maxReplyBytes })), (transport) =>
            transport.send(batch)
          )
        assert.strictEqual((yield* send(reply.length)).length, 1)
        const error = yield* Effect.flip(send(reply.length - 1))
        assert.strictEqual(error._tag === "TransportError" && error.reason._tag, "UnreadableReply")
      }).pipe(Effect.provide(client))
    )

    for (const status of [300, 301, 302, 303, 304, 305, 307, 308, 399]) {
      it.effect(`${status} is not followed, to this host or another`, () =>
        Effect.gen(function* () {
          const other = yield* RawServer.answering((request) =>
            RawServer.response(200, acceptAll(request.body))
          )
          for (const location of [
            "/elsewhere",
            `${other.url}/api/CascadeMessage/send_message/async`,
            `http://localhost:${other.port}/`,
            "https://canary.invalid/",
            undefined
          ]) {
            const server = yield* RawServer.answering(() =>
              RawServer.response(status, "", location === undefined ? {} : { location })
            )
            const reason = yield* reasonAt(server.url)
            assert.deepStrictEqual(
              { tag: reason._tag, status: "status" in reason && reason.status },
              { tag: "Redirected", status }
            )
            assert.strictEqual(server.requests.length, 1)
          }
          assert.strictEqual(other.connections(), 0)
        }).pipe(Effect.provide(client))
      )
    }
  })
}

describe("a redirect", () => {
  it.effect("that fetch hides is Redirected too", () =>
    Effect.gen(function* () {
      const opaque = Object.defineProperties(Response.error(), {
        type: { value: "opaqueredirect" },
        status: { value: 0 }
      })
      const client = HttpClient.make((request) => Effect.succeed(HttpClientResponse.fromWeb(request, opaque)))
      const reason = yield* reasonAt("https://restapi.smsbat.com").pipe(
        Effect.provideService(HttpClient.HttpClient, client)
      )
      assert.strictEqual(reason._tag, "Redirected")
    })
  )

  it.effect("that a client follows against our wish is no acceptance", () =>
    Effect.gen(function* () {
      const other = yield* RawServer.answering(() =>
        RawServer.response(200, '[{"trackinId":"a","messageId":"1"}]')
      )
      const server = yield* RawServer.answering(() =>
        RawServer.response(307, "", { location: `${other.url}/x` })
      )
      const following = HttpClient.followRedirects(yield* HttpClient.HttpClient)
      const reason = yield* reasonAt(server.url).pipe(Effect.provideService(HttpClient.HttpClient, following))
      assert.strictEqual(reason._tag, "UnreadableReply")
    }).pipe(Effect.provide(clients.undici))
  )

  it.effect("is not confused with a client that rewrites addresses by itself", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.answering((request) => RawServer.response(200, acceptAll(request.body)))
      const rewriting = HttpClient.mapRequest(yield* HttpClient.HttpClient, (request) =>
        HttpClientRequest.setUrl(request, `${server.url}/gateway?for=smsbat`)
      )
      const transport = yield* SmsBatTransport.make(options("https://restapi.smsbat.com")).pipe(
        Effect.provideService(HttpClient.HttpClient, rewriting)
      )
      const [delivery] = yield* transport.send(yield* envelopes(["a"]))
      assert.strictEqual(delivery?._tag, "Accepted")
    }).pipe(Effect.provide(clients.fetch))
  )
})

describe("fetch", () => {
  const accepting = RawServer.answering((request) => RawServer.response(200, acceptAll(request.body)))

  it.effect("keeps the options that its client was built with", () =>
    Effect.gen(function* () {
      const server = yield* accepting
      const seen: Array<unknown> = []
      const spying = Layer.succeed(FetchHttpClient.Fetch, ((input, init) => {
        seen.push(init)
        return globalThis.fetch(input, init)
      }) satisfies typeof globalThis.fetch)
      const client = FetchHttpClient.layer.pipe(
        Layer.provide(spying),
        Layer.provide(
          Layer.succeed(FetchHttpClient.RequestInit, {
            redirect: "follow",
            referrer: "about:client",
            keepalive: false
          })
        )
      )
      const batch = yield* envelopes(["a"])
      yield* SmsBatTransport.make(options(server.url)).pipe(
        Effect.flatMap((transport) => transport.send(batch)),
        Effect.provide(client)
      )
      assert.strictEqual(seen.length, 1)
      assert.deepInclude(seen[0], { redirect: "manual", referrer: "about:client", keepalive: false })
    })
  )

  it.effect("takes options that are provided where it sends", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.answering(() => RawServer.response(302, "", { location: "/x" }))
      const reason = yield* reasonAt(server.url).pipe(
        Effect.provideService(FetchHttpClient.RequestInit, { redirect: "follow" }),
        Effect.provide(clients.fetch)
      )
      assert.strictEqual(reason._tag, "Redirected")
    })
  )
})

describe("a client that judges statuses by itself", () => {
  it.effect("leaves the answer to the table", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.answering(() => RawServer.response(429, "", { "retry-after": "9" }))
      const strict = HttpClient.filterStatusOk(yield* HttpClient.HttpClient)
      const reason = yield* reasonAt(server.url).pipe(Effect.provideService(HttpClient.HttpClient, strict))
      assert.strictEqual(reason._tag, "Throttled")
      assert.isTrue(
        Option.isSome(Option.fromUndefinedOr(reason._tag === "Throttled" ? reason.retryAfter : undefined))
      )
    }).pipe(Effect.provide(clients.undici))
  )
})
