import * as Explanation from "@effect-cascade/outbox/Explanation"
import type { ExplainRow, OutcomeRow } from "@effect-cascade/outbox/OutboxAdminStore"
import { assert, describe, it } from "@effect/vitest"
import { DateTime } from "effect"

const at = DateTime.makeUnsafe("2026-03-01T12:00:00Z")
const later = DateTime.makeUnsafe("2026-03-01T12:10:00Z")
const asked = { account: "default", trackingId: "order-1" }
const serverError = { _tag: "ServerError", status: 503 }

const outcome = (kind: string, more?: Partial<typeof OutcomeRow.Type>): typeof OutcomeRow.Type => ({
  kind,
  attempt: 1,
  reason: null,
  providerMessageId: null,
  by: "relay-1",
  at,
  ...more
})

const work: NonNullable<(typeof ExplainRow.Type)["work"]> = {
  lane: "default/high",
  dueAt: at,
  attempts: 0,
  due: true,
  free: true,
  leasedAt: null,
  leaseUntil: null,
  ahead: 0
}

const paused: NonNullable<(typeof ExplainRow.Type)["heldLane"]> = {
  lane: "default/high",
  paused: true,
  until: null,
  reason: null,
  note: null,
  trips: 0,
  since: at
}

const row = (more: Partial<typeof ExplainRow.Type>): typeof ExplainRow.Type => ({
  id: "018d0000-0000-7000-8000-000000000000",
  messageType: "transaction",
  deadline: null,
  asOf: at,
  work: null,
  heldLane: null,
  newest: null,
  outcomes: [],
  ...more
})

const sentence = (more: Partial<typeof ExplainRow.Type>) => Explanation.of(asked, row(more)).sentence

const end = (newest: typeof OutcomeRow.Type) => sentence({ newest, outcomes: [newest] })

const message = "message order-1 of account default"

