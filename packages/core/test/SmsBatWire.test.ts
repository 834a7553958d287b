import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Result } from "effect"
import * as Delivery from "../src/Delivery.ts"
import * as Envelope from "../src/Envelope.ts"
import * as Message from "../src/Message.ts"
import * as SmsBatWire from "../src/SmsBatWire.ts"
import type { TrackingId } from "../src/TrackingId.ts"
import { variants } from "./support/mutate.ts"
import { transaction } from "./support/smsbat.ts"

const at = (iso: string): DateTime.Utc => DateTime.toUtc(DateTime.makeUnsafe(iso))
const noon = at("2025-01-25T08:00:00Z")

/** As in a reply: ids that are known to be valid. */
const ids = (...values: ReadonlyArray<string>) => values as unknown as ReadonlyArray<TrackingId>

const encoded = (message: Message.Message, now = noon, options?: Envelope.SealOptions) =>
  Result.getOrThrow(SmsBatWire.encode(Envelope.at(message, noon, options), now))

// The examples of https://smsbat.com/help/api/cascade/send/, as printed there but for blanks between the tokens.
const page = {
  body: '{"id":"unique-tracking-id","fromName":"YourBrand","toPhone":"+380XXXXXXXXX","messageType":"transaction","text":"Your order #12345 has been confirmed","ttl":3600,"scheduledSent":"2025-01-25T10:00:00Z"}',
  transaction:
    '{"id":"order-12345","fromName":"YourStore","toPhone":"+380XXXXXXXXX","messageType":"transaction","text":"Your order #12345 has been confirmed and will arrive tomorrow.","ttl":86400}',
  promo:
    '{"id":"promo-summer-sale","fromName":"YourBrand","toPhone":"+380XXXXXXXXX","messageType":"promo","text":"Summer Sale! Up to 50% off. Shop now: https://example.com/sale","ttl":259200}',
  survey:
    '{"id":"survey-satisfaction","fromName":"YourBrand","toPhone":"+380XXXXXXXXX","messageType":"viber_survey","text":"How satisfied are you with our service?","surveyOptions":["Very Satisfied","Satisfied","Neutral","Dissatisfied","Very Dissatisfied"],"ttl":604800}',
  flashCall:
    '{"id":"verify-user-123","fromName":"YourApp","toPhone":"+380XXXXXXXXX","messageType":"flashcall","ttl":300}',
  basic:
    '{"id":"tx-001","fromName":"YourBank","toPhone":"+380XXXXXXXXX","messageType":"transaction","text":"Payment of $100 was successful. Transaction ID: ABC123"}',
  scheduledPromo:
    '{"id":"promo-001","fromName":"YourStore","toPhone":"+380XXXXXXXXX","messageType":"promo","text":"Flash Sale starts in 1 hour! Visit: https://example.com","scheduledSent":"2025-01-25T09:00:00Z","ttl":3600}'
}
const bulk =
  '[{"id":"bulk-001","fromName":"YourBrand","toPhone":"+380111111111","messageType":"transaction","text":"Message 1"},{"id":"bulk-002","fromName":"YourBrand","toPhone":"+380222222222","messageType":"transaction","text":"Message 2"},{"id":"bulk-003","fromName":"YourBrand","toPhone":"+380333333333","messageType":"transaction","text":"Message 3"}]'
const reply =
  '[{"messageId":"3fa85f64-5717-4562-b3fc-2c963f66afa6","trackinId":"tx-001"},{"messageId":"8b2f1e9a-4c6d-4e2a-9f8b-1a3d5c7e9f0b","trackinId":"tx-002"}]'

describe("the examples of the provider's page", () => {
  it.effect("the bulk request, byte for byte", () =>
    Effect.gen(function* () {
      const messages = yield* Effect.forEach(JSON.parse(bulk) as Array<unknown>, Message.decode)
      assert.strictEqual(JSON.stringify(messages.map((message) => encoded(message))), bulk)
    })
  )

  for (const [name, example] of Object.entries(page)) {
    it.effect(`${name}: its +380XXXXXXXXX breaks the page's own rule`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(Message.decode(JSON.parse(example)))
        assert.deepStrictEqual(
          error.problems.map(({ path }) => path),
          ["toPhone"]
        )
      })
    )

    it.effect(`${name}: with a number that keeps it, byte for byte`, () =>
      Effect.gen(function* () {
        const valid = example.replace("+380XXXXXXXXX", "+380671112233")
        const wire = encoded(yield* Message.decode(JSON.parse(valid)))
        // The page prints this one with `ttl` last, against its own table and every other example.
        if (name === "scheduledPromo") assert.deepEqual(wire, JSON.parse(valid))
        else assert.strictEqual(JSON.stringify(wire), valid)
      })
    )
  }

  it("the reply", () => {
    const [one, two] = ids("tx-001", "tx-002")
    assert.isDefined(one)
    assert.isDefined(two)
    if (one === undefined || two === undefined) return
    assert.deepStrictEqual(SmsBatWire.decodeReply(reply, [one, two]), [
      Delivery.accepted(one, "3fa85f64-5717-4562-b3fc-2c963f66afa6"),
      Delivery.accepted(two, "8b2f1e9a-4c6d-4e2a-9f8b-1a3d5c7e9f0b")
    ])
  })

  it("the endpoints", () => {
    assert.strictEqual(SmsBatWire.sendPath.standard, "/api/CascadeMessage/send_message/async")
    assert.strictEqual(SmsBatWire.sendPath["tg-viber"], "/api/CascadeMessage/send_message/tg-viber/async")
    assert.strictEqual(SmsBatWire.requestLimit, 1000)
  })
})

