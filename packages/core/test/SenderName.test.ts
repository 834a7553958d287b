import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as SenderName from "../src/SenderName.ts"

const is = Schema.is(SenderName.SenderName)

describe("SenderName", () => {
  it("takes one character or more, of any script", () => {
    assert.isFalse(is(""))
    for (const name of [
      "A",
      "0",
      "Shop",
      "Ваш магазин",
      "A  B",
      "O'Hara & Co. №1",
      "😀",
      "-",
      "A".repeat(10_000)
    ]) {
      assert.isTrue(is(name), name.slice(0, 20))
    }
  })

  it("takes no blank at either end, of whatever kind", () => {
    for (const blank of [" ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u3000", "\ufeff"]) {
      for (const name of [blank, `${blank}A`, `A${blank}`]) assert.isFalse(is(name), JSON.stringify(name))
    }
    assert.isTrue(is("A\u00a0B"))
  })

  it("takes no control character and no line break", () => {
    for (const control of [
      "\0",
      "\t",
      "\n",
      "\r",
      "\u001b",
      "\u007f",
      "\u0085",
      "\u009f",
      "\u2028",
      "\u2029"
    ]) {
      assert.isFalse(is(`A${control}B`), JSON.stringify(control))
    }
  })

  it("takes no half of a surrogate pair", () => {
    for (const half of ["\ud83d", "\ude00", "A\ud83d", "\ude00\ud83d"]) assert.isFalse(is(half))
    assert.isTrue(is("A😀"))
  })

  it("takes strings only", () => {
    for (const value of [1, null, undefined, ["A"], { toString: () => "A" }]) assert.isFalse(is(value))
  })

  it.prop("says of every text what its rule says in words", [Schema.String], ([text]) => {
    const holds = text.length > 0 && text === text.trim() && !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(text)
    assert.strictEqual(is(text), holds)
  })
})
