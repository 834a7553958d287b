import { assert, describe, it } from "@effect/vitest"
import { type Stretch, take, takeFirst } from "../../../src/internal/rateLimit/stretches.ts"

const stretch = (start: number, end: number, doubt = 0): Stretch => ({ start, end, doubt })

const at = (now: number, capacity = 1000) => ({ now, capacity })

describe("take", () => {
  it("takes from the beginning, and keeps the rest", () => {
    assert.deepStrictEqual(take([stretch(100, 130)], 10, at(50)), {
      grant: { end: 110, length: 10 },
      rest: [stretch(110, 130)],
      wasted: false
    })
  })

  it("uses nothing whose time is over", () => {
    assert.deepStrictEqual(take([stretch(100, 130)], 10, at(115)), {
      grant: { end: 125, length: 10 },
      rest: [stretch(125, 130)],
      wasted: true
    })
    assert.deepStrictEqual(take([stretch(100, 130)], 10, at(125)), {
      grant: undefined,
      rest: [stretch(125, 130)],
      wasted: true
    })
    assert.deepStrictEqual(take([stretch(100, 130)], 10, at(130)), {
      grant: undefined,
      rest: [],
      wasted: true
    })
  })

  it("takes the first that is long enough", () => {
    assert.deepStrictEqual(take([stretch(100, 110), stretch(200, 230)], 20, at(0)), {
      grant: { end: 220, length: 20 },
      rest: [stretch(100, 110), stretch(220, 230)],
      wasted: false
    })
  })

  it("is due as late as the clocks may differ, and takes nothing that would then be late", () => {
    assert.deepStrictEqual(take([stretch(100, 130, 5)], 10, at(0, 15)).grant, { end: 115, length: 10 })
    assert.isUndefined(take([stretch(100, 130, 6)], 10, at(0, 15)).grant)
  })

  it("does not mind the last digits of a sum", () => {
    const third = 1000 / 3
    let stretches: ReadonlyArray<Stretch> = [stretch(0.1, 0.1 + 3 * third)]
    for (let index = 0; index < 3; index++) {
      const taken = take(stretches, third, at(0))
      assert.isDefined(taken.grant)
      stretches = taken.rest
    }
    assert.deepStrictEqual(stretches, [])
  })
})

describe("takeFirst", () => {
  it("serves whom it was leased for, though its time may be over", () => {
    assert.deepStrictEqual(takeFirst(stretch(100, 130, 40), 10), {
      grant: { end: 150, length: 10 },
      rest: [stretch(110, 130, 40)]
    })
  })
})
