import { assert, describe, it } from "@effect/vitest"
import {
  Arbitrary,
  ConfigProvider,
  DateTime,
  Effect,
  Exit,
  Layer,
  Option,
  Redacted,
  Result,
  Schema,
  Tracer
} from "effect"
import { FetchHttpClient, HttpClient, HttpClientResponse } from "effect/http"
import { inspect } from "node:util"
import * as SmsBatStatus from "../src/SmsBatStatus.ts"
import * as StatusLookup from "../src/StatusLookup.ts"
import { clients } from "./support/clients.ts"
import { assertSafe, junk, oneOf, pick } from "./support/junk.ts"
import { variants } from "./support/mutate.ts"
import * as RawServer from "./support/RawServer.ts"
import { keys, options, secrets } from "./support/smsbat.ts"
import { page } from "./support/status.ts"

const now = DateTime.makeUnsafe("2026-01-02T03:04:05Z")
const id = "abc123def456"
const uuid = "3fa85f64-5717-4562-b3fc-2c963f66afa6"

const statusBody = (messageId: string, deliverystatus: string, others: object = {}) =>
  JSON.stringify({ messagelistId: 1, messageId, deliverystatus, ...others })

describe("decodeReply", () => {
  const decode = (body: string, messageId = id) => SmsBatStatus.decodeReply(body, messageId, now)
  const read = (body: string) => ({ ...Result.getOrThrow(decode(body)) })

  it("reads the page's examples", () => {
    const basic = {
      messageId: id,
      status: "delivered",
      source: "poll",
      confirmed: true,
      cost: 0.05,
      partscount: 1,
      reportedAt: now
    }
    assert.deepStrictEqual(read(page.reply), basic as never)
    assert.deepStrictEqual(read(page.fallback), {
      ...basic,
      extendedStatuses: { viber: "delivered", sms: "not_used" }
    } as never)
  })

  it("leaves out what it cannot read, and nothing else", () => {
    for (const odd of [null, "", "x", -1, {}, [], true, "1e9", "0x10"]) {
      const report = read(statusBody(id, "delivered", { cost: odd, partscount: odd, extendedStatuses: odd }))
      assert.deepStrictEqual(Object.keys(report), [
        "messageId",
        "status",
        "source",
        "confirmed",
        "reportedAt"
      ])
    }
    assert.strictEqual(read(statusBody(id, "delivered", { cost: "0.05" })).cost, 0.05)
    assert.strictEqual(read(statusBody(id, "delivered", { cost: 0 })).cost, 0)
  })

  it("keeps only words of the channels", () => {
    const { extendedStatuses } = read(
      statusBody(id, "delivered", {
        extendedStatuses: {
          viber: "delivered",
          sms: 7,
          note: "to +380671112233",
          number: "n380671112233",
          "a b": "x"
        }
      })
    )
    assert.deepStrictEqual(extendedStatuses, { viber: "delivered" })
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`c${index}`, "x"]))
    const kept = read(statusBody(id, "delivered", { extendedStatuses: many })).extendedStatuses
    assert.strictEqual(Object.keys(kept ?? {}).length, 32)
  })

  it("keeps a word that it does not know, unless it is no word", () => {
    assert.deepInclude(read(statusBody(id, "read")), { status: "unrecognised", word: "read" })
    const long = read(statusBody(id, "failed for +380671112233"))
    assert.strictEqual(long.status, "unrecognised")
    assert.isUndefined(long.word)
  })

  it("refuses what is not about the message", () => {
    const bad = [
      "",
      "<html>",
      "null",
      "[]",
      "7",
      '"delivered"',
      "{}",
      page.reply.slice(0, -1),
      `[${page.reply}]`,
      statusBody("another", "delivered"),
      statusBody(id.toUpperCase(), "delivered"),
      statusBody("", "delivered"),
      statusBody(id, ""),
      statusBody(id, "  "),
      '{"messageId":"abc123def456"}',
      '{"messageId":"abc123def456","deliverystatus":null}',
      '{"messageId":"abc123def456","deliverystatus":["delivered"]}',
      '{"messageId":123,"deliverystatus":"delivered"}',
      '{"deliverystatus":"delivered"}',
      '{"__proto__":{"messageId":"abc123def456","deliverystatus":"delivered"}}',
      '{"error":{"code":"NOT_FOUND","message":"no"}}'
    ]
    for (const body of bad) {
      const failure = Result.getOrThrow(Result.flip(decode(body)))
      assert.strictEqual(failure._tag, "UnreadableReply", body)
    }
  })

  it("survives 4,000 broken replies, and believes none of another message", () => {
    for (const body of variants([page.reply, page.fallback], 2000, 11)) {
      const result = decode(body)
      if (Result.isSuccess(result)) {
        assert.strictEqual(result.success.messageId, id)
        assert.isTrue(result.success.confirmed)
      } else assert.strictEqual(result.failure._tag, "UnreadableReply")
    }
  })

  it("survives depth and size", () => {
    const deep = "[".repeat(30_000) + "]".repeat(30_000)
    assert.isTrue(Result.isFailure(decode(deep)))
    assert.strictEqual(
      read(`{"messageId":"${id}","deliverystatus":"delivered","x":${deep}}`).status,
      "delivered"
    )
  })
})

