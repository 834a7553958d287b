import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Exit, Option } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { inspect } from "node:util"
import * as SmsBatVariables from "../src/SmsBatVariables.ts"
import { clients } from "./support/clients.ts"
import { assertSafe, junk, oneOf, secret, spoilt } from "./support/junk.ts"
import { variants } from "./support/mutate.ts"
import * as RawServer from "./support/RawServer.ts"
import { options, secrets } from "./support/smsbat.ts"

const upload = (
  url: string,
  variables: Parameters<typeof SmsBatVariables.uploadVariables>[0],
  others?: Parameters<typeof options>[1]
) => SmsBatVariables.uploadVariables(variables, options(url, others))

describe("uploadVariables", () => {
  for (const [name, client] of Object.entries(clients)) {
    it.effect(`makes the documented request over ${name}`, () =>
      Effect.gen(function* () {
        const server = yield* RawServer.answering(() => RawServer.response(201, "whatever"))
        yield* upload(`${server.url}/prefix`, [
          { id: 1, type: "name", value: "John" },
          { id: 4, type: "short_url", value: "https://example.com/very-long-url-that-needs-shortening" }
        ])
        const [request] = server.requests
        assert.strictEqual(`${request?.method} ${request?.path}`, "POST /prefix/api/items")
        // The example of https://smsbat-help.pages.dev/api/cascade/variables/, byte for byte.
        assert.strictEqual(
          request?.body,
          '{"variables":[{"id":1,"type":"name","value":"John"},{"id":4,"type":"short_url","value":"https://example.com/very-long-url-that-needs-shortening"}]}'
        )
        assert.strictEqual(request?.headers["content-type"], "application/json")
        assert.strictEqual(request?.headers["x-authorization-key"], secrets.apiKey)
      }).pipe(Effect.provide(client))
    )
  }

  for (const [name, client] of Object.entries(clients)) {
    it.effect(`takes any success for one over ${name}, with a body or without`, () =>
      Effect.gen(function* () {
        for (const answer of [
          "HTTP/1.1 204 x\r\n\r\n",
          RawServer.response(200),
          RawServer.response(200, "<p>")
        ]) {
          const server = yield* RawServer.answering(() => answer)
          yield* upload(server.url, [{ id: 1, type: "name", value: "x" }])
        }
      }).pipe(Effect.provide(client))
    )
  }

  it.effect("fails as a send does, and shows no value", () =>
    Effect.gen(function* () {
      const reasons: Array<string> = []
      for (const status of [400, 401, 302, 429, 500]) {
        const server = yield* RawServer.answering(({ body }) => RawServer.response(status, body))
        const error = yield* Effect.flip(upload(server.url, [{ id: 1, type: "name", value: secrets.text }]))
        assert.notInclude(inspect(error, { depth: null }), secrets.text)
        reasons.push(error._tag === "TransportError" ? error.reason._tag : error._tag)
      }
      assert.deepStrictEqual(reasons, ["Rejected", "Unauthorized", "Redirected", "Throttled", "ServerError"])
    }).pipe(Effect.provide(clients.undici))
  )

  it.effect("refuses what cannot be uploaded, without a request", () =>
    Effect.gen(function* () {
      const server = yield* RawServer.answering(() => RawServer.response(200))
      const good = { id: 1, type: "name", value: secrets.text } as const
      const bad = [
        { id: 1.5 },
        { id: Number.NaN },
        { type: "other" as never },
        { value: 7 as never },
        { value: `${secrets.text}\ud83d` }
      ]
      for (const part of bad) {
        const error = yield* Effect.flip(upload(server.url, [good, { ...good, ...part }]))
        assert.strictEqual(error._tag === "TransportError" && error.reason._tag, "Unencodable")
        assert.include(error.message, `variables[1].${Object.keys(part)[0]}`)
        assert.notInclude(error.message, secrets.text)
      }
      const none = yield* Effect.flip(upload(server.url, [] as never))
      assert.include(none.message, "at least one")
      const error = yield* Effect.flip(upload(server.url, [good], { maxBodyBytes: 50 }))
      assert.include(error.message, "50 bytes")
      assert.strictEqual(server.connections(), 0)
    }).pipe(Effect.provide(clients.undici))
  )

  const answering = (status: number, body: string, seen: Array<unknown> = []) =>
    Effect.provideService(
      HttpClient.HttpClient,
      HttpClient.make((request) =>
        Effect.sync(() => {
          const { body: sent } = request
          seen.push(sent._tag === "Uint8Array" ? JSON.parse(new TextDecoder().decode(sent.body)) : undefined)
          return HttpClientResponse.fromWeb(request, new Response(body, { status }))
        })
      )
    )

  /** A typed error that shows nothing, or nothing at all. */
  const assertTyped = (exit: Exit.Exit<void, unknown>): void => {
    if (Exit.isSuccess(exit)) return
    assertSafe(Option.getOrThrow(Exit.findErrorOption(exit)))
  }

  const variable = spoilt({ id: 1, type: "name", value: secret })
  it.effect.prop(
    "uploads what is a list of variables, and tells what is wrong with anything else",
    [oneOf<unknown>(junk, Arbitrary.array(variable, { maxLength: 3 }))],
    ([variables]) =>
      Effect.gen(function* () {
        const seen: Array<unknown> = []
        const exit = yield* Effect.exit(upload("https://x.example", variables as never)).pipe(
          answering(200, "", seen)
        )
        assertTyped(exit)
        assert.strictEqual(seen.length, Exit.isSuccess(exit) ? 1 : 0)
      }),
    { arbitrary: { runs: 2000 } }
  )

  it.effect("has a reason for 3,000 broken answers, and repeats none of them", () =>
    Effect.gen(function* () {
      const seeds = [
        `{"error":{"code":"INVALID","message":"${secret} +380671112233","field":"value"}}`,
        `{"errors":{"variables[0].value":["${secret}"]}}`,
        `<html>${secret}</html>`
      ]
      const statuses = [200, 204, 400, 401, 404, 409, 413, 422, 429, 500, 503]
      for (const [index, body] of variants(seeds, 1000, 9).entries()) {
        const status = statuses[index % statuses.length] ?? 400
        const exit = yield* Effect.exit(
          upload("https://x.example", [{ id: 1, type: "name", value: secret }])
        ).pipe(answering(status, status === 204 ? (null as never) : body))
        assertTyped(exit)
        assert.strictEqual(Exit.isSuccess(exit), status < 300)
      }
    })
  )
})
