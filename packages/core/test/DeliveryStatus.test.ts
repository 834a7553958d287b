import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, DateTime, Effect, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as CascadeEvents from "../src/CascadeEvents.ts"
import * as DeliveryStatus from "../src/DeliveryStatus.ts"
import { report } from "./support/status.ts"

const statuses = DeliveryStatus.DeliveryStatus.literals
const states: ReadonlyArray<DeliveryStatus.DeliveryState> = statuses.flatMap((status) => [
  { status, confirmed: false },
  { status, confirmed: true }
])
const finals = ["permanenterror", "undeliverable", "delivered"] as const

describe("DeliveryStatus", () => {
  it("knows the words of the provider, however they are written", () => {
    for (const word of ["scheduled", "processing", "delivered", "undeliverable", "permanenterror"]) {
      assert.strictEqual(DeliveryStatus.fromWord(word), word)
      assert.strictEqual(DeliveryStatus.fromWord(` ${word.toUpperCase()} `), word)
    }
    for (const word of [
      "",
      "sent",
      "read",
      "expired",
      "__proto__",
      "constructor",
      "delivered!",
      "unrecognised"
    ]) {
      assert.strictEqual(DeliveryStatus.fromWord(word), "unrecognised")
    }
  })

  it("has three ends", () => {
    assert.deepStrictEqual(statuses.filter(DeliveryStatus.isFinal), [...finals])
  })

  it("gives each status a rank of its own", () => {
    assert.deepStrictEqual(statuses.map(DeliveryStatus.rank), [0, 1, 2, 3, 4, 5])
  })

  // Every triple there is: the laws are proved, not sampled.
  it("joins lawfully", () => {
    const { join, rank } = DeliveryStatus
    for (const a of statuses) {
      assert.strictEqual(join(a, a), a)
      for (const b of statuses) {
        assert.strictEqual(join(a, b), join(b, a))
        assert.isAtLeast(rank(join(a, b)), Math.max(rank(a), rank(b)))
        for (const c of statuses) assert.strictEqual(join(join(a, b), c), join(a, join(b, c)))
      }
    }
  })

  it("joins states lawfully", () => {
    const { joinStates } = DeliveryStatus
    for (const a of states) {
      assert.deepStrictEqual(joinStates(a, a), a)
      for (const b of states) {
        const ab = joinStates(a, b)
        assert.deepStrictEqual(ab, joinStates(b, a))
        assert.deepStrictEqual(joinStates(ab, a), ab)
        for (const c of states) {
          assert.deepStrictEqual(joinStates(ab, c), joinStates(a, joinStates(b, c)))
        }
      }
    }
  })

  it("lets delivered win over every other status", () => {
    for (const status of statuses) assert.strictEqual(DeliveryStatus.join("delivered", status), "delivered")
  })

  it("never loses an end to anything but a better known end", () => {
    for (const end of finals) {
      for (const other of states) {
        const joined = DeliveryStatus.joinStates({ status: end, confirmed: true }, other)
        assert.isTrue(joined.confirmed && DeliveryStatus.isFinal(joined.status))
        assert.isAtLeast(DeliveryStatus.rank(joined.status), DeliveryStatus.rank(end))
        assert.isTrue(
          DeliveryStatus.isFinal(DeliveryStatus.joinStates({ status: end, confirmed: false }, other).status)
        )
      }
    }
  })

  it("lets a confirmed end win over a hint of another", () => {
    for (const known of finals) {
      for (const hint of finals) {
        assert.deepStrictEqual(
          DeliveryStatus.joinStates({ status: hint, confirmed: false }, { status: known, confirmed: true }),
          { status: known, confirmed: true }
        )
      }
    }
  })
})

describe("advance", () => {
  const Reports = Schema.Array(
    Schema.Struct({
      status: DeliveryStatus.DeliveryStatus,
      confirmed: Schema.Boolean,
      source: Schema.Literals(["poll", "webhook"])
    })
  ).check(Schema.isMinLength(1), Schema.isMaxLength(12))
  const Keys = Schema.Array(Schema.Int).check(Schema.isMinLength(24), Schema.isMaxLength(24))

  const fold = (reports: ReadonlyArray<DeliveryStatus.StatusReport>) =>
    reports.reduce<DeliveryStatus.DeliveryState | undefined>(
      (state, next) => DeliveryStatus.advance(state, next).next,
      undefined
    )

  it.prop(
    "ends in one state, in any order and with repeats",
    [Reports, Keys],
    ([given, keys]) => {
      const reports = given.map(({ status, ...others }) => report(status, others))
      const shuffled = [...reports, ...reports.slice(0, 6)]
        .map((each, index) => ({ each, key: keys[index] ?? 0 }))
        .sort((one, other) => one.key - other.key)
        .map(({ each }) => each)
      assert.deepStrictEqual(fold(shuffled), fold(reports))
    },
    { arbitrary: { runs: 2000 } }
  )

  it.prop(
    "never goes back, and says so exactly when it moves",
    [Reports],
    ([given]) => {
      let state: DeliveryStatus.DeliveryState | undefined
      for (const { status, ...others } of given) {
        const step = DeliveryStatus.advance(state, report(status, others))
        if (state !== undefined) {
          assert.deepStrictEqual(DeliveryStatus.joinStates(state, step.next), step.next)
          assert.strictEqual(
            step.changed,
            step.next.status !== state.status || step.next.confirmed !== state.confirmed
          )
          if (DeliveryStatus.isFinal(state.status)) assert.isTrue(DeliveryStatus.isFinal(step.next.status))
        } else assert.isTrue(step.changed)
        state = step.next
      }
    },
    { arbitrary: { runs: 1000 } }
  )

  it("changes nothing on a repeat", () => {
    for (const status of statuses) {
      const first = DeliveryStatus.advance(undefined, report(status))
      assert.deepStrictEqual(DeliveryStatus.advance(first.next, report(status)), {
        next: first.next,
        changed: false
      })
    }
  })
})

