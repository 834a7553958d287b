import * as Cascade from "@effect-cascade/core/Cascade"
import * as Envelope from "@effect-cascade/core/Envelope"
import * as Message from "@effect-cascade/core/Message"
import * as Transport from "@effect-cascade/core/Transport"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  DateTime,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  ManagedRuntime,
  Schedule,
  Stream
} from "effect"
import { TestClock } from "effect/testing"
import { inspect } from "node:util"
import * as FakeCascade from "../src/FakeCascade.ts"

const phone = "+380671112233"
const other = "+380671119933"

const transaction = (
  id: string,
  more: { readonly toPhone?: string; readonly text?: string; readonly ttl?: Duration.Input } = {}
) =>
  Message.makeUnsafe({
    _tag: "Transaction",
    id,
    fromName: "Shop",
    toPhone: phone,
    text: "canary confirmed",
    ...more
  })

const flashCall = (id: string) =>
  Message.makeUnsafe({ _tag: "FlashCall", id, fromName: "Shop", toPhone: phone })

const survey = (id: string) =>
  Message.makeUnsafe({
    _tag: "ViberSurvey",
    id,
    fromName: "Shop",
    toPhone: phone,
    text: "canary?",
    surveyOptions: ["canary a", "b"]
  })

const once = { retry: "none" } as const

const what = (delivery: { readonly _tag: string; readonly reason?: { readonly _tag: string } }) =>
  delivery.reason === undefined ? delivery._tag : `${delivery._tag} ${delivery.reason._tag}`

const content = (message: Message.Message) => {
  const { scheduledSent: _, ttl: __, ...content } = Message.encode(message)
  return content
}

/** The text of the assertion that does not hold. */
const failure = (assertion: () => void): string => {
  try {
    assertion()
  } catch (error) {
    assert.instanceOf(error, FakeCascade.AssertionFailed)
    return error.message
  }
  return assert.fail("the assertion holds")
}