describe("encode", () => {
  const expiring = transaction("m", { ttl: "10 seconds" })

  it("sends the ttl that is left", () => {
    assert.strictEqual(encoded(expiring, noon).ttl, 10)
    assert.strictEqual(encoded(expiring, at("2025-01-25T08:00:03.400Z")).ttl, 6)
    assert.strictEqual(encoded(expiring, at("2025-01-25T08:00:09Z")).ttl, 1)
    assert.isFalse("ttl" in encoded(transaction("m")))
  })

  it("refuses a message with less than a second left", () => {
    for (const late of ["2025-01-25T08:00:09.001Z", "2025-01-25T08:00:10Z", "2026-01-01T00:00:00Z"]) {
      const result = SmsBatWire.encode(Envelope.at(expiring, noon), at(late))
      assert.strictEqual(Result.isFailure(result) && result.failure._tag, "Expired", late)
    }
  })

  const later = transaction("m", { ttl: "1 hour", scheduledSent: "2025-01-25T12:00:00.250+02:00" })

  it("hands a schedule over in UTC, with the whole ttl", () => {
    const wire = encoded(later, noon, { schedule: "provider" })
    assert.strictEqual(wire.scheduledSent, "2025-01-25T10:00:00.250Z")
    assert.strictEqual(wire.ttl, 3600)
  })

  it("keeps a schedule that the outbox waits for, and one that has passed", () => {
    assert.isFalse("scheduledSent" in encoded(later, at("2025-01-25T10:00:01Z"), { schedule: "outbox" }))
    const passed = encoded(later, at("2025-01-25T10:30:00Z"), { schedule: "provider" })
    assert.isFalse("scheduledSent" in passed)
    assert.strictEqual(passed.ttl, 1800)
  })

  it("refuses a schedule more than 30 days ahead at the instant of sending", () => {
    const far = transaction("m", { scheduledSent: "2025-02-24T08:00:00Z" })
    const envelope = Envelope.at(far, noon, { schedule: "provider" })
    assert.isTrue(Result.isSuccess(SmsBatWire.encode(envelope, noon)))
    const result = SmsBatWire.encode(envelope, at("2025-01-25T07:59:59.999Z"))
    assert.strictEqual(Result.isFailure(result) && result.failure._tag, "Unencodable")
    // The outbox waits for any number of days, and sends none of it.
    assert.isTrue(Result.isSuccess(SmsBatWire.encode(Envelope.at(far, noon, { schedule: "outbox" }), noon)))
  })

  it("writes what is not ASCII as it is", () => {
    assert.include(JSON.stringify(encoded(transaction("m", { text: "Привіт 😀" }))), "Привіт 😀")
  })
})

