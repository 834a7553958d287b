import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as dice from "../../../src/internal/emulator/dice.ts"

const many = (seed: string, count: number) => {
  const chance = dice.make(seed)
  return Array.from({ length: count }, () => chance.next())
}

describe("dice", () => {
  it.prop("fall alike for the same seed, and from 0 to 1", [Schema.String], ([seed]) => {
    const numbers = many(seed, 50)
    assert.deepStrictEqual(many(seed, 50), numbers)
    assert.isTrue(numbers.every((number) => number >= 0 && number < 1))
    const chance = dice.make(seed)
    chance.next()
    chance.restart()
    assert.strictEqual(chance.next(), numbers[0])
  })

  it("are fair, and unrelated for seeds that are alike", () => {
    const [one, two] = [many("1/0", 20_000), many("1/1", 20_000)]
    const mean = (numbers: ReadonlyArray<number>) =>
      numbers.reduce((sum, number) => sum + number, 0) / numbers.length
    assert.closeTo(mean(one), 0.5, 0.01)
    assert.closeTo(mean(one.map((number, index) => (number - 0.5) * ((two[index] ?? 0) - 0.5))), 0, 0.003)
  })

  it("make different UUIDs", () => {
    const chance = dice.make("1")
    const ids = Array.from({ length: 10_000 }, () => dice.uuid(chance))
    assert.strictEqual(new Set(ids).size, 10_000)
    for (const id of ids)
      assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })

  it.prop("shuffle without losing anything", [Schema.Array(Schema.Int)], ([values]) => {
    assert.sameMembers(dice.shuffle(dice.make("1"), values), [...values])
  })
})