describe("lookup", () => {
  const ask = (baseUrl: string, messageId: string, others: Parameters<typeof options>[1] = {}) =>
    Effect.flatMap(Effect.orDie(SmsBatStatus.make(options(baseUrl, others))), ({ lookup }) =>
      lookup(messageId)
    )

  for (const [name, client] of Object.entries(clients)) {
    describe(name, () => {
      it.live("asks for one message, with the keys, and reads the answer", () =>
        Effect.gen(function* () {
          const server = yield* RawServer.answering(() =>
            RawServer.response(200, statusBody(uuid, "delivered"))
          )
          const report = yield* ask(`${server.url}/base`, uuid)
          assert.deepInclude(
            { ...report },
            { messageId: uuid, status: "delivered", source: "poll", confirmed: true }
          )
          assert.isDefined(report.reportedAt)
          assert.strictEqual(server.requests.length, 1)
          const [request] = server.requests
          assert.strictEqual(request?.method, "GET")
          assert.strictEqual(request?.path, `/base/bat/message/${uuid}`)
          assert.strictEqual(request?.headers["x-authorization-key"], secrets.apiKey)
          assert.strictEqual(request?.body, "")
          assert.isUndefined(request?.headers["traceparent"])
        }).pipe(Effect.provide(client))
      )

      it.live("puts any id into one segment of the path", () =>
        Effect.gen(function* () {
          const server = yield* RawServer.answering(() => RawServer.response(404))
          for (const odd of [
            "../../admin",
            "a/b",
            "a?b=c",
            "a#b",
            "%2e%2e",
            "..%2f",
            "...",
            "ї",
            "a\\b",
            "a;b"
          ]) {
            yield* Effect.exit(ask(server.url, odd))
            const path = server.requests.at(-1)?.path ?? ""
            assert.match(path, /^\/bat\/message\/[^/?#\\]+$/u, odd)
            assert.strictEqual(decodeURIComponent(path.slice("/bat/message/".length)), odd)
          }
        }).pipe(Effect.provide(client))
      )

      it.live("asks nobody for an id that no message can have", () =>
        Effect.gen(function* () {
          const server = yield* RawServer.answering(() =>
            RawServer.response(200, statusBody(uuid, "delivered"))
          )
          for (const odd of ["", " ", ".", "..", "a b", "a\r\nb", "\ud800", "\u0000", "x".repeat(256)]) {
            const error = yield* Effect.flip(ask(server.url, odd))
            assert.strictEqual(error.reason._tag, "Unencodable")
          }
          assert.strictEqual(server.connections(), 0)
        }).pipe(Effect.provide(client))
      )

      it.live("has a reason for every answer", () =>
        Effect.gen(function* () {
          const rows: ReadonlyArray<readonly [string, StatusLookup.StatusReason["_tag"]]> = [
            [RawServer.response(404, '{"error":"Not Found","status":404}'), "NotFound"],
            [RawServer.response(400, '{"error":{"code":"INVALID_ID"}}'), "Rejected"],
            [RawServer.response(422), "Rejected"],
            [RawServer.response(401), "Unauthorized"],
            [RawServer.response(403), "Unauthorized"],
            [RawServer.response(302, "", { location: "/elsewhere" }), "Redirected"],
            [RawServer.response(429), "Throttled"],
            [RawServer.response(503, "", { "retry-after": "3" }), "Throttled"],
            [RawServer.response(503), "ServerError"],
            [RawServer.response(500), "ServerError"],
            [RawServer.response(409), "UnexpectedStatus"],
            [RawServer.response(200, "<html>"), "UnreadableReply"],
            [RawServer.response(200, statusBody("another", "delivered")), "UnreadableReply"],
            [
              RawServer.response(200, statusBody(uuid, "delivered", { x: "x".repeat(70_000) })),
              "UnreadableReply"
            ]
          ]
          for (const [answer, expected] of rows) {
            const server = yield* RawServer.answering(() => answer)
            const error = yield* Effect.flip(ask(server.url, uuid))
            assert.strictEqual(error.reason._tag, expected, answer.slice(0, 40))
            // A redirect is not followed, and nothing is asked twice.
            assert.strictEqual(server.requests.length, 1)
          }
        }).pipe(Effect.provide(client))
      )

      it.live("has a reason for no answer", () =>
        Effect.gen(function* () {
          const dead = yield* RawServer.deadPort
          const refused = yield* Effect.flip(ask(`http://127.0.0.1:${dead}`, uuid))
          assert.strictEqual(refused.reason._tag, "Unreachable")
          const reset = yield* RawServer.make({ onRequest: (_, socket) => void socket.resetAndDestroy() })
          const lost = yield* Effect.flip(ask(reset.url, uuid))
          assert.strictEqual(lost.reason._tag, "ConnectionLost")
          const silent = yield* RawServer.make({})
          const late = yield* Effect.flip(ask(silent.url, uuid, { timeout: "50 millis" }))
          assert.strictEqual(late.reason._tag, "TimedOut")
        }).pipe(Effect.provide(client))
      )
    })
  }

  it.live("passes on how long to wait, as long as the options believe it", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.answering(() => RawServer.response(429, "", { "retry-after": "90" }))
      const error = yield* Effect.flip(ask(server.url, uuid, { maxRetryAfter: "1 minute" }))
      assert.strictEqual(error.retryAfter?.toString(), "60000 millis")
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.effect.prop(
    "asks for any id in one segment of the path, or asks nobody",
    [oneOf(junk, Arbitrary.schema(Schema.String), pick(variants([uuid, "a/../b", "..%2f?#"], 300, 13)))],
    ([messageId]) =>
      Effect.gen(function* () {
        const asked: Array<string> = []
        const client = HttpClient.make((request, url) =>
          Effect.sync(() => {
            asked.push(url.pathname + url.search + url.hash)
            return HttpClientResponse.fromWeb(request, new Response("{}"))
          })
        )
        const exit = yield* Effect.exit(ask("https://x.example/base", messageId as never)).pipe(
          Effect.provideService(HttpClient.HttpClient, client)
        )
        const error = Option.getOrThrow(Exit.findErrorOption(exit))
        assert.instanceOf(error, StatusLookup.StatusError)
        assertSafe(error)
        if (error.reason._tag === "Unencodable") return assert.isEmpty(asked)
        assert.strictEqual(error.reason._tag, "UnreadableReply")
        const [path = ""] = asked
        assert.match(path, /^\/base\/bat\/message\/[^/?#\\]+$/u)
        assert.strictEqual(decodeURIComponent(path.slice("/base/bat/message/".length)), messageId)
      }),
    { arbitrary: { runs: 2000 } }
  )

  it.effect("refuses options that cannot be used", () =>
    Effect.gen(function* () {
      const bad = SmsBatStatus.make({ keys: { apiKey: Redacted.make("") } })
      assert.strictEqual((yield* Effect.flip(bad))._tag, "SmsBatConfigError")
      const plain = SmsBatStatus.make(options("http://example.com"))
      assert.strictEqual((yield* Effect.flip(plain)).option, "baseUrl")
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )

  it.live("takes address and keys from the configuration", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.answering(() => RawServer.response(200, statusBody(uuid, "scheduled")))
      const environment = ConfigProvider.fromEnvRecord({
        SMSBAT_API_KEY: secrets.apiKey,
        SMSBAT_BASE_URL: server.url
      })
      const report = yield* StatusLookup.lookup(uuid).pipe(
        Effect.provide(SmsBatStatus.layerConfig({ timeout: "5 seconds" })),
        Effect.provide(Layer.mergeAll(FetchHttpClient.layer, ConfigProvider.layer(environment)))
      )
      assert.strictEqual(report.status, "scheduled")
      assert.strictEqual(server.requests[0]?.headers["x-authorization-key"], secrets.apiKey)
    })
  )

  it.live("shows no key, whatever happens", () =>
    Effect.gen(function* () {
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (spanOptions) => {
          const span = new Tracer.NativeSpan(spanOptions)
          spans.push(span)
          return span
        }
      })
      const shown: Array<string> = []
      const echo = JSON.stringify({
        error: { code: secrets.phone, message: secrets.apiKey, field: secrets.text }
      })
      for (const status of [200, 302, 400, 401, 404, 429, 500]) {
        const server = yield* RawServer.answering(() => RawServer.response(status, echo))
        const exit = yield* Effect.exit(
          ask(server.url, uuid).pipe(Effect.provideService(Tracer.Tracer, tracer))
        )
        assert.isTrue(Exit.isFailure(exit))
        shown.push(inspect(exit, { depth: null, showHidden: true }), JSON.stringify(exit))
      }
      shown.push(inspect(spans, { depth: null, showHidden: true }))
      assert.isAbove(spans.length, 7)
      const canaries = [...Object.values(keys).map(Redacted.value), secrets.phone, secrets.text]
      for (const canary of canaries) assert.notInclude(shown.join("\n"), canary)
    }).pipe(Effect.provide(FetchHttpClient.layer))
  )
})
