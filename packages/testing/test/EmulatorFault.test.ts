import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Duration, Effect, Schema } from "effect"
import * as EmulatorFault from "../src/EmulatorFault.ts"

const problems = (input: EmulatorFault.PlanInput) =>
  Effect.map(Effect.flip(EmulatorFault.plan(input)), (error) => error.problems)

describe("the text form", () => {
  it.effect("reads the faults of a bad day", () =>
    Effect.gen(function* () {
      const plan = yield* EmulatorFault.plan(
        "429:0.05:retry-after=1, reset-after:0.02,500-after:1%, latency:20-80ms , poison:ids=a|b:2x"
      )
      assert.deepStrictEqual(plan, [
        { _tag: "TooManyRequests", probability: 0.05, retryAfter: Duration.seconds(1) },
        { _tag: "Reset", when: "after", probability: 0.02 },
        { _tag: "ServerError", status: 500, when: "after", probability: 0.01 },
        { _tag: "Latency", when: "before", min: Duration.millis(20), max: Duration.millis(80) },
        { _tag: "Poison", trackingIds: ["a", "b"], count: 2, status: 400 }
      ])
    })
  )

  it.effect("reads filters, addresses and the written-out stage", () =>
    Effect.gen(function* () {
      const plan = yield* EmulatorFault.plan(
        "hang-before:route=tg-viber:account=main:prefix=order%3A, 307:3x:to=http://127.0.0.1:9/x?a=1%2C2, " +
          "503:endpoint=status:retry-after-date=2m, latency:1.5s, latency-after:500ms-1s"
      )
      assert.deepStrictEqual(plan, [
        {
          _tag: "Hang",
          when: "before",
          where: { route: "tg-viber", account: "main", prefix: "order:" }
        },
        { _tag: "Redirect", status: 307, count: 3, location: "http://127.0.0.1:9/x?a=1,2" },
        {
          _tag: "ServerError",
          status: 503,
          when: "before",
          retryAfter: Duration.minutes(2),
          form: "date",
          where: { endpoint: "status" }
        },
        { _tag: "Latency", when: "before", min: Duration.millis(1500) },
        { _tag: "Latency", when: "after", min: Duration.millis(500), max: Duration.seconds(1) }
      ])
    })
  )

  it.effect("reads no faults from an empty text", () =>
    Effect.map(EmulatorFault.plan(" "), (plan) => assert.deepStrictEqual(plan, []))
  )

  it.effect("says everything that cannot be read, by the name it was given", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* problems("reset-aftr, 429:retry=1, latency:fast, 401:ids"), [
        `"reset-aftr" is no fault; did you mean reset-after?`,
        `429: "retry" is none of retry-after, retry-after-date, amount, shape, bytes, pause, ids, marker, status, endpoint, route, account, prefix, to`,
        `latency: "fast" is neither a probability (0.05, 5%), a count (3x), a time (20ms, 20-80ms) nor a key=value`,
        `401: "ids" is neither a probability (0.05, 5%), a count (3x), a time (20ms, 20-80ms) nor a key=value`
      ])
      const [range, probability, poison, foreign] = yield* problems("latency:2s-1s, 429:7, poison, hang:20ms")
      assert.match(range ?? "", /^latency: a max/)
      assert.match(probability ?? "", /^429: probability: /)
      assert.match(poison ?? "", /^poison: trackingIds/)
      assert.match(foreign ?? "", /^hang: min: /)
    })
  )

  it.effect("refuses a tracking id to tell a request by while it is still being read", () =>
    Effect.map(problems("reset-reading:prefix=a"), ([problem]) =>
      assert.match(problem ?? "", /not known by then/)
    )
  )

  const times = Schema.Literals([0, 1, 20, 999, 1000, 1500, 60_000])
  const common = {
    probability: Schema.optionalKey(Schema.Literals([1, 0.5, 0.05, 0.000_000_1])),
    count: Schema.optionalKey(Schema.Literals([1, 7, 1000])),
    where: Schema.optionalKey(
      Schema.Struct({
        endpoint: EmulatorFault.Endpoint,
        account: Schema.optionalKey(Schema.NonEmptyString),
        prefix: Schema.optionalKey(Schema.NonEmptyString)
      })
    )
  }
  const retryAfter = {
    retryAfter: times,
    form: Schema.optionalKey(Schema.Literals(["date"]))
  }
  const when = Schema.Literals(["before", "after"])
  const inputs = Schema.Union([
    Schema.TaggedStruct("Latency", { ...common, min: times, max: Schema.Literals([60_000, 90_500]), when }),
    Schema.TaggedStruct("TooManyRequests", { ...common, ...retryAfter }),
    Schema.TaggedStruct("ServerError", {
      ...common,
      ...retryAfter,
      status: Schema.Literals([500, 502, 503, 504]),
      when
    }),
    Schema.TaggedStruct("Reset", { ...common, when }),
    Schema.TaggedStruct("Hang", { ...common, when }),
    Schema.TaggedStruct("TruncatedBody", common),
    Schema.TaggedStruct("Shuffled", common),
    Schema.TaggedStruct("MissingIds", { ...common, amount: Schema.Literals([1, 5]) }),
    Schema.TaggedStruct("ForeignIds", { ...common, amount: Schema.Literals([1, 5]) }),
    Schema.TaggedStruct("WrongShape", {
      ...common,
      shape: Schema.Literals(["object", "renamed", "numbers", "null"])
    }),
    Schema.TaggedStruct("Html200", { ...common, when }),
    Schema.TaggedStruct("EmptyReply", { ...common, when }),
    Schema.TaggedStruct("Redirect", {
      ...common,
      status: Schema.Literals([301, 302, 303, 307, 308]),
      location: Schema.Literals(["/", "http://127.0.0.1:9/a?b=%20&c=1,2+3|4", "%2C"])
    }),
    Schema.TaggedStruct("SlowBody", { ...common, bytes: Schema.Literals([1, 64]), pause: times }),
    Schema.TaggedStruct("Unauthorized", { ...common, status: Schema.Literals([401, 403]) }),
    Schema.TaggedStruct("Poison", {
      ...common,
      trackingIds: Schema.NonEmptyArray(Schema.NonEmptyString),
      marker: Schema.optionalKey(Schema.NonEmptyString),
      status: Schema.Literals([400, 413, 422])
    })
  ])

  it.effect.prop("is read back as it was written", [Arbitrary.array(Arbitrary.schema(inputs))], ([input]) =>
    Effect.gen(function* () {
      const plan = yield* EmulatorFault.plan(input)
      const text = EmulatorFault.format(plan)
      assert.deepStrictEqual(yield* EmulatorFault.plan(text), plan)
    })
  )
})

