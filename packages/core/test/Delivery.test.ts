import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Delivery from "../src/Delivery.ts"
import * as TrackingId from "../src/TrackingId.ts"
import * as TransportReason from "../src/TransportReason.ts"

const id = TrackingId.of("order", 1)
const is = Schema.is(Delivery.Delivery)
const codec = Schema.toCodecJson(Delivery.Delivery)

describe("Delivery", () => {
  it("accepted", () => {
    const delivery = Delivery.accepted(id, "3fa85f64-5717-4562-b3fc-2c963f66afa6")
    assert.strictEqual(delivery._tag, "Accepted")
    assert.strictEqual(delivery.trackingId, id)
    assert.strictEqual(delivery.messageId, "3fa85f64-5717-4562-b3fc-2c963f66afa6")
    assert.isTrue(is(delivery))
  })

  it.prop(
    "notAccepted follows the certainty of its reason, for every reason",
    [TransportReason.TransportReason],
    ([reason]) => {
      const delivery = Delivery.notAccepted(id, reason)
      assert.strictEqual(delivery._tag, reason.certainty)
      const { NotSent, Unknown } = Delivery
      assert.strictEqual<unknown>(delivery.constructor, { NotSent, Unknown }[reason.certainty])
      assert.strictEqual(delivery.trackingId, id)
      assert.strictEqual<unknown>(delivery.reason, reason)
      assert.isTrue(is(delivery))
    },
    { arbitrary: { runs: 500 } }
  )

  it.prop("round-trips through JSON", [Delivery.Delivery], ([delivery]) => {
    const json: unknown = JSON.parse(JSON.stringify(Schema.encodeSync(codec)(delivery)))
    const again = Schema.decodeUnknownSync(codec)(json)
    assert.deepStrictEqual(again, delivery)
    assert.strictEqual(again.constructor, delivery.constructor)
  })

  it("takes no reason of the other certainty", () => {
    const timedOut = new TransportReason.TimedOut()
    const expired = new TransportReason.Expired()
    const encoded = (delivery: Delivery.Delivery): object => Schema.encodeSync(codec)(delivery) as object
    const decodes = (json: object): boolean => Schema.decodeUnknownOption(codec)(json)._tag === "Some"
    const unknown = encoded(Delivery.notAccepted(id, timedOut))
    const notSent = encoded(Delivery.notAccepted(id, expired))
    assert.isTrue(decodes(unknown) && decodes(notSent))
    assert.isFalse(decodes({ ...unknown, _tag: "NotSent" }))
    assert.isFalse(decodes({ ...notSent, _tag: "Unknown" }))
  })
})
