import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import * as PhoneNumber from "../src/PhoneNumber.ts"

const is = Schema.is(PhoneNumber.PhoneNumber)
const digitsOf = (text: string): string => text.replace(/\D/gu, "")

const separator = Schema.Literals(["", " ", "-", ".", "(", ")", "\u00a0", "\u2011", "\u200e"])

// What people type: digits, separators, prefixes, and now and then something else.
const input = Arbitrary.schema(
  Schema.Array(
    Schema.Union([
      separator,
      Schema.Literals(["+", "00", "0", "380", "67", "111", "2233", "445566", "8", "10", "1", "x", "\u0663"])
    ])
  )
).pipe(Arbitrary.map((pieces) => pieces.join("")))

describe("PhoneNumber", () => {
  it("takes 7 to 15 digits after a plus", () => {
    assert.isFalse(is("+380671"))
    assert.isTrue(is("+3806711"))
    assert.isTrue(is("+380671112233"))
    assert.isTrue(is("+380671112233445"))
    assert.isFalse(is("+3806711122334455"))
  })

  it("refuses a first digit of 0, and takes a 0 anywhere else", () => {
    assert.isFalse(is("+0806711"))
    assert.isTrue(is("+1000000"))
  })

  it("refuses every other form", () => {
    for (const text of [
      "",
      "+",
      "380671112233",
      "0671112233",
      "00380671112233",
      "++380671112233",
      " +380671112233",
      "+380671112233 ",
      "+380671112233\n",
      "+380 67 111 22 33",
      "+38067-111-22-33",
      "+380XXXXXXXXX",
      "+38067111223a",
      "+380671112233,+380671112234",
      "+380671112233;ext=5",
      "+３８０６７１１１２２３３",
      "+\u0663\u0668\u0660671112233",
      "\u202a+380671112233\u202c",
      "tel:+380671112233"
    ]) {
      assert.isFalse(is(text), JSON.stringify(text))
    }
    for (const value of [380671112233, 380671112233n, null, undefined, ["+380671112233"], {}]) {
      assert.isFalse(is(value))
    }
  })
})

describe("PhoneNumber.correct", () => {
  it("finds the number where it is certain", () => {
    for (const text of [
      "380671112233",
      "00380671112233",
      "+380 67 111 22 33",
      " +380671112233\n",
      "+38 067 111-22-33",
      "(+380) 67.111.22.33",
      "380-67-111-22-33",
      "+380\u00a067\u2011111\u201322\u221233",
      "\u202a+380671112233\u202c",
      "00 380 67 111 22 33"
    ]) {
      assert.strictEqual(PhoneNumber.correct(text), "+380671112233", JSON.stringify(text))
    }
  })

  it("has nothing to say of a number that is right", () => {
    assert.isUndefined(PhoneNumber.correct("+380671112233"))
  })

  it("never guesses a country", () => {
    for (const text of ["0671112233", "067 111 22 33", "671112233"]) {
      assert.isUndefined(PhoneNumber.correct(text), text)
    }
    // The national forms of the United States, China, Brazil, Germany, Russia: each would be another country's number.
    for (const text of ["2025550123", "13800138000", "11987654321", "15112345678", "89161234567"]) {
      assert.isUndefined(PhoneNumber.correct(text), text)
    }
  })

  it("does not take for a digit of the number what is dialled in some places only", () => {
    for (const text of [
      "+44 (0)20 7946 0958",
      "+380 (067) 111 22 33",
      "0044 ( 0) 20 7946 0958",
      "810380671112233",
      "8~10 380 67 111 22 33",
      "8 10 3806711122",
      "0011380671112233"
    ]) {
      assert.isUndefined(PhoneNumber.correct(text), text)
    }
  })

  it("does not take the fraction of a spreadsheet's number for a digit", () => {
    for (const text of ["380671112233.0", "380671112233.00 ", "+380671112233.0", "3.80671112233E+11"]) {
      assert.isUndefined(PhoneNumber.correct(text), text)
    }
  })

  it("gives up on anything else", () => {
    for (const text of [
      "",
      "+",
      "00",
      "000380671112233",
      "+0380671112233",
      "+380XXXXXXXXX",
      "+380671112233 ext. 5",
      "+380671112233, +380671112234",
      "+380671112233 +380671112234",
      "++380671112233",
      "00+380671112233",
      "3806711122334455",
      "+380671",
      "+３８０６７１１１２２３３",
      "380671112233a"
    ]) {
      assert.isUndefined(PhoneNumber.correct(text), JSON.stringify(text))
    }
  })

  it.prop(
    "gives numbers that satisfy the rule and have the digits of the input",
    { input },
    ({ input }) => {
      const corrected = PhoneNumber.correct(input)
      if (corrected === undefined) return
      assert.isTrue(is(corrected))
      assert.notStrictEqual(corrected as string, input)
      assert.strictEqual(digitsOf(corrected), digitsOf(input).replace(/^00/u, ""))
      assert.isUndefined(PhoneNumber.correct(corrected))
    },
    { arbitrary: { runs: 2000 } }
  )

  it.prop(
    "sees through any separators",
    { phone: PhoneNumber.PhoneNumber, separators: Schema.Array(separator) },
    ({ phone, separators }) => {
      const spaced = phone
        .split("")
        .map((character, index) => character + (separators[index] ?? ""))
        .join("")
      const doubtful = /\(\s*0|\.0+\s*$/u.test(spaced)
      const expected = spaced === phone || doubtful ? undefined : phone
      assert.strictEqual(PhoneNumber.correct(spaced), expected, JSON.stringify(spaced))
    },
    { arbitrary: { runs: 1000 } }
  )
})

describe("PhoneNumber.mask", () => {
  it("shows the first five digits and the last two", () => {
    assert.strictEqual(PhoneNumber.mask("+380671112233"), "+38067*****33")
    assert.strictEqual(PhoneNumber.mask("380671112233"), "38067*****33")
  })

  it.prop("hides at least four digits of any valid number", [PhoneNumber.PhoneNumber], ([phone]) => {
    const masked = PhoneNumber.mask(phone)
    assert.strictEqual(masked.length, phone.length)
    assert.isAtMost(digitsOf(masked).length, Math.min(7, digitsOf(phone).length - 4))
    assert.match(masked, /^(?:\+\d{5})?\*{4,}(?:\d\d)?$/u)
  })
})
