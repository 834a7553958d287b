import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import * as TrackingId from "../src/TrackingId.ts"

const is = Schema.is(TrackingId.TrackingId)

// Texts made mostly of what the escaping has to tell apart.
const piece = Schema.Union([
  Schema.Literals([
    "_",
    ":",
    "_3A",
    "_5F",
    "3",
    "A",
    "f",
    "a",
    "_ED_A0_80",
    "\ud800",
    "\udc00",
    "\ufffd",
    "ї",
    "😀"
  ]),
  Schema.String
])
const parts = Arbitrary.array(
  Arbitrary.schema(Schema.Union([Schema.Array(piece), Schema.Number, Schema.BigInt])).pipe(
    Arbitrary.map((value) => (typeof value === "object" ? value.join("") : value))
  ),
  { minLength: 1, maxLength: 4 }
)

describe("TrackingId", () => {
  it("takes 1 to 254 characters", () => {
    assert.isFalse(is(""))
    assert.isTrue(is("a"))
    assert.isTrue(is("a".repeat(254)))
    assert.isFalse(is("a".repeat(255)))
  })

  it("takes letters, digits and . _ : -, and nothing else", () => {
    assert.isTrue(is("AZaz09._:-"))
    const allowed = /[A-Za-z0-9._:-]/u
    for (let unit = 0; unit < 0x1_00; unit++) {
      const character = String.fromCharCode(unit)
      assert.strictEqual(is(character), allowed.test(character), `U+${unit.toString(16)}`)
      assert.strictEqual(is(`a${character}b`), allowed.test(character), `U+${unit.toString(16)} inside`)
    }
    for (const text of ["order 1", "order/1", "замовлення", "a\n", "\na", "😀", "\ud83d", "a\u200b", "１"]) {
      assert.isFalse(is(text), JSON.stringify(text))
    }
  })

  it("takes strings only", () => {
    for (const value of [1, 1n, null, undefined, ["a"], { toString: () => "a" }, Object("a")]) {
      assert.isFalse(is(value))
    }
  })
})

describe("TrackingId.of", () => {
  it("joins parts with a colon", () => {
    assert.strictEqual(TrackingId.of("order-confirmed", 1042), "order-confirmed:1042")
    assert.strictEqual(TrackingId.of("a", 1n, -2.5, "b_c.D"), "a:1:-2.5:b_c.D")
    assert.strictEqual(TrackingId.of("a"), "a")
    assert.strictEqual(TrackingId.of("a", ""), "a:")
  })

  it("writes other characters as the bytes of their UTF-8 form", () => {
    assert.strictEqual(TrackingId.of("a:b"), "a_3Ab")
    assert.strictEqual(TrackingId.of("a b", "/"), "a_20b:_2F")
    assert.strictEqual(TrackingId.of("ї"), "_D1_97")
    assert.strictEqual(TrackingId.of("😀"), "_F0_9F_98_80")
  })

  it("escapes an underscore only where it could be read as an escape", () => {
    assert.strictEqual(TrackingId.of("user_id"), "user_id")
    assert.strictEqual(TrackingId.of("_3A"), "_5F3A")
    assert.notStrictEqual(TrackingId.of("_3A"), TrackingId.of(":"))
    assert.strictEqual(TrackingId.of("_3a"), "_3a")
    assert.strictEqual(TrackingId.of("__3A"), "__5F3A")
    assert.strictEqual(TrackingId.of("_:"), "__3A")
    assert.strictEqual(TrackingId.of("_3:"), "_3_3A")
  })

  it("tells halves of surrogate pairs apart, which have no UTF-8 form", () => {
    const halves = ["\ud800", "\ud801", "\udbff", "\udc00", "\udfff", "\ufffd", "\u0700"]
    assert.strictEqual(new Set(halves.map((half) => TrackingId.of(half))).size, halves.length)
    assert.strictEqual(TrackingId.of("\ud83d"), "_ED_A0_BD")
  })

  it("leaves the length to be judged with the message", () => {
    assert.isFalse(is(TrackingId.of("")))
    assert.isTrue(is(TrackingId.of("a".repeat(254))))
    assert.isFalse(is(TrackingId.of("a".repeat(255))))
    assert.isFalse(is(TrackingId.of("ї".repeat(43))))
  })

  // A way back for every id proves that no two lists of parts share one.
  it.prop(
    "can be taken apart again into the same parts",
    { parts },
    ({ parts: [first = "", ...rest] }) => {
      assert.deepStrictEqual(partsOf(TrackingId.of(first, ...rest)), [first, ...rest].map(String))
    },
    { arbitrary: { runs: 2000 } }
  )

  it.prop(
    "satisfies the rule whatever the parts are, but for the length",
    { parts },
    ({ parts: [first = "", ...rest] }) => {
      const id = TrackingId.of(first, ...rest)
      assert.strictEqual(is(id), id.length >= 1 && id.length <= 254, JSON.stringify(id))
      assert.match(id, /^[A-Za-z0-9._:-]*$/u)
    },
    { arbitrary: { runs: 2000 } }
  )
})

const partsOf = (id: string): Array<string> => id.split(":").map(unescaped)

const unescaped = (part: string): string =>
  part.replace(/(?:_[0-9A-F]{2})+/gu, (escapes) => {
    const bytes = Uint8Array.from(escapes.slice(1).split("_"), (hex) => Number.parseInt(hex, 16))
    let text = ""
    for (let at = 0; at < bytes.length;) {
      const size = lengthOf(bytes[at] ?? 0)
      text += characterOf(bytes.subarray(at, at + size))
      at += size
    }
    return text
  })

const lengthOf = (lead: number): number => (lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4)

const characterOf = (bytes: Uint8Array): string => {
  const [lead = 0, second = 0, third = 0] = bytes
  return lead === 0xed && second >= 0xa0
    ? String.fromCharCode(0xd000 | ((second & 0x3f) << 6) | (third & 0x3f))
    : new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
}
