import * as Delivery from "@effect-cascade/core/Delivery"
import { TrackingId } from "@effect-cascade/core/TrackingId"
import * as Reason from "@effect-cascade/core/TransportReason"
import * as Settlement from "@effect-cascade/outbox/Settlement"
import type { Uncertainty } from "@effect-cascade/outbox/Uncertainty"
import { Arbitrary, Duration, Schema } from "effect"
import { assert, describe, it } from "@effect/vitest"

const id = TrackingId.make("order-1")
const second = Duration.seconds(1)
const policies: ReadonlyArray<Uncertainty> = ["resend", "hold"]

/** Every reason there is, each with the settlement that it leads to while attempts and time are left. */
const table: ReadonlyArray<[Reason.TransportReason, resend: string, hold: string]> = [
  [new Reason.Rejected({ status: 400 }), "dead", "dead"],
  [new Reason.Unencodable({ problem: "x" }), "dead", "dead"],
  [new Reason.Expired(), "expired", "expired"],
  [new Reason.Withheld({ mode: "dryRun" }), "dead", "dead"],
  [new Reason.Unauthorized({ status: 401 }), "deferred", "deferred"],
  [new Reason.Redirected({ status: 302 }), "deferred", "deferred"],
  [new Reason.Throttled({ status: 429 }), "deferred", "deferred"],
  [new Reason.Unreachable({ code: "ECONNREFUSED" }), "deferred", "deferred"],
  [new Reason.ServerError({ status: 500 }), "retry", "uncertain"],
  [new Reason.UnexpectedStatus({ status: 418 }), "retry", "uncertain"],
  [new Reason.TimedOut(), "retry", "uncertain"],
  [new Reason.ConnectionLost({ code: "ECONNRESET" }), "retry", "uncertain"],
  [new Reason.UnreadableReply({ problem: "x" }), "retry", "uncertain"],
  [new Reason.CutShort({ by: "interruption" }), "retry", "uncertain"]
]

const facts = (more?: Partial<Settlement.Facts>): Settlement.Facts => ({
  uncertainty: "resend",
  next: second,
  remaining: undefined,
  ...more
})

const after = (reason: Reason.TransportReason, more?: Partial<Settlement.Facts>) =>
  Settlement.decide(Delivery.notAccepted(id, reason), facts(more))

const maybeMillis = Schema.Union([
  Schema.Undefined,
  Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1e9 }))
])
const durationOf = (millis: number | undefined) =>
  millis === undefined ? undefined : Duration.millis(millis)

describe("decide", () => {
  it("has a row in this table for every reason", () => {
    const known = [...Reason.NotSentReason.members, ...Reason.UnknownReason.members]
    assert.deepStrictEqual(
      table.map(([reason]) => reason._tag).toSorted(),
      known.map((member) => member.fields._tag.schema.literal).toSorted()
    )
  })

  for (const policy of policies) {
    it(`${policy}: an acceptance is sent, whatever else is true`, () => {
      const settlement = Settlement.decide(
        Delivery.accepted(id, "m-1"),
        facts({ uncertainty: policy, next: undefined, remaining: Duration.zero })
      )
      assert.deepStrictEqual(settlement, { kind: "sent", providerMessageId: "m-1" })
    })

    for (const [reason, resend, hold] of table) {
      const expected = policy === "resend" ? resend : hold
      it(`${policy}: ${reason._tag} is ${expected}`, () => {
        const settlement = after(reason, { uncertainty: policy })
        assert.strictEqual(settlement.kind, expected)
        // What led there is kept; only an expiry that the transport found says nothing more than that.
        assert.deepStrictEqual(
          "reason" in settlement ? settlement.reason : reason,
          expected === "expired" ? undefined : reason
        )
      })

      it(`${policy}: out of attempts, ${reason._tag} is ${expected === "retry" ? "uncertain, not dead" : expected}`, () => {
        assert.strictEqual(
          after(reason, { uncertainty: policy, next: undefined }).kind,
          expected === "retry" ? "uncertain" : expected
        )
      })
    }
  }

  it("retries after the delay of the policy", () => {
    const settlement = after(new Reason.TimedOut(), { next: Duration.minutes(3) })
    assert.deepStrictEqual(settlement, {
      kind: "retry",
      delay: Duration.minutes(3),
      reason: new Reason.TimedOut()
    })
  })

  it("does not retry at or after the deadline", () => {
    const reason = new Reason.TimedOut()
    const kindWith = (remaining: Duration.Duration) => after(reason, { remaining }).kind
    assert.strictEqual(kindWith(Duration.millis(1_001)), "retry")
    assert.deepStrictEqual(after(reason, { remaining: second }), { kind: "expired", reason })
    assert.strictEqual(kindWith(Duration.millis(999)), "expired")
    assert.strictEqual(kindWith(Duration.zero), "expired")
  })

  it("a deadline makes no difference to what is held or over", () => {
    for (const [reason, , hold] of table) {
      assert.strictEqual(after(reason, { uncertainty: "hold", remaining: Duration.zero }).kind, hold)
    }
  })

  it.prop(
    "never resends what may have been sent under hold, and never gives it up",
    {
      reason: Arbitrary.schema(Reason.UnknownReason),
      nextMillis: maybeMillis,
      remainingMillis: maybeMillis
    },
    ({ nextMillis, reason, remainingMillis }) => {
      const next = durationOf(nextMillis)
      const remaining = durationOf(remainingMillis)
      assert.strictEqual(after(reason, { uncertainty: "hold", next, remaining }).kind, "uncertain")
      assert.notStrictEqual(after(reason, { next, remaining }).kind, "dead")
    }
  )
})

