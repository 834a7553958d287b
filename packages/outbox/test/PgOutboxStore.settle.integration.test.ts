import * as Reason from "@effect-cascade/core/TransportReason"
import { Outbox } from "@effect-cascade/outbox/Outbox"
import type { ClaimedRow, SettledRow } from "@effect-cascade/outbox/OutboxRow"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import { assert } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { anotherStore, onDatabase } from "./support/database.ts"
import { transaction } from "./support/messages.ts"
import { counts, expireLeases, outcomesOf, storyOf, workOf } from "./support/rows.ts"

const reason = new Reason.ServerError({ status: 500 })

/** These messages, enqueued and claimed. */
const claimedOnes = Effect.fnUntraced(function* (...trackingIds: ReadonlyArray<string>) {
  const outbox = yield* Outbox
  const store = yield* OutboxStore
  yield* outbox.transaction(outbox.enqueueAll(trackingIds.map((id) => transaction(id))))
  return new Map((yield* claimAll(store)).map((row) => [row.trackingId, row]))
})

const claimAll = (store: OutboxStore["Service"]) =>
  store.claim([{ lane: "default/high", limit: 100 }], { lease: Duration.seconds(30), relay: "test" })

const settlement = (
  row: ClaimedRow | undefined,
  kind: SettledRow["kind"],
  more?: Partial<SettledRow>
): SettledRow => {
  if (row === undefined) return assert.fail("nothing claimed")
  return {
    id: row.id,
    lease: row.lease,
    kind,
    delayMillis: 0,
    counted: kind !== "deferred" && kind !== "released",
    reason: kind === "sent" || kind === "released" ? undefined : reason,
    providerMessageId: kind === "sent" ? `id-of-${row.trackingId}` : undefined,
    ...more
  }
}

const outcome = (kind: string, attempt: number, more?: object) => ({
  kind,
  attempt,
  reason: kind === "sent" ? null : "ServerError",
  by: null,
  relay: "test",
  messageId: null,
  ...more
})

