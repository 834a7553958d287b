import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Agent } from "node:http"
import * as SmsBatEmulator from "../src/SmsBatEmulator.ts"
import { call, idsOf, keyed, message, send, standard, tgViber } from "./support/emulatorClient.ts"

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

const batch = (...ids: ReadonlyArray<string>) => ids.map((id) => message(id))

describe("sending", () => {
  it.effect("accepts a batch as the page documents it", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make()
      const reply = yield* send(emulator.url, [
        message("a", { ttl: 60, extra: { ignored: true } }),
        message("b", { messageType: "viber_survey", text: "Good?", surveyOptions: ["yes", "no"] }),
        message("c", { messageType: "flashcall", text: undefined })
      ])
      assert.strictEqual(reply.status, 200)
      assert.match(String(reply.headers["content-type"]), /^application\/json/)
      const pairs = JSON.parse(reply.text)
      assert.deepStrictEqual(idsOf(reply), ["a", "b", "c"])
      for (const pair of pairs) {
        assert.match(pair.messageId, uuid)
        assert.deepStrictEqual(Object.keys(pair), ["messageId", "trackinId"])
      }
      const [a] = yield* emulator.ledger.received("a")
      assert.deepStrictEqual(a?.whole(), {
        trackingId: "a",
        messageId: pairs[0].messageId,
        account: "default",
        route: "standard",
        ttl: 60,
        acceptedAt: 0,
        request: 1,
        deliverable: true,
        message: message("a", { ttl: 60, extra: { ignored: true } }),
        text: "Your order is confirmed"
      })
      assert.deepStrictEqual(yield* emulator.ledger.counts, {
        messages: 3,
        ids: 3,
        extra: 0,
        undeliverable: 0
      })
    })
  )

  it.effect("tells the routes and the accounts apart, whichever header has the key", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make({ accounts: { one: "first", two: "second" } })
      const json = { "content-type": "application/json; charset=utf-8" }
      for (const [id, path, headers] of [
        ["a", standard, { "x-authorization-key": "one" }],
        ["b", tgViber, { "X-Viber-Auth-Token": "two" }],
        ["c", standard, { "X-Tg-Bot-Key": "two" }],
        ["d", standard, { "x-authorization-key": "unknown", "x-tg-bot-key": "one" }]
      ] as const) {
        const reply = yield* send(emulator.url, batch(id), { path, headers: { ...json, ...headers } })
        assert.strictEqual(reply.status, 200)
      }
      const all = yield* emulator.ledger.all
      assert.deepStrictEqual(
        all.map(({ account, route, trackingId }) => [trackingId, account, route]),
        [
          ["a", "first", "standard"],
          ["b", "second", "tg-viber"],
          ["c", "second", "standard"],
          ["d", "first", "standard"]
        ]
      )
    })
  )

  it.effect("refuses at the door, with the documented status", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make({
        suspended: ["default"],
        accounts: { k: "x", "test-key": "default" }
      })
      const key = { "x-authorization-key": "k" }
      const json = { "content-type": "application/json" }
      const body = JSON.stringify(batch("a"))
      const statusOf = (options: Parameters<typeof call>[1]) =>
        Effect.map(call(emulator.url, options), ({ status }) => status)
      assert.strictEqual(yield* statusOf({ headers: json, body }), 401)
      assert.strictEqual(yield* statusOf({ headers: { ...json, "x-authorization-key": "no" }, body }), 401)
      assert.strictEqual(yield* statusOf({ headers: keyed, body }), 403)
      assert.strictEqual(yield* statusOf({ headers: { ...key, "content-type": "text/plain" }, body }), 415)
      assert.strictEqual(yield* statusOf({ headers: key, body }), 415)
      assert.strictEqual(yield* statusOf({ headers: { ...key, ...json }, path: "/api/elsewhere", body }), 404)
      const wrong = yield* call(emulator.url, { headers: key, method: "GET" })
      assert.deepStrictEqual([wrong.status, wrong.headers["allow"]], [405, "POST"])
      assert.deepStrictEqual(yield* emulator.ledger.all, [])

      yield* emulator.restore("default")
      assert.strictEqual(yield* statusOf({ headers: keyed, body }), 200)
      yield* emulator.suspend("default")
      assert.strictEqual(yield* statusOf({ headers: keyed, body }), 403)
    })
  )

  it.effect("refuses a body that is no batch", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make({ maxBatchSize: 2, maxBodyBytes: 1000 })
      for (const body of ["", "{", "{}", "null", "[]", "[1]", "[[]]", JSON.stringify(batch("a", "b", "c"))]) {
        assert.strictEqual((yield* call(emulator.url, { body })).status, 400, body)
      }
      const large = JSON.stringify([message("a", { text: "x".repeat(1000) })])
      assert.strictEqual((yield* call(emulator.url, { body: large })).status, 413)
      assert.deepStrictEqual(yield* emulator.ledger.all, [])
    })
  )

  it.effect("does with a bad message what it is told to", () =>
    Effect.gen(function* () {
      const messages = [message("a"), message("b", { toPhone: "380671112233" }), message("c")]
      const outcome = Effect.fnUntraced(function* (options: Parameters<typeof SmsBatEmulator.make>[0]) {
        const emulator = yield* SmsBatEmulator.make(options)
        const reply = yield* send(emulator.url, messages)
        const all = yield* emulator.ledger.all
        return { reply, all: all.map(({ deliverable, trackingId }) => [trackingId, deliverable]) }
      }, Effect.scoped)

      const rejected = yield* outcome({})
      assert.strictEqual(rejected.reply.status, 400)
      assert.deepStrictEqual(JSON.parse(rejected.reply.text), {
        error: { code: "INVALID_PHONE", message: "Invalid phone number format", field: "toPhone" }
      })
      assert.deepStrictEqual(rejected.all, [])

      assert.strictEqual((yield* outcome({ invalidStatus: 422 })).reply.status, 422)

      const dropped = yield* outcome({ badElement: "drop" })
      assert.deepStrictEqual(idsOf(dropped.reply), ["a", "c"])
      assert.deepStrictEqual(dropped.all, [
        ["a", true],
        ["c", true]
      ])

      const through = yield* outcome({ badElement: "accept-undeliverable" })
      assert.deepStrictEqual(idsOf(through.reply), ["a", "b", "c"])
      assert.deepStrictEqual(through.all[1], ["b", false])

      const lenient = yield* outcome({ lenientPhone: true })
      assert.deepStrictEqual(lenient.all[1], ["b", true])
    })
  )

  it.effect("sends the same tracking id twice unless told not to", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make()
      yield* send(emulator.url, batch("a", "a", "b"))
      yield* send(emulator.url, batch("a"))
      assert.deepStrictEqual(yield* emulator.ledger.duplicates, [{ trackingId: "a", times: 3 }])

      const once = yield* SmsBatEmulator.make({ dedupe: true })
      const first = yield* send(once.url, batch("a", "a"))
      const second = yield* send(once.url, batch("a"))
      const ids = [first, second].flatMap(({ text }) =>
        JSON.parse(text).map((pair: { readonly messageId: string }) => pair.messageId)
      )
      assert.strictEqual(new Set(ids).size, 1)
      assert.strictEqual((yield* once.ledger.all).length, 1)
    })
  )

  it.effect("spells and orders its reply as told", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make({ shuffle: true, trackingField: "trackingId" })
      const ids = Array.from({ length: 20 }, (_, index) => `m${index}`)
      const reply = yield* send(emulator.url, batch(...ids))
      const got = JSON.parse(reply.text).map((pair: { readonly trackingId: string }) => pair.trackingId)
      assert.notDeepEqual(got, ids)
      assert.sameMembers(got, ids)
    })
  )

  it.effect("puts uploaded variables into texts, for each account by itself", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make({ accounts: { "test-key": "default", other: "other" } })
      const variables = [
        { id: 1, type: "name", value: "Olena" },
        { id: 1, type: "url", value: "https://example.com" }
      ]
      const upload = (body: unknown) => call(emulator.url, { path: "/api/items", body: JSON.stringify(body) })
      assert.strictEqual((yield* upload({ variables })).status, 200)
      assert.strictEqual((yield* upload({ variables: [{ id: "1" }] })).status, 400)
      const text = "Hello %name=1%, see %url=1% or %name=2%"
      yield* send(emulator.url, [message("a", { text })])
      yield* send(emulator.url, [message("b", { text })], {
        headers: { ...keyed, "x-authorization-key": "other" }
      })
      const texts = (yield* emulator.ledger.all).map((received) => received.text)
      assert.deepStrictEqual(texts, ["Hello Olena, see https://example.com or %name=2%", text])
    })
  )
})

