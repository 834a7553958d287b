import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Schema } from "effect"
import type { Delivery } from "../src/Delivery.ts"
import * as RouteTransport from "../src/RouteTransport.ts"
import * as Transport from "../src/Transport.ts"
import { junk, spoilt } from "./support/junk.ts"
import { certaintyOf, envelope, envelopes, scripted, type Scripted, Whole, Word } from "./support/scripted.ts"

const ids = (all: ReadonlyArray<{ readonly trackingId: string }>) => all.map(({ trackingId }) => trackingId)

const tags = (deliveries: ReadonlyArray<Delivery>) =>
  deliveries.map((one) => (one._tag === "Accepted" ? one.messageId : `${one._tag} ${one.reason._tag}`))

const quiet = Effect.provide(Logger.layer([]))

describe("route", () => {
  it.effect("sends each through the transport that is chosen for it", () =>
    Effect.gen(function* () {
      const home = scripted(() => "accepted", { name: "home" })
      const abroad = scripted(() => "accepted", { name: "abroad" })
      const all = RouteTransport.route(({ message }) => (message.toPhone.startsWith("+380") ? home : abroad))
      const deliveries = yield* Transport.deliver(all, [
        yield* envelope("a"),
        yield* envelope("b", { toPhone: "+48601112233" }),
        yield* envelope("c")
      ])
      assert.deepStrictEqual(tags(deliveries), ["home:a", "abroad:b", "home:c"])
      assert.deepStrictEqual(home.calls.map(ids), [["a", "c"]])
      assert.deepInclude(all, { name: "route", maxBatchSize: 1000 })
    })
  )

  it.effect("does not send what no transport is chosen for, also where the choice fails, and says so", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.map(Logger.formatJson, (line) => void lines.push(line))
      const only = scripted(() => "accepted", { name: "only" })
      const all = RouteTransport.route(({ trackingId }) => {
        // oxlint-disable-next-line typescript/only-throw-error -- what a caller's function may do
        if (trackingId === "m1") throw "canaryZx84"
        return trackingId === "m2" ? undefined : only
      })
      const deliveries = yield* Effect.provide(
        Transport.deliver(all, yield* envelopes(4)),
        Logger.layer([logger])
      )
      assert.deepStrictEqual(tags(deliveries), [
        "only:m0",
        "NotSent Unencodable",
        "NotSent Unencodable",
        "only:m3"
      ])
      assert.strictEqual(lines.length, 1)
      assert.include(lines[0], '"messages":2')
      assert.notInclude(lines[0], "canaryZx84")
    })
  )

  it.effect("divides what is more than a transport takes", () =>
    Effect.gen(function* () {
      const small = scripted(() => "accepted", { name: "small", maxBatchSize: 2 })
      yield* Transport.deliver(
        RouteTransport.route(() => small, { maxBatchSize: 5 }),
        yield* envelopes(5)
      )
      assert.deepStrictEqual(small.calls.map(ids), [["m0", "m1"], ["m2", "m3"], ["m4"]])
    })
  )

  it.effect.prop(
    "answers for each, whatever is chosen and with whatever options",
    [spoilt({ maxBatchSize: 2, concurrency: 2 }), junk],
    ([options, chosen]) =>
      Effect.gen(function* () {
        const good = scripted(() => "accepted")
        const all = RouteTransport.route(
          ({ trackingId }) => (trackingId === "m1" ? (chosen as never) : good),
          Object(options) as never
        )
        assert.isAtLeast(all.maxBatchSize, 1)
        const deliveries = yield* Transport.deliver(all, yield* envelopes(3))
        assert.deepStrictEqual(
          deliveries.map(({ _tag }) => _tag),
          ["Accepted", chosen === null || chosen === undefined ? "NotSent" : "Unknown", "Accepted"]
        )
      }).pipe(quiet),
    { arbitrary: { runs: 2000 } }
  )

  const Line = Schema.Struct({
    words: Schema.NonEmptyArray(Word),
    wholes: Schema.NonEmptyArray(Whole),
    maxBatchSize: Schema.Literals([1, 2, 1000])
  })
  const Script = Schema.Struct({
    lines: Schema.NonEmptyArray(Line).check(Schema.isMaxLength(4)),
    choices: Schema.NonEmptyArray(Schema.Literals([0, 1, 2, 3])).check(Schema.isMaxLength(9))
  })

  it.effect.prop(
    "answers for each as its own transport does, whatever the others do",
    [Script],
    ([script]) =>
      Effect.gen(function* () {
        const heard = new Map<string, Word | Whole>()
        const transports = script.lines.map((line): Scripted => {
          let whole: Whole = "none"
          return scripted(
            ({ trackingId }) => {
              const word = line.words[Number(trackingId.slice(1)) % line.words.length] ?? "accepted"
              assert.isFalse(heard.has(trackingId))
              heard.set(trackingId, whole === "none" ? word : whole)
              return word
            },
            {
              maxBatchSize: line.maxBatchSize,
              whole: (call) => (whole = line.wholes[call % line.wholes.length] ?? "none")
            }
          )
        })
        const choice = (id: string) => transports[script.choices[Number(id.slice(1))] ?? 0]
        const batch = yield* envelopes(script.choices.length)
        const all = RouteTransport.route(({ trackingId }) => choice(trackingId))
        const deliveries = yield* Effect.orDie(all.send(batch))
        assert.deepStrictEqual(ids(deliveries).sort(), ids(batch).sort())
        for (const delivery of deliveries) {
          const chosen = choice(delivery.trackingId)
          const word = heard.get(delivery.trackingId)
          assert.strictEqual(chosen?.times(delivery.trackingId), chosen === undefined ? undefined : 1)
          assert.strictEqual(delivery._tag, word === undefined ? "NotSent" : certainty(word))
        }
        for (const transport of transports) {
          for (const call of transport.calls) assert.isAtMost(call.length, transport.maxBatchSize)
        }
      }).pipe(quiet),
    { arbitrary: { runs: 300 } }
  )
})

const certainty = (word: Word | Whole): Delivery["_tag"] => {
  if (word === "none") return "Accepted"
  if (word === "defect" || word === "throw" || word === "interrupt") return "Unknown"
  return certaintyOf(word)
}