onDatabase("settle", (test) => {
  test("writes every kind in one statement", () =>
    Effect.gen(function* () {
      const store = yield* OutboxStore
      const rows = yield* claimedOnes(
        "sent",
        "retry",
        "deferred",
        "released",
        "uncertain",
        "dead",
        "expired",
        "late"
      )
      const settled = yield* store.settle(
        [
          settlement(rows.get("sent"), "sent"),
          settlement(rows.get("retry"), "retry", { delayMillis: 3_600_000 }),
          settlement(rows.get("deferred"), "deferred"),
          settlement(rows.get("released"), "released"),
          settlement(rows.get("uncertain"), "uncertain"),
          settlement(rows.get("dead"), "dead"),
          settlement(rows.get("expired"), "expired"),
          settlement(rows.get("late"), "expired", { reason: undefined, counted: false })
        ],
        { relay: "test" }
      )
      assert.sameMembers(
        [...settled],
        Array.from(rows.values(), ({ id }) => id)
      )

      for (const over of ["sent", "uncertain", "dead", "expired", "late"]) {
        assert.deepStrictEqual(yield* workOf(over), [], over)
      }
      assert.deepStrictEqual(yield* outcomesOf("sent"), [outcome("sent", 1, { messageId: "id-of-sent" })])
      for (const kind of ["retry", "uncertain", "dead", "expired"]) {
        assert.deepStrictEqual(yield* outcomesOf(kind), [outcome(kind, 1)])
      }
      assert.deepStrictEqual(yield* outcomesOf("late"), [outcome("expired", 0, { reason: null })])
      assert.deepStrictEqual(yield* outcomesOf("deferred"), [outcome("deferred", 0)])
      assert.deepStrictEqual(yield* outcomesOf("released"), [])

      const back = { lease: 1, started: 1, finished: 1, leased: false }
      const [retry] = yield* workOf("retry")
      assert.deepInclude(retry, { ...back, attempts: 1 })
      assert.approximately(retry?.dueIn ?? 0, 3_600_000, 60_000)
      for (const again of ["deferred", "released"]) {
        const [work] = yield* workOf(again)
        assert.deepInclude(work, { ...back, attempts: 0 })
        assert.isAtMost(work?.dueIn ?? 1, 0)
      }
      assert.sameMembers(
        (yield* claimAll(store)).map(({ trackingId }) => trackingId),
        ["deferred", "released"]
      )
    }))

  test("with an old lease changes nothing, and says so", () =>
    Effect.gen(function* () {
      const store = yield* OutboxStore
      const old = yield* claimedOnes("a", "b")
      yield* expireLeases
      const heir = yield* anotherStore()
      const newer = new Map((yield* claimAll(heir.store)).map((row) => [row.trackingId, row]))
      const before = yield* workOf("a")

      for (const kind of ["sent", "retry", "released", "dead"] as const) {
        const settled = yield* store.settle([settlement(old.get("a"), kind, { delayMillis: 1e9 })], {
          relay: "test"
        })
        assert.deepStrictEqual([...settled], [])
      }
      const [after] = yield* workOf("a")
      assert.deepInclude(after, { lease: 2, attempts: 0, started: 2, finished: 0, leased: true })
      assert.isTrue((after?.dueIn ?? 1) <= (before[0]?.dueIn ?? 0))
      assert.deepStrictEqual(yield* storyOf("a"), ["lapsed 0"])

      // Neighbours in the same statement are settled all the same.
      const settled = yield* store.settle(
        [
          settlement(old.get("a"), "sent"),
          settlement(newer.get("b"), "sent"),
          settlement(old.get("b"), "dead")
        ],
        { relay: "test" }
      )
      assert.deepStrictEqual([...settled], [newer.get("b")?.id])
      assert.deepStrictEqual(yield* storyOf("b"), ["lapsed 0", "sent 1"])
      assert.strictEqual((yield* workOf("a")).length, 1)
    }))

  test("holds after the lease is over while nobody took the row", () =>
    Effect.gen(function* () {
      const store = yield* OutboxStore
      const rows = yield* claimedOnes("a")
      yield* expireLeases
      const settled = yield* store.settle([settlement(rows.get("a"), "sent")], { relay: "test" })
      assert.strictEqual(settled.size, 1)
      assert.deepStrictEqual(yield* storyOf("a"), ["sent 1"])
    }))

  test("is for a row that somebody took away no longer possible", () =>
    Effect.gen(function* () {
      const store = yield* OutboxStore
      const sql = yield* SqlClient.SqlClient
      const rows = yield* claimedOnes("deleted", "freed")
      yield* sql`DELETE FROM cascade.work WHERE message_id::text = ${rows.get("deleted")?.id ?? ""}`
      yield* sql`UPDATE cascade.work SET lease_until = NULL, finished = started`
      const settled = yield* store.settle(
        [settlement(rows.get("deleted"), "sent"), settlement(rows.get("freed"), "retry")],
        { relay: "test" }
      )
      assert.deepStrictEqual([...settled], [])
      assert.deepInclude((yield* workOf("freed"))[0], { attempts: 0, finished: 1 })
      assert.deepInclude(yield* counts, { outcome: 0 })
    }))

  test("again, when the first answer was lost, changes nothing and answers as the first", () =>
    Effect.gen(function* () {
      const store = yield* OutboxStore
      const rows = yield* claimedOnes("sent", "retry", "deferred", "dead")
      const batch = [
        settlement(rows.get("sent"), "sent"),
        settlement(rows.get("retry"), "retry", { delayMillis: 3_600_000 }),
        settlement(rows.get("deferred"), "deferred"),
        settlement(rows.get("dead"), "dead")
      ] as const
      const first = yield* store.settle(batch, { relay: "test" })
      const work = yield* workOf("retry")
      const before = yield* counts
      const again = yield* store.settle(batch, { relay: "test" })
      assert.sameMembers([...again], [...first])
      assert.strictEqual(again.size, 4)
      assert.deepStrictEqual(yield* counts, before)
      const [retry] = yield* workOf("retry")
      assert.deepInclude(retry, { attempts: 1, started: 1, finished: 1 })
      assert.isAtMost(retry?.dueIn ?? 0, work[0]?.dueIn ?? 0)

      // Another outcome, or another relay's, is not the same settle.
      const other = [settlement(rows.get("sent"), "dead")] as const
      assert.strictEqual((yield* store.settle(other, { relay: "test" })).size, 0)
      assert.strictEqual((yield* store.settle([batch[0]], { relay: "other" })).size, 0)
    }))

  test("writes what comes from outside, whatever characters are in it", () =>
    Effect.gen(function* () {
      const store = yield* OutboxStore
      const sql = yield* SqlClient.SqlClient
      const rows = yield* claimedOnes("sent", "retry", "dead")
      const evil = "a\u0000b\ud83dc"
      const settled = yield* store.settle(
        [
          settlement(rows.get("sent"), "sent", { providerMessageId: evil }),
          settlement(rows.get("retry"), "retry", { reason: new Reason.UnreadableReply({ problem: evil }) }),
          settlement(rows.get("dead"), "dead", {
            // As a transport without types might say it.
            reason: new Reason.Rejected({ status: Number.NaN, code: "X" }, { disableChecks: true })
          })
        ],
        { relay: "test" }
      )
      assert.strictEqual(settled.size, 3)
      const [sent] = yield* outcomesOf("sent")
      assert.strictEqual(sent?.messageId, "a\ufffdb\ufffdc")
      assert.deepStrictEqual(
        yield* sql`SELECT reason->>'problem' AS problem FROM cascade.outcome WHERE kind = 'retry'`,
        [{ problem: "a\ufffdb\ufffdc" }]
      )
      assert.deepInclude((yield* outcomesOf("dead"))[0], { kind: "dead", attempt: 1 })
    }))

  test("keeps every reason as it was", () =>
    Effect.gen(function* () {
      const store = yield* OutboxStore
      const sql = yield* SqlClient.SqlClient
      const reasons = [
        new Reason.Rejected({ status: 400, code: "INVALID_PHONE", field: "toPhone" }),
        new Reason.Throttled({ status: 429, retryAfter: Duration.seconds(90) }),
        new Reason.CutShort({ by: "lease" }),
        new Reason.TimedOut()
      ]
      const rows = yield* claimedOnes(...reasons.map(({ _tag }) => _tag))
      const [first, ...rest] = reasons.map((reason) => settlement(rows.get(reason._tag), "retry", { reason }))
      yield* store.settle([first ?? assert.fail(), ...rest], { relay: "test" })
      const found = yield* sql<{ readonly reason: object }>`SELECT reason FROM cascade.outcome`
      assert.sameDeepMembers(
        found.map(({ reason }) => reason),
        [
          { _tag: "Rejected", status: 400, code: "INVALID_PHONE", field: "toPhone" },
          { _tag: "Throttled", status: 429, retryAfter: 90_000 },
          { _tag: "CutShort", by: "lease" },
          { _tag: "TimedOut" }
        ]
      )
    }))
})
