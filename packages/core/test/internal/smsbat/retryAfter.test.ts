import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration } from "effect"
import * as retryAfter from "../../../src/internal/smsbat/retryAfter.ts"
import { variants } from "../../support/mutate.ts"

const now = DateTime.makeUnsafe("2026-01-25T10:00:00Z")
const cap = Duration.minutes(15)
const millis = (header: string) => {
  const wait = retryAfter.parse(header, now, cap)
  return wait === undefined ? undefined : Duration.toMillis(wait)
}

describe("parse", () => {
  const cases: ReadonlyArray<readonly [string, number | undefined]> = [
    ["0", 0],
    ["1", 1000],
    [" 120 ", 120_000],
    ["+3", 3000],
    ["1.5", 1500],
    ["-1", 0],
    ["-99999999999", 0],
    ["900", 900_000],
    ["901", 900_000],
    ["9".repeat(400), 900_000],
    ["Sun, 25 Jan 2026 10:00:30 GMT", 30_000],
    ["sun, 25 jan 2026 10:00:30 gmt", 30_000],
    ["Sunday, 25-Jan-26 10:00:30 GMT", 30_000],
    ["Sun Jan 25 10:00:30 2026", 30_000],
    ["Sun, 25 Jan 2026 09:00:00 GMT", 0],
    ["Wed, 21 Oct 2099 07:28:00 GMT", 900_000],
    ["", undefined],
    ["soon", undefined],
    ["1e3", undefined],
    ["0x10", undefined],
    ["NaN", undefined],
    ["Infinity", undefined],
    ["1, 2", undefined],
    ["2026-01-25T10:00:30Z", undefined],
    ["Sun, 31 Feb 2026 10:00:30 GMT", undefined],
    ["Sun, 25 Jan 2026 10:00:30 +0200", undefined]
  ]
  for (const [header, expected] of cases) {
    it(`${header.slice(0, 40)} → ${expected}`, () => assert.strictEqual(millis(header), expected))
  }

  it("stays between nothing and the cap, whatever comes", () => {
    for (const header of variants(["120", "Sun, 25 Jan 2026 10:00:30 GMT", "-5.5"], 1000, 7)) {
      const wait = millis(header)
      assert.isTrue(wait === undefined || (wait >= 0 && wait <= 900_000), header)
    }
  })
})