describe("the rate limit", () => {
  it.effect("is the documented one, on the clock", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make({ rateLimit: true })
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      const statuses = (times: number) =>
        Effect.map(
          Effect.forEach(Array.from({ length: times }), () => send(emulator.url, batch("a"), { agent })),
          (replies) => replies.filter(({ status }) => status === 200).length
        )
      assert.strictEqual(yield* statuses(160), 150)
      const refused = yield* send(emulator.url, batch("a"), { agent })
      assert.strictEqual(refused.status, 429)
      assert.isUndefined(refused.headers["retry-after"])
      assert.deepStrictEqual(JSON.parse(refused.text), {
        error: "Too Many Requests",
        message: "Rate limit exceeded. Please wait before sending more requests.",
        status: 429
      })
      yield* TestClock.adjust("100 millis")
      assert.strictEqual(yield* statuses(12), 10)
      agent.destroy()
    })
  )
})

describe("the emulator itself", () => {
  it.effect("starts again from nothing when it is reset", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make({ faults: "500:1x" })
      const statusOf = Effect.map(send(emulator.url, batch("a")), ({ status }) => status)
      assert.deepStrictEqual([yield* statusOf, yield* statusOf], [500, 200])
      yield* emulator.setFaults("latency:1s")
      yield* emulator.suspend("other")
      const waiting = yield* Effect.forkChild(send(emulator.url, batch("late")))
      yield* emulator.awaitRequests(3)
      yield* emulator.nextRequests("429")

      yield* emulator.reset
      assert.strictEqual((yield* Fiber.join(waiting)).code, "ECONNRESET")
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* emulator.ledger.all, [])
      assert.deepStrictEqual(yield* emulator.requests, [])
      assert.strictEqual(yield* emulator.scripted, 0)
      assert.deepStrictEqual([yield* statusOf, yield* statusOf], [500, 200])
      assert.strictEqual((yield* emulator.requestCounts).requests, 2)
    })
  )

  it.effect("remembers as many requests as it is told to", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make({ keepRequests: 3 })
      for (let index = 0; index < 8; index++) yield* send(emulator.url, batch("a"))
      const requests = yield* emulator.requests
      assert.deepStrictEqual(
        requests.map(({ number }) => number),
        [6, 7, 8]
      )
      assert.strictEqual((yield* emulator.requestCounts).requests, 8)
    })
  )

  it.effect("keeps only ids where that is asked for", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make({ keep: "ids" })
      yield* send(emulator.url, batch("a", "b", "a"))
      assert.deepStrictEqual(yield* emulator.ledger.counts, {
        messages: 3,
        ids: 2,
        extra: 1,
        undeliverable: 0
      })
      assert.deepStrictEqual(yield* emulator.ledger.duplicates, [{ trackingId: "a", times: 2 }])
      assert.deepStrictEqual(yield* emulator.ledger.lost(["a", "c"]), ["c"])
      assert.deepStrictEqual(yield* emulator.ledger.unexpected(["a"]), ["b"])
      const exit = yield* Effect.exit(emulator.ledger.all)
      assert.isTrue(Exit.hasDies(exit))
    })
  )

  it.effect("says why it cannot listen", () =>
    Effect.gen(function* () {
      const { port } = yield* SmsBatEmulator.make()
      const error = yield* Effect.flip(SmsBatEmulator.make({ port }))
      assert.strictEqual(error.message, `cannot listen on 127.0.0.1:${port} (EADDRINUSE)`)
    })
  )

  it.effect("is a layer", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.SmsBatEmulator
      assert.strictEqual((yield* send(emulator.url, batch("a"))).status, 200)
      yield* emulator.awaitReceived(1)
    }).pipe(Effect.provide(SmsBatEmulator.layer()))
  )
})
