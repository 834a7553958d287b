import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import * as lifeCycle from "../../../src/internal/emulator/lifeCycle.ts"
import * as SmsBatEmulator from "../../../src/SmsBatEmulator.ts"
import { call, message, send } from "../../support/emulatorClient.ts"

const pace = { scheduled: 1000, processing: 2000 }

const statesOf = (outcome: lifeCycle.Outcome, ttl?: number) => {
  const course = lifeCycle.course(outcome, 10_000, ttl, pace)
  return [10_000, 10_999, 11_000, 12_999, 13_000, 40_000, Number.MAX_SAFE_INTEGER].map((now) =>
    lifeCycle.statusAt(course, now)
  )
}

describe("the course of a message", () => {
  it("goes from scheduled over processing to its end", () => {
    const before = ["scheduled", "scheduled", "processing", "processing"]
    for (const [outcome, end] of [
      ["delivered", "delivered"],
      ["undeliverable", "undeliverable"],
      ["permanenterror", "permanenterror"],
      ["hidden", "delivered"]
    ] as const) {
      assert.deepStrictEqual(statesOf(outcome), [...before, end, end, end])
    }
    assert.deepStrictEqual(statesOf("processing"), [...before, "processing", "processing", "processing"])
    assert.deepStrictEqual(new Set(statesOf("scheduled")), new Set(["scheduled"]))
    assert.deepStrictEqual(statesOf("slow").slice(-3), ["scheduled", "delivered", "delivered"])
  })

  it("ends undeliverable when the ttl runs out on the way, and not at the very end", () => {
    assert.deepStrictEqual(statesOf("delivered", 3000).slice(-1), ["delivered"])
    assert.deepStrictEqual(statesOf("delivered", 2999).slice(-3), [
      "undeliverable",
      "undeliverable",
      "undeliverable"
    ])
    assert.deepStrictEqual(statesOf("processing", 20_000).slice(-2), ["undeliverable", "undeliverable"])
    assert.deepStrictEqual(statesOf("scheduled", 20_000).slice(-2), ["undeliverable", "undeliverable"])
  })

  it("tells the steps that statusAt shows", () => {
    const course = lifeCycle.course("delivered", 0, undefined, pace)
    assert.deepStrictEqual(lifeCycle.steps(course), [
      { at: 1000, status: "processing" },
      { at: 3000, status: "delivered" }
    ])
    for (const { at, status } of lifeCycle.steps(course)) {
      assert.strictEqual(lifeCycle.statusAt(course, at), status)
      assert.notStrictEqual(lifeCycle.statusAt(course, at - 1), status)
    }
    assert.deepStrictEqual(lifeCycle.steps(lifeCycle.course("delivered", 0, 500, pace)), [
      { at: 500, status: "undeliverable" }
    ])
    assert.deepStrictEqual(lifeCycle.steps(lifeCycle.course("scheduled", 0, undefined, pace)), [])
  })
})

describe("the status lookup", () => {
  const lookUp = (url: string, messageId: string, headers: Readonly<Record<string, string>>) =>
    call(url, { method: "GET", path: `/bat/message/${messageId}`, headers })
  const key = { "x-authorization-key": "test-key" }
  const idOf = (text: string, index = 0): string => JSON.parse(text)[index].messageId

  it.effect("shows where a message is on the clock", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make({
        lifeCycle: { scheduled: "5 seconds", processing: "1 second" }
      })
      yield* TestClock.setTime(Date.parse("2026-01-25T10:00:00Z"))
      const reply = yield* send(emulator.url, [
        message("now"),
        message("later", { scheduledSent: "2026-01-25T13:00:00+02:00" }),
        message("dead", { toPhone: "+380000000001" })
      ])
      const [now, later, dead] = [0, 1, 2].map((index) => idOf(reply.text, index))
      const status = (id: string | undefined) =>
        Effect.map(lookUp(emulator.url, id ?? "", key), ({ text }) => JSON.parse(text))
      assert.deepStrictEqual(yield* status(now), {
        messagelistId: 1,
        messageId: now,
        deliverystatus: "scheduled",
        partscount: 1
      })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* status(now)).deliverystatus, "processing")
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* status(now), { deliverystatus: "delivered", cost: 0.05 })
      assert.deepInclude(yield* status(dead), { deliverystatus: "undeliverable", cost: 0 })
      assert.strictEqual((yield* status(later)).deliverystatus, "scheduled")
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* status(later)).deliverystatus, "delivered")
      assert.strictEqual((yield* emulator.ledger.counts).undeliverable, 1)
    })
  )

  it.effect("knows no other account's messages, and takes the key as a password", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make({ accounts: { "test-key": "default", other: "other" } })
      const id = idOf((yield* send(emulator.url, [message("a")])).text)
      const statusOf = (headers: Readonly<Record<string, string>>) =>
        Effect.map(lookUp(emulator.url, id, headers), ({ status }) => status)
      const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString("base64")}` })
      assert.strictEqual(yield* statusOf(key), 200)
      assert.strictEqual(yield* statusOf({ "x-authorization-key": "other" }), 404)
      assert.strictEqual(yield* statusOf(basic("@:test-key")), 200)
      assert.strictEqual(yield* statusOf(basic("@:wrong")), 401)
      assert.strictEqual(yield* statusOf(basic("user:test-key")), 401)
      assert.strictEqual(yield* statusOf({}), 401)
    })
  )

  it.effect("does not know what is hidden, and can be switched off", () =>
    Effect.gen(function* () {
      const hidden = yield* SmsBatEmulator.make({ outcomes: { "+380671112233": "hidden" } })
      const off = yield* SmsBatEmulator.make({ statusForCascadeIds: false })
      for (const emulator of [hidden, off]) {
        const id = idOf((yield* send(emulator.url, [message("a")])).text)
        assert.strictEqual((yield* lookUp(emulator.url, id, key)).status, 404)
        assert.strictEqual((yield* emulator.ledger.counts).undeliverable, 0)
      }
    })
  )
})
