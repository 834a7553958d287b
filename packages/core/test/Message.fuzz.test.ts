/**
 * Laws of messages, and what happens to input that nobody has thought of. A failure prints its smallest input and a
 * `Replay` token (which holds the seed); `{ arbitrary: { replay } }` at the test runs it again.
 */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Cause, DateTime, Duration, Effect, Equal, Exit, Result, Schema } from "effect"
import { InvalidMessage } from "../src/InvalidMessage.ts"
import * as Message from "../src/Message.ts"
import * as PhoneNumber from "../src/PhoneNumber.ts"
import * as TrackingId from "../src/TrackingId.ts"
import { assertSafe, junk, oneOf, phone, phones, pick, secret } from "./support/junk.ts"

const runs = (runs: number) => ({ arbitrary: { runs } })
const messages = Arbitrary.schema(Message.Message)

const names = [
  "id",
  "fromName",
  "toPhone",
  "messageType",
  "_tag",
  "text",
  "surveyOptions",
  "ttl",
  "scheduledSent"
]

const personal = oneOf<unknown>(
  junk,
  pick<unknown>([secret, [secret, secret], [secret, phone, ""], secret.repeat(9)])
)

const isPersonal = (key: string): boolean =>
  ["toPhone", "text", "surveyOptions"].includes(key) || !names.includes(key)

/** A field that is set to a value, or is left out. */
type Change = { readonly key: string; readonly value?: unknown }

const anyChange: Arbitrary.Arbitrary<Change> = oneOf(
  pick(names),
  pick(names),
  pick(["__proto__", "constructor", "toString", "Id", "to_phone", "schedueldSent", "extra", phone]),
  Arbitrary.schema(Schema.String)
).pipe(
  Arbitrary.flatMap((key): Arbitrary.Arbitrary<Change> =>
    oneOf<Change>(
      (isPersonal(key) ? personal : junk).pipe(Arbitrary.map((value) => ({ key, value }))),
      Arbitrary.Constant({ key })
    )
  )
)

/** A text that is cut through a character, or nearly. */
const halves: Arbitrary.Arbitrary<Change> = Arbitrary.all({
  key: pick(["text", "fromName", "surveyOptions"]),
  text: pick(["a\ud83d", "\ude00b", "\ude00\ud83d", "a😀", "\ufffd\ufffe"])
}).pipe(Arbitrary.map(({ key, text }) => ({ key, value: key === "surveyOptions" ? ["a", text] : text })))

const change = oneOf(anyChange, anyChange, anyChange, halves)

const changed = (object: object, changes: ReadonlyArray<Change>): Readonly<Record<string, unknown>> => {
  const fields = new Map<string, unknown>(Object.entries(object))
  for (const one of changes) {
    if ("value" in one) fields.set(one.key, one.value)
    else fields.delete(one.key)
  }
  return Object.fromEntries(fields)
}

const changes = Arbitrary.array(change, { maxLength: 4 })

const someJson = Arbitrary.all({ message: messages, changes }).pipe(
  Arbitrary.map(({ changes, message }) => changed(Message.encode(message), changes))
)

const someInput = Arbitrary.all({ message: messages, changes }).pipe(
  Arbitrary.map(({ changes, message }) => changed({ ...message }, changes))
)

