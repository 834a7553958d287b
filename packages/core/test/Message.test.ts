import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Equal, Hash, Option, Result, Schema } from "effect"
import { InvalidMessage, type Problem } from "../src/InvalidMessage.ts"
import * as Message from "../src/Message.ts"
import * as Ttl from "../src/Ttl.ts"

// What a caller without types can do: `never` goes everywhere, so the compiler is talked out of its checks.
const unchecked = (value: unknown): never => value as never

const common = { id: "order-1", fromName: "Shop", toPhone: "+380671112233" }
const transaction = { ...common, messageType: "transaction", text: "Hello" }
const survey = { ...common, messageType: "viber_survey", text: "How was it?", surveyOptions: ["Good", "Bad"] }
const flashcall = { ...common, messageType: "flashcall" }

const decoded = (json: unknown): Message.Message => Result.getOrThrow(Message.decodeResult(json))

const problemsOf = (json: unknown): ReadonlyArray<Problem> =>
  Result.match(Message.decodeResult(json), {
    onSuccess: () => [],
    onFailure: ({ problems }) => problems
  })

const paths = (problems: ReadonlyArray<Problem>): ReadonlyArray<string> => problems.map(({ path }) => path)

const accepts = (json: unknown): void => assert.deepStrictEqual(problemsOf(json).map(String), [])

/** The examples of https://smsbat.com/help/api/cascade/send/ as they stand there, with `phone` for its placeholder. */
const examples = (phone: string): ReadonlyArray<object> => [
  {
    id: "unique-tracking-id",
    fromName: "YourBrand",
    toPhone: phone,
    messageType: "transaction",
    text: "Your order #12345 has been confirmed",
    ttl: 3600,
    scheduledSent: "2025-01-25T10:00:00Z"
  },
  {
    id: "order-12345",
    fromName: "YourStore",
    toPhone: phone,
    messageType: "transaction",
    text: "Your order #12345 has been confirmed and will arrive tomorrow.",
    ttl: 86400
  },
  {
    id: "promo-summer-sale",
    fromName: "YourBrand",
    toPhone: phone,
    messageType: "promo",
    text: "Summer Sale! Up to 50% off. Shop now: https://example.com/sale",
    ttl: 259200
  },
  {
    id: "survey-satisfaction",
    fromName: "YourBrand",
    toPhone: phone,
    messageType: "viber_survey",
    text: "How satisfied are you with our service?",
    surveyOptions: ["Very Satisfied", "Satisfied", "Neutral", "Dissatisfied", "Very Dissatisfied"],
    ttl: 604800
  },
  { id: "verify-user-123", fromName: "YourApp", toPhone: phone, messageType: "flashcall", ttl: 300 },
  {
    id: "tx-001",
    fromName: "YourBank",
    toPhone: phone,
    messageType: "transaction",
    text: "Payment of $100 was successful. Transaction ID: ABC123"
  }
]

/** The one example with its last two fields in another order than the page's other examples and its table. */
const scheduledPromo = (phone: string): object => ({
  id: "promo-001",
  fromName: "YourStore",
  toPhone: phone,
  messageType: "promo",
  text: "Flash Sale starts in 1 hour! Visit: https://example.com",
  scheduledSent: "2025-01-25T09:00:00Z",
  ttl: 3600
})

const bulk = ["+380111111111", "+380222222222", "+380333333333"].map((toPhone, index) => ({
  id: `bulk-00${index + 1}`,
  fromName: "YourBrand",
  toPhone,
  messageType: "transaction",
  text: `Message ${index + 1}`
}))

describe("the provider's own examples", () => {
  it("decode, and encode to the same JSON with the same order of fields", () => {
    for (const json of [...bulk, ...examples("+380671112233")]) {
      assert.strictEqual(JSON.stringify(Message.encode(decoded(json))), JSON.stringify(json))
    }
    const promo = scheduledPromo("+380671112233")
    assert.deepStrictEqual<unknown>(Message.encode(decoded(promo)), promo)
  })

  it("are refused for their phone number alone where it is a placeholder", () => {
    for (const json of [...examples("+380XXXXXXXXX"), scheduledPromo("+380XXXXXXXXX")]) {
      assert.deepStrictEqual(paths(problemsOf(json)), ["toPhone"])
      assert.strictEqual(problemsOf(json)[0]?.received, "**** (13 characters)")
      assert.isUndefined(problemsOf(json)[0]?.fix)
    }
  })
})

