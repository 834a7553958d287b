import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { Problem } from "../../src/InvalidMessage.ts"
import * as Message from "../../src/Message.ts"
import * as TrackingId from "../../src/TrackingId.ts"

const common = { id: "order-1", fromName: "Shop", toPhone: "+380671112233" }
const transaction = { ...common, messageType: "transaction", text: "Hello" }
const survey = { ...common, messageType: "viber_survey", text: "How was it?", surveyOptions: ["Good", "Bad"] }
const flashcall = { ...common, messageType: "flashcall" }

const decoded = (json: unknown): Message.Message => Result.getOrThrow(Message.decodeResult(json))

const problemsOf = (json: unknown): ReadonlyArray<Problem> =>
  Result.match(Message.decodeResult(json), { onSuccess: () => [], onFailure: ({ problems }) => problems })

const paths = (problems: ReadonlyArray<Problem>): ReadonlyArray<string> => problems.map(({ path }) => path)

const accepts = (json: unknown): void => assert.deepStrictEqual(problemsOf(json).map(String), [])

/** Refused for this one field, received as `received`, with or without a way to mend it. */
const refuses = (json: object, path: string, received?: string, fix?: string): void => {
  const problems = problemsOf(json)
  assert.deepStrictEqual(paths(problems), [path], problems.map(String).join("\n"))
  if (received === undefined) return
  assert.strictEqual(problems[0]?.received, received)
  assert.strictEqual(problems[0]?.fix, fix)
}

const cutAt = (position: number): string =>
  `a character is cut through at position ${position}; cut texts between characters`