describe("FakeCascade outcomes", () => {
  it.effect("accepts what nothing was said of, with an id for each", () =>
    Effect.gen(function* () {
      const fake = yield* FakeCascade.FakeCascade
      const deliveries = yield* Cascade.sendAll([transaction("a"), flashCall("b"), survey("c")])
      assert.deepStrictEqual(deliveries.map(what), ["Accepted", "Accepted", "Accepted"])
      const ids = deliveries.map((one) => (one._tag === "Accepted" ? one.messageId : ""))
      assert.strictEqual(new Set(ids).size, 3)
      assert.match(ids[0] ?? "", /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
      assert.deepStrictEqual(
        fake.sent.map(({ message }) => message.id as string),
        ["a", "b", "c"]
      )
      assert.isTrue(fake.sent.every(({ call }) => call === 1))
    }).pipe(Effect.provide(FakeCascade.layer()))
  )

  it.effect("does to the next calls what is said, in order", () =>
    Effect.gen(function* () {
      const fake = yield* FakeCascade.FakeCascade
      fake.nextCalls(
        FakeCascade.reject("INVALID_PHONE", "toPhone"),
        FakeCascade.unknown,
        FakeCascade.throttle("2500 millis"),
        FakeCascade.throttle(),
        FakeCascade.unauthorized,
        FakeCascade.accept
      )
      const all = yield* Effect.forEach(["a", "b", "c", "d", "e", "f", "g"], (id) =>
        Cascade.send(transaction(id), once)
      )
      assert.deepStrictEqual(all.map(what), [
        "NotSent Rejected",
        "Unknown ServerError",
        "NotSent Throttled",
        "NotSent Throttled",
        "NotSent Unauthorized",
        "Accepted",
        "Accepted"
      ])
      const [rejected, , throttled] = all
      assert.isTrue(rejected?._tag === "NotSent" && throttled?._tag === "NotSent")
      if (rejected?._tag !== "NotSent" || throttled?._tag !== "NotSent") return
      assert.deepInclude(rejected.reason, { status: 400, code: "INVALID_PHONE", field: "toPhone" })
      assert.deepInclude(throttled.reason, { status: 429, retryAfter: Duration.millis(2500) })
      assert.deepStrictEqual(
        fake.sent.map(({ message }) => message.id as string),
        ["b", "f", "g"]
      )
      assert.strictEqual(fake.attempts.length, 7)
    }).pipe(Effect.provide(FakeCascade.layer()))
  )

  it.effect("does to messages what is said of them, attempt by attempt, whatever shares their request", () =>
    Effect.gen(function* () {
      const fake = yield* FakeCascade.FakeCascade
      fake.when({ _tag: "Transaction" }, FakeCascade.throttle("1 second"), FakeCascade.unknown)
      fake.when((message) => message.id === "b", FakeCascade.reject("BAD"))
      const fiber = yield* Effect.forkChild(
        Cascade.sendAll([transaction("a"), transaction("b"), survey("c"), transaction("d")], {
          uncertainty: "resend"
        })
      )
      yield* TestClock.adjust("1 minute")
      const deliveries = yield* Fiber.join(fiber)
      assert.deepStrictEqual(deliveries.map(what), [
        "Unknown ServerError",
        "NotSent Rejected",
        "Accepted",
        "Unknown ServerError"
      ])
      const attempts = fake.attempts.map(
        ({ call, delivery, message }) => `${call} ${message.id} ${what(delivery)}`
      )
      assert.deepStrictEqual(attempts, [
        "1 a NotSent Throttled",
        "1 b NotSent Rejected",
        "1 c Accepted",
        "1 d NotSent Throttled",
        "2 a Unknown ServerError",
        "2 d Unknown ServerError",
        "3 a Unknown ServerError",
        "3 d Unknown ServerError"
      ])
    }).pipe(Effect.provide(FakeCascade.layer()))
  )

  it.effect("is down for as long as it is said, by the clock", () =>
    Effect.gen(function* () {
      const fake = yield* FakeCascade.FakeCascade
      fake.nextCalls(FakeCascade.down("1 minute"))
      const send = (id: string) => Effect.map(Cascade.send(transaction(id), once), what)
      assert.strictEqual(yield* send("a"), "NotSent Unreachable")
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual(yield* send("b"), "NotSent Unreachable")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* send("c"), "Accepted")

      fake.when({ id: "d" }, FakeCascade.down("1 hour"))
      const both = yield* Cascade.sendAll([transaction("c2"), transaction("d")], once)
      assert.deepStrictEqual(both.map(what), ["NotSent Unreachable", "NotSent Unreachable"])
      fake.reset()
      assert.strictEqual(yield* send("d"), "Accepted")
      assert.strictEqual(fake.attempts.length, 1)
    }).pipe(Effect.provide(FakeCascade.layer()))
  )

  it.effect("lets the client come through an outage by its own retries", () =>
    Effect.gen(function* () {
      const fake = yield* FakeCascade.FakeCascade
      fake.nextCalls(FakeCascade.down("2 seconds"))
      const fiber = yield* Effect.forkChild(Cascade.send(transaction("a")))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(what(yield* Fiber.join(fiber)), "Accepted")
      fake.assertSent({ id: "a" }, 1)
    }).pipe(Effect.provide(FakeCascade.layer()))
  )

  it.effect("does what else is said of everything, and what holds for the client", () =>
    Effect.gen(function* () {
      const fake = yield* FakeCascade.FakeCascade
      assert.strictEqual(what(yield* Cascade.send(transaction("a"))), "NotSent Throttled")
      assert.strictEqual(fake.attempts.length, 2)
      yield* Cascade.sendAll(
        Array.from({ length: 5 }, (_, n) => transaction(`m${n}`)),
        once
      )
      assert.deepStrictEqual(
        fake.attempts.slice(2).map(({ call }) => call),
        [3, 3, 4, 4, 5]
      )
    }).pipe(
      Effect.provide(
        FakeCascade.layer({
          outcome: FakeCascade.throttle(),
          maxBatchSize: 2,
          cascade: { retry: Schedule.recurs(1) }
        })
      )
    )
  )
})

