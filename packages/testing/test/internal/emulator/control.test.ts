import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SmsBatEmulator from "../../../src/SmsBatEmulator.ts"
import { call, type CallOptions, message, send } from "../../support/emulatorClient.ts"

const started = SmsBatEmulator.make({
  control: true,
  accounts: { "secret-key": "shop", "test-key": "default" }
})

const control = (url: string, method: string, path: string, options: CallOptions = {}) =>
  call(url, { headers: {}, ...options, method, path: `/__emulator/${path}` })

const read = (url: string, path: string) =>
  Effect.map(control(url, "GET", path), ({ status, text }) => {
    assert.strictEqual(status, 200)
    return JSON.parse(text)
  })

describe("the control interface", () => {
  it.effect("shows the ledger masked, and whole to those who ask", () =>
    Effect.gen(function* () {
      const { url } = yield* started
      yield* send(url, [message("a"), message("b"), message("a")])
      const masked = yield* read(url, "ledger")
      assert.strictEqual(masked.total, 3)
      assert.notMatch(JSON.stringify(masked), /1112233|confirmed/)
      assert.strictEqual(masked.messages[0].message.toPhone, "+38067*****33")

      const whole = yield* read(url, "ledger?id=b&full=1")
      assert.strictEqual(whole.total, 1)
      assert.deepStrictEqual(whole.messages[0].message, message("b"))

      assert.strictEqual((yield* read(url, "ledger?limit=1")).messages.length, 1)
      assert.deepInclude(yield* read(url, "counts"), {
        messages: 3,
        ids: 2,
        extra: 1,
        requests: 1,
        confirmed: 3
      })
      assert.deepStrictEqual(yield* read(url, "duplicates"), [{ trackingId: "a", times: 2 }])
      const requests = yield* read(url, "requests")
      assert.deepInclude(requests[0], { number: 1, accepted: 3, status: 200, outcome: "answered" })
      assert.notMatch(JSON.stringify(requests), /1112233|test-key/)
    })
  )

  it.effect("changes the faults, in text or JSON, and says what it cannot read", () =>
    Effect.gen(function* () {
      const { url } = yield* started
      const statusOf = Effect.map(send(url, [message("a")]), ({ status }) => status)
      const text = yield* control(url, "POST", "faults", { body: "503:1x:retry-after=2" })
      assert.deepStrictEqual(JSON.parse(text.text), { faults: "503:1x:retry-after=2s", scripted: 0 })
      assert.deepStrictEqual([yield* statusOf, yield* statusOf], [503, 200])

      const headers = { "content-type": "application/json" }
      const json = yield* control(url, "POST", "faults", {
        headers,
        body: `[{"_tag":"Unauthorized","status":401}]`
      })
      assert.strictEqual(json.status, 200)
      assert.strictEqual((yield* read(url, "faults")).faults, "401")
      assert.strictEqual(yield* statusOf, 401)

      const next = yield* control(url, "POST", "next", {
        headers,
        body: `[[], {"_tag":"ServerError","status":500}]`
      })
      assert.strictEqual(JSON.parse(next.text).scripted, 2)
      assert.deepStrictEqual([yield* statusOf, yield* statusOf, yield* statusOf], [200, 500, 401])

      for (const options of [
        { body: "rest" },
        { headers, body: "rest" },
        { headers, body: `[{"_tag":"Rest"}]` }
      ]) {
        const refused = yield* control(url, "POST", "faults", options)
        assert.strictEqual(refused.status, 400)
        assert.isAbove(JSON.parse(refused.text).problems.length, 0)
      }
      assert.strictEqual(yield* statusOf, 401)
    })
  )

  it.effect("resets", () =>
    Effect.gen(function* () {
      const emulator = yield* started
      yield* send(emulator.url, [message("a")])
      assert.strictEqual((yield* control(emulator.url, "POST", "reset")).status, 200)
      assert.deepStrictEqual(yield* emulator.ledger.all, [])
    })
  )

  it.effect("is not for web pages, not for others' paths, and off unless asked for", () =>
    Effect.gen(function* () {
      const { url } = yield* started
      const page = yield* control(url, "GET", "ledger", { headers: { origin: "https://example.com" } })
      assert.strictEqual(page.status, 403)
      assert.strictEqual((yield* control(url, "GET", "nothing")).status, 404)
      assert.strictEqual((yield* control(url, "GET", "reset")).status, 404)
      const off = yield* SmsBatEmulator.make()
      assert.strictEqual((yield* control(off.url, "GET", "ledger")).status, 404)
      const ids = yield* SmsBatEmulator.make({ control: true, keep: "ids" })
      assert.strictEqual((yield* control(ids.url, "GET", "ledger")).status, 409)
    })
  )
})