describe("the rules of a message", () => {
  it("id", () => {
    for (const id of ["a", "a".repeat(254), TrackingId.of("order", "1/2")]) accepts({ ...transaction, id })
    refuses({ ...transaction, id: "" }, "id", '""')
    refuses(
      { ...transaction, id: "a".repeat(255) },
      "id",
      `"${"a".repeat(77)}..."`,
      "shorten it by 1 character"
    )
    refuses(
      { ...transaction, id: "order 1\n" },
      "id",
      String.raw`"order 1\n"`,
      "build it with TrackingId.of, which escapes other characters"
    )
    refuses({ ...transaction, id: 42 }, "id", "42")
    refuses({ ...transaction, id: null }, "id", "null")
    refuses({ ...transaction, id: { a: 1 } }, "id", "an object")
  })

  it("fromName", () => {
    for (const fromName of ["S", "Ваш магазин", "a".repeat(1000)]) accepts({ ...transaction, fromName })
    refuses({ ...transaction, fromName: "" }, "fromName", '""')
    refuses({ ...transaction, fromName: " Shop" }, "fromName", '" Shop"', "remove the blanks at its ends")
    refuses({ ...transaction, fromName: "Sh\u0007op" }, "fromName", String.raw`"Sh\u0007op"`)
    refuses({ ...transaction, fromName: ["Shop"] }, "fromName", "an array")
    refuses({ ...transaction, fromName: "Shop \ud83d" }, "fromName", String.raw`"Shop \ud83d"`, cutAt(5))
  })

  it("toPhone, masked", () => {
    for (const toPhone of ["+1234567", "+123456789012345"]) accepts({ ...transaction, toPhone })
    refuses({ ...transaction, toPhone: "+123456" }, "toPhone", "******* (7 characters)")
    refuses({ ...transaction, toPhone: "+1234567890123456" }, "toPhone", "+12345*********56 (17 characters)")
    refuses(
      { ...transaction, toPhone: "380671112233" },
      "toPhone",
      "38067*****33 (12 characters)",
      "write it as +38067*****33"
    )
    refuses({ ...transaction, toPhone: "0671112233" }, "toPhone", "********33 (10 characters)")
    refuses({ ...transaction, toPhone: 380671112233 }, "toPhone", "a number")
    refuses({ ...transaction, toPhone: "" }, "toPhone", " (0 characters)")
    refuses(
      { ...transaction, toPhone: "1".repeat(100_000) },
      "toPhone",
      `11111${"*".repeat(33)}11 (100000 characters)`
    )
  })

  it("text", () => {
    for (const messageType of ["transaction", "promo"]) {
      for (const text of ["a", " ", "a".repeat(100_000), "😀"]) accepts({ ...common, messageType, text })
      refuses({ ...common, messageType, text: "" }, "text", "<0 characters>")
      refuses({ ...common, messageType, text: ["Hello"] }, "text", "an array")
      refuses({ ...common, messageType }, "text", "nothing")
    }
  })

  it("text and options: no half of a surrogate pair, which a strict reader refuses with all that is beside it", () => {
    for (const messageType of ["transaction", "promo"]) {
      for (const text of ["a\ud83d", "a\ude00", "a\ude00\ud83d"])
        refuses({ ...common, messageType, text }, "text", `<${text.length} characters>`, cutAt(1))
      accepts({ ...common, messageType, text: "a😀\ufffd\ufffe" })
    }
    refuses({ ...survey, text: "😀\ud83d" }, "text", "<3 characters>", cutAt(2))
    assert.deepStrictEqual(paths(problemsOf({ ...survey, text: `${"a".repeat(85)}\ud83d` })), [
      "text",
      "text"
    ])
    refuses(
      { ...survey, surveyOptions: ["a", "😀".slice(0, 1)] },
      "surveyOptions[1]",
      "<1 characters>",
      cutAt(0)
    )
  })

  it("text of a survey: at most 85 UTF-16 units", () => {
    for (const text of ["a".repeat(85), `${"😀".repeat(42)}a`]) accepts({ ...survey, text })
    for (const text of ["a".repeat(86), "😀".repeat(43)]) {
      assert.strictEqual(text.length, 86)
      refuses({ ...survey, text }, "text", "<86 characters>", "shorten it by 1 character")
      assert.match(problemsOf({ ...survey, text })[0]?.rule ?? "", /85 characters \(UTF-16 units\)/u)
    }
    refuses({ ...survey, text: "a".repeat(100) }, "text", "<100 characters>", "shorten it by 15 characters")
    refuses({ ...survey, text: "" }, "text", "<0 characters>")
  })

  it("surveyOptions: 2 to 5, none empty, no two alike", () => {
    const options = ["a", "b", "c", "d", "e", "f"]
    for (const count of [2, 3, 4, 5]) accepts({ ...survey, surveyOptions: options.slice(0, count) })
    refuses({ ...survey, surveyOptions: [] }, "surveyOptions", "0 options")
    refuses({ ...survey, surveyOptions: ["a"] }, "surveyOptions", "1 option")
    refuses({ ...survey, surveyOptions: options }, "surveyOptions", "6 options")
    refuses({ ...survey, surveyOptions: "a,b" }, "surveyOptions", "<3 characters>")
    refuses({ ...survey, surveyOptions: null }, "surveyOptions", "null")
    refuses({ ...survey, surveyOptions: ["a", ""] }, "surveyOptions[1]", "<0 characters>")
    refuses({ ...survey, surveyOptions: ["a", "b", "a"] }, "surveyOptions[2]", "the same as surveyOptions[0]")
    refuses({ ...survey, surveyOptions: ["a", 1] }, "surveyOptions[1]", "a number")
    accepts({ ...survey, surveyOptions: ["a", "A", "a ", "\u00e9", "e\u0301"] })
    const hole = ["a", "b", "c"]
    delete hole[1]
    refuses({ ...survey, surveyOptions: hole }, "surveyOptions[1]", "nothing")
    assert.deepStrictEqual(paths(problemsOf({ ...survey, surveyOptions: ["", 1, "a", "a", "b", "c"] })), [
      "surveyOptions",
      "surveyOptions[0]",
      "surveyOptions[1]",
      "surveyOptions[3]"
    ])
  })

  it("ttl: whole seconds that a 32-bit integer holds", () => {
    for (const ttl of [1, 300, 604_800, 2 ** 31 - 1]) accepts({ ...flashcall, ttl })
    refuses({ ...flashcall, ttl: 0 }, "ttl", "0")
    refuses({ ...flashcall, ttl: -1 }, "ttl", "-1")
    refuses({ ...flashcall, ttl: 0.5 }, "ttl", "0.5")
    refuses({ ...flashcall, ttl: 1.5 }, "ttl", "1.5", "round it up to 2 seconds")
    refuses({ ...flashcall, ttl: 2 ** 31 }, "ttl", "********48")
    refuses({ ...flashcall, ttl: Number.NaN }, "ttl", "NaN")
    refuses({ ...flashcall, ttl: Number.POSITIVE_INFINITY }, "ttl", "Infinity")
    refuses({ ...flashcall, ttl: Number.NEGATIVE_INFINITY }, "ttl", "-Infinity")
    refuses({ ...flashcall, ttl: "300" }, "ttl", '"300"', "write it as a number")
    refuses({ ...flashcall, ttl: "5 minutes" }, "ttl", '"5 minutes"')
    refuses({ ...flashcall, ttl: null }, "ttl", "null", "leave the field out")
    refuses({ ...flashcall, ttl: true }, "ttl", "true")
    refuses({ ...flashcall, ttl: 5n }, "ttl", "a bigint")
  })

  it("scheduledSent: an instant that names its zone", () => {
    const instants = {
      "2026-01-25T10:00:00Z": "2026-01-25T10:00:00Z",
      "2026-01-25T10:00Z": "2026-01-25T10:00:00Z",
      "2026-01-25T10:00:00.5Z": "2026-01-25T10:00:00.500Z",
      "2026-01-25T10:00:00.123456789Z": "2026-01-25T10:00:00.123Z",
      "2026-01-25T10:00:00+02:00": "2026-01-25T08:00:00Z",
      "2026-01-25T10:00:00-09:30": "2026-01-25T19:30:00Z",
      "2026-01-25T00:00:00+23:59": "2026-01-24T00:01:00Z",
      "2026-01-25T10:00:00-00:00": "2026-01-25T10:00:00Z",
      "2024-02-29T23:59:59Z": "2024-02-29T23:59:59Z",
      "2000-02-29T00:00:00Z": "2000-02-29T00:00:00Z",
      "0001-01-01T00:00:00Z": "0001-01-01T00:00:00Z",
      "9999-12-31T23:59:59.999Z": "9999-12-31T23:59:59.999Z"
    }
    for (const [scheduledSent, instant] of Object.entries(instants)) {
      const message = decoded({ ...transaction, scheduledSent })
      assert.strictEqual(Message.encode(message).scheduledSent, instant)
      accepts(Message.encode(message))
    }
  })

  it("scheduledSent: no time without a zone, with the way to mend it", () => {
    for (const scheduledSent of ["2026-01-25T10:00:00", "2026-01-25T10:00", "2026-01-25T10:00:00.123"]) {
      const fix = "add its zone: Z for UTC, or an offset such as +02:00"
      refuses({ ...transaction, scheduledSent }, "scheduledSent", `"${scheduledSent}"`, fix)
    }
  })

  it("scheduledSent: no date that does not exist, and none of another form", () => {
    for (const scheduledSent of [
      "2026-02-30T10:00:00Z",
      "2026-02-29T10:00:00Z",
      "1900-02-29T10:00:00Z",
      "2026-06-31T10:00:00Z",
      "2026-01-32T10:00:00Z",
      "2026-01-00T10:00:00Z",
      "2026-13-01T10:00:00Z",
      "2026-00-01T10:00:00Z",
      "2026-01-25T24:00:00Z",
      "2026-01-25T25:00:00Z",
      "2026-01-25T10:60:00Z",
      "2026-06-30T23:59:60Z",
      "2026-01-25T10:00:00+24:00",
      "2026-01-25T10:00:00+02:60",
      "2026-01-25T10:00:00+0200",
      "2026-01-25T10:00:00+02",
      "2026-01-25t10:00:00z",
      "2026-01-25 10:00:00Z",
      "2026-01-25T10:00:00.Z",
      "2026-01-25",
      "2026-W04-7T10:00:00Z",
      "20260125T100000Z",
      "+002026-01-25T10:00:00Z",
      "0000-06-01T00:00:00Z",
      "0001-01-01T00:00:00+01:00",
      "9999-12-31T23:59:59-01:00",
      "Sun, 25 Jan 2026 10:00:00 GMT",
      "2026-01-25T10:00:00Z\n",
      "tomorrow",
      ""
    ]) {
      refuses({ ...transaction, scheduledSent }, "scheduledSent")
    }
    refuses({ ...transaction, scheduledSent: 1769335200 }, "scheduledSent", "********00")
    refuses({ ...transaction, scheduledSent: null }, "scheduledSent", "null", "leave the field out")
    refuses({ ...transaction, scheduledSent: {} }, "scheduledSent", "an object")
  })

  it("a flash call has neither text nor options", () => {
    accepts(flashcall)
    refuses({ ...flashcall, text: "1234" }, "text", "a string", "leave it out: a flash call has no text")
    refuses({ ...flashcall, surveyOptions: ["a", "b"] }, "surveyOptions", "an array")
    refuses({ ...transaction, surveyOptions: ["a", "b"] }, "surveyOptions", "an array")
  })

  it("messageType", () => {
    const typed = (messageType: unknown) => ({ ...transaction, messageType })
    refuses(typed("Transaction"), "messageType", '"Transaction"', "did you mean transaction?")
    refuses(
      { ...survey, messageType: "viber-survey" },
      "messageType",
      '"viber-survey"',
      "did you mean viber_survey?"
    )
    refuses(typed("flash_call"), "messageType", '"flash_call"', "did you mean flashcall?")
    refuses(typed("sms"), "messageType", '"sms"')
    refuses(typed(undefined), "messageType", "nothing")
    for (const name of ["constructor", "__proto__", "toString"])
      refuses(typed(name), "messageType", `"${name}"`)
    refuses(typed(["transaction"]), "messageType", "an array")
  })

  it("no unknown field, with the name that was meant", () => {
    const misspelt = {
      schedueldSent: "scheduledSent",
      scheduledsent: "scheduledSent",
      scheduled_sent: "scheduledSent",
      scheduleSent: "scheduledSent",
      to_phone: "toPhone",
      toPhon: "toPhone",
      TTL: "ttl",
      tll: "ttl",
      txet: "text",
      Id: "id",
      from_name: "fromName"
    }
    for (const [key, meant] of Object.entries(misspelt)) {
      refuses({ ...transaction, [key]: "x" }, key, "a string", `did you mean ${meant}?`)
    }
    for (const key of ["phone", "channel", "_tag", "constructor", "toString", "hasOwnProperty", ""]) {
      refuses({ ...transaction, [key]: 1 }, key, "a number")
    }
    accepts({ ...transaction, unknown: undefined, ttl: undefined, scheduledSent: undefined })
  })

  it("no error grows with what came in", () => {
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`k${n}`, n]))
    const problems = problemsOf({ ...transaction, ...many })
    assert.strictEqual(problems.length, 21)
    assert.deepInclude({ ...problems.at(-1) }, { path: "", received: "4980 further fields" })
    assert.strictEqual(problemsOf({ ...transaction, ...many, fromName: 1, k0: undefined }).length, 22)
    const options = problemsOf({ ...survey, surveyOptions: Array.from({ length: 5000 }, () => 1) })
    assert.strictEqual(options.length, 21)
    assert.strictEqual(options[0]?.received, "5000 options")
    const long = "x".repeat(100_000)
    const sizes = problemsOf({
      ...survey,
      id: long,
      fromName: ` ${long}`,
      toPhone: long,
      [long]: 1,
      text: long
    })
    assert.isBelow(sizes.map(String).join("").length, 3000)
  })

  it("nothing from a prototype", () => {
    const json: unknown = JSON.parse(
      `{"__proto__": {"id": "x"}, "constructor": 1, "messageType": "flashcall"}`
    )
    assert.deepStrictEqual(paths(problemsOf(json)), ["id", "fromName", "toPhone", "__proto__", "constructor"])
    assert.deepStrictEqual(paths(problemsOf(Object.create(transaction))), [
      "messageType",
      "id",
      "fromName",
      "toPhone"
    ])
    assert.deepStrictEqual(Object.keys({}), [])
  })

  it("nothing but an object", () => {
    const kinds: ReadonlyArray<readonly [unknown, string]> = [
      [null, "null"],
      [undefined, "nothing"],
      [[transaction], "an array"],
      ["{}", "a string"],
      [1, "a number"],
      [() => transaction, "a function"]
    ]
    for (const [json, received] of kinds) {
      const problem = problemsOf(json)[0]
      assert.strictEqual(problem?.path, "")
      assert.strictEqual(problem?.received, received)
      assert.strictEqual(
        String(problem),
        `expected an object with the fields of a message, received ${received}`
      )
    }
  })

  it("every problem at once", () => {
    const wrong = {
      id: "",
      fromName: " ",
      toPhone: "380671112233",
      text: "",
      surveyOptions: ["a", "a"],
      ttl: 0,
      scheduledSent: "soon",
      extra: 1
    }
    const fields = ["id", "fromName", "toPhone", "text", "surveyOptions[1]", "ttl", "scheduledSent", "extra"]
    assert.deepStrictEqual(paths(problemsOf({ ...wrong, messageType: "viber_survey" })), fields)
    // Without a known type too, whatever is wrong for every type.
    assert.deepStrictEqual(paths(problemsOf({ ...wrong, messageType: "sms" })), ["messageType", ...fields])
    assert.deepStrictEqual(paths(problemsOf({})), ["messageType", "id", "fromName", "toPhone"])
  })
})
