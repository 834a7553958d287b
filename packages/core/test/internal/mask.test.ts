import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Cause, Chunk, Effect, Exit, Formatter, HashMap, Logger, Option, Schema } from "effect"
import { format, inspect } from "node:util"
import * as Envelope from "../../src/Envelope.ts"
import * as mask from "../../src/internal/mask.ts"
import * as Message from "../../src/Message.ts"

const digitsOf = (text: string): string => text.replace(/\D/gu, "")
const digits = Arbitrary.schema(Schema.String.check(Schema.isPattern(/^\+?[0-9]{0,40}$/u)))

describe("mask.phone", () => {
  it("shows less of a short number", () => {
    const shown = ["", "+", "1", "+123456", "1234567", "12345678", "+12345678", "1234567890", "12345678901"]
    assert.deepStrictEqual(shown.map(mask.phone), [
      "",
      "*",
      "*",
      "*******",
      "*******",
      "******78",
      "*******78",
      "********90",
      "12345****01"
    ])
    assert.strictEqual(mask.phone("+12345678901"), "+12345****01")
    assert.strictEqual(mask.phone("+1234567890"), "*********90")
  })

  it.prop(
    "shows no digits but the first five and the last two, and never all",
    { phone: digits },
    ({ phone }) => {
      const masked = mask.phone(phone)
      assert.strictEqual(masked.length, phone.length)
      const [head = "", tail = ""] = masked.split(/\*+/u)
      assert.isAtMost(digitsOf(head).length, 5)
      assert.isAtMost(tail.length, 2)
      assert.isTrue(phone.startsWith(head) && phone.endsWith(tail))
      if (digitsOf(phone) !== "") {
        assert.isBelow(digitsOf(masked).length, digitsOf(phone).length)
        assert.notInclude(masked, digitsOf(phone))
      }
    },
    { arbitrary: { runs: 1000 } }
  )
})

