import { assert, describe, it } from "@effect/vitest"
import { Duration, Equal, Schema } from "effect"
import * as TransportReason from "../src/TransportReason.ts"

const codec = Schema.toCodecJson(TransportReason.TransportReason)

const throughJson = (reason: TransportReason.TransportReason): TransportReason.TransportReason =>
  Schema.decodeUnknownSync(codec)(JSON.parse(JSON.stringify(Schema.encodeSync(codec)(reason))))

// The JSON form has a wait in milliseconds, which cannot hold each nanosecond of a very long one.
const millisOf = (reason: TransportReason.TransportReason): number | undefined => {
  const wait = TransportReason.retryAfter(reason)
  return wait === undefined ? undefined : Duration.toMillis(wait)
}

const withoutWait = (reason: TransportReason.TransportReason): TransportReason.TransportReason =>
  reason._tag === "Throttled" ? new TransportReason.Throttled({ status: reason.status }) : reason

const examples: ReadonlyArray<readonly [TransportReason.TransportReason, string, string, string]> = [
  [
    new TransportReason.Rejected({ status: 400, code: "INVALID_PHONE", field: "toPhone" }),
    "NotSent",
    "message",
    "the provider refused the request (400 INVALID_PHONE in toPhone)"
  ],
  [
    new TransportReason.Rejected({ status: 422 }),
    "NotSent",
    "message",
    "the provider refused the request (422)"
  ],
  [
    new TransportReason.Unencodable({ problem: "it is too large" }),
    "NotSent",
    "message",
    "the message cannot be put on the wire: it is too large"
  ],
  [new TransportReason.Expired(), "NotSent", "message", "its deadline passed before it was sent"],
  [
    new TransportReason.Withheld({ mode: "dryRun" }),
    "NotSent",
    "message",
    "withheld: this program runs in dryRun mode"
  ],
  [
    new TransportReason.Unauthorized({ status: 401, code: "E1" }),
    "NotSent",
    "lane",
    "the provider refused the keys of this account (401 E1)"
  ],
  [
    new TransportReason.Unauthorized({ status: 402 }),
    "NotSent",
    "lane",
    "the provider refused this account (402)"
  ],
  [
    new TransportReason.Redirected({ status: 302 }),
    "NotSent",
    "lane",
    "the provider's address answers with a redirect (302); check the base URL"
  ],
  [
    new TransportReason.Throttled({ status: 429, retryAfter: Duration.seconds(7) }),
    "NotSent",
    "lane",
    "the provider asks to slow down (429)"
  ],
  [new TransportReason.Throttled({ status: 503 }), "NotSent", "lane", "the provider asks to slow down (503)"],
  [new TransportReason.Throttled({ status: 422 }), "NotSent", "lane", "too many requests for now (422)"],
  [
    new TransportReason.Unreachable({ code: "ECONNREFUSED" }),
    "NotSent",
    "lane",
    "the provider could not be reached (ECONNREFUSED)"
  ],
  [
    new TransportReason.ServerError({ status: 502 }),
    "Unknown",
    "attempt",
    "the provider failed while it handled the request (502)"
  ],
  [
    new TransportReason.UnexpectedStatus({ status: 418 }),
    "Unknown",
    "attempt",
    "the provider answered with a status that says neither yes nor no (418)"
  ],
  [
    new TransportReason.TimedOut(),
    "Unknown",
    "attempt",
    "no answer in time; the request may have been carried out"
  ],
  [
    new TransportReason.ConnectionLost({}),
    "Unknown",
    "attempt",
    "the connection was lost after the request began"
  ],
  [
    new TransportReason.UnreadableReply({ problem: "it is no JSON" }),
    "Unknown",
    "attempt",
    "the provider's reply does not say what became of the message: it is no JSON"
  ],
  [
    new TransportReason.CutShort({ by: "lease" }),
    "Unknown",
    "attempt",
    "the attempt was cut short (lease) after it may have begun"
  ]
]

describe("TransportReason", () => {
  it("answers what is certain and what is wrong, for each reason", () => {
    for (const [reason, certainty, scope, message] of examples) {
      assert.strictEqual(reason.certainty, certainty, reason._tag)
      assert.strictEqual(reason.scope, scope, reason._tag)
      assert.strictEqual(reason.message, message, reason._tag)
      assert.strictEqual(TransportReason.isNotSent(reason), certainty === "NotSent", reason._tag)
      assert.strictEqual(
        Schema.is(TransportReason.NotSentReason)(reason),
        certainty === "NotSent",
        reason._tag
      )
      assert.strictEqual(
        Schema.is(TransportReason.UnknownReason)(reason),
        certainty === "Unknown",
        reason._tag
      )
    }
  })

  it("has an example of every reason", () => {
    const members = [...TransportReason.NotSentReason.members, ...TransportReason.UnknownReason.members]
    assert.sameMembers(
      [...new Set(examples.map(([reason]) => reason.constructor))],
      members.map((member): unknown => member)
    )
  })

  it("round-trips through JSON, for each reason", () => {
    for (const [reason] of examples) {
      const again = throughJson(reason)
      assert.deepStrictEqual(again, reason)
      assert.strictEqual(again.constructor, reason.constructor)
      assert.strictEqual(again.message, reason.message)
      assert.strictEqual(again.certainty, reason.certainty)
    }
  })

  it.prop(
    "round-trips through JSON, whatever is in it",
    [TransportReason.TransportReason],
    ([reason]) => {
      const again = throughJson(reason)
      assert.isTrue(Equal.equals(withoutWait(again), withoutWait(reason)))
      assert.strictEqual(millisOf(again), millisOf(reason))
      assert.strictEqual(again.certainty, reason.certainty)
      assert.strictEqual(again.scope, reason.scope)
    },
    { arbitrary: { runs: 500 } }
  )

  it("has a JSON form of plain values, with a wait in milliseconds", () => {
    const throttled = new TransportReason.Throttled({ status: 429, retryAfter: Duration.seconds(7) })
    assert.deepStrictEqual<unknown>(Schema.encodeSync(codec)(throttled), {
      _tag: "Throttled",
      status: 429,
      retryAfter: 7000
    })
    const timedOut = new TransportReason.TimedOut()
    assert.deepStrictEqual<unknown>(Schema.encodeSync(codec)(timedOut), { _tag: "TimedOut" })
  })

  it("keeps how long to wait, to the nanosecond and for ever", () => {
    for (const wait of ["0 millis", "1500 micros", "1 nanos", "7 seconds", "40 days", "Infinity"] as const) {
      const again = throughJson(
        new TransportReason.Throttled({ status: 429, retryAfter: Duration.fromInputUnsafe(wait) })
      )
      assert.deepStrictEqual(TransportReason.retryAfter(again), Duration.fromInputUnsafe(wait), wait)
    }
    for (const [reason] of examples) {
      const wait = TransportReason.retryAfter(reason)
      const seven = reason._tag === "Throttled" && reason.status === 429
      assert.deepStrictEqual(wait, seven ? Duration.seconds(7) : undefined)
    }
  })
})
