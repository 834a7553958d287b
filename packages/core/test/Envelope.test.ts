import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Equal, Exit, Option, Schema, Tracer } from "effect"
import { HttpTraceContext } from "effect/http"
import { TestClock } from "effect/testing"
import { inspect } from "node:util"
import * as Envelope from "../src/Envelope.ts"
import * as Message from "../src/Message.ts"
import { assertSafe, phone, secret, spoilt } from "./support/junk.ts"

const common = { id: "a", fromName: "Shop", toPhone: "+380671112233" }
const make = (options?: { readonly ttl?: Duration.Input; readonly scheduledSent?: DateTime.DateTime }) =>
  Message.makeUnsafe({ _tag: "FlashCall", ...common, ...options })

const now = DateTime.makeUnsafe("2026-01-25T10:00:00Z")
const after = (duration: Duration.Input): DateTime.Utc => DateTime.addDuration(now, duration)

describe("Envelope.seal", () => {
  it.effect("seals at the instant of the clock, with the defaults", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(now.epochMilliseconds)
      const message = make()
      const envelope = yield* Envelope.seal(message)
      assert.deepStrictEqual(
        { ...envelope },
        {
          message,
          route: "standard",
          schedule: "provider",
          account: "default",
          createdAt: now
        }
      )
      assert.strictEqual(envelope.trackingId, message.id)
      assert.isTrue(Schema.is(Envelope.Envelope)(envelope))
    })
  )

  it.effect("takes every option", () =>
    Effect.gen(function* () {
      const options = {
        route: "tg-viber",
        schedule: "outbox",
        account: "bank",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        headers: { tenant: "a" }
      } as const
      const { createdAt: _, message: __, ...rest } = yield* Envelope.seal(make(), options)
      assert.deepStrictEqual(rest, options)
      const nothing = { route: undefined, schedule: undefined, account: undefined, traceparent: undefined }
      assert.deepStrictEqual(
        { ...(yield* Envelope.seal(make(), { ...nothing, headers: undefined })) },
        { ...(yield* Envelope.seal(make())) }
      )
    })
  )

  it.effect("counts the deadline from now, or from the schedule where there is one", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(now.epochMilliseconds)
      const ttl = "5 minutes"
      const deadlineOf = (message: Message.Message) =>
        Effect.map(Envelope.seal(message), ({ deadline }) => deadline)
      assert.isUndefined(yield* deadlineOf(make()))
      assert.isUndefined(yield* deadlineOf(make({ scheduledSent: after("1 hour") })))
      assert.deepStrictEqual(yield* deadlineOf(make({ ttl })), after("5 minutes"))
      assert.deepStrictEqual(
        yield* deadlineOf(make({ ttl, scheduledSent: after("1 hour") })),
        after("65 minutes")
      )
      assert.deepStrictEqual(
        yield* deadlineOf(make({ ttl, scheduledSent: after("-1 hour") })),
        after("-55 minutes")
      )
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* deadlineOf(make({ ttl })), after("310 seconds"))
    })
  )

  it.effect("hands the provider no schedule of more than 30 days ahead", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(now.epochMilliseconds)
      const at = (duration: Duration.Input) => make({ scheduledSent: after(duration) })
      const limit = Duration.days(30)
      const over = Duration.sum(limit, Duration.millis(1))
      assert.deepStrictEqual(Envelope.providerScheduleLimit, limit)
      yield* Envelope.seal(at(limit))
      yield* Envelope.seal(at("-30 days"))
      const error = yield* Effect.flip(Envelope.seal(at(over), { schedule: "provider" }))
      assert.strictEqual(error.id, "a")
      assert.strictEqual(error.problems.length, 1)
      assert.strictEqual(error.problems[0].path, "scheduledSent")
      assert.strictEqual(error.problems[0].received, "2026-02-24T10:00:00.001Z")
      assert.include(error.problems[0].fix, "2026-02-24T10:00:00Z or earlier")
      assert.strictEqual((yield* Effect.flip(Envelope.seal(at(over))))._tag, "InvalidMessage")
      // What the outbox holds may lie any number of days ahead.
      yield* Envelope.seal(at(over), { schedule: "outbox" })
      yield* Envelope.seal(at("3650 days"), { schedule: "outbox" })
      // The clock goes on, and with it the limit.
      yield* TestClock.adjust("1 millis")
      yield* Envelope.seal(at(over))
    })
  )

  it.effect("makes a message of what only looks like one, by every rule", () =>
    Effect.gen(function* () {
      const whole = Message.makeUnsafe({
        _tag: "Promo",
        id: "promo-1",
        fromName: "Shop",
        toPhone: "+380671112233",
        text: "canaryZx84",
        ttl: "1 hour"
      })
      const copy = yield* Envelope.seal({ ...whole })
      assert.isTrue(Equal.equals(copy.message, whole))
      assert.notInclude(inspect(copy, { depth: null }), "canaryZx84")
      const error = yield* Effect.flip(Envelope.seal({ ...whole, text: "" }))
      assert.deepStrictEqual(
        error.problems.map(({ path }) => path),
        ["text"]
      )
      // The same object, not another of its kind: no work is done twice.
      assert.strictEqual((yield* Envelope.seal(whole)).message, whole)
    })
  )

  it.effect.prop(
    "seals whatever it is given, or tells what is wrong with it",
    [spoilt({ _tag: "Promo", id: "a", fromName: "Shop", toPhone: `+${phone}`, text: secret, ttl: "1 hour" })],
    ([message]) =>
      Effect.gen(function* () {
        const sealed = yield* Effect.exit(Envelope.seal(message as never))
        if (Exit.isSuccess(sealed)) {
          assert.isTrue(Schema.is(Message.Message)(sealed.value.message))
          return
        }
        assertSafe(Option.getOrThrow(Exit.findErrorOption(sealed)))
      }),
    { arbitrary: { runs: 2000 } }
  )

  it.effect("carries the trace of the span around it", () =>
    Effect.gen(function* () {
      assert.isUndefined((yield* Envelope.seal(make())).traceparent)
      const [envelope, header] = yield* Effect.all([
        Envelope.seal(make()),
        Effect.map(Effect.currentSpan, (span) => HttpTraceContext.toHeaders(span)["traceparent"])
      ]).pipe(Effect.withSpan("order"))
      assert.match(envelope.traceparent ?? "", /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/u)
      assert.strictEqual(envelope.traceparent, header)
      const given = yield* Envelope.seal(make(), { traceparent: "given" }).pipe(Effect.withSpan("order"))
      assert.strictEqual(given.traceparent, "given")
    })
  )

  it.effect("carries a trace that came from outside, in full length and with its flag", () =>
    Effect.gen(function* () {
      const from = (traceId: string, sampled: boolean) =>
        Envelope.seal(make()).pipe(
          Effect.withParentSpan(Tracer.externalSpan({ traceId, spanId: "b7ad6b7169203331", sampled })),
          Effect.map(({ traceparent }) => traceparent)
        )
      const whole = "0af7651916cd43dd8448eb211c80319c"
      assert.strictEqual(yield* from(whole, true), `00-${whole}-b7ad6b7169203331-01`)
      const short = "8448eb211c80319c"
      assert.strictEqual(yield* from(short, false), `00-0000000000000000${short}-b7ad6b7169203331-00`)
    })
  )

  it.effect("carries no trace where tracing is off", () =>
    Effect.gen(function* () {
      const envelope = yield* Envelope.seal(make()).pipe(
        Effect.withSpan("order"),
        Effect.withTracerEnabled(false)
      )
      assert.isUndefined(envelope.traceparent)
    })
  )
})

