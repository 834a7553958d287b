/**
 * A portion of the schedules that every run of the tests goes through, in tests small enough for the runner to hear from
 * its worker between them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Campaign from "./campaign.ts"

/** How many schedules all portions have together. */
const total = 10_000
const portions = 2
const chunk = 250

/** The first seed: `CASCADE_TEST_SEED` draws others, as for every property. */
const first = (() => {
  const asked = process.env["CASCADE_TEST_SEED"] ?? "1"
  const number = asked === "random" ? Math.floor(Math.random() * 1_000_000_000) : Number(asked)
  return Number.isInteger(number) ? (number - 1) * total + 1 : 1
})()

/** Defines the tests of one portion. */
export const portion = (index: number): void => {
  describe("random schedules of faults break no promise", () => {
    const size = total / portions
    for (let done = 0; done < size; done += chunk) {
      const from = first + index * size + done
      it(`seeds ${from} to ${from + chunk - 1}`, { timeout: 300_000 }, () => {
        const failure = Campaign.run(from, chunk)
        if (failure !== undefined) assert.fail(Campaign.describe(failure))
      })
    }
  })
}
