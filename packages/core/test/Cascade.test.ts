import { assert, describe, it } from "@effect/vitest"
import { DateTime, Deferred, Duration, Effect, Fiber, Layer, Logger, Schedule, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Cascade from "../src/Cascade.ts"
import * as CascadeEvents from "../src/CascadeEvents.ts"
import type { Delivery } from "../src/Delivery.ts"
import { StatusLookup } from "../src/StatusLookup.ts"
import { Transport } from "../src/Transport.ts"
import * as TransportReason from "../src/TransportReason.ts"
import { flashCall, message, reasons, scripted, type Scripted, Whole, Word } from "./support/scripted.ts"
import { report } from "./support/status.ts"

const client = (transport: Scripted, options?: Cascade.CascadeOptions) =>
  Effect.provideService(Cascade.make(options), Transport, transport)

const tags = (deliveries: ReadonlyArray<Delivery>) =>
  deliveries.map((one) => (one._tag === "Accepted" ? "Accepted" : `${one._tag} ${one.reason._tag}`))

const ids = (all: ReadonlyArray<{ readonly trackingId: string }>) => all.map(({ trackingId }) => trackingId)

/** When each attempt of a single message came, in milliseconds from the start, and what came of it. */
const timeline = (transport: Scripted, times: Array<number>, options?: Cascade.SendOptions) =>
  Effect.gen(function* () {
    const cascade = yield* client(transport)
    const fiber = yield* Effect.forkChild(cascade.send(message("m"), options))
    yield* TestClock.adjust("1 hour")
    return { delivery: yield* Fiber.join(fiber), times }
  })

const timed = (say: (times: number) => Word | TransportReason.TransportReason) => {
  const times: Array<number> = []
  const before = Effect.map(DateTime.now, (now) => void times.push(DateTime.toEpochMillis(now)))
  return { times, transport: scripted((_, n) => say(n), { before }) }
}

const words = new Map<string, Word>(Word.literals.map((word) => [word, word]))

describe("Cascade.send", () => {
  it.effect("answers with what became of the message", () =>
    Effect.gen(function* () {
      const cascade = yield* client(scripted(({ trackingId }) => words.get(trackingId) ?? "silent"))
      const once = { retry: "none" } as const
      assert.deepInclude(yield* cascade.send(message("accepted")), { messageId: "scripted:accepted" })
      for (const word of Word.literals) {
        if (word === "accepted" || word === "silent") continue
        const delivery = yield* cascade.send(message(word), once)
        assert.strictEqual<string>(delivery.trackingId, word)
        assert.deepStrictEqual(tags([delivery]), [`${reasons[word].certainty} ${reasons[word]._tag}`])
      }
      assert.deepStrictEqual(tags([yield* cascade.send(message("silent"))]), ["Unknown UnreadableReply"])
    })
  )

  it.effect("seals with the route, the account and the headers of the call", () =>
    Effect.gen(function* () {
      const transport = scripted(() => "accepted")
      const cascade = yield* client(transport, { account: "shop" })
      yield* cascade.send(message("a"))
      yield* cascade.send(message("b"), { account: "bank", route: "tg-viber", headers: { tenant: "t1" } })
      const [a, b] = transport.calls.flat()
      assert.deepInclude(a, { account: "shop", route: "standard", schedule: "provider" })
      assert.deepInclude(b, { account: "bank", route: "tg-viber", headers: { tenant: "t1" } })
    })
  )

  it.effect("answers for a schedule that the provider does not take", () =>
    Effect.gen(function* () {
      const transport = scripted(() => "accepted")
      const cascade = yield* client(transport)
      const far = DateTime.add(yield* DateTime.now, { days: 31 })
      const delivery = yield* cascade.send(message("late", { scheduledSent: far }))
      assert.deepStrictEqual(tags([delivery]), ["NotSent Unencodable"])
      assert.include(delivery._tag === "NotSent" ? delivery.reason.message : "", "30 days")
      assert.strictEqual(transport.calls.length, 0)
    })
  )

  it.effect("publishes an acceptance, and nothing else", () =>
    Effect.gen(function* () {
      const stream = yield* (yield* CascadeEvents.CascadeEvents).subscribe
      const cascade = yield* client(
        scripted(({ trackingId }) => (trackingId === "no" ? "rejected" : "accepted"))
      )
      yield* cascade.sendAll([message("no"), message("yes")])
      yield* cascade.send(message("then"))
      const events = yield* Stream.runCollect(Stream.take(stream, 2))
      assert.deepStrictEqual(
        events.map((event) => [event._tag, "messageId" in event ? event.messageId : ""]),
        [
          ["Accepted", "scripted:yes"],
          ["Accepted", "scripted:then"]
        ]
      )
    }).pipe(Effect.provide(CascadeEvents.layer()))
  )

  it.effect("is there as a layer and as functions", () =>
    Effect.gen(function* () {
      const transport = scripted((_, n) => (n === 0 ? "unreachable" : "accepted"), { maxBatchSize: 2 })
      const needs = Layer.succeed(Transport, transport)
      const layer = Layer.provide(Cascade.layerWith({ retry: "none" }), needs)
      const delivery = yield* Effect.provide(Cascade.send(message("a")), layer)
      assert.deepStrictEqual(tags([delivery]), ["NotSent Unreachable"])
      const all = Effect.andThen(
        Cascade.sendAll([message("a"), message("a")]),
        Stream.runCollect(Cascade.sendStream(Stream.make(message("a"))))
      )
      assert.deepStrictEqual(tags(yield* Effect.provide(all, Layer.provide(Cascade.layer, needs))), [
        "Accepted"
      ])
    })
  )
})

describe("Cascade.status", () => {
  it.effect("asks the look-up of the program, once", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const answer = report("delivered", { messageId: "p-1" })
      const lookup = (messageId: string) => Effect.sync(() => (asked.push(messageId), answer))
      const transport = Layer.succeed(
        Transport,
        scripted(() => "accepted")
      )
      const found = yield* Cascade.status("p-1").pipe(
        Effect.provide(Layer.provide(Cascade.layer, transport)),
        Effect.provideService(StatusLookup, { lookup })
      )
      assert.strictEqual(found, answer)
      assert.deepStrictEqual(asked, ["p-1"])
    })
  )
})

