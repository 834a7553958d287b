import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, DateTime, Deferred, Effect, Exit, Option, Redacted, Result, Schema } from "effect"
import { inspect } from "node:util"
import * as SmsBatInbound from "../src/SmsBatInbound.ts"
import { SmsBatConfigError } from "../src/SmsBatTransport.ts"
import { assertSafe, oneOf, pick, secret as canary, spoilt } from "./support/junk.ts"
import { variants } from "./support/mutate.ts"
import { caller, inboundPage, post } from "./support/status.ts"

const phone = "+380936670003"
const text = "Hello, I need help with my order"
const json = JSON.parse(inboundPage) as Record<string, unknown>

const decode = (given: unknown) => SmsBatInbound.decodeResult(given)
const read = (given: unknown) => ({ ...Result.getOrThrow(decode(given)) })

describe("decode", () => {
  it("reads the page's example", () => {
    assert.deepStrictEqual(read(json), {
      idUuid: "123e4567-e89b-12d3-a456-426614174000",
      alphaName: "ViberBotName",
      phoneNumber: phone,
      text,
      dt: DateTime.makeUnsafe("2025-01-20T14:30:00.000Z")
    } as never)
  })

  it.effect("does so as an effect, too", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* SmsBatInbound.decode(json)).text, text)
      assert.strictEqual((yield* Effect.flip(SmsBatInbound.decode([])))._tag, "InvalidWebhook")
    })
  )

  it("takes a phone number with its plus, an empty text, and no more than there must be", () => {
    assert.strictEqual(read({ ...json, phoneNumber: phone }).phoneNumber, phone)
    assert.strictEqual(read({ ...json, text: "" }).text, "")
    const { idUuid, phoneNumber } = json
    assert.deepStrictEqual(Object.keys(read({ idUuid, phoneNumber, text })), [
      "idUuid",
      "phoneNumber",
      "text"
    ])
    for (const odd of [null, 7, "", [], {}]) {
      assert.deepStrictEqual(Object.keys(read({ ...json, alphaName: odd, dt: odd })), [
        "idUuid",
        "phoneNumber",
        "text"
      ])
    }
  })

  it("tells every problem, and nothing of what came", () => {
    const rows: ReadonlyArray<readonly [unknown, ReadonlyArray<string>]> = [
      [null, [""]],
      [{}, ["idUuid", "phoneNumber", "text"]],
      [{ ...json, idUuid: "a b" }, ["idUuid"]],
      [{ ...json, phoneNumber: 380936670003 }, ["phoneNumber"]],
      [{ ...json, phoneNumber: "0936670003" }, ["phoneNumber"]],
      [{ ...json, phoneNumber: "++380936670003" }, ["phoneNumber"]],
      [{ ...json, phoneNumber: "Hello, I need" }, ["phoneNumber"]],
      [{ ...json, text: null }, ["text"]],
      [{ ...json, text: [text] }, ["text"]],
      [JSON.parse(`{"__proto__":${inboundPage}}`), ["idUuid", "phoneNumber", "text"]]
    ]
    for (const [given, paths] of rows) {
      const error = Result.getOrThrow(Result.flip(decode(given)))
      assert.deepStrictEqual(
        error.problems.map(({ path }) => path),
        paths
      )
      const shown = inspect(error, { depth: null }) + error.message + JSON.stringify(error)
      for (const canary of ["936670003", "Hello"]) assert.notInclude(shown, canary)
    }
  })

  it("survives 4,000 broken bodies", () => {
    const odd = '{"idUuid":"a","alphaName":null,"phoneNumber":"+12025550123","text":"","dt":"x"}'
    for (const body of variants([inboundPage, odd], 2000, 3)) {
      const parsed = Result.try((): unknown => JSON.parse(body))
      if (Result.isFailure(parsed)) continue
      const result = decode(parsed.success)
      if (Result.isSuccess(result)) assert.match(result.success.phoneNumber, /^\+[1-9][0-9]{6,14}$/u)
      else assert.strictEqual(result.failure._tag, "InvalidWebhook")
    }
  })
})

