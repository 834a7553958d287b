import { assert, describe, it } from "@effect/vitest"
import { Effect, Tracer } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { inspect } from "node:util"
import * as Message from "../src/Message.ts"
import * as SmsBatTransport from "../src/SmsBatTransport.ts"
import * as SmsBatWire from "../src/SmsBatWire.ts"
import { clients, fake } from "./support/clients.ts"
import * as RawServer from "./support/RawServer.ts"
import { acceptAll, envelopes, options, over, seal, secrets } from "./support/smsbat.ts"

describe("what is secret", () => {
  const canaries = Object.values(secrets)
  const clean = (where: string, shown: string) => {
    for (const canary of canaries) assert.notInclude(shown, canary, where)
  }
  const deep = (value: unknown) =>
    inspect(value, { depth: null, showHidden: true, maxStringLength: null, maxArrayLength: null })

  const survey = Message.makeUnsafe({
    _tag: "ViberSurvey",
    id: "survey",
    fromName: "Shop",
    toPhone: secrets.phone,
    text: secrets.text,
    surveyOptions: [secrets.option, "other"]
  })

  it.effect("shows in no error, span or delivery", () =>
    Effect.gen(function* () {
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (spanOptions) => {
          const span = new Tracer.NativeSpan(spanOptions)
          spans.push(span)
          return span
        }
      })
      const echo = (body: string) =>
        `{"error":{"code":${JSON.stringify(body)},"message":${JSON.stringify(body)}}}`
      const behaviours: ReadonlyArray<RawServer.Behaviour> = [
        { onRequest: ({ body }, socket) => void socket.write(RawServer.response(200, acceptAll(body))) },
        ...[400, 401, 302, 429, 500, 409, 200].map((status) => ({
          onRequest: ({ body }: RawServer.RawRequest, socket: { write: (text: string) => unknown }) =>
            void socket.write(RawServer.response(status, echo(body)))
        })),
        { onRequest: (_, socket) => void socket.resetAndDestroy() },
        { onRequest: (_, socket) => void socket.end("garbage") }
      ]
      for (const [name, client] of Object.entries(clients)) {
        for (const behaviour of behaviours) {
          const server = yield* RawServer.make(behaviour)
          const batch = [yield* seal(survey), ...(yield* envelopes(["a"]))] as const
          const outcome = yield* SmsBatTransport.make(options(server.url)).pipe(
            Effect.tap((transport) => Effect.sync(() => clean("transport", deep(transport)))),
            Effect.flatMap((transport) => transport.send(batch)),
            Effect.exit,
            Effect.provide(client),
            Effect.provideService(Tracer.Tracer, tracer)
          )
          clean(`${name} exit`, deep(outcome))
          clean(`${name} JSON`, JSON.stringify(outcome))
        }
      }
      const dead = yield* RawServer.deadPort
      const refused = yield* SmsBatTransport.make(options(`http://127.0.0.1:${dead}`)).pipe(
        Effect.flatMap((transport) => Effect.flatMap(envelopes(["a"]), transport.send)),
        Effect.exit,
        Effect.provide(clients.fetch),
        Effect.provideService(Tracer.Tracer, tracer)
      )
      clean("refused", deep(refused))
      assert.isAbove(spans.length, 40)
      clean("spans", deep(spans.map(({ attributes, name, status }) => ({ attributes, name, status }))))
      const names = new Set(spans.map(({ name }) => name))
      assert.deepStrictEqual([...names].sort(), ["SmsBatTransport.request", "SmsBatTransport.send"])
    })
  )

  it.effect("shows in no request that is inspected where it is made", () =>
    Effect.gen(function* () {
      const shown: Array<string> = []
      const client = HttpClient.make((request) =>
        Effect.sync(() => {
          shown.push(
            inspect(request),
            inspect(request.headers),
            JSON.stringify(request),
            JSON.stringify(request.body)
          )
          assert.strictEqual(request.headers["x-authorization-key"], secrets.apiKey)
          return HttpClientResponse.fromWeb(request, new Response("[]"))
        })
      )
      const transport = yield* over(client)
      yield* Effect.exit(transport.send([yield* seal(survey)]))
      assert.strictEqual(shown.length, 4)
      for (const text of shown) clean("request", text)
      assert.include(shown[1], "<redacted>")
    })
  )

  it.effect("spans say how much, where and with what outcome", () =>
    Effect.gen(function* () {
      const spans: Array<Tracer.NativeSpan> = []
      const tracer = Tracer.make({
        span: (spanOptions) => {
          const span = new Tracer.NativeSpan(spanOptions)
          spans.push(span)
          return span
        }
      })
      const transport = yield* over(fake((body) => new Response(acceptAll(body))))
      const [a] = yield* envelopes(["a"])
      const [b] = yield* envelopes(["b"], { route: "tg-viber" })
      yield* transport.send([a, b]).pipe(Effect.provideService(Tracer.Tracer, tracer))
      assert.deepStrictEqual(
        spans.map(({ attributes, name }) => [name, Object.fromEntries(attributes)]),
        [
          [
            "SmsBatTransport.send",
            {
              "messaging.batch.message_count": 2,
              "messaging.smsbat.route": "mixed",
              "messaging.smsbat.outcome": "Accepted"
            }
          ],
          ...[SmsBatWire.sendPath.standard, SmsBatWire.sendPath["tg-viber"]].map((path) => [
            "SmsBatTransport.request",
            {
              "http.request.method": "POST",
              "url.full": `https://restapi.smsbat.com${path}`,
              "http.response.status_code": 200
            }
          ])
        ]
      )
    })
  )
})