describe("FakeCascade wire", () => {
  it.effect("keeps messages as they stood on the wire", () =>
    Effect.gen(function* () {
      const fake = yield* FakeCascade.FakeCascade
      const transport = yield* Transport.Transport
      const at = DateTime.add(yield* DateTime.now, { hours: 1 })
      const held = Message.makeUnsafe({ ...transaction("held"), ttl: "10 minutes", scheduledSent: at })
      const envelope = yield* Effect.orDie(Envelope.seal(held, { schedule: "outbox" }))
      yield* TestClock.adjust("65 minutes")
      yield* Transport.deliver(transport, [envelope])
      const [sent] = fake.sent
      assert.strictEqual(sent?.envelope, envelope)
      assert.deepStrictEqual(sent?.message.ttl, Duration.minutes(5))
      assert.isUndefined(sent?.message.scheduledSent)
      fake.assertSent({ id: "held", ttl: "10 minutes", scheduledSent: at })
    }).pipe(Effect.provide(FakeCascade.layer()))
  )

  it.effect("does not send what cannot be put on the wire, and spends no outcome on it", () =>
    Effect.gen(function* () {
      const fake = yield* FakeCascade.FakeCascade
      const transport = yield* Transport.Transport
      fake.nextCalls(FakeCascade.reject("LATER"))
      const late = yield* Effect.orDie(Envelope.seal(transaction("late", { ttl: "5 seconds" })))
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual((yield* Transport.deliver(transport, [late])).map(what), ["NotSent Expired"])
      assert.strictEqual(what(yield* Cascade.send(transaction("next"))), "NotSent Rejected")
      assert.deepStrictEqual(
        fake.attempts.map(({ delivery }) => what(delivery)),
        ["NotSent Expired", "NotSent Rejected"]
      )
    }).pipe(Effect.provide(FakeCascade.layer()))
  )

  it.effect.prop("brings every message through unchanged", [Message.Message], ([message]) =>
    Effect.gen(function* () {
      const fake = yield* FakeCascade.FakeCascade
      const envelope = Envelope.at(message, yield* DateTime.now)
      yield* Transport.deliver(yield* Transport.Transport, [envelope])
      const [attempt] = fake.attempts
      if (attempt?.delivery._tag !== "Accepted") return
      // What a schedule leaves of it is said by the codec's own tests.
      if (message.scheduledSent === undefined) assert.deepStrictEqual(attempt.message, message)
      else assert.deepStrictEqual(content(attempt.message), content(message))
      fake.assertSent(message, 1)
      fake.assertNothingElse()
    }).pipe(Effect.provide(FakeCascade.layer()))
  )
})

