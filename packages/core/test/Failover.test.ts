import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Logger, Schema } from "effect"
import { TestClock } from "effect/testing"
import type { Delivery } from "../src/Delivery.ts"
import * as Failover from "../src/Failover.ts"
import * as Transport from "../src/Transport.ts"
import * as TransportReason from "../src/TransportReason.ts"
import { junk, oneOf, pick, spoilt } from "./support/junk.ts"
import {
  certaintyOf,
  envelope,
  envelopes,
  reasons,
  scripted,
  type Scripted,
  Whole,
  Word
} from "./support/scripted.ts"

const tags = (deliveries: ReadonlyArray<Delivery>) =>
  deliveries.map((one) => (one._tag === "Accepted" ? one.messageId : `${one._tag} ${one.reason._tag}`))

const ids = (all: ReadonlyArray<{ readonly trackingId: string }>) => all.map(({ trackingId }) => trackingId)

const quiet = Effect.provide(Logger.layer([]))

const pair = (first: Word, second: Word) =>
  [scripted(() => first, { name: "main" }), scripted(() => second, { name: "spare" })] as const

describe("failover", () => {
  it.effect("asks the next for what the one before did not send, by fault of the lane", () =>
    Effect.gen(function* () {
      for (const word of ["throttled", "unreachable", "unauthorized", "redirected"] as const) {
        const [main, spare] = pair(word, "accepted")
        const deliveries = yield* Transport.deliver(Failover.failover([main, spare]), yield* envelopes(2))
        assert.deepStrictEqual(tags(deliveries), ["spare:m0", "spare:m1"], word)
      }
    }).pipe(quiet)
  )

  it.effect("leaves where it is what was refused, withheld, too late, or perhaps sent", () =>
    Effect.gen(function* () {
      for (const word of [
        "rejected",
        "unencodable",
        "withheld",
        "serverError",
        "timedOut",
        "silent"
      ] as const) {
        const [main, spare] = pair(word, "accepted")
        const [delivery] = yield* Transport.deliver(Failover.failover([main, spare]), yield* envelopes(1))
        assert.strictEqual(delivery?._tag, certaintyOf(word), word)
        assert.strictEqual(spare.calls.length, 0, word)
      }
    }).pipe(quiet)
  )

  it.effect("moves a refused message on where that is asked for, and never one that must not go out", () =>
    Effect.gen(function* () {
      const asked = (word: Word | TransportReason.TransportReason) =>
        Effect.gen(function* () {
          const main = scripted(() => word, { name: "main" })
          const spare = scripted(() => "accepted", { name: "spare" })
          const all = Failover.failover([main, spare], { movesOn: () => true })
          return tags(yield* Transport.deliver(all, yield* envelopes(1)))
        })
      assert.deepStrictEqual(yield* asked("rejected"), ["spare:m0"])
      assert.deepStrictEqual(yield* asked("withheld"), ["NotSent Withheld"])
      assert.deepStrictEqual(yield* asked(new TransportReason.Expired({})), ["NotSent Expired"])
    }).pipe(quiet)
  )

  it.effect("divides a batch by what became of each", () =>
    Effect.gen(function* () {
      const main = scripted(({ trackingId }) => (trackingId === "m1" ? "unauthorized" : "accepted"), {
        name: "main"
      })
      const spare = scripted(() => "accepted", { name: "spare" })
      const deliveries = yield* Transport.deliver(Failover.failover([main, spare]), yield* envelopes(3))
      assert.deepStrictEqual(tags(deliveries), ["main:m0", "spare:m1", "main:m2"])
      assert.deepStrictEqual(spare.calls.map(ids), [["m1"]])
    }).pipe(quiet)
  )

  it.effect("keeps every cause, also of a failover in a failover, and answers with the most hopeful", () =>
    Effect.gen(function* () {
      const [a, b] = pair("unreachable", "unauthorized")
      const last = scripted(() => "redirected", { name: "last" })
      const all = Failover.failover([Failover.failover([a, b], { name: "inner" }), last])
      const [delivery] = yield* Transport.deliver(all, yield* envelopes(1))
      assert.deepInclude(delivery, { _tag: "NotSent", reason: reasons.unreachable })
      assert.deepStrictEqual(
        delivery === undefined
          ? []
          : Failover.attempts(delivery).map(({ reason, transport }) => [transport, reason._tag]),
        [
          ["main", "Unreachable"],
          ["spare", "Unauthorized"],
          ["last", "Redirected"]
        ]
      )
      const [single] = yield* Transport.deliver(Failover.failover([a]), yield* envelopes(1))
      assert.deepStrictEqual(single === undefined ? [] : Failover.attempts(single), [])
    }).pipe(quiet)
  )

  it.effect("answers with the shorter of two waits", () =>
    Effect.gen(function* () {
      const busy = (seconds: number) =>
        scripted(() => new TransportReason.Throttled({ status: 429, retryAfter: Duration.seconds(seconds) }))
      const [delivery] = yield* Transport.deliver(
        Failover.failover([busy(60), busy(5), busy(30)]),
        yield* envelopes(1)
      )
      assert.isTrue(delivery?._tag === "NotSent")
      if (delivery?._tag !== "NotSent") return
      assert.deepStrictEqual(TransportReason.retryAfter(delivery.reason), Duration.seconds(5))
    }).pipe(quiet)
  )

  it.effect("asks one that failed last until it has cooled down, and then first again", () =>
    Effect.gen(function* () {
      const main = scripted((_, times) => (times === 0 ? "unreachable" : "accepted"), { name: "main" })
      const spare = scripted(() => "accepted", { name: "spare" })
      const all = Failover.failover([main, spare], { coolDown: "30 seconds" })
      const send = Effect.flatMap(envelopes(1), (batch) => Effect.map(Transport.deliver(all, batch), tags))
      assert.deepStrictEqual(yield* send, ["spare:m0"])
      yield* TestClock.adjust("29 seconds")
      assert.deepStrictEqual(yield* send, ["spare:m0"])
      assert.strictEqual(main.calls.length, 1)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* send, ["main:m0"])
    }).pipe(quiet)
  )

  it.effect("leaves one alone for as long as it asks", () =>
    Effect.gen(function* () {
      const wait = new TransportReason.Throttled({ status: 429, retryAfter: Duration.minutes(2) })
      const main = scripted((_, times) => (times === 0 ? wait : "accepted"), { name: "main" })
      const all = Failover.failover([main, scripted(() => "accepted", { name: "spare" })])
      const send = Effect.flatMap(envelopes(1), (batch) => Effect.map(Transport.deliver(all, batch), tags))
      yield* send
      yield* TestClock.adjust("119 seconds")
      assert.deepStrictEqual(yield* send, ["spare:m0"])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* send, ["main:m0"])
    }).pipe(quiet)
  )

  it.effect("asks one that is cooling down before it gives up", () =>
    Effect.gen(function* () {
      const main = scripted((_, times) => (times === 0 ? "unreachable" : "accepted"), { name: "main" })
      const spare = scripted((_, times) => (times === 0 ? "accepted" : "unreachable"), { name: "spare" })
      const all = Failover.failover([main, spare])
      const send = Effect.flatMap(envelopes(1), (batch) => Effect.map(Transport.deliver(all, batch), tags))
      assert.deepStrictEqual(yield* send, ["spare:m0"])
      assert.deepStrictEqual(yield* send, ["main:m0"])
      assert.strictEqual(spare.calls.length, 2)
    }).pipe(quiet)
  )

  it.effect("does not cool down for the fault of one message", () =>
    Effect.gen(function* () {
      const main = scripted(({ trackingId }) => (trackingId === "m0" ? "unauthorized" : "accepted"), {
        name: "main"
      })
      const all = Failover.failover([main, scripted(() => "accepted", { name: "spare" })])
      yield* Transport.deliver(all, yield* envelopes(2))
      yield* Transport.deliver(all, yield* envelopes(2))
      assert.strictEqual(main.calls.length, 2)
    }).pipe(quiet)
  )

  it.effect("says in the log who stands in for whom, and why, without personal data", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.map(Logger.formatJson, (line) => void lines.push(line))
      const all = Failover.failover(pair("unreachable", "accepted"))
      yield* Effect.provide(
        Transport.deliver(all, [yield* envelope("to-380671112233")]),
        Logger.layer([logger])
      )
      assert.strictEqual(lines.length, 1)
      for (const part of ["main", "spare", "ECONNREFUSED"]) assert.include(lines[0], part)
      assert.notInclude(lines[0], "380671112233")
    })
  )

  it("is named after its transports, and takes what the smallest of them takes", () => {
    const small = scripted(() => "accepted", { name: "small", maxBatchSize: 20 })
    const large = scripted(() => "accepted", { name: "large", maxBatchSize: 500 })
    const all = Failover.failover([large, small])
    assert.deepInclude(all, { name: "large > small", maxBatchSize: 20 })
    assert.strictEqual(Failover.failover([large], { name: "both" }).name, "both")
  })

  it.effect("stays where it is where the function that decides fails, and answers for the others", () =>
    Effect.gen(function* () {
      const first = scripted(({ trackingId }) => (trackingId === "m0" ? "accepted" : "throttled"), {
        name: "first"
      })
      const second = scripted(() => "accepted", { name: "second" })
      for (const movesOn of [() => assert.fail("no"), () => "yes" as never, () => undefined as never]) {
        const all = Failover.failover([first, second], { movesOn })
        assert.deepStrictEqual(
          (yield* Transport.deliver(all, yield* envelopes(2))).map(({ _tag }) => _tag),
          ["Accepted", "NotSent"]
        )
      }
      assert.strictEqual(second.calls.length, 0)
    })
  )

  it.effect.prop(
    "works with options that make no sense",
    [spoilt({ coolDown: "10 seconds" }), oneOf<unknown>(junk, pick<unknown>([5]))],
    ([options, maxBatchSize]) =>
      Effect.gen(function* () {
        const first = scripted(() => "unreachable", { maxBatchSize: maxBatchSize as never })
        const second = scripted(() => "accepted", { maxBatchSize: 20 })
        const all = Failover.failover([first, second], Object(options) as never)
        assert.isTrue(all.maxBatchSize >= 1 && all.maxBatchSize <= 20)
        const [delivery] = yield* Transport.deliver(all, yield* envelopes(1))
        assert.strictEqual(delivery?._tag, "Accepted")
      }).pipe(quiet),
    { arbitrary: { runs: 2000 } }
  )

  const Line = Schema.Struct({ words: Schema.NonEmptyArray(Word), wholes: Schema.NonEmptyArray(Whole) })
  const Script = Schema.Struct({
    lines: Schema.NonEmptyArray(Line).check(Schema.isMaxLength(4)),
    count: Schema.Literals([1, 2, 5]),
    rounds: Schema.Literals([1, 3]),
    refusedMoves: Schema.Boolean
  })

  it.effect.prop(
    "asks another only after a denial, everyone before giving up, and answers for each",
    [Script],
    ([script]) =>
      Effect.gen(function* () {
        // What each transport said of each envelope in this round, in the order in which they were asked.
        const heard = new Map<string, Array<Word | Whole>>()
        const transports = script.lines.map((line, n): Scripted => {
          let whole: Whole = "none"
          return scripted(
            ({ trackingId }, times) => {
              const word = line.words[(Number(trackingId.slice(1)) + times) % line.words.length] ?? "accepted"
              heard.set(trackingId, [...(heard.get(trackingId) ?? []), whole === "none" ? word : whole])
              return word
            },
            { name: `t${n}`, whole: (call) => (whole = line.wholes[call % line.wholes.length] ?? "none") }
          )
        })
        const [first, ...rest] = transports
        if (first === undefined) return
        const moves = (word: Word | Whole) =>
          ["throttled", "unreachable", "unauthorized", "redirected"].includes(word) ||
          (script.refusedMoves && ["rejected", "unencodable"].includes(word))
        const all = Failover.failover([first, ...rest], script.refusedMoves ? { movesOn: () => true } : {})

        for (let round = 0; round < script.rounds; round++) {
          heard.clear()
          const batch = yield* envelopes(script.count)
          const deliveries = yield* Effect.orDie(all.send(batch))
          assert.deepStrictEqual(ids(deliveries).sort(), ids(batch).sort())
          for (const delivery of deliveries) {
            const words = heard.get(delivery.trackingId) ?? []
            const last = words.at(-1) ?? "none"
            assert.isTrue(words.slice(0, -1).every(moves), words.join())
            if (moves(last)) assert.strictEqual(words.length, transports.length)
            assert.strictEqual(delivery._tag, certainty(last), words.join())
            const causes: ReadonlyArray<unknown> = Failover.attempts(delivery).map(({ reason }) => reason)
            const denied = words.flatMap((word) =>
              word in reasons ? reasons[word as keyof typeof reasons] : []
            )
            assert.deepStrictEqual(causes, delivery._tag === "NotSent" && words.length > 1 ? denied : [])
          }
          yield* TestClock.adjust("4 seconds")
        }
      }).pipe(quiet),
    { arbitrary: { runs: 500 } }
  )
})

const certainty = (word: Word | Whole): Delivery["_tag"] => {
  if (word === "none") return "Accepted"
  if (word === "defect" || word === "throw" || word === "interrupt") return "Unknown"
  return certaintyOf(word)
}
