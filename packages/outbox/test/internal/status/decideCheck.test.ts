import { StatusReport } from "@effect-cascade/core/DeliveryStatus"
import { NotFound, type StatusReason } from "@effect-cascade/core/StatusLookup"
import * as Reason from "@effect-cascade/core/TransportReason"
import type { DueCheck } from "@effect-cascade/outbox/StatusStore"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Schedule, Schema } from "effect"
import {
  type CheckSchedule,
  defaultSchedule,
  delayAfter
} from "../../../src/internal/status/checkSchedule.ts"
import {
  type CheckPolicy,
  decide,
  type Decision,
  type Finding
} from "../../../src/internal/status/decideCheck.ts"

const policy: CheckPolicy = {
  schedule: Schedule.spaced("10 seconds"),
  notFoundLimit: 3,
  afterDeadline: Duration.hours(1),
  afterAcceptance: Duration.days(3)
}

const check = (more?: Partial<DueCheck>): DueCheck => ({
  id: "row",
  lease: 1n,
  account: "default",
  providerMessageId: "provider-a",
  checks: 1,
  misses: 0,
  ageMillis: 0,
  remainingMillis: null,
  trackingId: "a",
  messageType: "transaction",
  ...more
})

const told = (status: StatusReport["status"], confirmed = true): Finding => ({
  _tag: "Told",
  report: new StatusReport({ messageId: "provider-a", status, source: "poll", confirmed })
})

const failed = (reason: StatusReason): Finding => ({ _tag: "Failed", reason })

/** A decision in short. */
const inShort = (decision: Decision): string => {
  switch (decision.kind) {
    case "again":
      return `again in ${Duration.toSeconds(decision.delay)} s, misses ${decision.misses}, ${decision.report?.status}`
    case "over":
      return `over, ${decision.gaveUp ? "given up" : "at its end"}, misses ${decision.misses}, ${decision.report?.status}`
    case "released":
      return "released"
  }
}

const decided = (finding: Finding, of?: Partial<DueCheck>, by?: Partial<CheckPolicy>) =>
  Effect.map(decide(check(of), finding, { ...policy, ...by }), inShort)

const notFound = failed(new NotFound({}))