describe("the data form", () => {
  it.effect("fills in what is left out", () =>
    Effect.gen(function* () {
      const plan = yield* EmulatorFault.plan([
        { _tag: "Reset" },
        { _tag: "Latency", min: "1 second" },
        { _tag: "Html200" },
        { _tag: "SlowBody" }
      ])
      assert.deepStrictEqual(plan, [
        { _tag: "Reset", when: "before" },
        { _tag: "Latency", min: Duration.seconds(1), when: "before" },
        { _tag: "Html200", when: "after" },
        { _tag: "SlowBody", bytes: 16, pause: Duration.millis(10) }
      ])
      assert.deepStrictEqual(plan.map(EmulatorFault.nameOf), ["reset", "latency", "html", "slow-body"])
    })
  )

  it.effect("refuses what it does not know, so that a slip is not a fault that never fires", () =>
    Effect.gen(function* () {
      const json = JSON.parse(`[{"_tag":"Hang","probabilty":0.5},{"_tag":"Latency","min":-1}]`)
      const { problems } = yield* Effect.flip(EmulatorFault.planFromJson(json))
      assert.match(problems.join("\n"), /probabilty/)
      assert.match(problems.join("\n"), /1: min: expected a time of whole milliseconds/)
    })
  )
})

describe("a script", () => {
  it.effect("has one entry for each request", () =>
    Effect.gen(function* () {
      const expected: ReadonlyArray<ReadonlyArray<EmulatorFault.Fault>> = [
        [{ _tag: "TooManyRequests" }],
        [],
        [],
        [
          { _tag: "Latency", min: Duration.millis(50), when: "before" },
          { _tag: "Reset", when: "after" }
        ]
      ]
      assert.deepStrictEqual(yield* EmulatorFault.script("429, ok:2x, latency:50ms+reset-after"), expected)
      assert.deepStrictEqual(
        yield* EmulatorFault.script([
          { _tag: "TooManyRequests" },
          [],
          [],
          [
            { _tag: "Latency", min: 50 },
            { _tag: "Reset", when: "after" }
          ]
        ]),
        expected
      )
    })
  )
})