describe("FakeCascade assertions", () => {
  const two = Effect.gen(function* () {
    const fake = yield* FakeCascade.FakeCascade
    fake.when({ id: "refused" }, FakeCascade.reject("INVALID_PHONE", "toPhone"))
    yield* Cascade.sendAll([transaction("a"), transaction("refused"), survey("b")], {
      account: "shop",
      route: "tg-viber",
      headers: { tenant: "t1", campaign: "c1" }
    })
    return fake
  })
  const provided = Effect.provide(FakeCascade.layer())

  it.effect("finds messages by any of their fields", () =>
    Effect.gen(function* () {
      const fake = yield* two
      const message = transaction("a")
      const matches: ReadonlyArray<FakeCascade.Matcher> = [
        {},
        message,
        { _tag: "Transaction" },
        { id: "a" },
        { id: /^a$/g },
        { fromName: "Shop", toPhone: phone },
        { text: "canary confirmed" },
        { text: /confirmed/ },
        { surveyOptions: ["canary a", "b"] },
        { account: "shop", route: "tg-viber" },
        { headers: { tenant: "t1" } },
        ({ id }, { account }) => id === "a" && account === "shop"
      ]
      for (const match of matches) {
        fake.assertSent(match)
        fake.assertSent(match)
        assert.include(
          failure(() => fake.assertNotSent(match)),
          "expected no sent message to match"
        )
      }
      fake.assertSent({}, 2)
      // A global expression remembers where it was; a match must not.
      fake.assertSent({ text: /canary/g }, 2)
      fake.assertSent({ toPhone: other }, 0)
    }).pipe(provided)
  )

  it.effect("does not find what differs in one field, or was not sent", () =>
    Effect.gen(function* () {
      const fake = yield* two
      const matches: ReadonlyArray<FakeCascade.MessageMatch> = [
        { _tag: "Promo" },
        { id: "refused" },
        { id: /^c/ },
        { fromName: "shop" },
        { toPhone: other },
        { text: "canary confirmee" },
        { text: /^confirmed/ },
        { surveyOptions: ["canary a"] },
        { surveyOptions: ["canary a", "c"] },
        { ttl: "5 minutes" },
        { scheduledSent: "2026-01-25T10:00:00Z" },
        { route: "standard" },
        { account: "default" },
        { headers: { tenant: "t2" } }
      ]
      for (const match of matches) {
        fake.assertNotSent(match)
        assert.include(
          failure(() => fake.assertSent(match)),
          "expected a sent message to match"
        )
      }
      fake.assertNotSent(() => false)
    }).pipe(provided)
  )

  it.effect("says what was sent instead, nearest first, masked", () =>
    Effect.gen(function* () {
      const fake = yield* two
      const text = failure(() =>
        fake.assertSent({ _tag: "Transaction", id: "a", toPhone: other, text: "canary confirmee" }, 1)
      )
      assert.strictEqual(
        text,
        [
          "expected exactly 1 sent message to match _tag: Transaction, id: a, toPhone: +38067*****33, text: <16 characters>, found 0",
          "  Transaction a from Shop to +38067*****33, <16 characters>: accepted",
          "    toPhone: expected +38067*****33, was another one that looks the same masked",
          "    text: expected <16 characters>, was another one that looks the same masked; they part at character 16",
          "  Transaction refused from Shop to +38067*****33, <16 characters>: NotSent (the provider refused the request (400 INVALID_PHONE in toPhone))",
          "    id: expected a, was refused",
          "    toPhone: expected +38067*****33, was another one that looks the same masked",
          "    text: expected <16 characters>, was another one that looks the same masked; they part at character 16",
          "  ViberSurvey b from Shop to +38067*****33, <7 characters>: accepted",
          "    _tag: expected Transaction, was ViberSurvey",
          "    id: expected a, was b",
          "    toPhone: expected +38067*****33, was another one that looks the same masked",
          "    text: expected <16 characters>, was <7 characters>; they part at character 7"
        ].join("\n")
      )
    }).pipe(provided)
  )

  it.effect("shows no number and no text of what was sent", () =>
    Effect.gen(function* () {
      const fake = yield* FakeCascade.FakeCascade
      yield* Cascade.send(transaction(`for-${phone.slice(1)}`, { ttl: "5 minutes" }))
      yield* Cascade.send(survey("s"))
      const texts = [
        failure(() => fake.assertSent({ id: "no", text: "no", surveyOptions: ["no"], ttl: "1 hour" })),
        failure(() => fake.assertSent({ text: /no/, scheduledSent: new Date(0), headers: { a: "b" } }, 3)),
        failure(() => fake.assertSent(() => false)),
        failure(() => fake.assertNotSent({})),
        failure(() => fake.assertNothingElse()),
        inspect(fake.sent, { depth: null }),
        JSON.stringify(fake.attempts)
      ]
      for (const text of texts.slice(0, 5)) {
        assert.notInclude(text, phone.slice(1))
        assert.notInclude(text, "canary")
      }
      for (const text of texts.slice(5)) assert.notInclude(text, "canary")
    }).pipe(provided)
  )

  it.effect("lists ten messages, and how many more there are", () =>
    Effect.gen(function* () {
      const fake = yield* FakeCascade.FakeCascade
      assert.include(
        failure(() => fake.assertSent({})),
        "nothing was sent"
      )
      yield* Cascade.sendAll(Array.from({ length: 14 }, (_, n) => transaction(`m${n}`)))
      assert.match(
        failure(() => fake.assertNothingElse()),
        /found 14\n(?: {2}Transaction .*\n){10} {2}and 4 more$/
      )
    }).pipe(provided)
  )

  it.effect("counts a message each time that it may have reached somebody", () =>
    Effect.gen(function* () {
      const fake = yield* FakeCascade.FakeCascade
      fake.when({}, FakeCascade.unknown, FakeCascade.accept)
      yield* Cascade.send(transaction("twice"), { uncertainty: "resend", retry: Schedule.recurs(2) })
      fake.assertSent({ id: "twice" }, 2)
      assert.include(
        failure(() => fake.assertSent({ id: "twice" }, 1)),
        "found 2"
      )
    }).pipe(provided)
  )

  it.effect("tells what no assertion has spoken of", () =>
    Effect.gen(function* () {
      const fake = yield* two
      const all = failure(() => fake.assertNothingElse())
      assert.include(all, "found 2")
      assert.notInclude(all, "refused from")
      fake.assertSent({ id: "a" })
      assert.include(
        failure(() => fake.assertNothingElse()),
        "ViberSurvey b"
      )
      failure(() => fake.assertSent({ id: "b" }, 2))
      failure(() => fake.assertNothingElse())
      fake.assertSent({ id: "b" })
      fake.assertNothingElse()
      yield* Cascade.send(transaction("a"))
      failure(() => fake.assertNothingElse())
      fake.reset()
      fake.assertNothingElse()
    }).pipe(provided)
  )

  it.effect("refuses a match that can never hold", () =>
    Effect.gen(function* () {
      const fake = yield* two
      const never: ReadonlyArray<FakeCascade.MessageMatch> = [
        { toPhone: "0671112233" },
        { scheduledSent: "tomorrow" },
        // What gets past the compiler in a test without types.
        { id: undefined } as unknown as FakeCascade.MessageMatch,
        { phone } as unknown as FakeCascade.MessageMatch
      ]
      for (const match of never) {
        for (const use of [
          fake.assertSent,
          fake.assertNotSent,
          (match: FakeCascade.MessageMatch) => fake.when(match, FakeCascade.accept)
        ]) {
          const text = failure(() => use(match))
          assert.include(text, "this match can never hold")
          assert.notInclude(text, "671112233")
        }
      }
    }).pipe(provided)
  )
})

