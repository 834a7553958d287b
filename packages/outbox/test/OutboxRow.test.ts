import * as Envelope from "@effect-cascade/core/Envelope"
import * as Message from "@effect-cascade/core/Message"
import {
  ClaimedRow,
  encodePayload,
  isClaimedRow,
  payloadVersion,
  toEnvelope
} from "@effect-cascade/outbox/OutboxRow"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Result, Schema } from "effect"
import { canary, transaction } from "./support/messages.ts"

const now = DateTime.makeUnsafe("2026-01-01T12:00:00Z")

const claimed = (more?: Partial<ClaimedRow>): ClaimedRow => ({
  id: "018d0000-0000-7000-8000-000000000000",
  lane: "default/high",
  lease: 1n,
  attempts: 0,
  lapses: 0,
  lapsed: false,
  account: "default",
  trackingId: "order-1",
  messageType: "transaction",
  uncertainty: "resend",
  payload: null,
  ageMillis: 0,
  remainingMillis: null,
  traceparent: null,
  ...more
})

/** What a payload says, changed in some parts. */
const edited = (change: Record<string, unknown>): string => {
  const envelope = Envelope.at(transaction("order-1", { text: canary.text, toPhone: canary.phone }), now)
  return JSON.stringify({ ...JSON.parse(encodePayload(envelope)), ...change })
}

const Instant = Schema.Int.check(Schema.isBetween({ minimum: -2e12, maximum: 4e12 }))
const Millis = Schema.Finite.check(Schema.isBetween({ minimum: -1e11, maximum: 1e11 }))
const Name = Schema.String.check(Schema.isPattern(/^[a-z_-]{1,12}$/u))

/** Anything that a message may hold, control characters too. */
const Text = Schema.String.check(Schema.isMinLength(1))
const Plain = Schema.Struct({
  kind: Schema.Literals(["Transaction", "Promo", "FlashCall", "ViberSurvey"]),
  text: Text.check(Schema.isMaxLength(60)),
  ttl: Schema.UndefinedOr(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 2_147_483_647 }))),
  scheduled: Schema.UndefinedOr(Instant),
  route: Envelope.Route,
  schedule: Envelope.ScheduleHolder,
  headers: Schema.UndefinedOr(Schema.Record(Name, Schema.String))
})

const messageOf = ({ kind, scheduled, text: any, ttl }: typeof Plain.Type): Message.Message => {
  // A message has no halves of surrogate pairs; a header may.
  const text = any.replace(/\p{Surrogate}/gu, "?")
  const common = {
    id: "order-1",
    fromName: "Shop",
    toPhone: "+380671112233",
    ...(ttl === undefined ? {} : { ttl: `${ttl} seconds` as const }),
    ...(scheduled === undefined ? {} : { scheduledSent: DateTime.makeUnsafe(scheduled) })
  }
  switch (kind) {
    case "FlashCall":
      return Message.makeUnsafe({ _tag: kind, ...common })
    case "ViberSurvey":
      return Message.makeUnsafe({ _tag: kind, ...common, text, surveyOptions: [text, `${text}?`] })
    default:
      return Message.makeUnsafe({ _tag: kind, ...common, text })
  }
}

const envelopeOf = (plain: typeof Plain.Type): Envelope.Envelope => Envelope.at(messageOf(plain), now, plain)

describe("payload", () => {
  it.prop("comes back as it went in", [Plain], ([plain]) => {
    const envelope = envelopeOf(plain)
    const back = Result.getOrThrow(toEnvelope(claimed({ payload: encodePayload(envelope) }), now))
    assert.deepStrictEqual(Message.encode(back.message), Message.encode(envelope.message))
    assert.strictEqual(back.message._tag, plain.kind)
    assert.deepStrictEqual(back.headers, envelope.headers)
    assert.strictEqual(back.route, plain.route)
    assert.strictEqual(back.schedule, plain.schedule)
    assert.strictEqual(back.trackingId, "order-1")
  })

  it.prop("is text that Postgres can hold", [Plain], ([plain]) => {
    const payload = encodePayload(envelopeOf(plain))
    assert.notInclude(payload, "\u0000")
    assert.strictEqual(Buffer.from(payload, "utf8").toString("utf8"), payload)
  })

  it.prop(
    "depends on the content alone, not on when, where or in which order",
    [Plain, Instant],
    ([plain, at]) => {
      const envelope = envelopeOf(plain)
      const reversed =
        plain.headers === undefined
          ? undefined
          : Object.fromEntries(Object.entries(plain.headers).toReversed())
      const again = Envelope.at(messageOf(plain), DateTime.makeUnsafe(at), {
        ...plain,
        headers: reversed,
        account: "other",
        traceparent: "00-0-0-01"
      })
      assert.strictEqual(encodePayload(again), encodePayload(envelope))
    }
  )

  it.prop("differs where the content does", [Plain, Text], ([plain, other]) => {
    const envelope = envelopeOf(plain)
    const changed = Envelope.at(messageOf(plain), now, { ...plain, headers: { ...plain.headers, other } })
    assert.strictEqual(encodePayload(changed) === encodePayload(envelope), plain.headers?.["other"] === other)
  })
})