describe("the sentence of an explanation", () => {
  it("says what a message waits for", () => {
    assert.strictEqual(
      sentence({ work: { ...work, due: false, dueAt: later } }),
      `${message} waits until 2026-03-01T12:10:00Z, the time it is scheduled for`
    )
    const retry = outcome("retry", { reason: serverError })
    assert.strictEqual(
      sentence({
        work: { ...work, due: false, dueAt: later, attempts: 1 },
        newest: retry,
        outcomes: [retry]
      }),
      `${message} waits until 2026-03-01T12:10:00Z for attempt 2, after: the provider failed while it handled the ` +
        "request (503); one attempt had no clear answer: a person may have received it already"
    )
  })

  it("says who comes before it", () => {
    const since = `${message} has been due since 2026-03-01T12:00:00Z and is`
    const end = "in lane default/high; if that lasts, no relay serves this account"
    assert.strictEqual(sentence({ work }), `${since} the next ${end}`)
    assert.strictEqual(sentence({ work: { ...work, ahead: 1 } }), `${since} behind one other ${end}`)
    assert.strictEqual(sentence({ work: { ...work, ahead: 12 } }), `${since} behind 12 others ${end}`)
    assert.strictEqual(
      sentence({ work: { ...work, ahead: Explanation.aheadLimit } }),
      `${since} behind at least 10000 others ${end}`
    )
    assert.include(
      sentence({ work, heldLane: { ...paused, paused: false } }),
      "being tried again after a pause"
    )
  })

  it("says until when the lane is paused, and why", () => {
    const start = `${message} is due, but its lane default/high is paused until`
    assert.strictEqual(sentence({ work, heldLane: paused }), `${start} somebody resumes it`)
    assert.strictEqual(
      sentence({ work, heldLane: { ...paused, note: "wrong text" } }),
      `${start} somebody resumes it: wrong text`
    )
    assert.strictEqual(
      sentence({ work, heldLane: { ...paused, until: later, reason: { _tag: "Throttled", status: 429 } } }),
      `${start} 2026-03-01T12:10:00Z: the provider asks to slow down (429)`
    )
  })

  it("says who has it", () => {
    assert.strictEqual(
      sentence({ work: { ...work, due: false, free: false, leasedAt: at, leaseUntil: later } }),
      `${message} is with a relay since 2026-03-01T12:00:00Z for attempt 1; another may take it when the lease ends at ` +
        "2026-03-01T12:10:00Z"
    )
  })

  it("says how much time is left", () => {
    assert.include(sentence({ work, deadline: later }), "; it must go before 2026-03-01T12:10:00Z")
    const past = sentence({ work, asOf: later, deadline: at })
    assert.include(
      past,
      "; its deadline passed at 2026-03-01T12:00:00Z, so the relay that takes it ends it as expired"
    )
  })

  it("says what became of it", () => {
    const time = "2026-03-01T12:00:00Z"
    const rejected = { _tag: "Rejected", status: 400 }
    assert.strictEqual(
      end(outcome("sent", { providerMessageId: "77" })),
      `${message} was taken on by the provider at ${time} as 77`
    )
    assert.strictEqual(
      end(outcome("dead", { reason: rejected })),
      `${message} was given up at ${time}, after: the provider refused the request (400); it stays until it is ` +
        "requeued or discarded"
    )
    assert.strictEqual(
      end(outcome("uncertain", { reason: { _tag: "TimedOut" } })),
      `${message} may have been sent, nobody knows, since ${time}, after: no answer in time; the request may have been ` +
        "carried out; it stays until it is resolved, requeued or discarded"
    )
    assert.strictEqual(
      end(outcome("expired")),
      `${message} was not sent before its deadline, and expired at ${time}`
    )
    assert.strictEqual(
      end(outcome("cancelled", { by: "olena" })),
      `${message} was cancelled by olena at ${time}`
    )
    assert.strictEqual(
      end(outcome("discarded", { by: "olena" })),
      `${message} was discarded by olena at ${time}`
    )
    assert.strictEqual(
      end(outcome("resolved", { by: "olena" })),
      `${message} was found to have been sent, by olena at ${time}`
    )
    assert.include(end(outcome("retry")), "changed by hand")
    assert.include(sentence({}), "changed by hand")
  })

  it("says that a message may have arrived twice", () => {
    const retries = [outcome("retry", { reason: serverError }), outcome("lapsed")]
    assert.strictEqual(
      sentence({ newest: outcome("sent"), outcomes: retries }),
      `${message} was taken on by the provider at 2026-03-01T12:00:00Z; 2 attempts had no clear answer: a person may ` +
        "have received it more than once"
    )
  })
})

describe("the evidence", () => {
  const evidence = (more: Partial<typeof ExplainRow.Type>) => {
    const explanation = Explanation.of(asked, row(more))
    return explanation._tag === "Unknown" ? [] : explanation.evidence.map(({ kind }) => kind)
  }

  it("is what had no clear answer", () => {
    const outcomes = [
      outcome("retry", { reason: serverError }),
      outcome("deferred", { reason: { _tag: "Unreachable" } }),
      outcome("lapsed"),
      outcome("uncertain", { reason: { _tag: "TimedOut" } }),
      outcome("requeued"),
      outcome("expired"),
      outcome("expired", { reason: serverError }),
      outcome("dead", { reason: { _tag: "Rejected", status: 400 } }),
      outcome("dead", { reason: { _tag: "CutShort", by: "lease" } }),
      outcome("dead", { reason: { _tag: "OfALaterVersion" } })
    ]
    assert.deepStrictEqual(evidence({ outcomes, work }), [
      "retry",
      "lapsed",
      "uncertain",
      "expired",
      "dead",
      "dead"
    ])
  })

  it("ends where somebody found out", () => {
    const doubt = outcome("uncertain", { reason: serverError })
    assert.deepStrictEqual(evidence({ outcomes: [doubt, outcome("resolved")], work }), [])
    assert.deepStrictEqual(evidence({ outcomes: [doubt, outcome("resolved"), outcome("lapsed")], work }), [
      "lapsed"
    ])
  })

  it("has the lease that ran out and that nobody has written down yet", () => {
    assert.deepStrictEqual(evidence({ work: { ...work, leaseUntil: at } }), ["lapsed"])
    assert.deepStrictEqual(evidence({ work: { ...work, leaseUntil: at, free: false, due: false } }), [])
  })
})