describe("FakeCascade strict", () => {
  const strict = FakeCascade.layer({ strict: true })

  const failureOf = (exit: Exit.Exit<unknown, unknown>): string =>
    Exit.isFailure(exit)
      ? exit.cause.reasons
          .map((reason) => (Cause.isDieReason(reason) ? String(reason.defect) : reason._tag))
          .join("\n")
      : "no failure"

  it.effect("lets through what is declared", () =>
    Effect.gen(function* () {
      const fake = yield* FakeCascade.FakeCascade
      fake.when({ _tag: "Transaction" }, FakeCascade.accept)
      fake.nextCalls(FakeCascade.accept)
      assert.strictEqual(what(yield* Cascade.send(survey("a"))), "Accepted")
      assert.strictEqual(what(yield* Cascade.send(transaction("b"))), "Accepted")
    }).pipe(Effect.provide(strict))
  )

  it.effect("dies where the client sends something else, and says what", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const fake = yield* FakeCascade.FakeCascade
        fake.when({ _tag: "Transaction" }, FakeCascade.accept)
        yield* Cascade.sendAll([transaction("fine"), survey("stray")])
      })
      const text = failureOf(yield* Effect.exit(Effect.provide(program, strict)))
      assert.include(text, "declares nothing\n  ViberSurvey stray")
      assert.notInclude(text, "fine")

      for (const send of [
        Effect.asVoid(Cascade.send(survey("stray"))),
        Stream.runDrain(Cascade.sendStream(Stream.make(survey("stray"))))
      ]) {
        assert.include(failureOf(yield* Effect.exit(Effect.provide(send, strict))), "ViberSurvey stray")
      }
    })
  )

  it.effect("fails at its end for what was sent below the client", () =>
    Effect.gen(function* () {
      const program = Effect.gen(function* () {
        const envelope = yield* Effect.orDie(Envelope.seal(survey("stray")))
        const deliveries = yield* Transport.deliver(yield* Transport.Transport, [envelope])
        assert.deepStrictEqual(deliveries.map(what), ["NotSent Withheld"])
        failure((yield* FakeCascade.FakeCascade).assertNothingElse)
      })
      assert.include(failureOf(yield* Effect.exit(Effect.provide(program, strict))), "ViberSurvey stray")
    })
  )

  it("works without Effect in the test", async () => {
    const runtime = ManagedRuntime.make(Layer.fresh(FakeCascade.layer()))
    await runtime.runPromise(Cascade.send(transaction("a")))
    const fake = await runtime.runPromise(FakeCascade.FakeCascade)
    fake.assertSent({ id: "a" }, 1)
    await runtime.dispose()
  })
})