describe("track", () => {
  const run = (reports: ReadonlyArray<DeliveryStatus.StatusReport>, about?: DeliveryStatus.AboutStatus) =>
    Effect.gen(function* () {
      const events = yield* CascadeEvents.CascadeEvents
      const stream = yield* events.subscribe
      let state: DeliveryStatus.DeliveryState | undefined
      for (const each of reports) state = (yield* DeliveryStatus.track(state, each, about)).next
      // An end of its own, so that the stream need not wait for more.
      yield* DeliveryStatus.track(undefined, report("scheduled", { messageId: "end" }))
      return yield* stream.pipe(
        Stream.takeWhile((event) => event._tag === "StatusChanged" && event.messageId !== "end"),
        Stream.runCollect
      )
    }).pipe(Effect.provide(CascadeEvents.layer()))

  const words = (events: ReadonlyArray<unknown>) =>
    events.map((event) => {
      const { previous, status } = event as { readonly status: string; readonly previous?: string }
      return [previous, status]
    })

  it.effect("tells of each status once, and only forward", () =>
    Effect.gen(function* () {
      const events = yield* run([
        report("processing"),
        report("scheduled"),
        report("processing"),
        report("delivered"),
        report("processing"),
        report("delivered"),
        report("undeliverable")
      ])
      assert.deepStrictEqual(words(events), [
        [undefined, "processing"],
        ["processing", "delivered"]
      ])
    })
  )

  it.effect("does not tell of a confirmation, but of a correction", () =>
    Effect.gen(function* () {
      const hint = report("delivered", { confirmed: false, source: "webhook" })
      assert.deepStrictEqual(words(yield* run([hint, report("delivered")])), [[undefined, "delivered"]])
      assert.deepStrictEqual(words(yield* run([hint, report("undeliverable")])), [
        [undefined, "delivered"],
        ["delivered", "undeliverable"]
      ])
    })
  )

  it.effect("tells the provider's own word where it is not known", () =>
    Effect.gen(function* () {
      const events = yield* run([report("unrecognised", { word: "read" }), report("scheduled")])
      assert.deepStrictEqual(words(events), [
        [undefined, "read"],
        ["unrecognised", "scheduled"]
      ])
    })
  )

  it.effect("puts in what the caller knows, the phone number masked, and the time of the clock", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2026, 0, 2))
      const about = { trackingId: "order-1", messageType: "transaction", account: "shop" } as const
      const [full] = yield* run([report("delivered")], { ...about, toPhone: "+380671112233" })
      assert.deepInclude(full, { ...about, toPhone: "+38067*****33", messageId: "m-1", status: "delivered" })
      assert.strictEqual(
        full?._tag === "StatusChanged" && DateTime.formatIso(full.at),
        "2026-01-02T00:00:00.000Z"
      )
      const [masked] = yield* run([report("delivered")], { toPhone: "+38067*****33" })
      assert.deepInclude(masked, { toPhone: "+38067*****33" })
      for (const toPhone of ["Olena, 067 111 22 33", "380671112233x", "067"]) {
        const [odd] = yield* run([report("delivered")], { toPhone })
        assert.notInclude(JSON.stringify(odd), toPhone)
      }
    })
  )

  it.effect("needs no events", () =>
    Effect.gen(function* () {
      const step = yield* DeliveryStatus.track(undefined, report("delivered"))
      assert.deepStrictEqual(step, { next: { status: "delivered", confirmed: true }, changed: true })
    })
  )
})

describe("StatusReport", () => {
  it.effect.prop(
    "goes to JSON and back",
    [Arbitrary.schema(DeliveryStatus.StatusReport)],
    ([given]) =>
      Effect.gen(function* () {
        const codec = Schema.toCodecJson(DeliveryStatus.StatusReport)
        const json = JSON.stringify(yield* Schema.encodeEffect(codec)(given))
        const back = yield* Schema.decodeUnknownEffect(codec)(JSON.parse(json))
        // JSON has one zero: a cost of -0 comes back as 0.
        const cost = given.cost === undefined ? {} : { cost: given.cost + 0 }
        assert.deepStrictEqual(back, new DeliveryStatus.StatusReport({ ...given, ...cost }))
      }),
    { arbitrary: { runs: 100 } }
  )
})