describe("mask.identifier", () => {
  it("leaves an ordinary identifier as it is", () => {
    for (const id of ["order-1042", "a_B.c:d", "2026-01-25:1042", "v1.2.3-123456", "замовлення 7"]) {
      assert.strictEqual(mask.identifier(id), id)
    }
  })

  it("masks what may be a phone number, however it is written", () => {
    for (const phone of [
      "380671112233",
      "+380671112233",
      "+380 67 111 22 33",
      "+38067-111-22-33",
      "(067) 1112233"
    ]) {
      const shown = mask.identifier(`user ${phone}.`)
      assert.notInclude(digitsOf(shown), "1112")
      assert.match(shown, /^user [(+*\d]+33\.$/u)
    }
  })

  it("stays on one line and in one direction", () => {
    assert.strictEqual(
      mask.identifier('a"b\\c\n\u001b[31m\u202e\u2028\u0085\u200f'),
      String.raw`a\"b\\c\n\u001b[31m\u202e\u2028\u0085\u200f`
    )
    assert.strictEqual(mask.identifier("\ud83d"), String.raw`\ud83d`)
  })

  it("cuts a long one, and no number open", () => {
    assert.strictEqual(mask.identifier("a".repeat(80)), "a".repeat(80))
    assert.strictEqual(mask.identifier("a".repeat(81)), `${"a".repeat(77)}...`)
    for (let before = 60; before < 170; before++) {
      for (const phone of ["380671112233", "+38067 111 22 33"]) {
        assert.notInclude(
          digitsOf(mask.identifier("a".repeat(before) + phone + "b".repeat(before))),
          "380671"
        )
      }
    }
  })
})

const phone = "380671112233"
const secret = "CANARY-TEXT"
const message = Message.makeUnsafe({
  _tag: "ViberSurvey",
  id: "survey-1",
  fromName: "Shop",
  toPhone: `+${phone}`,
  text: secret,
  surveyOptions: [`${secret} yes`, `${secret} no`],
  ttl: "5 minutes"
})
const others = [
  Message.makeUnsafe({ _tag: "Transaction", id: "t", fromName: "S", toPhone: `+${phone}`, text: secret }),
  Message.makeUnsafe({ _tag: "Promo", id: "p", fromName: "S", toPhone: `+${phone}`, text: secret }),
  Message.makeUnsafe({ _tag: "FlashCall", id: "f", fromName: "S", toPhone: `+${phone}` })
]
const envelope = Envelope.at(
  message,
  Option.getOrThrow(Schema.decodeOption(Schema.DateTimeUtcFromString)("2026-01-01T00:00:00Z")),
  {
    headers: { tenant: "a" }
  }
)

class Wrapped extends Schema.TaggedError<Wrapped>()("Wrapped", {
  message_: Message.Message,
  envelope: Envelope.Envelope
}) {}

const carriers: ReadonlyArray<readonly [string, unknown]> = [
  ["a message", message],
  ["an envelope", envelope],
  ["an array", [message, envelope, ...others]],
  ["a map", new Map<unknown, unknown>([[message, envelope]])],
  ["a set", new Set([message, envelope])],
  ["a deep object", { a: { b: { c: { d: [{ e: envelope }] } } } }],
  ["a HashMap", HashMap.make([message, envelope])],
  ["a Chunk", Chunk.make(message, envelope)],
  ["an Option", Option.some(envelope)],
  ["an Exit", Exit.succeed(envelope)],
  ["a failure", Exit.fail(message)],
  ["a defect", Exit.die(envelope)],
  ["the cause of an error", new Error("failed", { cause: envelope })],
  ["a field of an error", new Wrapped({ message_: message, envelope })]
]

const assertMasked = (printed: string, where: string): void => {
  assert.notInclude(printed, phone, where)
  assert.notInclude(printed, secret, where)
}

describe("a message and an envelope", () => {
  it("print their phone number masked and their texts measured", () => {
    const shown = {
      id: "survey-1",
      fromName: "Shop",
      toPhone: "+38067*****33",
      messageType: "viber_survey",
      text: "<11 characters>",
      surveyOptions: ["<15 characters>", "<14 characters>"],
      ttl: 300
    }
    assert.deepStrictEqual(JSON.parse(JSON.stringify(message)), shown)
    assert.deepStrictEqual(JSON.parse(String(message)), shown)
    assert.strictEqual(inspect(message, { depth: Infinity }), inspect(shown, { depth: Infinity }))
    assert.deepStrictEqual(JSON.parse(JSON.stringify(envelope)), {
      message: shown,
      route: "standard",
      schedule: "provider",
      account: "default",
      createdAt: "2026-01-01T00:00:00Z",
      deadline: "2026-01-01T00:05:00Z"
    })
    assert.strictEqual(String(envelope), JSON.stringify(envelope))
  })

  it("keep what is masked in their fields", () => {
    assert.strictEqual(message.toPhone, `+${phone}`)
    assert.strictEqual(envelope.message.toPhone, `+${phone}`)
    assert.strictEqual(Message.encode(message).toPhone, `+${phone}`)
    assert.strictEqual(message.text, secret)
  })

  it("are masked in whatever carries them, however it is printed", () => {
    for (const [name, carrier] of carriers) {
      assertMasked(
        inspect(carrier, { depth: Infinity, showHidden: true, getters: true }),
        `inspect of ${name}`
      )
      assertMasked(JSON.stringify(carrier), `JSON of ${name}`)
      assertMasked(`${String(carrier)}`, `text of ${name}`)
      assertMasked(format("%s %o %O %j", carrier, carrier, carrier, carrier), `console format of ${name}`)
      assertMasked(Formatter.format(carrier), `Formatter.format of ${name}`)
      assertMasked(
        Formatter.format(carrier, { ignoreToString: true, space: 2 }),
        `Formatter.format of ${name}`
      )
      assertMasked(Formatter.formatJson(carrier), `Formatter.formatJson of ${name}`)
      for (const cause of [Cause.fail(carrier), Cause.die(carrier)]) {
        assertMasked(Cause.pretty(cause), `Cause.pretty of ${name}`)
        assertMasked(inspect(cause, { depth: Infinity }) + JSON.stringify(cause), `a cause with ${name}`)
      }
    }
  })

  it("are masked by the formatters of their schemas", () => {
    for (const one of [message, ...others]) assertMasked(Schema.toFormatter(Message.Message)(one), one._tag)
    assertMasked(Schema.toFormatter(Envelope.Envelope)(envelope), "envelope")
    assertMasked(Schema.toFormatter(Schema.Array(Message.Message))([message]), "array")
  })

  for (const [name, logger] of [
    ["simple", Logger.formatSimple],
    ["logfmt", Logger.formatLogFmt],
    [
      "structured",
      Logger.map(
        Logger.formatStructured,
        (entry) => inspect(entry, { depth: Infinity }) + JSON.stringify(entry)
      )
    ],
    ["json", Logger.formatJson],
    ["console", Logger.make((options) => format("%o", options.message) + Cause.pretty(options.cause))]
  ] as const) {
    it.effect(`are masked in logs (${name})`, () =>
      Effect.gen(function* () {
        const lines: Array<string> = []
        yield* Effect.gen(function* () {
          for (const [name, carrier] of carriers) {
            yield* Effect.log(carrier)
            yield* Effect.logError(name, carrier, { carrier }, [carrier], Cause.fail(carrier))
            yield* Effect.log("annotated").pipe(Effect.annotateLogs({ carrier }))
          }
          yield* Effect.fail(envelope).pipe(Effect.catchCause((cause) => Effect.logError("failed", cause)))
          yield* Effect.die(message).pipe(Effect.catchCause((cause) => Effect.logError(cause)))
        }).pipe(Effect.provide(Logger.layer([Logger.map(logger, (line) => void lines.push(line))])))
        assert.isAbove(lines.length, 3 * carriers.length)
        for (const line of lines) assertMasked(line, name)
        assert.include(lines.join("\n"), "*****33")
      })
    )
  }
})

describe("line", () => {
  it("escapes what would break a line or turn its reading about, and leaves a plain name alone", () => {
    assert.strictEqual(
      mask.line("Sh\u202eop\r\n\u001b[31m\u2066x\u2028"),
      "Sh\\u202eop\\u000d\\u000a\\u001b[31m\\u2066x\\u2028"
    )
    assert.strictEqual(mask.line('Крамниця "№1"'), 'Крамниця "№1"')
  })
})