describe("decideBefore", () => {
  const lapse = new Reason.CutShort({ by: "lease" })
  const limit = Settlement.lapseLimit

  // uncertainty, lapsed, lapses, expired → what happens before the send
  const rows: ReadonlyArray<[Uncertainty, boolean, number, boolean, Settlement.Settlement | undefined]> = [
    ["resend", false, 0, false, undefined],
    ["hold", false, 0, false, undefined],
    ["resend", true, 1, false, undefined],
    ["hold", true, 1, false, { kind: "uncertain", reason: lapse }],
    ["hold", true, limit, true, { kind: "uncertain", reason: lapse }],
    ["resend", false, 0, true, { kind: "expired", reason: undefined }],
    ["hold", false, 0, true, { kind: "expired", reason: undefined }],
    ["resend", true, 1, true, { kind: "expired", reason: lapse }],
    ["resend", true, limit - 1, false, undefined],
    ["resend", true, limit, false, { kind: "dead", reason: lapse }],
    ["resend", true, limit, true, { kind: "expired", reason: lapse }],
    // It went well since, but it has killed too often.
    ["resend", false, limit, false, { kind: "dead", reason: lapse }]
  ]
  for (const [uncertainty, lapsed, lapses, expired, expected] of rows) {
    const name = `${uncertainty}, ${lapsed ? "" : "not "}lapsed, ${lapses} lapses, ${expired ? "" : "not "}expired`
    it(`${name}: ${expected?.kind ?? "go ahead"}`, () => {
      assert.deepStrictEqual(Settlement.decideBefore({ uncertainty, lapsed, lapses, expired }), expected)
    })
  }
})

describe("unreadable", () => {
  it("is dead, with the problem", () => {
    assert.deepStrictEqual(Settlement.unreadable("no JSON"), {
      kind: "dead",
      reason: new Reason.Unencodable({ problem: "no JSON" })
    })
  })
})

describe("counts", () => {
  const reason = new Reason.TimedOut()
  const attempted: ReadonlyArray<Settlement.Settlement> = [
    { kind: "sent", providerMessageId: "m-1" },
    { kind: "retry", delay: second, reason },
    { kind: "uncertain", reason },
    { kind: "dead", reason },
    // Out of time after an attempt.
    { kind: "expired", reason }
  ]
  const untried: ReadonlyArray<Settlement.Settlement | undefined> = [
    { kind: "released" },
    { kind: "deferred", reason: new Reason.Throttled({ status: 429 }) },
    { kind: "expired", reason: undefined },
    Settlement.decideBefore({
      uncertainty: "resend",
      lapsed: true,
      lapses: Settlement.lapseLimit,
      expired: false
    }),
    Settlement.decideBefore({ uncertainty: "resend", lapsed: true, lapses: 1, expired: true })
  ]
  for (const settlement of attempted) {
    it(`${settlement.kind} after an attempt counts`, () => assert.isTrue(Settlement.counts(settlement)))
  }
  for (const settlement of untried) {
    it(`${settlement?.kind} without an attempt does not`, () => {
      assert.isDefined(settlement)
      assert.isFalse(settlement === undefined || Settlement.counts(settlement))
    })
  }
})
