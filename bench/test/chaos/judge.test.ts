import { assert, describe, it } from "@effect/vitest"
import type { Acceptance, Evidence, MessageFacts, Outcome } from "../../src/chaos/evidence.ts"
import { judge } from "../../src/chaos/judge.ts"

const outcome = (kind: string, at: number, more: Partial<Outcome> = {}): Outcome => ({
  lease: at,
  kind,
  attempt: kind === "lapsed" || kind === "deferred" || kind === "cancelled" ? 0 : 1,
  reason: null,
  relay: "relay-1.1",
  at,
  ...more
})

const message = (
  trackingId: string,
  outcomes: ReadonlyArray<Outcome>,
  more: Partial<MessageFacts> = {}
): MessageFacts => ({
  id: trackingId,
  trackingId,
  uncertainty: "resend",
  deadline: undefined,
  outcomes,
  ...more
})

const timedOut = { reason: "TimedOut" }

// Orders 1-1 and 1-2 were committed, 1-3 was rolled back.
const messages = {
  resent: message("1-1.0", [outcome("retry", 20, timedOut), outcome("sent", 40, { attempt: 2 })]),
  held: message("1-1.1", [outcome("uncertain", 20, timedOut)], { uncertainty: "hold" }),
  late: message("1-1.2", [outcome("expired", 9_000, { attempt: 0 })], { deadline: 9_500 }),
  scheduled: message("1-2.0:nb50", [outcome("lapsed", 60, { reason: "CutShort" }), outcome("sent", 80)]),
  calledOff: message("1-2.1:nb90", [outcome("cancelled", 30)]),
  refused: message("1-2.2:bad", [outcome("dead", 30, { reason: "Rejected" })])
}

const accepted = (trackingId: string, at: number): Acceptance => ({ trackingId, at })

const ledger = [
  accepted("1-1.0", 10),
  accepted("1-1.0", 30),
  accepted("1-1.1", 10),
  accepted("1-2.0:nb50", 55),
  accepted("1-2.0:nb50", 70)
]

const good: Evidence = {
  orders: new Map([
    ["1-1", 3],
    ["1-2", 3]
  ]),
  messages: Object.values(messages),
  ledger,
  workLeft: 0,
  committed: new Set(["1-1"]),
  rolledBack: new Set(["1-3"]),
  doubtful: new Set(["1-2"]),
  begun: new Set(["1-1", "1-2", "1-3"]),
  cancelled: new Set(["1-2.1:nb90"]),
  odd: [],
  claims: new Map()
}

const broken = (evidence: Evidence): ReadonlyArray<string> =>
  judge(evidence)
    .filter((verdict) => verdict.broken > 0)
    .map(({ promise }) => promise)

const instead = (name: keyof typeof messages, outcomes: ReadonlyArray<Outcome>): Evidence => ({
  ...good,
  messages: Object.values({ ...messages, [name]: { ...messages[name], outcomes } })
})

const received = (...more: ReadonlyArray<Acceptance>): Evidence => ({ ...good, ledger: [...ledger, ...more] })

describe("judge", () => {
  it("finds nothing where everything was kept", () => {
    assert.deepStrictEqual(broken(good), [])
  })

  it("allows a request the time that it may be on its way", () => {
    const late = received(accepted("1-1.2", 9_600))
    const found = judge(late, { transitMillis: 100 }).filter((verdict) => verdict.broken > 0)
    assert.deepStrictEqual(found, [])
  })

  const cases: ReadonlyArray<readonly [what: string, promise: RegExp, evidence: Evidence]> = [
    ["an order that is gone", /commit that was confirmed/, { ...good, committed: new Set(["1-1", "1-9"]) }],
    ["an order without a message of it", /committed together/, { ...good, messages: good.messages.slice(1) }],
    [
      "messages without their order",
      /committed together/,
      { ...good, orders: new Map([["1-1", 3]]), committed: new Set() }
    ],
    ["a rolled back order that is there", /rolled back/, { ...good, rolledBack: new Set(["1-2"]) }],
    ["a send of what was rolled back", /rolled back/, received(accepted("1-3.0", 5))],
    ["a message without an end", /its end says why/, instead("resent", [outcome("retry", 20, timedOut)])],
    ["`sent` that nobody received", /its end says why/, { ...good, ledger: ledger.slice(2) }],
    ["an end without a reason", /its end says why/, instead("held", [outcome("uncertain", 20)])],
    ["work that is left", /no work is left/, { ...good, workLeft: 1 }],
    ["a held message received twice", /`hold` never/, received(accepted("1-1.1", 30))],
    ["a copy that nothing explains", /`resend` sends again/, received(accepted("1-1.0", 35))],
    ["a copy before its explanation", /`resend` sends again/, received(accepted("1-1.0", 15))],
    [
      "a message given up for an outage",
      /not given up/,
      instead("resent", [outcome("dead", 20, { reason: "Unreachable" })])
    ],
    ["a send after the deadline", /after its deadline/, received(accepted("1-1.2", 9_600))],
    ["a send before its time", /before its time/, received(accepted("1-2.0:nb50", 40))],
    [
      "an expiry too early",
      /`expired` has a deadline/,
      instead("late", [outcome("expired", 100, { attempt: 0 })])
    ],
    ["a send of what was called off", /cancelled message/, received(accepted("1-2.1:nb90", 95))],
    [
      "a good message that was refused",
      /one bad message/,
      instead("scheduled", [outcome("dead", 80, { reason: "Rejected" })])
    ],
    [
      "an attempt that a pause cost",
      /outage costs no attempts/,
      instead("refused", [outcome("deferred", 20, { attempt: 1 }), outcome("dead", 30, { attempt: 2 })])
    ],
    ["two ends", /one end/, instead("resent", [outcome("sent", 20), outcome("sent", 40, { attempt: 2 })])],
    ["a failure that is no lost connection", /producers see/, { ...good, odd: ["1-1 TypeError"] }]
  ]

  for (const [what, promise, evidence] of cases) {
    it(`finds ${what}`, () => {
      const found = broken(evidence)
      assert.isTrue(
        found.some((name) => promise.test(name)),
        `found: ${found.join("; ") || "nothing"}`
      )
    })
  }
})