describe("Envelope.at", () => {
  it.effect("gives what was sealed at that instant", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(now.epochMilliseconds)
      const message = make({ ttl: "5 minutes", scheduledSent: after("1 hour") })
      const options = { route: "tg-viber", schedule: "outbox", account: "bank", headers: { a: "b" } } as const
      assert.isTrue(Equal.equals(Envelope.at(message, now, options), yield* Envelope.seal(message, options)))
    })
  )

  it.prop(
    "counts the deadline from the schedule or else from the creation",
    [Message.Message],
    ([message]) => {
      const { deadline } = Envelope.at(message, now)
      if (message.ttl === undefined) return assert.isUndefined(deadline)
      const from = message.scheduledSent ?? now
      assert.deepStrictEqual(deadline && DateTime.distance(from, deadline), message.ttl)
    }
  )

  it.prop("makes values that survive the JSON codec", [Message.Message], ([message]) => {
    const codec = Schema.toCodecJson(Envelope.Envelope)
    const envelope = Envelope.at(message, now, { headers: { a: "b" } })
    const json: unknown = JSON.parse(JSON.stringify(Schema.encodeSync(codec)(envelope)))
    assert.isTrue(Equal.equals(Schema.decodeUnknownSync(codec)(json), envelope))
  })
})

describe("Envelope.remainingTtl", () => {
  const remaining = (envelope: Envelope.Envelope, at: Duration.Input) =>
    Envelope.remainingTtl(envelope, after(at))

  it("is nothing without a ttl", () => {
    assert.isUndefined(remaining(Envelope.at(make(), now), 0))
    assert.isUndefined(remaining(Envelope.at(make({ scheduledSent: after("1 hour") }), now), 0))
  })

  it("is the whole seconds left, rounded down, and 0 or less when it is too late", () => {
    const envelope = Envelope.at(make({ ttl: "5 minutes" }), now)
    const expected: ReadonlyArray<readonly [number, number]> = [
      [0, 300],
      [1, 299],
      [999, 299],
      [1000, 299],
      [1001, 298],
      [298_999, 1],
      [299_000, 1],
      [299_001, 0],
      [299_999, 0],
      [300_000, 0],
      [300_001, -1],
      [301_000, -1],
      [3_900_000, -3600]
    ]
    for (const [at, left] of expected) assert.strictEqual(remaining(envelope, at), left, `after ${at} ms`)
    assert.strictEqual(remaining(envelope, -10_000), 310)
  })

  it("is all of it while the provider holds the message, and what is left from then on", () => {
    const message = make({ ttl: "5 minutes", scheduledSent: after("1 hour") })
    const envelope = Envelope.at(message, now, { schedule: "provider" })
    for (const at of ["0 millis", "30 minutes", "3599999 millis"] as const) {
      assert.strictEqual(remaining(envelope, at), 300, at)
      assert.deepStrictEqual(Envelope.handedSchedule(envelope, after(at)), after("1 hour"), at)
    }
    for (const [at, left] of [
      ["1 hour", 300],
      ["3600001 millis", 299],
      ["65 minutes", 0],
      ["66 minutes", -60]
    ] as const) {
      assert.strictEqual(remaining(envelope, at), left, at)
      assert.isUndefined(Envelope.handedSchedule(envelope, after(at)), at)
    }
  })

  it("is all of it for the provider also where the deadline comes from another clock", () => {
    const message = make({ ttl: "5 minutes", scheduledSent: after("1 hour") })
    const envelope = Envelope.at(message, now, { schedule: "provider" })
    const skewed = new Envelope.Envelope({ ...envelope, deadline: after("3893 seconds") })
    assert.strictEqual(remaining(skewed, 0), 300)
  })

  it("counts to the deadline where the outbox holds the message", () => {
    const message = make({ ttl: "5 minutes", scheduledSent: after("1 hour") })
    const envelope = Envelope.at(message, now, { schedule: "outbox" })
    assert.strictEqual(remaining(envelope, "1 hour"), 300)
    assert.strictEqual(remaining(envelope, "61 minutes"), 240)
    assert.isUndefined(Envelope.handedSchedule(envelope, now))
  })
})

describe("Envelope.handedSchedule", () => {
  it("is only an instant that is still ahead", () => {
    const handed = (scheduledSent?: DateTime.Utc) =>
      Envelope.handedSchedule(Envelope.at(make(scheduledSent && { scheduledSent }), now), now)
    assert.isUndefined(handed())
    assert.isUndefined(handed(after("-1 millis")))
    assert.isUndefined(handed(now))
    assert.deepStrictEqual(handed(after("1 millis")), after("1 millis"))
  })
})
