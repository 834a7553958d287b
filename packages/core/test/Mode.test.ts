import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Logger } from "effect"
import type { Delivery } from "../src/Delivery.ts"
import * as Mode from "../src/Mode.ts"
import * as PhoneNumber from "../src/PhoneNumber.ts"
import * as Transport from "../src/Transport.ts"
import { junk, oneOf, phone, phones, pick } from "./support/junk.ts"
import { envelope, envelopes, scripted, type Whole } from "./support/scripted.ts"

const ids = (all: ReadonlyArray<{ readonly trackingId: string }>) => all.map(({ trackingId }) => trackingId)

const tags = (deliveries: ReadonlyArray<Delivery>) =>
  deliveries.map((one) => (one._tag === "Accepted" ? one._tag : `${one._tag} ${one.reason._tag}`))

/** A guarded transport, with the lines it logged when it was made. */
const guarded = (mode: Mode.Mode, whole: Whole = "none") =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const logger = Logger.map(Logger.formatJson, (line) => void lines.push(line))
    const inner = scripted(() => "accepted", { name: "inner", maxBatchSize: 7, whole: () => whole })
    const outer = yield* Effect.provide(Mode.withMode(inner, mode), Logger.layer([logger]))
    return { inner, outer, lines }
  })

const mine = "+380671112233"
const theirs = "+380501112233"

const mixed = Effect.all([
  envelope("a", { toPhone: theirs }),
  envelope("b", { toPhone: mine }),
  envelope("c", { toPhone: theirs })
])

describe("withMode", () => {
  it.effect("lets everything out when live", () =>
    Effect.gen(function* () {
      const { inner, lines, outer } = yield* guarded("live")
      assert.deepStrictEqual(tags(yield* Transport.deliver(outer, yield* mixed)), [
        "Accepted",
        "Accepted",
        "Accepted"
      ])
      assert.strictEqual(inner.calls.length, 1)
      assert.strictEqual(lines.length, 1)
      assert.include(lines[0], '"mode":"live"')
    })
  )

  it.effect("lets nothing out in a dry run", () =>
    Effect.gen(function* () {
      const { inner, lines, outer } = yield* guarded("dryRun")
      const deliveries = yield* Transport.deliver(outer, yield* mixed)
      assert.deepStrictEqual(tags(deliveries), ["NotSent Withheld", "NotSent Withheld", "NotSent Withheld"])
      assert.strictEqual(inner.calls.length, 0)
      assert.deepInclude(outer, { name: "inner", maxBatchSize: 7 })
      assert.strictEqual(lines.length, 1)
      assert.include(lines[0], '"mode":"dryRun"')
    })
  )

  it.effect("lets out what is for the numbers on the list", () =>
    Effect.gen(function* () {
      const { inner, lines, outer } = yield* guarded({
        allowlist: [mine, "380 67 111 22 33", "067 111 22 33"]
      })
      const deliveries = yield* Transport.deliver(outer, yield* mixed)
      assert.deepStrictEqual(tags(deliveries), ["NotSent Withheld", "Accepted", "NotSent Withheld"])
      assert.deepStrictEqual(inner.calls.map(ids), [["b"]])
      assert.strictEqual(lines.length, 1)
      for (const part of ['"mode":"allowlist"', '"numbers":1', '"unusable":1']) assert.include(lines[0], part)
      assert.notInclude(lines[0], "1112233")
      assert.notInclude(lines[0], "22 33")
    })
  )

  it.effect("takes a number that can be corrected for the one it is", () =>
    Effect.gen(function* () {
      const { outer } = yield* guarded({ allowlist: new Set(["380671112233"]) })
      assert.deepStrictEqual(tags(yield* Transport.deliver(outer, yield* envelopes(1))), ["Accepted"])
    })
  )

  it.effect("answers for what it withholds whatever happens to the rest", () =>
    Effect.gen(function* () {
      for (const whole of ["timedOut", "unauthorized", "defect"] as const) {
        const { outer } = yield* guarded({ allowlist: [mine] }, whole)
        const [a, b] = yield* Effect.provide(Transport.deliver(outer, yield* mixed), Logger.layer([]))
        assert.strictEqual(a?._tag, "NotSent", whole)
        assert.strictEqual(b?._tag, whole === "unauthorized" ? "NotSent" : "Unknown", whole)
      }
    })
  )

  it.effect("lets nobody out in what is no mode, and says so", () =>
    Effect.gen(function* () {
      for (const mode of ["Live", "", undefined, null, {}, { allowlist: 5 }, { allowlist: null }, []]) {
        const { inner, lines, outer } = yield* guarded(mode as never)
        const [delivery] = yield* Transport.deliver(outer, yield* envelopes(1))
        assert.strictEqual(delivery?._tag, "NotSent")
        assert.strictEqual(inner.calls.length, 0)
        assert.include(lines[0], '"level":"ERROR"')
      }
    })
  )

  it.effect.prop(
    "lets out what is for a number on the list, and nobody else, whatever stands on it",
    [
      oneOf<unknown>(
        junk,
        Arbitrary.array(oneOf<unknown>(junk, pick<unknown>([...phones, mine, theirs])), {
          maxLength: 6
        }).pipe(Arbitrary.map((allowlist) => ({ allowlist })))
      )
    ],
    ([mode]) =>
      Effect.gen(function* () {
        const { inner, lines, outer } = yield* guarded(mode as never)
        const deliveries = yield* Transport.deliver(outer, yield* mixed)
        const listed: ReadonlyArray<unknown> = Object(mode).allowlist ?? []
        const numbers = new Set(
          listed.map((one) => (typeof one === "string" ? (PhoneNumber.correct(one) ?? one) : one))
        )
        assert.deepStrictEqual(
          deliveries.map(({ _tag }) => _tag === "Accepted"),
          [theirs, mine, theirs].map((phone) => numbers.has(phone))
        )
        assert.isTrue(inner.calls.flat().every(({ message }) => numbers.has(message.toPhone)))
        for (const line of lines) assert.notInclude(line, phone)
      }),
    { arbitrary: { runs: 2000 } }
  )
})