describe("InboundMessage", () => {
  it("shows its phone number masked and its text not at all", () => {
    const message = Result.getOrThrow(decode(json))
    for (const shown of [
      inspect(message),
      JSON.stringify(message),
      String(message),
      JSON.stringify([message])
    ]) {
      assert.include(shown, "+38093*****03")
      assert.include(shown, "<32 characters>")
      assert.notInclude(shown, "Hello")
      assert.notInclude(shown, "6670003")
    }
  })

  it.effect.prop(
    "goes to JSON and back whole",
    [Arbitrary.schema(SmsBatInbound.InboundMessage)],
    ([message]) =>
      Effect.gen(function* () {
        const codec = Schema.toCodecJson(SmsBatInbound.InboundMessage)
        const encoded = JSON.stringify(yield* Schema.encodeEffect(codec)(message))
        const back = yield* Schema.decodeUnknownEffect(codec)(JSON.parse(encoded))
        assert.deepStrictEqual({ ...back }, { ...message })
      }),
    { arbitrary: { runs: 100 } }
  )
})

describe("route", () => {
  const secret = Redacted.make("canary-secret-0123456789abcdef")

  it.effect("hands over each message, also one that comes twice", () =>
    Effect.gen(function* () {
      const seen: Array<SmsBatInbound.InboundMessage> = []
      const twice = yield* Deferred.make<void>()
      const call = yield* caller(
        SmsBatInbound.route({
          path: "/inbound",
          secret,
          onMessage: (message) =>
            seen.push(message) === 2 ? Effect.asVoid(Deferred.succeed(twice, undefined)) : Effect.void
        })
      )
      const request = () => post(`/inbound/${Redacted.value(secret)}`, inboundPage)
      assert.strictEqual((yield* call(request())).status, 200)
      assert.strictEqual((yield* call(request())).status, 200)
      yield* Deferred.await(twice)
      assert.deepStrictEqual(
        seen.map(({ text }) => text),
        [text, text]
      )
    })
  )

  it.effect("refuses what is none", () =>
    Effect.gen(function* () {
      const call = yield* caller(
        SmsBatInbound.route({ path: "/inbound", onMessage: () => Effect.die("not reached") })
      )
      const reply = yield* call(post("/inbound", JSON.stringify({ ...json, phoneNumber: "0936670003" })))
      assert.strictEqual(reply.status, 400)
      assert.include(reply.body, "phoneNumber")
      assert.notInclude(reply.body, "0936670003")
    })
  )
})

/** What only a cast makes an option. */
type Hostile = SmsBatInbound.SmsBatInboundOptions<never, never>

describe("the options of a route", () => {
  const paths = pick<unknown>(["/hooks", "/", "a", 5, Symbol("s"), null])
  const secrets = pick<unknown>([
    undefined,
    null,
    "k3mJ8cV0w1ZxQ7rT5yB2nA",
    Redacted.make("k3mJ8cV0w1ZxQ7rT5yB2nA"),
    Redacted.make(5),
    Redacted.make(canary)
  ])

  it.effect.prop(
    "make a route or a SmsBatConfigError",
    [oneOf<unknown>(spoilt({ ...SmsBatInbound.defaults }), Arbitrary.Constant({})), paths, secrets],
    ([options, path, secret]) =>
      Effect.gen(function* () {
        const given = { ...Object(options), path, secret, onMessage: () => Effect.void } as Hostile
        const exit = yield* Effect.exit(Effect.scoped(caller(SmsBatInbound.route(given))))
        if (Exit.isSuccess(exit)) return assert.include(["/hooks", "/"], path)
        const error = Option.getOrThrow(Exit.findErrorOption(exit))
        assert.instanceOf(error, SmsBatConfigError)
        assertSafe(error)
      }),
    { arbitrary: { runs: 2000 } }
  )
})