describe("after a check", () => {
  const rows: ReadonlyArray<readonly [string, Finding, string]> = [
    ["delivered", told("delivered"), "over, at its end, misses 0, delivered"],
    ["undeliverable", told("undeliverable"), "over, at its end, misses 0, undeliverable"],
    ["permanenterror", told("permanenterror"), "over, at its end, misses 0, permanenterror"],
    ["an end that is not confirmed", told("delivered", false), "again in 10 s, misses 0, delivered"],
    ["scheduled", told("scheduled"), "again in 10 s, misses 0, scheduled"],
    ["processing", told("processing"), "again in 10 s, misses 0, processing"],
    ["another word", told("unrecognised"), "again in 10 s, misses 0, unrecognised"],
    ["not found", notFound, "again in 10 s, misses 1, undefined"],
    [
      "a refused question",
      failed(new Reason.Rejected({ status: 400 })),
      "again in 10 s, misses 1, undefined"
    ],
    [
      "an id that is none",
      failed(new Reason.Unencodable({ problem: "no id" })),
      "over, given up, misses 1, unrecognised"
    ],
    ["a 500", failed(new Reason.ServerError({ status: 500 })), "again in 10 s, misses 0, undefined"],
    [
      "an odd status",
      failed(new Reason.UnexpectedStatus({ status: 418 })),
      "again in 10 s, misses 0, undefined"
    ],
    ["a time-out", failed(new Reason.TimedOut()), "again in 10 s, misses 0, undefined"],
    ["a lost connection", failed(new Reason.ConnectionLost({})), "again in 10 s, misses 0, undefined"],
    [
      "nonsense",
      failed(new Reason.UnreadableReply({ problem: "html" })),
      "again in 10 s, misses 0, undefined"
    ],
    ["a look-up that broke", { _tag: "Broken" }, "again in 10 s, misses 0, undefined"],
    ["a 429", failed(new Reason.Throttled({ status: 429 })), "released"],
    ["a 401", failed(new Reason.Unauthorized({ status: 401 })), "released"],
    ["a redirect", failed(new Reason.Redirected({ status: 302 })), "released"],
    ["no connection", failed(new Reason.Unreachable({})), "released"],
    ["no question", { _tag: "NotAsked" }, "released"]
  ]
  for (const [name, finding, expected] of rows) {
    it.effect(`${name}: ${expected}`, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* decided(finding), expected)
      })
    )
  }

  it.effect("gives up what is not found so many times in a row, and counts anew after an answer", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* decided(notFound, { misses: 1 }), "again in 10 s, misses 2, undefined")
      assert.strictEqual(yield* decided(notFound, { misses: 2 }), "over, given up, misses 3, unrecognised")
      assert.strictEqual(
        yield* decided(told("processing"), { misses: 2 }),
        "again in 10 s, misses 0, processing"
      )
    })
  )

  it.effect("gives up where the schedule ends, or never comes", () =>
    Effect.gen(function* () {
      const twice = { schedule: Schedule.spaced("10 seconds").pipe(Schedule.upTo({ times: 2 })) }
      assert.strictEqual(
        yield* decided(told("processing"), { checks: 2 }, twice),
        "again in 10 s, misses 0, processing"
      )
      assert.strictEqual(
        yield* decided(told("processing"), { checks: 3 }, twice),
        "over, given up, misses 0, processing"
      )
      assert.strictEqual(
        yield* decided(notFound, { checks: 3 }, twice),
        "over, given up, misses 1, unrecognised"
      )
      const never = { schedule: Schedule.spaced(Duration.infinity) }
      assert.strictEqual(
        yield* decided(told("processing"), {}, never),
        "over, given up, misses 0, processing"
      )
    })
  )

  it.effect("gives up an hour after the deadline, with a last look right then", () =>
    Effect.gen(function* () {
      const at = (remainingMillis: number) =>
        decided(told("processing"), { remainingMillis, ageMillis: 1e12 })
      assert.strictEqual(yield* at(0), "again in 10 s, misses 0, processing")
      assert.strictEqual(yield* at(-3_595_000), "again in 5 s, misses 0, processing")
      assert.strictEqual(yield* at(-3_599_999), "again in 1 s, misses 0, processing")
      assert.strictEqual(yield* at(-3_600_000), "over, given up, misses 0, processing")
    })
  )

  it.effect("gives up three days after the acceptance where there is no deadline", () =>
    Effect.gen(function* () {
      const day = 24 * 3_600_000
      const at = (ageMillis: number) => decided(failed(new Reason.TimedOut()), { ageMillis })
      assert.strictEqual(yield* at(2.9 * day), "again in 10 s, misses 0, undefined")
      assert.strictEqual(yield* at(3 * day), "over, given up, misses 0, undefined")
      const forever = { afterAcceptance: Duration.infinity }
      assert.strictEqual(
        yield* decided(told("processing"), { ageMillis: 1e12 }, forever),
        "again in 10 s, misses 0, processing"
      )
    })
  )

  it.effect("never asks about one message twice within a second", () =>
    Effect.gen(function* () {
      const hasty = { schedule: Schedule.spaced(0) }
      assert.strictEqual(yield* decided(told("processing"), {}, hasty), "again in 1 s, misses 0, processing")
    })
  )

  it.effect("never puts a look-up off for so long that no instant could hold it", () =>
    Effect.gen(function* () {
      const ages = { schedule: Schedule.spaced("1000000000 days"), afterAcceptance: Duration.infinity }
      assert.strictEqual(
        yield* decided(told("processing"), {}, ages),
        `again in ${365 * 24 * 3_600} s, misses 0, processing`
      )
    })
  )

  it.effect("tells the schedule what the check found", () =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      const schedule: CheckSchedule = Schedule.spaced("1 minute").pipe(
        Schedule.tap(({ input }) =>
          Effect.sync(() => heard.push(`${input.check} ${input.status} ${input.reason?._tag}`))
        )
      )
      yield* decided(told("processing"), { checks: 2 }, { schedule })
      yield* decided(notFound, { checks: 1 }, { schedule })
      assert.deepStrictEqual(heard, [
        "1 processing undefined",
        "2 processing undefined",
        "1 undefined NotFound"
      ])
    })
  )
})

const Check = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 60 }))

describe("the default schedule", () => {
  it.effect.prop(
    "grows by half from 7.5 seconds to half an hour, give or take a fifth",
    [Check],
    ([number]) =>
      Effect.gen(function* () {
        const delay = yield* delayAfter(defaultSchedule, {
          check: number,
          status: undefined,
          reason: undefined
        })
        const usual = Math.min(7_500 * 1.5 ** (number - 1), 30 * 60_000)
        const millis = delay === undefined ? 0 : Duration.toMillis(delay)
        assert.isAtLeast(millis, usual * 0.8 - 1)
        assert.isAtMost(millis, usual * 1.2 + 1)
      })
  )
})
