import { assert, describe, it } from "@effect/vitest"
import * as EmulatorFault from "@effect-cascade/testing/EmulatorFault"
import * as Toxic from "@effect-cascade/testing/Toxic"
import { Effect } from "effect"
import * as Plan from "../../src/chaos/plan.ts"

const options = { seed: 7, millis: 210_000, kills: 110, restarts: 10, relays: 4, producers: 2 }

describe("plan", () => {
  it("is the same for the same seed, and another for another", () => {
    assert.deepStrictEqual(Plan.draw(options), Plan.draw(options))
    assert.notDeepEqual(Plan.draw(options), Plan.draw({ ...options, seed: 8 }))
  })

  it("has as many kills and restarts as were asked for, all within its time", () => {
    const plan = Plan.draw(options)
    assert.strictEqual(plan.filter(({ fault }) => fault._tag === "KillRelay").length, 110)
    assert.strictEqual(plan.filter(({ fault }) => fault._tag === "RestartDatabase").length, 10)
    assert.isTrue(plan.every(({ at }) => at >= 0 && at <= options.millis))
  })

  it.effect("names only faults that there are", () =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= 20; seed++) {
        for (const { fault } of Plan.draw({ ...options, seed })) {
          if (fault._tag === "Weather") yield* EmulatorFault.plan(fault.faults)
          if (fault._tag === "Refusal") yield* EmulatorFault.script(fault.script)
          if (fault._tag === "BadLink") yield* Toxic.plan(fault.toxics)
        }
      }
    })
  )
})