describe("Cascade retries", () => {
  it.effect("tries three times, about 1 and 2 seconds apart, where the provider could not be reached", () =>
    Effect.gen(function* () {
      const { times, transport } = timed(() => "unreachable")
      const { delivery } = yield* timeline(transport, times)
      assert.deepStrictEqual(tags([delivery]), ["NotSent Unreachable"])
      assert.strictEqual(times.length, 3)
      const [first = 0, second = 0, third = 0] = times
      assert.isTrue(first === 0 && second >= 800 && second <= 1200, `${second}`)
      assert.isTrue(third - second >= 1600 && third - second <= 2400, `${third}`)
    })
  )

  it.effect("waits at least as long as the provider asks", () =>
    Effect.gen(function* () {
      const asked = new TransportReason.Throttled({ status: 429, retryAfter: Duration.seconds(20) })
      const { times, transport } = timed((n) => (n === 0 ? asked : "accepted"))
      const { delivery } = yield* timeline(transport, times)
      assert.deepStrictEqual(tags([delivery]), ["Accepted"])
      assert.deepStrictEqual(times, [0, 20_000])
    })
  )

  it.effect("does not wait longer than it may", () =>
    Effect.gen(function* () {
      const asked = new TransportReason.Throttled({ status: 429, retryAfter: Duration.minutes(2) })
      const patient = timed((n) => (n === 0 ? asked : "accepted"))
      yield* timeline(patient.transport, patient.times, { longestWait: "2 minutes" })
      assert.deepStrictEqual(patient.times, [0, 120_000])
      const hasty = timed(() => asked)
      const { delivery } = yield* timeline(hasty.transport, hasty.times)
      assert.strictEqual(hasty.times.length, 1)
      assert.deepInclude(delivery, { _tag: "NotSent", reason: asked })
    })
  )

  it.effect("sends again only what would not meet the same", () =>
    Effect.gen(function* () {
      for (const word of Word.literals) {
        const transport = scripted(() => word)
        const cascade = yield* client(transport, { retry: Schedule.recurs(2) })
        yield* cascade.send(message("m"))
        assert.strictEqual(transport.times("m"), word === "throttled" || word === "unreachable" ? 3 : 1, word)
      }
    })
  )

  it.effect(
    "sends again what may have been sent only where that is asked for, and only what people wait for",
    () =>
      Effect.gen(function* () {
        const kinds = [
          message("transaction"),
          flashCall("flashcall"),
          message("promo", { _tag: "Promo" }),
          message("survey", { _tag: "ViberSurvey", surveyOptions: ["a", "b"] })
        ]
        for (const uncertainty of ["hold", "resend"] as const) {
          const transport = scripted(() => "timedOut")
          const cascade = yield* client(transport, { retry: Schedule.recurs(2), uncertainty })
          const deliveries = yield* cascade.sendAll(kinds)
          assert.deepStrictEqual(
            tags(deliveries),
            kinds.map(() => "Unknown TimedOut")
          )
          const times = kinds.map(({ id }) => transport.times(id))
          assert.deepStrictEqual(times, uncertainty === "hold" ? [1, 1, 1, 1] : [3, 3, 1, 1])
        }
      })
  )

  it.effect("sends only those again that need it", () =>
    Effect.gen(function* () {
      const transport = scripted(({ trackingId }, n) =>
        trackingId === "b" && n === 0 ? "throttled" : "accepted"
      )
      const cascade = yield* client(transport, { retry: Schedule.recurs(2) })
      const deliveries = yield* cascade.sendAll([message("a"), message("b"), message("c")])
      assert.deepStrictEqual(tags(deliveries), ["Accepted", "Accepted", "Accepted"])
      assert.deepStrictEqual(transport.calls.map(ids), [["a", "b", "c"], ["b"]])
    })
  )

  it.effect("sends nothing after its deadline, and waits for nothing that would be too late", () =>
    Effect.gen(function* () {
      const asked = new TransportReason.Throttled({ status: 429, retryAfter: Duration.seconds(10) })
      const { times, transport } = timed(() => asked)
      const cascade = yield* client(transport)
      const fiber = yield* Effect.forkChild(
        cascade.sendAll([message("short", { ttl: "10 seconds" }), message("long")])
      )
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(tags(yield* Fiber.join(fiber)), ["NotSent Throttled", "NotSent Throttled"])
      assert.deepStrictEqual(transport.calls.map(ids), [["short", "long"], ["long"], ["long"]])
      assert.deepStrictEqual(times, [0, 10_000, 20_000])

      const past = DateTime.subtract(yield* DateTime.now, { seconds: 30 })
      const expired = yield* cascade.send(message("past", { scheduledSent: past, ttl: "30 seconds" }))
      assert.deepStrictEqual(tags([expired]), ["NotSent Expired"])
      assert.strictEqual(transport.times("past"), 0)
    })
  )
})

