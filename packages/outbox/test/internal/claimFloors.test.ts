import { assert, describe, it } from "@effect/vitest"
import * as ClaimFloors from "../../src/internal/claimFloors.ts"

const lanes = [
  { lane: "a", limit: 10 },
  { lane: "b", limit: 10 }
] as const
const second = 1_000_000_000n
const row = (lane: string, dueSeconds: number) => ({ lane, dueSeconds })

describe("claim floors", () => {
  it("a lane is looked through from its beginning, then from a little before what it gave last", () => {
    const floors = ClaimFloors.make()
    assert.deepStrictEqual(floors.from(lanes, 0n), [-Infinity, -Infinity])
    floors.gave(lanes, floors.from(lanes, 0n), [row("a", 100), row("a", 90)], 0n)
    assert.deepStrictEqual(floors.from(lanes, 1n), [98, -Infinity])
  })

  it("moves on with what a lane gives, and never back but by a full look", () => {
    const floors = ClaimFloors.make()
    floors.gave(lanes, floors.from(lanes, 0n), [row("a", 100)], 0n)
    floors.gave(lanes, floors.from(lanes, 1n), [row("a", 110)], 1n)
    floors.gave(lanes, floors.from(lanes, 2n), [row("a", 109)], 2n)
    floors.gave(lanes, floors.from(lanes, 3n), [], 3n)
    assert.strictEqual(floors.from(lanes, 4n)[0], 108)
    floors.gave(lanes, floors.from(lanes, second), [row("a", 50)], second)
    assert.strictEqual(floors.from(lanes, second + 1n)[0], 48)
  })

  it("each lane is looked through from its beginning once a second", () => {
    const floors = ClaimFloors.make()
    floors.gave(lanes, floors.from(lanes, 0n), [row("a", 100), row("b", 200)], 0n)
    const [a] = lanes
    floors.gave([a], floors.from([a], second), [row("a", 120)], second)
    assert.deepStrictEqual(floors.from(lanes, second + 1n), [118, -Infinity])
    // What a claim from further on gives does not put that off.
    floors.gave(lanes, [118, 198], [row("b", 210)], second + 1n)
    assert.deepStrictEqual(floors.from(lanes, second + 2n), [118, -Infinity])
  })

  it("an instant without an end is none to go on from", () => {
    const floors = ClaimFloors.make()
    floors.gave(lanes, floors.from(lanes, 0n), [row("a", -Infinity), row("b", Infinity)], 0n)
    assert.deepStrictEqual(floors.from(lanes, 1n), [-Infinity, -Infinity])
  })
})