describe("the laws of messages", () => {
  it.prop(
    "decode reads what encode wrote",
    [messages],
    ([message]) => {
      const json: unknown = JSON.parse(JSON.stringify(Message.encode(message)))
      const again = Result.getOrThrow(Message.decodeResult(json))
      assert.isTrue(Equal.equals(again, message))
      assert.deepStrictEqual(again, message)
    },
    runs(1000)
  )

  it.prop(
    "encode writes what decode read, in one order and in UTC",
    {
      message: messages,
      order: Schema.Array(Schema.Int),
      offset: Schema.Int.check(Schema.isBetween({ minimum: -1439, maximum: 1439 }))
    },
    ({ message, offset, order }) => {
      const json = Message.encode(message)
      const { scheduledSent, ...others } = json
      const variant =
        scheduledSent === undefined ? json : { ...others, scheduledSent: inZone(scheduledSent, offset) }
      const shuffled = Object.entries(variant)
        .map((entry, index) => ({ entry, at: order[index] ?? 0 }))
        .sort((a, b) => a.at - b.at)
        .map(({ entry }) => entry)
      const decoded = Result.getOrThrow(Message.decodeResult(Object.fromEntries(shuffled)))
      assert.strictEqual(JSON.stringify(Message.encode(decoded)), JSON.stringify(json))
    },
    runs(1000)
  )

  it.effect.prop(
    "make and the schemas accept the same values",
    {
      message: messages,
      field: oneOf<Change>(
        Arbitrary.schema(Schema.Duration).pipe(Arbitrary.map((value) => ({ key: "ttl", value }))),
        Arbitrary.schema(Schema.Int).pipe(
          Arbitrary.map((millis) => ({ key: "ttl", value: Duration.millis(millis * 500) }))
        ),
        Arbitrary.schema(Schema.DateTimeUtc).pipe(
          Arbitrary.map((value) => ({ key: "scheduledSent", value }))
        ),
        // A number or a text would be a ttl or an instant for make, and for a schema it is neither.
        change.pipe(Arbitrary.filter(({ key }) => key !== "ttl" && key !== "scheduledSent"))
      )
    },
    ({ field, message }) =>
      Effect.gen(function* () {
        const input = changed({ ...message }, [field])
        const made = yield* Effect.result(Message.make(input as never))
        const decoded = Schema.decodeUnknownResult(Message.Message, { onExcessProperty: "error" })(input)
        assert.strictEqual(Result.isSuccess(made), Result.isSuccess(decoded))
        if (Result.isSuccess(made) && Result.isSuccess(decoded)) {
          assert.isTrue(Equal.equals(made.success, decoded.success))
        }
      }),
    runs(2000)
  )

  it.prop(
    "decode and the schemas accept the same JSON",
    [someJson],
    ([json]) => {
      const decoded = Message.decodeResult(json)
      const bySchema = Schema.decodeUnknownResult(Message.Message, { onExcessProperty: "error" })(
        inMemory(json)
      )
      assert.strictEqual(Result.isSuccess(decoded), Result.isSuccess(bySchema))
      if (Result.isSuccess(decoded) && Result.isSuccess(bySchema)) {
        assert.isTrue(Equal.equals(decoded.success, bySchema.success))
      }
    },
    runs(2000)
  )
})

