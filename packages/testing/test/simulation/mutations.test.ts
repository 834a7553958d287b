import { assert, describe, it } from "@effect/vitest"
import * as Campaign from "./campaign.ts"
import { draw } from "./draw.ts"
import { mutations } from "./mutations.ts"
import { simulate } from "./simulate.ts"

/** Within so many schedules each mutation has to be found. */
const limit = 1_500

const firstFound = (mutation: Parameters<typeof simulate>[1]): number | undefined => {
  for (let seed = 1; seed <= limit; seed++) {
    if (Campaign.problemsOf(draw(seed), mutation).length > 0) return seed
  }
  return undefined
}

describe("the simulation finds a library in which", () => {
  for (const [name, mutation] of Object.entries(mutations)) {
    it(name, { timeout: 300_000 }, () => {
      assert.isDefined(firstFound(mutation), `not found within ${limit} schedules`)
    })
  }
})

describe("a schedule", () => {
  it("takes the same course each time", () => {
    for (let seed = 1; seed <= 50; seed++) {
      assert.deepStrictEqual(simulate(draw(seed)), simulate(draw(seed)))
    }
  })

  it("does something: messages end in every way, relays die, people receive", () => {
    const ends = new Set<string>()
    let deaths = 0
    for (let seed = 1; seed <= 500; seed++) {
      const { counts } = simulate(draw(seed))
      for (const end of counts.ends) ends.add(end)
      deaths += counts.deaths
    }
    assert.includeMembers([...ends], ["sent", "dead", "expired", "uncertain", "cancelled"])
    assert.isAbove(deaths, 100)
  })

  it("that fails is shrunk to what is needed, and says how to replay it", () => {
    const failure = Campaign.run(1, limit, mutations["hold is treated as resend"])
    assert.isDefined(failure)
    if (failure === undefined) return
    assert.isBelow(failure.shrunk.steps.length, 6)
    assert.isNotEmpty(failure.problems)
    const text = Campaign.describe(failure)
    assert.include(text, `seed ${failure.seed}`)
    assert.include(text, Campaign.replayCommand(failure.seed))
    assert.match(text, /\d\.\d{3} s {2}enqueue m\d/u)
  })
})
