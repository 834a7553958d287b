import { Message } from "@effect-cascade/core"
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Result, Schema } from "effect"
import { magicNumbers } from "../../../src/internal/emulator/lifeCycle.ts"
import * as validation from "../../../src/internal/emulator/validation.ts"
import { message } from "../../support/emulatorClient.ts"

const strict: validation.Rules = { lenientPhone: false, isRefused: (phone) => phone === "+380000000007" }
const now = Date.parse("2026-01-25T10:00:00Z")

const fieldOf = (fields: Readonly<Record<string, unknown>>, rules = strict) =>
  validation.check(message("a", fields), rules, now)?.field

const survey = { messageType: "viber_survey", surveyOptions: ["yes", "no"] }

describe("the rules of a message", () => {
  for (const [field, values] of [
    ["id", [undefined, null, 1, "", "x".repeat(255)]],
    ["fromName", [undefined, "", {}]],
    [
      "toPhone",
      [undefined, 380671112233, "", "380671112233", "0671112233", "+0671112233", "+380 67", "+123456"]
    ],
    ["toPhone", ["+1234567890123456", "+380671112233 ", "+380000000007"]],
    ["messageType", [undefined, "sms", "TRANSACTION", null]],
    ["text", [undefined, "", 5, null]],
    ["ttl", [0, -1, 1.5, "60", Number.NaN, {}]],
    [
      "scheduledSent",
      ["soon", "2026-01-25", "2026-01-26T10:00:00", 1, "2026-13-01T00:00:00Z", "2026-02-24T10:00:01Z"]
    ]
  ] as const) {
    for (const value of values) {
      it(`refuse ${field} ${JSON.stringify(value)?.slice(0, 40)}`, () =>
        assert.strictEqual(fieldOf({ [field]: value }), field))
    }
  }

  for (const [field, values] of [
    ["id", ["x", "x".repeat(254), "порядок 1"]],
    ["toPhone", ["+1234567", "+123456789012345"]],
    ["ttl", [undefined, null, 1, 604_800]],
    [
      "scheduledSent",
      [undefined, null, "2020-01-01T00:00:00Z", "2026-01-25T12:00:00.000+02:00", "2026-02-24T10:00:00Z"]
    ]
  ] as const) {
    for (const value of values) {
      it(`accept ${field} ${JSON.stringify(value)?.slice(0, 40)}`, () =>
        assert.isUndefined(fieldOf({ [field]: value })))
    }
  }

  it("measure a survey in UTF-16 units", () => {
    assert.isUndefined(fieldOf({ ...survey, text: "x".repeat(85) }))
    assert.strictEqual(fieldOf({ ...survey, text: "x".repeat(86) }), "text")
    assert.strictEqual(fieldOf({ ...survey, text: `${"x".repeat(84)}😀` }), "text")
  })

  it("ask for 2 to 5 options", () => {
    for (const surveyOptions of [undefined, [], ["a"], ["a", ""], ["a", 1], Array.from("abcdef"), "ab"]) {
      assert.strictEqual(fieldOf({ ...survey, surveyOptions }), "surveyOptions")
    }
    for (const surveyOptions of [["a", "b"], Array.from("abcde")]) {
      assert.isUndefined(fieldOf({ ...survey, surveyOptions }))
    }
  })

  it("ask a flash call for no text, and let one be", () => {
    assert.isUndefined(fieldOf({ messageType: "flashcall", text: undefined }))
    assert.isUndefined(fieldOf({ messageType: "flashcall", text: "x" }))
  })

  it("can be lenient about phone numbers", () => {
    const lenient = { ...strict, lenientPhone: true }
    for (const toPhone of ["380671112233", "0671112233", "+380671112233"]) {
      assert.isUndefined(fieldOf({ toPhone }, lenient))
    }
    assert.strictEqual(fieldOf({ toPhone: "38067 111 22 33" }, lenient), "toPhone")
  })

  it("say nothing of the values", () => {
    const refusal = validation.check(message("a", { toPhone: "380671112233" }), strict, now)
    assert.notMatch(JSON.stringify(refusal), /38067/)
  })

  const one = (...values: ReadonlyArray<Schema.Json>) =>
    Arbitrary.map(
      Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: values.length - 1 }))),
      (index) => values[index]
    )

  const candidates = Arbitrary.all({
    id: one("a", "order:1_2.3-4", "x".repeat(254), "x".repeat(255), ""),
    fromName: one("Shop", "Крамниця", " Shop", ""),
    toPhone: one("+380671112233", "+12345678", "+999999999999999", "380671112233", "+0123456789"),
    messageType: one("transaction", "promo", "viber_survey", "flashcall"),
    text: one("x", "y".repeat(85), "😀".repeat(43), "z".repeat(1000), ""),
    surveyOptions: one(["a", "b"], ["a", "b", "c", "d", "e"], ["a"], ["a", "a"]),
    ttl: one(1, 60, 2_147_483_647, 0, 1.5, "60"),
    scheduledSent: one(
      "2026-01-25T10:00:01Z",
      "2026-01-25T12:00:00+02:00",
      "2020-01-01T00:00:00.123Z",
      "soon"
    ),
    keep: Arbitrary.schema(Schema.Array(Schema.Literals(["text", "surveyOptions", "ttl", "scheduledSent"])))
  })

  it.prop(
    "accept every message that the library lets through",
    [candidates],
    ([{ keep, ...fields }]) => {
      const { fromName, id, messageType, toPhone, ...optional } = fields
      const kept = Object.entries(optional).filter(([key]) => keep.some((name) => name === key))
      const made = Message.decodeResult({ id, fromName, toPhone, messageType, ...Object.fromEntries(kept) })
      if (Result.isFailure(made)) return
      assert.isUndefined(validation.check({ ...Message.encode(made.success) }, strict, now))
    },
    { arbitrary: { runs: 2000 } }
  )

  it("take every magic number but the refused one for well-formed", () => {
    for (const [phone, outcome] of magicNumbers) {
      assert.strictEqual(fieldOf({ toPhone: phone }) === undefined, outcome !== "refused")
      assert.isTrue(Schema.is(Message.Transaction.fields.toPhone)(phone))
    }
  })
})
