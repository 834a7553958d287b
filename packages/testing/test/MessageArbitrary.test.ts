import { Message } from "@effect-cascade/core"
import { assert, it } from "@effect/vitest"
import { Arbitrary, Effect, Result } from "effect"
import * as MessageArbitrary from "../src/MessageArbitrary.ts"

const kinds = {
  Transaction: MessageArbitrary.transaction,
  Promo: MessageArbitrary.promo,
  ViberSurvey: MessageArbitrary.viberSurvey,
  FlashCall: MessageArbitrary.flashCall
}

it.effect.prop(
  "every message keeps the rules, by its JSON form too",
  [MessageArbitrary.message],
  ([message]) =>
    Effect.sync(() => {
      const json: unknown = JSON.parse(JSON.stringify(Message.encode(message)))
      const read = Message.decodeResult(json)
      assert.isTrue(Result.isSuccess(read))
      assert.deepStrictEqual(Result.isSuccess(read) ? Message.encode(read.success) : undefined, json)
    })
)

it.effect("there are messages of every kind, with and without what is optional", () =>
  Effect.gen(function* () {
    const messages = yield* Arbitrary.sampleEffect(MessageArbitrary.message, { count: 200 })
    assert.deepStrictEqual(new Set(messages.map(({ _tag }) => _tag)), new Set(Object.keys(kinds)))
    for (const field of ["ttl", "scheduledSent"] as const) {
      const there = messages.filter((message) => message[field] !== undefined)
      assert.isNotEmpty(there, field)
      assert.isBelow(there.length, messages.length, field)
    }
    for (const [tag, kind] of Object.entries(kinds)) {
      const [message] = yield* Arbitrary.sampleEffect<Message.Message>(kind, { count: 1 })
      assert.strictEqual(message?._tag, tag)
    }
  })
)

it.effect.prop(
  "a batch has no two messages with one tracking id, and as many as asked for",
  [MessageArbitrary.batch({ minLength: 2, maxLength: 6 })],
  ([messages]) =>
    Effect.sync(() => {
      assert.strictEqual(new Set(messages.map(({ id }) => id)).size, messages.length)
      assert.isAtLeast(messages.length, 2)
      assert.isAtMost(messages.length, 6)
    })
)

it.effect.prop("an envelope is of its message", [MessageArbitrary.envelope], ([envelope]) =>
  Effect.sync(() => {
    assert.strictEqual(envelope.trackingId, envelope.message.id)
    assert.strictEqual(envelope.deadline === undefined, envelope.message.ttl === undefined)
  })
)
