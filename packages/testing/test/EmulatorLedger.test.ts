import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { inspect } from "node:util"
import { Received } from "../src/EmulatorLedger.ts"
import * as book from "../src/internal/emulator/book.ts"

const received = (trackingId: string, messageId = trackingId) =>
  new Received({
    trackingId,
    messageId,
    account: "default",
    route: "standard",
    message: {
      id: trackingId,
      toPhone: "+380671112233",
      messageType: "viber_survey",
      text: "a secret",
      surveyOptions: ["one secret", "two"],
      viberMessage: { text: "hidden secret", chatId: 544507441 }
    },
    text: "a secret",
    ttl: undefined,
    acceptedAt: 0,
    request: 1,
    course: { processingAt: 1, endAt: 2, end: "delivered", hidden: false }
  })

describe("a received message", () => {
  it("is printed without its phone number and its texts", () => {
    const entry = received("order-1")
    for (const printed of [
      JSON.stringify(entry),
      inspect(entry, { depth: 9 }),
      String(entry),
      `${[entry]}`
    ]) {
      assert.notMatch(printed, /secret|1112233|544507441/)
    }
    assert.match(JSON.stringify(entry), /"toPhone":"\+38067\*\*\*\*\*33"/)
    assert.match(JSON.stringify(entry), /"text":"<8 characters>"/)
  })

  it("is whole for those who ask", () => {
    assert.match(JSON.stringify(received("order-1").whole()), /\+380671112233.*a secret/)
    assert.strictEqual(received("order-1").toPhone, "+380671112233")
    assert.strictEqual(received("order-1").messageType, "viber_survey")
  })
})

describe("the ledger", () => {
  const ids = Schema.Array(Schema.Literals(["a", "b", "c", "d", "e"]))

  it.effect.prop(
    "counts as a list would, whatever it keeps",
    [ids, ids, Schema.Literals(["all", "ids"])],
    ([accepted, expected, keep]) =>
      Effect.gen(function* () {
        const memory = book.make({ keep, dedupe: false, keepRequests: 10 })
        for (const [index, id] of accepted.entries()) memory.accept(received(id, `${index}`))
        const unique = Array.from(new Set(accepted))
        assert.deepStrictEqual(yield* memory.ledger.counts, {
          messages: accepted.length,
          ids: unique.length,
          extra: accepted.length - unique.length,
          undeliverable: 0
        })
        assert.deepStrictEqual(
          yield* memory.ledger.duplicates,
          unique.flatMap((trackingId) => {
            const times = accepted.filter((id) => id === trackingId).length
            return times > 1 ? [{ trackingId, times }] : []
          })
        )
        assert.deepStrictEqual(
          yield* memory.ledger.lost(expected),
          Array.from(new Set(expected)).filter((id) => !accepted.includes(id))
        )
        assert.deepStrictEqual(
          yield* memory.ledger.unexpected(expected),
          unique.filter((id) => !expected.includes(id))
        )
        if (keep === "ids") return
        assert.deepStrictEqual(
          (yield* memory.ledger.all).map(({ trackingId }) => trackingId),
          [...accepted]
        )
        assert.strictEqual(
          (yield* memory.ledger.received("a")).length,
          accepted.filter((id) => id === "a").length
        )
      })
  )
})
