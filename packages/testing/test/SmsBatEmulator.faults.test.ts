import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Agent } from "node:http"
import type * as EmulatorFault from "../src/EmulatorFault.ts"
import * as SmsBatEmulator from "../src/SmsBatEmulator.ts"
import { call, idsOf, keyed, message, send, tgViber } from "./support/emulatorClient.ts"

const batch = (...ids: ReadonlyArray<string>) => ids.map((id) => message(id))

describe("faults", () => {
  const meets = Effect.fnUntraced(function* (faults: EmulatorFault.PlanInput, ...ids: ReadonlyArray<string>) {
    const emulator = yield* SmsBatEmulator.make({ faults })
    const reply = yield* send(emulator.url, batch(...(ids.length === 0 ? ["a", "b"] : ids)))
    const [record] = yield* emulator.requests
    const { messages } = yield* emulator.ledger.counts
    const counts = yield* emulator.requestCounts
    return { reply, accepted: messages, record, confirmed: counts.confirmed }
  }, Effect.scoped)

  for (const [fault, status, accepted] of [
    ["429", 429, 0],
    ["500", 500, 0],
    ["502-after", 502, 2],
    ["503", 503, 0],
    ["504-after", 504, 2],
    ["401", 401, 0],
    ["403", 403, 0],
    ["html", 200, 2],
    ["html-before", 200, 0],
    ["empty", 200, 2],
    ["empty-before", 200, 0],
    ["wrong-shape", 200, 2],
    ["poison:ids=b", 400, 0],
    ["poison:marker=confirmed:status=413", 413, 0],
    ["302:to=http://127.0.0.1:9/", 302, 0]
  ] as const) {
    it.effect(`${fault} answers ${status} with ${accepted} accepted`, () =>
      Effect.gen(function* () {
        const met = yield* meets(fault)
        assert.strictEqual(met.reply.status, status)
        assert.strictEqual(met.accepted, accepted)
        assert.strictEqual(met.record?.status, status)
        assert.strictEqual(met.record?.accepted, accepted)
        assert.strictEqual(met.confirmed, 0)
        assert.deepStrictEqual(met.record?.faults, [fault.split(":")[0] ?? ""])
      })
    )
  }

  for (const [fault, accepted] of [
    ["reset-reading", 0],
    ["reset", 0],
    ["reset-after", 2]
  ] as const) {
    it.effect(`${fault} resets the connection with ${accepted} accepted`, () =>
      Effect.gen(function* () {
        const met = yield* meets(fault)
        assert.strictEqual(met.reply.code, "ECONNRESET")
        assert.isUndefined(met.reply.status)
        assert.strictEqual(met.accepted, accepted)
        assert.strictEqual(met.record?.outcome, "reset")
        assert.isUndefined(met.record?.status)
        assert.deepStrictEqual(met.record?.faults, [fault])
      })
    )
  }

  it.effect("truncated ends the connection in mid-reply", () =>
    Effect.gen(function* () {
      const met = yield* meets("truncated")
      assert.strictEqual(met.reply.status, 200)
      assert.strictEqual(met.reply.code, "ECONNRESET")
      assert.isAbove(met.reply.text.length, 0)
      assert.throws(() => JSON.parse(met.reply.text))
      assert.isBelow(met.reply.text.length, Number(met.reply.headers["content-length"]))
      assert.deepStrictEqual([met.accepted, met.confirmed, met.record?.outcome], [2, 0, "truncated"])
    })
  )

  for (const [fault, accepted] of [
    ["hang", 0],
    ["hang-after", 2]
  ] as const) {
    it.effect(`${fault} never answers, with ${accepted} accepted`, () =>
      Effect.gen(function* () {
        const emulator = yield* SmsBatEmulator.make({ faults: fault })
        const fiber = yield* Effect.forkChild(send(emulator.url, batch("a", "b")))
        yield* emulator.awaitRequests(1)
        yield* TestClock.adjust("1 day")
        assert.isUndefined(fiber.pollUnsafe())
        const [record] = yield* emulator.requests
        assert.strictEqual(record?.outcome, "hung")
        assert.strictEqual((yield* emulator.ledger.counts).messages, accepted)
        yield* Fiber.interrupt(fiber)
      })
    )
  }

  it.effect("a hanging connection is cut when the emulator stops", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const emulator = yield* Scope.provide(SmsBatEmulator.make({ faults: "hang" }), scope)
      const fiber = yield* Effect.forkChild(send(emulator.url, batch("a")))
      yield* emulator.awaitRequests(1)
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Fiber.join(fiber)).code, "ECONNRESET")
      assert.strictEqual((yield* send(emulator.url, batch("a"))).code, "ECONNREFUSED")
    })
  )

  it.effect("latency waits on the clock, before or after accepting", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make()
      yield* emulator.nextRequests("latency:1s, latency-after:1s")
      const before = yield* Effect.forkChild(send(emulator.url, batch("a")))
      yield* emulator.awaitRequests(1)
      const after = yield* Effect.forkChild(send(emulator.url, batch("b")))
      yield* emulator.awaitRequests(2)
      assert.deepStrictEqual(yield* emulator.ledger.lost(["a", "b"]), ["a"])
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(yield* emulator.ledger.lost(["a", "b"]), ["a"])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(yield* emulator.ledger.lost(["a", "b"]), [])
      assert.strictEqual((yield* Fiber.join(before)).status, 200)
      assert.strictEqual((yield* Fiber.join(after)).status, 200)
      assert.strictEqual((yield* emulator.ledger.received("a"))[0]?.acceptedAt, 1000)
    })
  )

  it.effect("what waits is accepted even if the client has given up", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make({ faults: "latency:10s" })
      const fiber = yield* Effect.forkChild(send(emulator.url, batch("a")))
      yield* emulator.awaitRequests(1)
      yield* Fiber.interrupt(fiber)
      yield* emulator.awaitRequest(({ outcome }) => outcome === "gone")
      yield* TestClock.adjust("10 seconds")
      yield* emulator.awaitReceived(1)
      const [record] = yield* emulator.requests
      assert.deepStrictEqual([record?.accepted, record?.confirmed, record?.status], [1, 0, undefined])
      assert.strictEqual((yield* emulator.requestCounts).confirmed, 0)
    })
  )

  it.effect("slow-body sends the whole reply, drop by drop", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make({ faults: "slow-body:bytes=10:pause=1s" })
      const fiber = yield* Effect.forkChild(send(emulator.url, batch("a")))
      yield* emulator.awaitRequests(1)
      yield* TestClock.adjust("3 seconds")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 minute")
      const reply = yield* Fiber.join(fiber)
      assert.deepStrictEqual(idsOf(reply), ["a"])
      assert.isUndefined(reply.code)
    })
  )

  it.effect("rewrites who is answered for", () =>
    Effect.gen(function* () {
      const ids = Array.from({ length: 12 }, (_, index) => `m${index}`)
      const shuffled = yield* meets("shuffled", ...ids)
      assert.notDeepEqual(idsOf(shuffled.reply), ids)
      assert.sameMembers([...idsOf(shuffled.reply)], ids)
      assert.strictEqual(shuffled.confirmed, 12)

      const missing = yield* meets("missing-ids:amount=2", ...ids)
      const named = idsOf(missing.reply)
      assert.strictEqual(named.length, 10)
      assert.deepStrictEqual(
        named,
        ids.filter((id) => named.includes(id))
      )
      assert.deepStrictEqual([missing.accepted, missing.confirmed], [12, 10])

      const foreign = yield* meets("foreign-ids:amount=2", ...ids)
      assert.deepStrictEqual(idsOf(foreign.reply).slice(0, 12), ids)
      assert.strictEqual(idsOf(foreign.reply).length, 14)
      assert.deepStrictEqual([foreign.accepted, foreign.confirmed], [12, 12])
    })
  )

  it.effect("wrong-shape is JSON of another shape", () =>
    Effect.gen(function* () {
      const shapes = yield* Effect.forEach(["object", "renamed", "numbers", "null"], (shape) =>
        Effect.map(meets(`wrong-shape:shape=${shape}`, "a"), ({ reply }) => JSON.parse(reply.text))
      )
      const [object, renamed, numbers, none] = shapes
      assert.deepStrictEqual(object.messages[0].trackinId, "a")
      assert.deepStrictEqual([renamed[0].id, renamed[0].trackinId], ["a", undefined])
      assert.deepStrictEqual(numbers, [{ messageId: 1, trackinId: 1 }])
      assert.isNull(none)
    })
  )

  it.effect("says Retry-After in seconds or as a date", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.parse("2026-01-25T10:00:00Z"))
      const header = (fault: string) =>
        Effect.map(meets(fault), ({ reply }) => [reply.headers["retry-after"], reply.headers["date"]])
      assert.strictEqual((yield* header("429:retry-after=1500ms"))[0], "2")
      assert.deepStrictEqual(yield* header("503:retry-after-date=90s"), [
        "Sun, 25 Jan 2026 10:01:30 GMT",
        "Sun, 25 Jan 2026 10:00:00 GMT"
      ])
      assert.isUndefined((yield* header("429"))[0])
    })
  )

  it.effect("are meant for some requests only", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make({
        accounts: { "test-key": "default", other: "other" },
        faults: "500:route=tg-viber, 502:account=other, 503:prefix=slow-:1x, 504:endpoint=status"
      })
      const statusOf = (id: string, options: Parameters<typeof send>[2] = {}) =>
        Effect.map(send(emulator.url, batch("x", id), options), ({ status }) => status)
      assert.strictEqual(yield* statusOf("a"), 200)
      assert.strictEqual(yield* statusOf("a", { path: tgViber }), 500)
      assert.strictEqual(yield* statusOf("a", { headers: { ...keyed, "x-authorization-key": "other" } }), 502)
      assert.strictEqual(yield* statusOf("slow-1"), 503)
      assert.strictEqual(yield* statusOf("slow-1"), 200)
      const lookup = yield* call(emulator.url, { method: "GET", path: "/bat/message/x" })
      assert.strictEqual(lookup.status, 504)
    })
  )

  it.effect("can be changed while it runs, and scripted", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make({ faults: "500" })
      const statusOf = Effect.map(send(emulator.url, batch("a")), ({ code, status }) => status ?? code)
      assert.strictEqual(yield* statusOf, 500)
      yield* emulator.nextRequests("ok, reset-after, reset-reading, 429:2x")
      assert.strictEqual(yield* emulator.scripted, 5)
      const met = yield* Effect.forEach(Array.from({ length: 6 }), () => statusOf)
      assert.deepStrictEqual(met, [200, "ECONNRESET", "ECONNRESET", 429, 429, 500])
      assert.strictEqual(yield* emulator.scripted, 0)
      yield* emulator.setFaults([{ _tag: "Unauthorized", status: 403, count: 1 }])
      assert.deepStrictEqual([yield* statusOf, yield* statusOf], [403, 200])
      yield* emulator.setFaults("")
      assert.strictEqual((yield* Effect.flip(emulator.setFaults("no-such")))._tag, "InvalidFaults")
      assert.strictEqual(yield* statusOf, 200)
      assert.deepStrictEqual((yield* emulator.requestCounts).statuses, {
        "200": 3,
        "403": 1,
        "429": 2,
        "500": 2,
        none: 2
      })
      assert.deepStrictEqual((yield* emulator.requestCounts).faults, {
        "403": 1,
        "429": 2,
        "500": 2,
        "reset-after": 1,
        "reset-reading": 1
      })
    })
  )

  it.effect("an entry of the script waits for its request", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make()
      yield* emulator.nextRequests("500:prefix=b, 502")
      const statusOf = (id: string) => Effect.map(send(emulator.url, batch(id)), ({ status }) => status)
      assert.deepStrictEqual(
        [yield* statusOf("a"), yield* statusOf("a"), yield* statusOf("b")],
        [502, 200, 500]
      )
    })
  )

  it.effect("fall as the seed says", () =>
    Effect.gen(function* () {
      const run = Effect.fnUntraced(function* (seed: number, faults: string) {
        const emulator = yield* SmsBatEmulator.make({ seed, faults })
        const agent = new Agent({ keepAlive: true })
        const replies = yield* Effect.forEach(Array.from({ length: 60 }), () =>
          send(emulator.url, batch("a"), { agent })
        )
        agent.destroy()
        return replies.map(({ status, text }) => [status, text])
      }, Effect.scoped)
      const first = yield* run(7, "500:0.3, 429:0.3")
      assert.deepStrictEqual(yield* run(7, "500:0.3, 429:0.3"), first)
      assert.notDeepEqual(yield* run(8, "500:0.3, 429:0.3"), first)
      const statuses = new Set(first.map(([status]) => status))
      assert.deepStrictEqual(statuses, new Set([200, 429, 500]))
      const fewer = yield* run(7, "500:0.3")
      const fives = (replies: ReadonlyArray<ReadonlyArray<unknown>>) =>
        replies.flatMap(([status], index) => (status === 500 ? [index] : []))
      assert.deepStrictEqual(fives(fewer), fives(first))
    })
  )
})
