/**
 * Scripts and options of the doubles that mean nothing: each ends in a typed error where it is written, of bounded
 * size, and never in the middle of a run.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Result } from "effect"
import * as EmulatorFault from "../../src/EmulatorFault.ts"
import * as FakeCascade from "../../src/FakeCascade.ts"
import * as FaultProxy from "../../src/FaultProxy.ts"
import * as SmsBatEmulator from "../../src/SmsBatEmulator.ts"
import * as TestOutbox from "../../src/TestOutbox.ts"
import * as Toxic from "../../src/Toxic.ts"

/** What a program without types would hand on. */
const untyped = <A>(value: unknown): A => value as A

const noArrays: ReadonlyArray<unknown> = [
  null,
  5,
  true,
  {},
  [null],
  [[null]],
  [1],
  ["x"],
  [{}],
  [{ _tag: 1 }]
]

const huge = "x".repeat(1024 * 1024)
const texts = [
  "x:y",
  ":::",
  "+++",
  "\u0000",
  "__proto__",
  "constructor",
  "429:0",
  "429:-1",
  "429:NaN",
  "429:200%",
  "429:__proto__=x",
  `429:${"9".repeat(400)}x`,
  "latency:99999999999999999999ms",
  "302:to=\r\nset-cookie: x",
  "poison:ids=|",
  `ok:${"9".repeat(15)}x`,
  "ok:100001x",
  huge,
  `429:${huge}`,
  `429:${huge}=x`,
  "x,".repeat(100_000),
  "x+".repeat(100_000)
]
const toxicTexts = [
  "latency",
  "latency:-1ms",
  "bandwidth:0",
  "slicer:0",
  "slicer:1:size_variation=5",
  "limit_data:1e400",
  "down:5",
  "__proto__",
  "constructor:1",
  "reset_peer:200%",
  huge,
  `latency:${huge}`,
  "x,".repeat(100_000)
]

/** A short message of the error that it ends with. */
const refused = <A, E extends { readonly _tag: string; readonly message: string }, R>(
  self: Effect.Effect<A, E, R>,
  tag: string,
  name: unknown
) =>
  Effect.gen(function* () {
    const shown = String(JSON.stringify(name)).slice(0, 60)
    const result = yield* Effect.result(self)
    if (Result.isSuccess(result)) return assert.fail(`${shown} was taken`)
    assert.strictEqual(result.failure._tag, tag, shown)
    assert.isBelow(result.failure.message.length, 20_000, shown)
  })

describe("faults", () => {
  it.live("that are none are refused in text, as data, at the start, later and in a script", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make()
      for (const input of [...texts, ...noArrays]) {
        yield* refused(EmulatorFault.plan(untyped(input)), "InvalidFaults", input)
        yield* refused(emulator.setFaults(untyped(input)), "InvalidFaults", input)
        // An entry of no faults is one in which all is well.
        yield* refused(EmulatorFault.script(untyped(input)), "InvalidFaults", input)
        yield* refused(emulator.nextRequests(untyped(input)), "InvalidFaults", input)
        if (input !== null) {
          const options = { faults: untyped<string>(input) }
          yield* refused(Effect.scoped(SmsBatEmulator.make(options)), "InvalidFaults", input)
        }
      }
      assert.strictEqual(yield* emulator.scripted, 0)
    })
  )
})

describe("ports", () => {
  for (const port of [-1, 70_000, 1.5, Number.NaN]) {
    it.live(`${port} is refused`, () =>
      Effect.gen(function* () {
        yield* refused(Effect.scoped(SmsBatEmulator.make({ port })), "ListenError", port)
        const target = "http://127.0.0.1:9"
        yield* refused(Effect.scoped(FaultProxy.make({ target, port })), "ListenError", port)
        yield* refused(
          Effect.scoped(FaultProxy.make({ target: { host: "127.0.0.1", port } })),
          "InvalidTarget",
          port
        )
      })
    )
  }
})

describe("a fault proxy", () => {
  it.live("refuses targets and toxics that are none", () =>
    Effect.gen(function* () {
      for (const target of ["", "x", "tcp://x", huge, null, 5, {}, [], { host: "", port: 1 }, { port: 1 }]) {
        const options = { target: untyped<string>(target) }
        yield* refused(Effect.scoped(FaultProxy.make(options)), "InvalidTarget", target)
      }
      const target = "http://127.0.0.1:9"
      const proxy = yield* FaultProxy.make({ target })
      for (const toxics of [...toxicTexts, ...noArrays]) {
        yield* refused(Toxic.plan(untyped(toxics)), "InvalidToxics", toxics)
        yield* refused(proxy.setToxics(untyped(toxics)), "InvalidToxics", toxics)
        if (toxics !== null) {
          const options = { target, toxics: untyped<string>(toxics) }
          yield* refused(Effect.scoped(FaultProxy.make(options)), "InvalidToxics", toxics)
        }
      }
      assert.deepStrictEqual(yield* proxy.toxics, [])
    })
  )
})

describe("a fake provider", () => {
  const outcomes: ReadonlyArray<unknown> = [
    null,
    undefined,
    5,
    "accept",
    {},
    { _tag: "Nothing" },
    FakeCascade.throttle(untyped("nonsense")),
    FakeCascade.throttle(-1),
    FakeCascade.down(untyped("nonsense")),
    FakeCascade.down(-1),
    FakeCascade.reject(untyped(null))
  ]

  it.effect("refuses a script of what is no outcome where it is written", () =>
    Effect.gen(function* () {
      const fake = yield* FakeCascade.FakeCascade
      const thrown = (name: unknown, f: () => void) =>
        refused(
          Effect.try({ try: f, catch: (error) => untyped<FakeCascade.AssertionFailed>(error) }),
          "AssertionFailed",
          name
        )
      for (const outcome of outcomes) {
        yield* thrown(outcome, () => fake.nextCalls(untyped(outcome)))
        yield* thrown(outcome, () => fake.nextCalls(FakeCascade.accept, untyped(outcome)))
        yield* thrown(outcome, () => fake.when({ id: "a" }, untyped(outcome)))
        if (outcome === undefined || outcome === null) continue
        const layer = FakeCascade.layer({ outcome: untyped(outcome) })
        const built = Effect.scoped(Layer.build(layer)).pipe(
          Effect.catchDefect((defect) => Effect.fail(untyped<FakeCascade.AssertionFailed>(defect)))
        )
        yield* refused(built, "AssertionFailed", outcome)
      }
      yield* thrown("no outcome", () => untyped<() => void>(fake.nextCalls)())
      yield* thrown("no outcome", () => untyped<(matcher: object) => void>(fake.when)({ id: "a" }))
      for (const matcher of [null, undefined, 5, "x", { nothing: 1 }]) {
        yield* thrown(matcher, () => fake.when(untyped(matcher), FakeCascade.accept))
      }
    }).pipe(Effect.provide(FakeCascade.layer()))
  )
})

describe("an outbox in memory", () => {
  it.effect("refuses options of a relay that cannot work", () =>
    Effect.gen(function* () {
      for (const relay of [
        { slots: { high: 0 } },
        { batchSize: { high: Number.NaN } },
        { heartbeat: 0 },
        { lease: "1 second" },
        { accounts: { "'; --": untyped<never>(null) } }
      ] as const) {
        const drained = TestOutbox.drain.pipe(
          Effect.provide([TestOutbox.layer({ relay }), FakeCascade.layer()])
        )
        yield* refused(drained, "InvalidRelayOptions", relay)
      }
    })
  )
})
