import { assert, describe, it } from "@effect/vitest"
import { trend } from "../../src/soak/trend.ts"

const minutes = (values: ReadonlyArray<number>) =>
  values.map((value, index) => ({ at: index * 60_000, value }))

describe("trend", () => {
  it("finds the slope of a line", () => {
    const found = trend(minutes([10, 11, 12, 13]), () => 1)
    assert.approximately(found.perHour, 60, 1e-9)
    assert.approximately(found.growth, 3, 1e-9)
    assert.isFalse(found.isFlat)
  })

  it("takes a figure that goes up and down for flat", () => {
    assert.isTrue(trend(minutes([10, 14, 10, 14, 10, 14, 10]), () => 1).isFlat)
  })

  it("takes a figure that falls for flat", () => {
    assert.isTrue(trend(minutes([14, 12, 10]), () => 1).isFlat)
  })
})
