import { assert, describe, it } from "@effect/vitest"
import type { Evidence } from "../../src/chaos/evidence.ts"
import type { Injected } from "../../src/chaos/injector.ts"
import { measure } from "../../src/chaos/recovery.ts"

const lapsed = (id: string, at: number) => ({
  id,
  trackingId: id,
  uncertainty: "resend" as const,
  deadline: undefined,
  outcomes: [{ lease: 1, kind: "lapsed", attempt: 0, reason: "CutShort", relay: "relay-2.1", at }]
})

const evidence: Evidence = {
  orders: new Map(),
  messages: [lapsed("a", 6_000), lapsed("b", 9_500)],
  ledger: [],
  workLeft: 0,
  committed: new Set(),
  rolledBack: new Set(),
  doubtful: new Set(),
  begun: new Set(),
  cancelled: new Set(),
  odd: [],
  claims: new Map([
    ["a 1", "relay-1.1"],
    ["b 1", "relay-1.1"]
  ])
}

const injected: Injected = {
  kills: [
    { name: "relay-1.1", at: 1_000 },
    { name: "relay-3.1", at: 2_000 }
  ],
  producerKills: 0,
  restarts: [{ from: 5_000, to: 5_900 }],
  cuts: { times: 0, connections: 0 },
  stalls: 0,
  badLinks: 0,
  refusals: 0,
  providerOutages: []
}

describe("measure", () => {
  it("counts to the last row of the killed relay, and leaves out what nobody could have done", () => {
    const recovery = measure(
      evidence,
      injected,
      {
        paused: [{ from: 6_500, to: 7_000 }],
        onTrial: [{ from: 7_000, to: 7_500 }],
        deserted: [{ from: 7_000, to: 8_000 }]
      },
      5_000
    )
    assert.strictEqual(recovery.kills, 1)
    assert.strictEqual(recovery.rows, 2)
    assert.strictEqual(recovery.afterKill.max, 8_500)
    // The lease was over at 6,000; of the 3,500 ms after that the lanes were paused or nobody was there for 1,500.
    assert.strictEqual(recovery.beyondLease.max, 2_000)
    assert.strictEqual(recovery.afterRestart.max, 100)
  })

  it("finds no recovery too slow within the lease", () => {
    const recovery = measure(evidence, injected, { paused: [], onTrial: [], deserted: [] }, 60_000)
    assert.strictEqual(recovery.beyondLease.max, 0)
  })
})