describe("Cascade.sendAll", () => {
  it.effect("answers in order, in batches that the transport takes, a few at a time", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const transport = scripted(() => "accepted", { maxBatchSize: 3, before: Deferred.await(gate) })
      const cascade = yield* client(transport)
      const all = Array.from({ length: 20 }, (_, n) => message(`m${n}`))
      const fiber = yield* Effect.forkChild(cascade.sendAll(all), { startImmediately: true })
      yield* TestClock.adjust(1)
      assert.strictEqual(transport.calls.length, 4)
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(
        ids(yield* Fiber.join(fiber)),
        all.map(({ id }) => id)
      )
      assert.deepStrictEqual(
        transport.calls.map(({ length }) => length),
        [3, 3, 3, 3, 3, 3, 2]
      )
      yield* cascade.sendAll(all, { batchSize: 2, concurrency: 1 })
      assert.strictEqual(transport.calls.length, 17)
      assert.deepStrictEqual(yield* cascade.sendAll([]), [])
    })
  )

  it.effect("takes any size that a transport names, and sends at least one at a time", () =>
    Effect.gen(function* () {
      for (const maxBatchSize of [Infinity, 0, -1, NaN, 1.5]) {
        const transport = scripted(() => "accepted", { maxBatchSize })
        const cascade = yield* client(transport)
        yield* cascade.sendAll([message("a"), message("b")])
        yield* Stream.runDrain(cascade.sendStream(Stream.make(message("c"), message("d"))))
        const sizes = transport.calls.map(({ length }) => length)
        assert.deepStrictEqual(sizes, maxBatchSize === Infinity ? [2, 2] : [1, 1, 1, 1], `${maxBatchSize}`)
      }
    })
  )

  it.effect("sends a tracking id once", () =>
    Effect.gen(function* () {
      const transport = scripted(() => "accepted")
      const cascade = yield* client(transport, { batchSize: 1 })
      const deliveries = yield* cascade.sendAll([
        message("a"),
        message("b"),
        message("a"),
        message("a", { text: "something else" }),
        message("a")
      ])
      assert.deepStrictEqual(ids(deliveries), ["a", "b", "a", "a", "a"])
      assert.deepStrictEqual(tags(deliveries), [
        "Accepted",
        "Accepted",
        "Accepted",
        "NotSent Unencodable",
        "Accepted"
      ])
      assert.deepStrictEqual(transport.calls.map(ids), [["a"], ["b"]])
    })
  )

  it.effect("leaves a batch unknown whose transport breaks off, says so, and goes on with the others", () =>
    Effect.gen(function* () {
      const logs: Array<string> = []
      const logger = Logger.map(Logger.formatJson, (line) => void logs.push(line))
      const broken: ReadonlyArray<Whole> = ["defect", "throw", "interrupt"]
      const transport = scripted(() => "accepted", {
        maxBatchSize: 1,
        whole: (call) => broken[call] ?? "none"
      })
      const cascade = yield* client(transport)
      const all = Array.from({ length: 5 }, (_, n) => message(`m${n}`))
      const deliveries = yield* Effect.provide(
        cascade.sendAll(all, { concurrency: 1 }),
        Logger.layer([logger])
      )
      assert.deepStrictEqual(tags(deliveries), [
        "Unknown CutShort",
        "Unknown CutShort",
        "Unknown CutShort",
        "Accepted",
        "Accepted"
      ])
      assert.deepStrictEqual(
        deliveries.flatMap((one) => (one._tag === "Unknown" && "by" in one.reason ? one.reason.by : [])),
        ["defect", "defect", "interruption"]
      )
      assert.strictEqual(logs.filter((line) => line.includes("broke its contract")).length, 3)
      assert.isTrue(logs.some((line) => line.includes("TypeError at ") && line.includes("scripted.ts")))
      assert.notInclude(logs.join(), "canary-Zx84")
      assert.notInclude(logs.join(), "671112233")
    })
  )

  it.effect("stops at once when it is interrupted", () =>
    Effect.gen(function* () {
      const aborted = yield* Deferred.make<void>()
      const before = Effect.onInterrupt(Effect.never, () => Deferred.succeed(aborted, undefined))
      const transport = scripted(() => "accepted", { maxBatchSize: 1, before })
      const cascade = yield* client(transport)
      const fiber = yield* Effect.forkChild(
        cascade.sendAll([message("a"), message("b")], { concurrency: 1 }),
        {
          startImmediately: true
        }
      )
      yield* Fiber.interrupt(fiber)
      yield* Deferred.await(aborted)
      assert.deepStrictEqual(transport.calls.map(ids), [["a"]])
    })
  )

  const Script = Schema.Struct({
    ids: Schema.Array(Schema.Literals(["m0", "m1", "m2", "m3", "m4", "m5"])).check(Schema.isMaxLength(9)),
    words: Schema.NonEmptyArray(Word).check(Schema.isMaxLength(12)),
    wholes: Schema.NonEmptyArray(Whole).check(Schema.isMaxLength(5)),
    maxBatchSize: Schema.Literals([1, 2, 3, 1000]),
    uncertainty: Schema.Literals(["hold", "resend"])
  })

  it.effect.prop(
    "keeps its promises whatever a transport does",
    [Script],
    ([script]) =>
      Effect.gen(function* () {
        const heard = new Map<string, Array<Word | Whole>>()
        let whole: Whole = "none"
        const transport = scripted(
          ({ trackingId }, times) => {
            const word =
              script.words[(Number(trackingId.slice(1)) * 5 + times) % script.words.length] ?? "accepted"
            heard.set(trackingId, [...(heard.get(trackingId) ?? []), whole === "none" ? word : whole])
            return word
          },
          {
            maxBatchSize: script.maxBatchSize,
            whole: (call) => (whole = script.wholes[call % script.wholes.length] ?? "none")
          }
        )
        const cascade = yield* client(transport, {
          retry: Schedule.recurs(2),
          uncertainty: script.uncertainty,
          concurrency: 1
        })
        const deliveries = yield* Effect.provide(
          cascade.sendAll(script.ids.map((id) => message(id))),
          Logger.layer([])
        )

        assert.deepStrictEqual(ids(deliveries), [...script.ids])
        for (const call of transport.calls) {
          assert.isAtMost(call.length, script.maxBatchSize)
          assert.strictEqual(new Set(ids(call)).size, call.length)
        }
        for (const delivery of deliveries) {
          const words = heard.get(delivery.trackingId) ?? []
          const may = new Set(words.map(mayHaveSent))
          assert.isAtLeast(words.length, 1)
          assert.isAtMost(words.length, 3)
          for (const word of words.slice(0, -1)) {
            assert.isTrue(
              again.has(word) || (script.uncertainty === "resend" && mayHaveSent(word) === "perhaps")
            )
          }
          const expected = may.has("yes") ? "Accepted" : may.has("perhaps") ? "Unknown" : "NotSent"
          assert.strictEqual(delivery._tag, expected, words.join())
        }
      }),
    { arbitrary: { runs: 500 } }
  )
})

const again = new Set<string>(["throttled", "unreachable"])

const mayHaveSent = (word: Word | Whole) => {
  if (word === "accepted" || word === "none") return "yes"
  if (word === "silent" || word === "defect" || word === "throw" || word === "interrupt") return "perhaps"
  return reasons[word].certainty === "Unknown" ? "perhaps" : "no"
}
