import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { ErrorShape } from "../../../src/EmulatorOptions.ts"
import * as SmsBatEmulator from "../../../src/SmsBatEmulator.ts"
import { message, send } from "../../support/emulatorClient.ts"

const refusalIn = Effect.fnUntraced(function* (errorShape: ErrorShape, faults = "") {
  const emulator = yield* SmsBatEmulator.make({ errorShape, faults })
  return yield* send(emulator.url, [message("a"), message("b", { toPhone: "380671112233" })])
}, Effect.scoped)

describe("an error reply", () => {
  for (const [shape, expected] of [
    ["A", { error: { code: "INVALID_PHONE", message: "Invalid phone number format", field: "toPhone" } }],
    ["B", { error: { code: "INVALID_PHONE", message: "Invalid phone number format" } }],
    ["C", { status: 400, error: "Bad Request", message: "Invalid phone number format", code: 1003 }],
    ["D", { error: "Bad Request", message: "Invalid phone number format", status: 400 }],
    [
      "problem",
      {
        type: "about:blank",
        title: "Bad Request",
        status: 400,
        errors: { toPhone: ["Invalid phone number format"] }
      }
    ]
  ] as const) {
    it.effect(`has form ${shape}`, () =>
      Effect.map(refusalIn(shape), ({ status, text }) => {
        assert.strictEqual(status, 400)
        assert.deepStrictEqual(JSON.parse(text), expected)
      })
    )
  }

  it.effect("can be a page or nothing", () =>
    Effect.gen(function* () {
      const html = yield* refusalIn("html")
      assert.match(String(html.headers["content-type"]), /^text\/html/)
      assert.match(html.text, /400 Bad Request/)
      const empty = yield* refusalIn("empty")
      assert.deepStrictEqual([empty.status, empty.text, empty.headers["content-type"]], [400, "", undefined])
    })
  )

  it.effect("has its documented form for 429, unless it is to be no JSON", () =>
    Effect.gen(function* () {
      const documented = yield* refusalIn("A", "429")
      assert.strictEqual(JSON.parse(documented.text).error, "Too Many Requests")
      assert.match((yield* refusalIn("html", "429")).text, /^<!DOCTYPE html>/)
    })
  )
})
