import { assert, describe, it } from "@effect/vitest"
import { inspect } from "node:util"
import { canary, type Canary, leaksIn } from "./support/canaries.ts"

const seen = (text: string): ReadonlyArray<Canary> => leaksIn(text).map((leak) => leak.canary)

/** Ways in which a text may come out in another form. */
const disguises: Readonly<Record<string, (value: string) => string>> = {
  plain: (value) => `before ${value} after`,
  "upper case": (value) => value.toUpperCase(),
  JSON: (value) => JSON.stringify({ value }),
  "JSON in JSON": (value) => JSON.stringify(JSON.stringify({ value })),
  inspect: (value) => inspect({ value }),
  "inspect, broken into lines": (value) =>
    inspect({ value: `${value}\n${"x".repeat(100)}` }, { breakLength: 10 }),
  "unicode escapes": (value) =>
    Array.from(value, (_, at) => `\\u${value.charCodeAt(at).toString(16).padStart(4, "0")}`).join(""),
  "an URL": (value) => `https://example.com/?q=${encodeURIComponent(value)}`,
  "a form": (value) => new URLSearchParams({ value }).toString(),
  "every byte percent": (value) => Buffer.from(value).toString("hex").replace(/../gu, "%$&"),
  hex: (value) => Buffer.from(value).toString("hex"),
  "hex of more": (value) => Buffer.from(`x${value}`).toString("hex").toUpperCase(),
  base64: (value) => Buffer.from(value).toString("base64"),
  "base64 of more": (value) => Buffer.from(`ab${value}cd`).toString("base64"),
  "base64 of one more": (value) => `Basic ${Buffer.from(`@:${value}`).toString("base64")}`,
  base64url: (value) => `token=${Buffer.from(value).toString("base64url")}`,
  "a buffer": (value) => inspect(Buffer.from(value), { maxArrayLength: null }),
  "an array of bytes": (value) => inspect(new Uint8Array(Buffer.from(value)), { maxArrayLength: null }),
  "JSON of bytes": (value) => JSON.stringify(new Uint8Array(Buffer.from(value))),
  "a piece of it": (value) => Array.from(value).slice(2, 12).join("")
}

describe("the detector", () => {
  for (const [name, disguise] of Object.entries(disguises)) {
    it(`sees each canary as ${name}`, () => {
      for (const [which, value] of Object.entries(canary)) {
        if (which === "phone" && name === "a piece of it") continue
        // A buffer shows its first 50 bytes.
        const shown = name === "a buffer" ? disguise(value.slice(0, 25)) : disguise(value)
        assert.include(seen(shown) as ReadonlyArray<string>, which, shown)
      }
    })
  }

  it("sees the phone number however it is written", () => {
    for (const written of [
      "380637419258",
      "0637419258",
      "637419258",
      "+380 63 741 92 58",
      "+380-63-741-92-58",
      "(380) 63/741.92.58",
      "tel:%2B380637419258"
    ]) {
      assert.deepStrictEqual([...new Set(seen(written))], ["phone"], written)
    }
  })

  it("lets pass what may be shown", () => {
    for (const fine of [
      "+38063*****58",
      "<68 characters>",
      "order-1042",
      "2026-11-23T17:11:04.123Z",
      "<redacted>",
      JSON.stringify({ status: 400, code: "INVALID_PHONE", field: "toPhone" })
    ]) {
      assert.deepStrictEqual(leaksIn(fine), [], fine)
    }
  })
})