describe("Message.make", () => {
  const input = { _tag: "Transaction", ...common, text: "Hello" } as const

  it.effect("makes each member of the union", () =>
    Effect.gen(function* () {
      const made = [
        yield* Message.make(input),
        yield* Message.make({ ...input, _tag: "Promo" }),
        yield* Message.make({ _tag: "ViberSurvey", ...common, text: "?", surveyOptions: ["a", "b"] }),
        yield* Message.make({ _tag: "FlashCall", ...common, ttl: Ttl.verification })
      ]
      assert.deepStrictEqual(
        made.map((message) => message.constructor),
        [Message.Transaction, Message.Promo, Message.ViberSurvey, Message.FlashCall]
      )
      for (const message of made) assert.isTrue(Schema.is(Message.Message)(message))
    })
  )

  it.effect("takes durations and instants as a program has them", () =>
    Effect.gen(function* () {
      const instant = DateTime.makeUnsafe("2026-01-25T10:00:00Z")
      const zoned = DateTime.makeZonedUnsafe(instant, { timeZone: "Europe/Kyiv" })
      for (const scheduledSent of [
        instant,
        zoned,
        DateTime.toDate(instant),
        "2026-01-25T10:00:00Z",
        "2026-01-25T12:00:00+02:00"
      ]) {
        const message = yield* Message.make({ ...input, scheduledSent })
        assert.deepStrictEqual(message.scheduledSent, instant)
      }
      for (const ttl of [
        Duration.minutes(5),
        "5 minutes",
        300_000,
        300_000_000_000n,
        { minutes: 5 }
      ] as const) {
        const message = yield* Message.make({ ...input, ttl })
        assert.strictEqual(Message.encode(message).ttl, 300)
      }
      assert.deepStrictEqual(
        Message.encode(yield* Message.make({ ...input, ttl: undefined, scheduledSent: undefined })),
        { ...transaction, messageType: "transaction" }
      )
    })
  )

  it.effect("refuses what is no whole number of seconds or no instant", () =>
    Effect.gen(function* () {
      for (const ttl of [
        Duration.zero,
        Duration.infinity,
        Duration.negativeInfinity,
        Duration.seconds(-1),
        Duration.millis(1500),
        Duration.seconds(2 ** 31),
        // A number of seconds cannot tell these from a whole one.
        Duration.sum(Duration.seconds(2 ** 31 - 1), Duration.nanos(1n)),
        Duration.subtract(Duration.seconds(2 ** 31 - 1), Duration.nanos(1n)),
        Number.NaN,
        "5 parsecs",
        "300",
        {},
        null,
        Symbol("ttl")
      ]) {
        const error = yield* Effect.flip(Message.make({ ...input, ttl: unchecked(ttl) }))
        assert.deepStrictEqual(paths(error.problems), ["ttl"], String(ttl))
      }
      for (const scheduledSent of [
        new Date(Number.NaN),
        "2026-01-25T10:00:00",
        DateTime.makeUnsafe("+010000-01-01T00:00:00Z"),
        new Date(8.64e15),
        1769335200000,
        null
      ]) {
        const error = yield* Effect.flip(Message.make({ ...input, scheduledSent: unchecked(scheduledSent) }))
        assert.deepStrictEqual(paths(error.problems), ["scheduledSent"], String(scheduledSent))
      }
    })
  )

  it.effect("says that a bare number is milliseconds", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Message.make({ ...input, ttl: 300 }))
      assert.strictEqual(error.problems[0].received, "300 milliseconds, as a bare number is")
      assert.strictEqual(error.problems[0].fix, "for seconds, write Duration.seconds(300)")
      const phone = yield* Effect.flip(Message.make({ ...input, ttl: 380671112233 }))
      assert.notInclude(phone.message, "380671112233")
    })
  )

  it.effect("fails, and never dies, whatever it is given", () =>
    Effect.gen(function* () {
      for (const value of [
        null,
        undefined,
        1,
        "Transaction",
        [],
        {},
        () => input,
        { ...input, _tag: ["Transaction"] }
      ]) {
        assert.instanceOf(yield* Effect.flip(Message.make(unchecked(value))), InvalidMessage)
      }
      const error = yield* Effect.flip(Message.make(unchecked({ ...input, _tag: "transaction" })))
      assert.deepStrictEqual(paths(error.problems), ["_tag"])
      assert.strictEqual(error.problems[0].fix, "did you mean Transaction?")
    })
  )

  it("does not change when the caller's array does", () => {
    const surveyOptions = ["a", "b"]
    const message = Message.makeUnsafe({ _tag: "ViberSurvey", ...common, text: "?", surveyOptions })
    surveyOptions.push("b")
    assert.deepStrictEqual(message.surveyOptions, ["a", "b"])
  })

  it("makeUnsafe throws the same error", () => {
    assert.deepStrictEqual(Message.makeUnsafe(input), decoded(transaction))
    assert.throws(() => Message.makeUnsafe({ ...input, id: "" }), InvalidMessage)
    assert.throws(() => Message.makeUnsafe(unchecked(null)), InvalidMessage)
  })

  it("takes every recommended ttl", () => {
    for (const ttl of Object.values(Ttl)) accepts({ ...flashcall, ttl: Duration.toSeconds(ttl) })
    assert.deepStrictEqual(
      Object.values(Ttl)
        .map(Duration.toSeconds)
        .sort((a, b) => a - b),
      [300, 86_400, 259_200, 604_800]
    )
  })
})

describe("messages as values", () => {
  it("are equal when their fields are", () => {
    const json = { ...survey, ttl: 300, scheduledSent: "2026-01-25T10:00:00Z" }
    assert.isTrue(Equal.equals(decoded(json), decoded(json)))
    assert.strictEqual(Hash.hash(decoded(json)), Hash.hash(decoded(json)))
    assert.isFalse(Equal.equals(decoded(json), decoded({ ...json, toPhone: "+380671112234" })))
    assert.isFalse(Equal.equals(decoded(transaction), decoded({ ...transaction, messageType: "promo" })))
  })

  it.effect("MessageFromJson is decode and encode as a schema", () =>
    Effect.gen(function* () {
      for (const codec of [Message.MessageFromJson, Schema.toCodecJson(Message.MessageFromJson)]) {
        const message = yield* Schema.decodeUnknownEffect(codec)(survey)
        assert.deepStrictEqual(message, decoded(survey))
        assert.deepStrictEqual<unknown>(yield* Schema.encodeEffect(codec)(message), survey)
        const error = yield* Effect.flip(Schema.decodeUnknownEffect(codec)({ ...survey, id: "", text: "" }))
        assert.include(error.message, "2 problems")
      }
      assert.isTrue(Option.isNone(Schema.decodeUnknownOption(Message.MessageFromJson)(null)))
    })
  )
})
