import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"
import * as usable from "../../src/internal/usable.ts"
import { junk } from "../support/junk.ts"

describe("usable", () => {
  it("atLeastOne rounds down, and takes 1 for what is no number", () => {
    for (const [value, expected] of [
      [7, 7],
      [1.9, 1],
      [0.9, 1],
      [-3, 1],
      [Number.NaN, 1],
      [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
      ["7", 1],
      [null, 1],
      [undefined, 1]
    ] as const) {
      assert.strictEqual(usable.atLeastOne(value), expected)
    }
  })

  it("time takes what is one, and else the fallback", () => {
    const millis = (input: unknown) => Duration.toMillis(usable.time(input as never, "5 seconds"))
    assert.strictEqual(millis("2 seconds"), 2000)
    assert.strictEqual(millis(0), 0)
    assert.strictEqual(millis(Duration.infinity), Number.POSITIVE_INFINITY)
    for (const odd of [undefined, null, "soon", -1, Symbol("s")]) assert.strictEqual(millis(odd), 5000)
  })

  it.prop("whatever it is given", [junk], ([value]) => {
    assert.isAtLeast(usable.atLeastOne(value), 1)
    assert.isAtLeast(Duration.toMillis(usable.time(value as never, "5 seconds")), 0)
  })
})
