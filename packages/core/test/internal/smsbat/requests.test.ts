import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Redacted, Result, Schema } from "effect"
import * as Envelope from "../../../src/Envelope.ts"
import * as Message from "../../../src/Message.ts"
import * as config from "../../../src/internal/smsbat/config.ts"
import * as requests from "../../../src/internal/smsbat/requests.ts"
import * as utf8 from "../../../src/internal/utf8.ts"
import { seal, transaction } from "../../support/smsbat.ts"

const account = (settings: config.SmsBatSettings = {}) =>
  Result.getOrThrow(config.check({ keys: { apiKey: Redacted.make("x") }, ...settings }))

const plan = (batch: ReadonlyArray<Envelope.Envelope>, settings?: config.SmsBatSettings) =>
  Effect.map(DateTime.now, (now) => requests.plan(batch, now, account(settings)))

const idsOf = (group: requests.Group) => group.envelopes.map(({ trackingId }) => String(trackingId))

describe("plan", () => {
  it.effect("divides by route, in the batch's order", () =>
    Effect.gen(function* () {
      const batch = yield* Effect.forEach(["a", "b", "c", "d"], (id, index) =>
        seal(transaction(id), { route: index % 2 === 0 ? "tg-viber" : "standard" })
      )
      const { groups, unsendable } = yield* plan(batch)
      assert.deepStrictEqual(
        groups.map((group) => [group.route, idsOf(group)]),
        [
          ["standard", ["b", "d"]],
          ["tg-viber", ["a", "c"]]
        ]
      )
      assert.deepStrictEqual(unsendable, [])
    })
  )

  it.effect("makes no request too large of texts that are six times as long in JSON", () =>
    Effect.gen(function* () {
      const now = yield* DateTime.now
      const options = ["\u0001".repeat(40), "\u0002".repeat(40), '"'.repeat(40)]
      for (const length of [1, 10, 80]) {
        const batch = yield* Effect.forEach(["a", "b", "c"], (id) =>
          Effect.flatMap(
            Message.make({
              _tag: "ViberSurvey",
              id,
              fromName: '"\\"',
              toPhone: "+380671112233",
              text: "\u001f".repeat(length),
              surveyOptions: options,
              ttl: "68 weeks",
              scheduledSent: "2026-01-25T10:00:00.123Z"
            }),
            (message) => Envelope.seal(message, { schedule: "outbox" })
          )
        )
        for (let maxBodyBytes = 500; maxBodyBytes < 6_000; maxBodyBytes += 50) {
          const limits = account({ maxBodyBytes })
          for (const { envelopes } of requests.plan(batch, now, limits).groups) {
            const { encoded } = requests.encodeAll(envelopes, now, account())
            assert.isAtMost(utf8.byteLength(requests.body(encoded)), maxBodyBytes)
          }
        }
      }
    })
  )

  it.effect.prop(
    "no request is too large, none could take the next one's first message, and nobody is lost",
    {
      lengths: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 400 }))),
      maxBatchSize: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 5 })),
      maxBodyBytes: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2000 }))
    },
    ({ lengths, maxBatchSize, maxBodyBytes }) =>
      Effect.gen(function* () {
        const limits = account({ maxBatchSize, maxBodyBytes })
        const now = yield* DateTime.now
        // Two bytes each in UTF-8, one unit in the language.
        const batch = yield* Effect.forEach(lengths, (length, index) =>
          seal(transaction(`m-${index}`, { text: "ж".repeat(length) }))
        )
        const { groups, unsendable } = requests.plan(batch, now, limits)
        const size = (envelopes: ReadonlyArray<Envelope.Envelope>) =>
          utf8.byteLength(requests.body(requests.encodeAll(envelopes, now, account()).encoded))
        for (const [index, { envelopes }] of groups.entries()) {
          assert.isAtMost(envelopes.length, maxBatchSize)
          assert.isAtMost(size(envelopes), maxBodyBytes)
          const next = groups[index + 1]
          if (next === undefined || envelopes.length === maxBatchSize) continue
          assert.isAbove(size([...envelopes, next.envelopes[0]]), maxBodyBytes)
        }
        for (const { trackingId } of unsendable) {
          const alone = batch.filter((envelope) => envelope.trackingId === trackingId)
          assert.isAbove(size(alone), maxBodyBytes)
        }
        assert.deepStrictEqual(
          [...groups.flatMap(idsOf), ...unsendable.map(({ trackingId }) => String(trackingId))].sort(),
          batch.map(({ trackingId }) => String(trackingId)).sort()
        )
      }),
    { arbitrary: { runs: 150 } }
  )

  it.effect("fills a request to the last byte", () =>
    Effect.gen(function* () {
      const now = yield* DateTime.now
      const batch = yield* Effect.forEach(["a", "b", "c"], (id) => seal(transaction(id, { text: "жук" })))
      const whole = utf8.byteLength(requests.body(requests.encodeAll(batch, now, account()).encoded))
      const sizes = (maxBodyBytes: number) =>
        requests.plan(batch, now, account({ maxBodyBytes })).groups.map(({ envelopes }) => envelopes.length)
      assert.deepStrictEqual(sizes(whole), [3])
      assert.deepStrictEqual(sizes(whole - 1), [2, 1])
    })
  )

  it.effect("answers at once for what cannot be sent", () =>
    Effect.gen(function* () {
      const now = yield* DateTime.now
      const batch = [
        Envelope.at(transaction("good"), now),
        Envelope.at(transaction("dead", { ttl: "5 seconds" }), DateTime.subtract(now, { minutes: 1 })),
        Envelope.at(transaction("huge", { text: "x".repeat(5000) }), now),
        Envelope.at(transaction("far", { scheduledSent: DateTime.add(now, { days: 31 }) }), now, {
          schedule: "provider"
        })
      ]
      const { groups, unsendable } = yield* plan(batch, { maxBodyBytes: 1000 })
      assert.deepStrictEqual(groups.map(idsOf), [["good"]])
      assert.deepStrictEqual(
        unsendable.map((delivery) => [
          delivery._tag,
          String(delivery.trackingId),
          delivery._tag === "NotSent" && delivery.reason._tag
        ]),
        [
          ["NotSent", "dead", "Expired"],
          ["NotSent", "huge", "Unencodable"],
          ["NotSent", "far", "Unencodable"]
        ]
      )
    })
  )

  it.effect("a body is the JSON of its messages", () =>
    Effect.gen(function* () {
      const now = yield* DateTime.now
      const batch = yield* Effect.forEach(["a", "b"], (id) => seal(transaction(id)))
      const { encoded } = requests.encodeAll(batch, now, account())
      assert.strictEqual(requests.body(encoded), JSON.stringify(JSON.parse(requests.body(encoded))))
      assert.strictEqual(requests.body([]), "[]")
    })
  )
})