describe("toEnvelope", () => {
  it.prop(
    "keeps distances of time, whatever the two clocks say",
    [Instant, Millis, Schema.NullOr(Millis)],
    ([here, ageMillis, remainingMillis]) => {
      const local = DateTime.makeUnsafe(here)
      const row = claimed({ payload: edited({}), ageMillis, remainingMillis })
      const { createdAt, deadline } = Result.getOrThrow(toEnvelope(row, local))
      const near = (actual: number, expected: number) => assert.isAtMost(Math.abs(actual - expected), 1)
      near(here - DateTime.toEpochMillis(createdAt), ageMillis)
      if (remainingMillis === null) assert.isUndefined(deadline)
      else if (deadline === undefined) assert.fail("the deadline is missing")
      else {
        near(DateTime.toEpochMillis(deadline) - here, remainingMillis)
        // Never later by rounding: what is over by the database's clock is over here.
        assert.isFalse(remainingMillis <= 0 && DateTime.isGreaterThan(deadline, local))
      }
    }
  )

  it("takes account and trace from the row", () => {
    const row = claimed({ payload: edited({}), account: "tenant-7", traceparent: "00-a-b-01" })
    const envelope = Result.getOrThrow(toEnvelope(row, now))
    assert.strictEqual(envelope.account, "tenant-7")
    assert.strictEqual(envelope.traceparent, "00-a-b-01")
    assert.notProperty(Result.getOrThrow(toEnvelope(claimed({ payload: edited({}) }), now)), "traceparent")
  })

  const valid = JSON.parse(edited({})) as { readonly message: Record<string, unknown> }
  const unreadable: ReadonlyArray<[string, payload: string | null, problem: string]> = [
    ["a missing payload", null, "the payload is missing"],
    ["no text at all", "", "the payload is not JSON"],
    ["garbage", `{"v":1,${canary.text}`, "the payload is not JSON"],
    ["a string", JSON.stringify(canary.text), "the payload is not JSON"],
    ["null", "null", "the payload is not JSON"],
    ["an array", "[]", "the payload has version none, this relay reads 1"],
    ["no version", edited({ v: undefined }), "the payload has version none, this relay reads 1"],
    ["a later version", edited({ v: 2 }), "the payload has version 2, this relay reads 1"],
    ["the version as text", edited({ v: canary.text }), "the payload has version none, this relay reads 1"],
    [
      "another route",
      edited({ route: canary.text }),
      "the payload's route, schedule or headers are not of the known form"
    ],
    [
      "no schedule",
      edited({ schedule: undefined }),
      "the payload's route, schedule or headers are not of the known form"
    ],
    [
      "headers of another form",
      edited({ headers: { a: 1 } }),
      "the payload's route, schedule or headers are not of the known form"
    ],
    ["no message", edited({ message: undefined }), "the message breaks its rules:"],
    ["an empty message", edited({ message: {} }), "the message breaks its rules: messageType"],
    [
      "a message that breaks its rules",
      edited({ message: { ...valid.message, toPhone: canary.digits, text: "" } }),
      "the message breaks its rules: toPhone, text"
    ]
  ]
  for (const [name, payload, problem] of unreadable) {
    it(`${name} is unreadable, and what is said of it is safe`, () => {
      const found = Result.getOrThrow(Result.flip(toEnvelope(claimed({ payload }), now))).problem
      assert.isTrue(found.startsWith(problem), found)
      assert.notInclude(found, canary.text)
      assert.notInclude(found, canary.digits)
    })
  }

  it("a field that nobody knows is unreadable, and its name is masked", () => {
    const payload = edited({ message: { ...valid.message, [canary.phone]: canary.text } })
    const problem = Result.getOrThrow(Result.flip(toEnvelope(claimed({ payload }), now))).problem
    assert.match(problem, /^the message breaks its rules: \S+$/u)
    assert.notInclude(problem, canary.text)
    assert.notInclude(problem, canary.digits)
  })

  it.prop("never throws, whatever the text", [Schema.String], ([payload]) => {
    assert.isTrue(Result.isFailure(toEnvelope(claimed({ payload }), now)))
  })

  it.prop("never throws, whatever the JSON", [Schema.Json], ([message]) => {
    assert.isTrue(Result.isFailure(toEnvelope(claimed({ payload: edited({ message }) }), now)))
    assert.isTrue(Result.isFailure(toEnvelope(claimed({ payload: JSON.stringify(message) }), now)))
  })

  it("reads what it writes", () => {
    assert.strictEqual((JSON.parse(edited({})) as { v: number }).v, payloadVersion)
    assert.isTrue(Result.isSuccess(toEnvelope(claimed({ payload: edited({}) }), now)))
  })
})

describe("isClaimedRow", () => {
  const isBySchema = Schema.is(ClaimedRow)
  const anything = [
    undefined,
    null,
    "text",
    "resend",
    "hold",
    "",
    0,
    -1,
    1.5,
    Number.NaN,
    Infinity,
    2 ** 60,
    1n,
    true,
    [],
    {}
  ]

  it("says of every field what the schema says", () => {
    const verdicts: Array<boolean> = []
    for (const field of Object.keys(claimed())) {
      for (const value of anything) {
        const row = { ...claimed(), [field]: value }
        assert.strictEqual(isClaimedRow(row), isBySchema(row), `${field}: ${String(value)}`)
        verdicts.push(isClaimedRow(row))
      }
      const without = Object.fromEntries(Object.entries(claimed()).filter(([name]) => name !== field))
      assert.isFalse(isClaimedRow(without), field)
      assert.isFalse(isBySchema(without), field)
    }
    assert.include(verdicts, true)
    assert.include(verdicts, false)
  })

  it("takes nothing that is no row", () => {
    for (const value of anything) assert.isFalse(isClaimedRow(value))
    assert.isTrue(isClaimedRow(claimed()))
  })
})
