import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import * as Toxic from "../src/Toxic.ts"

describe("Toxic", () => {
  it.effect("reads text and data alike", () =>
    Effect.gen(function* () {
      const fromText = yield* Toxic.plan(
        "latency:20ms:jitter=5, bandwidth:64:upstream, slow_close:delay=1s, timeout, timeout:1m:both, " +
          "reset_peer:5%, slicer:64:size_variation=32:delay=10us:toxicity=.5, limit_data:bytes=1000, down"
      )
      const fromData = yield* Toxic.plan([
        { _tag: "Latency", latency: "20 millis", jitter: 5 },
        { _tag: "Bandwidth", rate: 64, stream: "upstream" },
        { _tag: "SlowClose", delay: Duration.seconds(1) },
        { _tag: "Timeout" },
        { _tag: "Timeout", timeout: "1 minute", stream: "both" },
        { _tag: "ResetPeer", toxicity: 0.05 },
        { _tag: "Slicer", averageSize: 64, sizeVariation: 32, delay: "10 micros", toxicity: 0.5 },
        { _tag: "LimitData", bytes: 1000 },
        { _tag: "Down" }
      ])
      assert.deepStrictEqual(fromText, fromData)
    })
  )

  it.effect.prop("can be written as text and read again", [Toxic.Toxic, Toxic.Toxic], (toxics) =>
    Effect.gen(function* () {
      const text = Toxic.format(toxics)
      assert.strictEqual(Toxic.format(yield* Toxic.plan(text)), text)
    })
  )

  it.effect("says everything that is wrong with a text", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Toxic.plan("latncy:20ms, latency:soon, reset_peer:5x%, limit_data:3ms")
      )
      assert.deepStrictEqual(
        error.problems.map((problem) => problem.split(";")[0]),
        [
          '"latncy" is no toxic',
          'latency: "soon" cannot be read',
          'reset_peer: "5x%" cannot be read',
          'limit_data: "3ms" cannot be read'
        ]
      )
    })
  )

  for (const [text, problem] of [
    ["latency", /^latency: latency: /],
    ["bandwidth:0", /^bandwidth: rate: /],
    ["slicer:4:size_variation=4", /^slicer: .*sizeVariation below averageSize/],
    ["reset_peer:0%", /^reset_peer: toxicity: /],
    ["reset_peer:101%", /^reset_peer: toxicity: /],
    ["down:upstream", /^down: stream: /]
  ] as const) {
    it.effect(`refuses ${text}`, () =>
      Effect.gen(function* () {
        const { problems } = yield* Effect.flip(Toxic.plan(text))
        assert.strictEqual(problems.length, 1)
        assert.match(problems[0] ?? "", problem)
      })
    )
  }

  it.effect("refuses times that are none", () =>
    Effect.gen(function* () {
      for (const latency of ["-1 second", "Infinity", "soon"]) {
        // A text that is no duration does not compile as one.
        const toxic = { _tag: "Latency", latency: latency as "1 second" } as const
        const { problems } = yield* Effect.flip(Toxic.plan([toxic]))
        assert.strictEqual(problems.length, 1)
        assert.match(problems[0] ?? "", /^latency: latency: .*a (finite )?time/i)
      }
    })
  )
})
