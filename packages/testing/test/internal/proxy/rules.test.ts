import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as rules from "../../../src/internal/proxy/rules.ts"
import * as Toxic from "../../../src/Toxic.ts"

const data = (size: number, at = 0): rules.Arrival => ({ kind: "data", size, at })
const end: rules.Arrival = { kind: "end", size: 0, at: 0 }
const reset: rules.Arrival = { kind: "reset", size: 0, at: 0 }

const made = (toxics: Toxic.PlanInput, direction: Toxic.Direction = "downstream", seed = "1/1") =>
  Effect.map(Toxic.plan(toxics), (plan) => rules.make(plan, direction, seed))

const pass = (bytes: number, last = false): rules.Step => ({ _tag: "Pass", bytes, last })
const wait = (until: number): rules.Step => ({ _tag: "Wait", until })

describe("rules", () => {
  for (const [toxics, arrival, now, step] of [
    ["", data(10), 0, pass(10)],
    ["latency:20ms", data(10), 19, wait(20)],
    ["latency:20ms", data(10), 20, pass(10)],
    ["latency:20ms, latency:5ms", end, 24, wait(25)],
    ["slow_close:20ms", data(10), 0, pass(10)],
    ["slow_close:20ms", end, 0, wait(20)],
    ["slow_close:20ms", reset, 0, pass(0)],
    ["timeout", data(10), 1e9, wait(Infinity)],
    ["timeout", reset, 1e9, wait(Infinity)],
    ["timeout:20ms, timeout", end, 19, wait(20)],
    ["timeout:20ms", data(10), 20, { _tag: "Close" }],
    ["reset_peer", data(10), 0, { _tag: "Reset" }],
    ["reset_peer", end, 0, { _tag: "Reset" }],
    ["reset_peer:20ms", data(10), 19, wait(20)],
    ["timeout, reset_peer", data(10), 0, wait(Infinity)],
    ["limit_data:10", data(9), 0, pass(9)],
    ["limit_data:10", data(11), 0, pass(10, true)],
    ["limit_data:10, limit_data:4", data(11), 0, pass(4, true)],
    ["limit_data:0", data(1), 0, { _tag: "Close" }],
    ["limit_data:0", end, 0, pass(0)],
    ["slicer:4", data(10), 0, pass(4)],
    ["bandwidth:1", data(1000), 0, wait(100)],
    ["bandwidth:1", data(1000), 100, pass(100)],
    ["bandwidth:1", data(50), 50, pass(50)],
    ["bandwidth:0.001", data(50), 1000, pass(1)],
    ["reset_peer:upstream", data(10), 0, pass(10)],
    ["reset_peer:both", data(10), 0, { _tag: "Reset" }]
  ] as const) {
    it.effect(`of "${toxics}" say of ${arrival.kind} at ${now}: ${JSON.stringify(step)}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual((yield* made(toxics)).next(arrival, now), step)
      })
    )
  }

  it.effect("give the same answer however often they are asked", () =>
    Effect.gen(function* () {
      const one = yield* made("latency:50ms:jitter=50ms, slicer:10:size_variation=5, bandwidth:1")
      const first = one.next(data(100), 0)
      for (let time = 0; time < 5; time++) assert.deepStrictEqual(one.next(data(100), 0), first)
    })
  )

  it.effect("delay by chance, within the jitter and by the seed", () =>
    Effect.gen(function* () {
      const until = (seed: string) =>
        Effect.map(made("latency:100ms:jitter=50ms", "downstream", seed), (one) => {
          const step = one.next(data(1), 0)
          return step._tag === "Wait" ? step.until : undefined
        })
      const seeds = Array.from({ length: 20 }, (_, n) => `1/${n}`)
      const delays = yield* Effect.forEach(seeds, until)
      for (const delay of delays) assert.isTrue(delay !== undefined && delay >= 50 && delay <= 150)
      assert.isAbove(new Set(delays).size, 10)
      assert.deepStrictEqual(yield* Effect.forEach(seeds, until), delays)
    })
  )

  it.effect("delay the pieces of what came together by the same time", () =>
    Effect.gen(function* () {
      const one = yield* made("latency:100ms:jitter=100ms, slicer:10")
      const step = one.next(data(100), 0)
      const until = step._tag === "Wait" ? step.until : 0
      for (let size = 100; size > 0; size -= 10) {
        assert.deepStrictEqual(one.next(data(size), until), pass(10))
        one.passed(data(size), 10)
      }
    })
  )

  // Whatever the toxics that only slow down, and however it comes: everything passes, and time never has to go back.
  const Slow = Schema.Array(
    Schema.Union([
      Schema.Struct({ _tag: Schema.tag("Latency"), latency: Small(), jitter: Small() }),
      Schema.Struct({ _tag: Schema.tag("Bandwidth"), rate: Schema.Literals([0.01, 1, 100]) }),
      Schema.Struct({
        _tag: Schema.tag("Slicer"),
        averageSize: Schema.Literals([3, 50]),
        sizeVariation: Schema.Literals([0, 2]),
        delay: Small()
      })
    ])
  )
  it.effect.prop(
    "let everything pass that they only slow down",
    { toxics: Slow, sizes: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 200 }))) },
    ({ sizes, toxics }) =>
      Effect.gen(function* () {
        const one = yield* made(toxics)
        let now = 0
        for (const size of sizes) {
          let arrival = data(size)
          while (arrival.size > 0) {
            const step = one.next(arrival, now)
            if (step._tag === "Wait") {
              assert.isAbove(step.until, now)
              assert.isFinite(step.until)
              now = step.until
            } else if (step._tag === "Pass") {
              assert.isTrue(step.bytes > 0 && step.bytes <= arrival.size && !step.last)
              one.passed(arrival, step.bytes)
              arrival = data(arrival.size - step.bytes)
            } else assert.fail(step._tag)
          }
        }
      })
  )
})

function Small() {
  return Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 }))
}
