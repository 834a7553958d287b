import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { byteLength, encode } from "../../src/internal/utf8.ts"

describe("byteLength", () => {
  it.prop("is the length of what is encoded", [Schema.String], ([text]) => {
    assert.strictEqual(byteLength(text), encode(text).length)
  })

  it("counts every kind of character, and halves of one", () => {
    const parts = ["a", "\u007f", "\u0080", "\u07ff", "\u0800", "Є", "\uffff", "😀", "\ud83d", "\ude00"]
    for (const one of parts) {
      for (const other of parts) {
        assert.strictEqual(byteLength(one + other), encode(one + other).length, JSON.stringify(one + other))
      }
    }
  })
})