describe("whatever comes in", () => {
  const assertTyped = (exit: Exit.Exit<Message.Message, InvalidMessage>): void => {
    if (Exit.isSuccess(exit)) {
      assert.isTrue(Schema.is(Message.Message)(exit.value))
      // A number in a valid id or name is the caller's own choice, and those are shown.
      const shown = `${exit.value.id}${exit.value.fromName}`.replace(/\D/gu, "")
      if (!shown.includes(phone)) assertSafe(exit.value)
      return
    }
    assert.lengthOf(exit.cause.reasons, 1)
    const [reason] = exit.cause.reasons
    if (reason?._tag !== "Fail") return assert.fail(`not a typed error: ${Cause.pretty(exit.cause)}`)
    assert.instanceOf(reason.error, InvalidMessage)
    assertSafe(reason.error)
  }

  it.effect.prop(
    "decode gives a message or an InvalidMessage, and shows nothing personal",
    { json: oneOf<unknown>(someJson, someJson, someJson, personal) },
    ({ json }) => Effect.map(Effect.exit(Message.decode(json)), assertTyped),
    runs(4000)
  )

  it.effect.prop(
    "make gives a message or an InvalidMessage, and shows nothing personal",
    { input: oneOf<unknown>(someInput, someInput, someInput, personal) },
    ({ input }) =>
      Effect.map(
        Effect.suspend(() => Effect.exit(Message.make(input as never))),
        assertTyped
      ),
    runs(4000)
  )

  it.prop(
    "MessageFromJson fails with a SchemaError that shows nothing personal",
    [someJson],
    ([json]) => {
      const result = Schema.decodeUnknownResult(Message.MessageFromJson)(json)
      assert.strictEqual(Result.isSuccess(result), Result.isSuccess(Message.decodeResult(json)))
      if (Result.isFailure(result)) assertSafe(result.failure)
    },
    runs(2000)
  )

  const texts = oneOf(
    Arbitrary.schema(Schema.String),
    pick([...phones, secret, "8 10 380", "0011", "(0)", "\ud800", "+", "00", "0".repeat(500)]),
    Arbitrary.array(pick(["+", "0", "00", "380", "67", " ", "-", "(", ")", ".0", "x", "\u0661", "\n"])).pipe(
      Arbitrary.map((pieces) => pieces.join(""))
    )
  )

  it.prop(
    "PhoneNumber.correct gives a valid number with the same digits, or nothing",
    [texts, texts],
    ([head, tail]) => {
      const text = head + tail
      const corrected = PhoneNumber.correct(text)
      if (corrected === undefined) return
      assert.isTrue(Schema.is(PhoneNumber.PhoneNumber)(corrected))
      assert.strictEqual(corrected.slice(1), text.replace(/\D/gu, "").replace(/^00/u, ""))
    },
    runs(4000)
  )

  it.prop(
    "TrackingId.of gives an id that a message takes, unless it is too long or empty",
    [
      texts,
      oneOf<string | number | bigint>(texts, Arbitrary.schema(Schema.Number), Arbitrary.schema(Schema.BigInt))
    ],
    ([first, second]) => {
      for (const id of [TrackingId.of(first), TrackingId.of(first, second)]) {
        assert.strictEqual(Schema.is(TrackingId.TrackingId)(id), id.length >= 1 && id.length <= 254)
      }
      assert.strictEqual(TrackingId.of(first) === TrackingId.of(String(second)), first === String(second))
    },
    runs(4000)
  )
})

/** The same instant in another zone, unless its year has no four digits there. */
const inZone = (instant: string, minutes: number): string => {
  const local = DateTime.formatIso(DateTime.add(DateTime.makeUnsafe(instant), { minutes }))
  if (!/^(?!0000)\d{4}-/u.test(local)) return instant
  const two = (value: number): string => String(value).padStart(2, "0")
  const size = Math.abs(minutes)
  return local.replace("Z", `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`)
}

/** What the schemas should be given for a JSON form: only the provider's names and units are translated. */
const inMemory = (json: Readonly<Record<string, unknown>>): object => {
  const fields = new Map(Object.entries(json))
  const { messageType, scheduledSent, ttl } = json
  fields.delete("messageType")
  const tags = Object.entries(Message.messageType).filter(([, type]) => type === messageType)
  if (fields.has("_tag")) fields.set("a field that no message has", true)
  for (const [tag] of tags) fields.set("_tag", tag)
  if (typeof ttl === "number") fields.set("ttl", Duration.seconds(ttl))
  else if (Duration.isDuration(ttl)) fields.set("ttl", null)
  if (typeof scheduledSent === "string" && isIso(scheduledSent)) {
    fields.set("scheduledSent", DateTime.makeUnsafe(scheduledSent))
  } else if (DateTime.isDateTime(scheduledSent)) fields.set("scheduledSent", null)
  return Object.fromEntries(fields)
}

const isIso = (text: string): boolean => {
  const date = new Date(text)
  return (
    !Number.isNaN(date.getTime()) && date.toISOString().replace(".000Z", "Z") === text.replace(".000Z", "Z")
  )
}
