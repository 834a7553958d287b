import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Formatter, Result, Schema } from "effect"
import { inspect } from "node:util"
import * as Envelope from "../src/Envelope.ts"
import { InvalidMessage, Problem } from "../src/InvalidMessage.ts"
import * as Message from "../src/Message.ts"
import * as PhoneNumber from "../src/PhoneNumber.ts"

const phone = "380671112233"
const secret = "CANARY-TEXT"

// Everything personal in it is wrong, and so shown; each form of the number is one that can be corrected or not.
const bad = (toPhone: unknown): object => ({
  id: `user-${phone}/1`,
  fromName: ` ${phone}`,
  toPhone,
  messageType: "viber_survey",
  text: secret.repeat(10),
  surveyOptions: [secret, secret, { secret }, phone],
  ttl: Number(phone),
  scheduledSent: phone,
  phone,
  note: secret,
  [`for ${phone}`]: [secret]
})

const failure = (json: unknown): InvalidMessage =>
  Result.match(Message.decodeResult(json), {
    onSuccess: () => assert.fail("accepted"),
    onFailure: (error) => error
  })

const printedForms = (error: unknown): ReadonlyArray<string> => [
  String(error),
  error instanceof Error ? `${error.message}\n${error.stack}` : "",
  JSON.stringify(error),
  inspect(error, { depth: Infinity, showHidden: true }),
  inspect(error, { depth: Infinity, customInspect: false }),
  Formatter.format(error),
  Formatter.formatJson(error),
  Cause.pretty(Cause.fail(error)),
  Cause.pretty(Cause.die(error))
]

const assertSafe = (printed: string): void => {
  assert.notInclude(printed, phone)
  assert.notInclude(printed.replace(/[^\d*]/gu, ""), phone)
  assert.notInclude(printed, secret)
}

describe("InvalidMessage", () => {
  it("says each problem on a line of its own", () => {
    const error = failure({
      id: "order-1",
      fromName: "Shop",
      toPhone: "380671112233",
      messageType: "promo",
      text: ""
    })
    assert.strictEqual(
      error.message,
      [
        "Message order-1 has 2 problems:",
        "  toPhone: expected E.164: a + and 7 to 15 digits, the first of them not 0, nothing else, " +
          "received 38067*****33 (12 characters); write it as +38067*****33",
        "  text: expected a non-empty text, received <0 characters>"
      ].join("\n")
    )
    assert.strictEqual(error.id, "order-1")
    assert.strictEqual(error._tag, "InvalidMessage")
    assert.strictEqual(failure({ ...bad("1"), id: "" }).id, undefined)
    assert.match(failure(null).message, /^A message has a problem:\n {2}expected an object/u)
  })

  it("shows nothing personal, in no form", () => {
    const forms = [
      `+${phone}1111`,
      phone,
      `00${phone}`,
      "380 67 111 22 33",
      Number(phone),
      [phone],
      { phone }
    ]
    for (const toPhone of forms) {
      const error = failure(bad(toPhone))
      for (const printed of printedForms(error)) assertSafe(printed)
      for (const printed of printedForms(new Error("wrapped", { cause: error }))) assertSafe(printed)
      assert.strictEqual(error.id, "user-38067*****33/1")
    }
  })

  it("shows nothing personal of a message whose type is not known", () => {
    for (const printed of printedForms(failure({ ...bad(phone), messageType: phone }))) assertSafe(printed)
  })

  it.effect("shows nothing personal where a message was made from typed input", () =>
    Effect.gen(function* () {
      const { messageType: _, ...fields } = { messageType: "", ...bad(phone) }
      // What a caller without types can do: `never` goes everywhere.
      const input = { ...fields, _tag: "ViberSurvey" } as never
      for (const printed of printedForms(yield* Effect.flip(Message.make(input)))) assertSafe(printed)
    })
  )

  it("has a JSON form and is the same after it", () => {
    const codec = Schema.toCodecJson(InvalidMessage)
    const error = failure(bad(phone))
    const json: unknown = JSON.parse(JSON.stringify(Schema.encodeSync(codec)(error)))
    const again = Schema.decodeUnknownSync(codec)(json)
    assert.deepStrictEqual(again.problems, error.problems)
    assert.strictEqual(again.message, error.message)
    assertSafe(JSON.stringify(json))
  })

  it("can be caught by its tag", () => {
    const error = new InvalidMessage({
      problems: [new Problem({ path: "text", rule: "a rule", received: "nothing" })]
    })
    assert.strictEqual(error.message, "A message has a problem:\n  text: expected a rule, received nothing")
  })
})

describe("the errors of the schemas", () => {
  const memory = { _tag: "ViberSurvey", id: "a", fromName: "S", toPhone: `+${phone}`, text: secret }
  const cases: ReadonlyArray<readonly [string, Schema.Codec<unknown, unknown>, unknown]> = [
    ["MessageFromJson", Message.MessageFromJson, bad(phone)],
    ["JSON codec of MessageFromJson", Schema.toCodecJson(Message.MessageFromJson), bad(phone)],
    [
      "a field of MessageFromJson",
      Schema.Struct({ message: Message.MessageFromJson }),
      { message: bad(phone) }
    ],
    ["PhoneNumber", PhoneNumber.PhoneNumber, phone],
    ["PhoneNumber of a number", PhoneNumber.PhoneNumber, Number(phone)],
    ["a class", Message.ViberSurvey, { ...memory, toPhone: phone, surveyOptions: [secret, secret] }],
    [
      "a class with a text too long",
      Message.ViberSurvey,
      { ...memory, text: secret.repeat(9), surveyOptions: [] }
    ],
    ["the union", Message.Message, { ...memory, toPhone: phone, text: [secret] }],
    ["the union without a tag", Message.Message, { ...memory, _tag: phone }],
    ["an envelope", Envelope.Envelope, { message: { ...memory, surveyOptions: [secret] }, route: secret }]
  ]

  for (const [name, schema, value] of cases) {
    it(`show nothing personal: ${name}`, () => {
      for (const errors of ["first", "all"] as const) {
        const error = Result.match(Schema.decodeUnknownResult(schema, { errors })(value), {
          onSuccess: () => assert.fail("accepted"),
          onFailure: (error) => error
        })
        assert.instanceOf(error, Schema.SchemaError)
        // Not with customInspect: false, which shows the issue within, and that names schemas and no values.
        for (const printed of printedForms(error)) assertSafe(printed)
      }
    })
  }

  it("show nothing personal where a constructor throws", () => {
    try {
      // A number without its plus, from a caller without types.
      assert.fail(
        String(new Message.ViberSurvey({ ...memory, toPhone: phone, surveyOptions: [secret] } as never))
      )
    } catch (error) {
      assert.include(String(error), "Schema validation failed")
      for (const printed of printedForms(error)) assertSafe(printed)
    }
  })
})