describe("decodeReply", () => {
  const outcomes = (body: string, ...wanted: ReadonlyArray<string>) =>
    SmsBatWire.decodeReply(body, ids(...wanted)).map((delivery) =>
      delivery._tag === "Accepted" ? delivery.messageId : delivery.reason._tag
    )

  it("finds messages by id, not by place", () => {
    const shuffled = '[{"trackinId":"b","messageId":"2"},{"trackinId":"a","messageId":"1"}]'
    assert.deepStrictEqual(outcomes(shuffled, "a", "b"), ["1", "2"])
  })

  it("takes trackingId where trackinId is missing", () => {
    assert.deepStrictEqual(outcomes('[{"trackingId":"a","messageId":"1"}]', "a"), ["1"])
    assert.deepStrictEqual(outcomes('[{"trackinId":"a","trackingId":"b","messageId":"1"}]', "a", "b"), [
      "1",
      "UnreadableReply"
    ])
  })

  it("compares ids exactly", () => {
    for (const near of ["A", "a ", " a", "á", "a\\u0000", "aa"]) {
      assert.deepStrictEqual(
        outcomes(`[{"trackinId":"${near}","messageId":"1"}]`, "a"),
        ["UnreadableReply"],
        near
      )
    }
  })

  it("does not know of a message that the reply does not name", () => {
    assert.deepStrictEqual(outcomes(reply, "tx-001", "tx-009"), [
      "3fa85f64-5717-4562-b3fc-2c963f66afa6",
      "UnreadableReply"
    ])
    assert.deepStrictEqual(outcomes("[]", "a", "b"), ["UnreadableReply", "UnreadableReply"])
  })

  it("passes over other messages and other fields", () => {
    const more =
      '[{"trackinId":"zz","messageId":"9"},{"trackinId":"a","messageId":"1","status":"accepted","x":[{}]},7,null,"a",[]]'
    assert.deepStrictEqual(outcomes(more, "a"), ["1"])
  })

  it("does not believe a message id that is none", () => {
    for (const value of [
      "null",
      '""',
      "7",
      "true",
      "{}",
      '["x"]',
      '"a b"',
      '"\\u0000"',
      '"\ufffd"',
      '"\u200b"'
    ]) {
      assert.deepStrictEqual(
        outcomes(`[{"trackinId":"a","messageId":${value}}]`, "a"),
        ["UnreadableReply"],
        value
      )
    }
    assert.deepStrictEqual(outcomes('[{"trackinId":"a"}]', "a"), ["UnreadableReply"])
    assert.deepStrictEqual(outcomes(`[{"trackinId":"a","messageId":"${"x".repeat(256)}"}]`, "a"), [
      "UnreadableReply"
    ])
  })

  it("of two message ids takes the first that is one", () => {
    const twice = '[{"trackinId":"a","messageId":"1"},{"trackinId":"a","messageId":"2"}]'
    assert.deepStrictEqual(outcomes(twice, "a"), ["1"])
    const usable = '[{"trackinId":"a","messageId":null},{"trackinId":"a","messageId":"2"}]'
    assert.deepStrictEqual(outcomes(usable, "a"), ["2"])
    const unusable = '[{"trackinId":"a","messageId":"1"},{"trackinId":"a","messageId":null}]'
    assert.deepStrictEqual(outcomes(unusable, "a"), ["1"])
  })

  it("does not know of any message where the body is not an array", () => {
    for (const body of [
      "",
      "null",
      "{}",
      "7",
      '"ok"',
      "<html>OK</html>",
      '{"error":{"code":"INVALID_PHONE","message":"Invalid phone number format","field":"toPhone"}}',
      '{"messageId":"1","trackinId":"a"}',
      '{"0":{"messageId":"1","trackinId":"a"},"length":1}',
      '[{"messageId":"1","trackinId":"a"}',
      '[{"messageId":"1","trackinId":"a"}] trailing'
    ]) {
      assert.deepStrictEqual(outcomes(body, "a", "b"), ["UnreadableReply", "UnreadableReply"], body)
    }
  })

  it("reads own members only, and the last of several with one name", () => {
    assert.deepStrictEqual(outcomes('[{"__proto__":{"trackinId":"a","messageId":"1"}}]', "a"), [
      "UnreadableReply"
    ])
    assert.deepStrictEqual(
      outcomes('[{"trackinId":"__proto__","messageId":"1"}]', "__proto__", "constructor"),
      ["1", "UnreadableReply"]
    )
    assert.deepStrictEqual(outcomes('[{"trackinId":"a","messageId":"1","messageId":"2"}]', "a"), ["2"])
  })

  it("survives any depth", () => {
    const deep = "[".repeat(500_000) + "]".repeat(500_000)
    assert.deepStrictEqual(outcomes(deep, "a"), ["UnreadableReply"])
    assert.deepStrictEqual(outcomes(`[{"trackinId":"a","messageId":"1","x":${deep}}]`, "a"), ["1"])
    assert.deepStrictEqual(outcomes('[{"a":'.repeat(200_000), "a"), ["UnreadableReply"])
  })

  it("reads 4,000 mutated replies without a defect, and accepts nothing that is not there", () => {
    const seeds = [
      reply,
      '[{"messageId":"1","trackinId":"tx-001","x":{"y":[1,2,{"z":null}]}},{"trackingId":"tx-002","messageId":"2"}]',
      '[{"messageId":null,"trackinId":"tx-001"},{"__proto__":{"messageId":"p"},"trackinId":"tx-002"}]',
      '{"error":{"code":"INVALID_PHONE"},"trackinId":"tx-001","messageId":"1"}'
    ]
    const wanted = ids("tx-001", "tx-002")
    let accepted = 0
    for (const body of variants(seeds, 1000, 20250125)) {
      const deliveries = SmsBatWire.decodeReply(body, wanted)
      assert.deepStrictEqual(
        deliveries.map(({ trackingId }) => trackingId),
        wanted
      )
      for (const delivery of deliveries) {
        if (delivery._tag !== "Accepted") continue
        accepted++
        assert.isTrue(body.includes(delivery.trackingId) && body.includes(delivery.messageId), body)
      }
    }
    // A reading that refuses everything would pass all of the above.
    assert.isAbove(accepted, 100)
  })
})
