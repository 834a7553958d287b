import type { StoreError } from "@effect-cascade/outbox/OutboxError"
import {
  type DueCheck,
  type NextCheck,
  type StatusMove,
  StatusStore
} from "@effect-cascade/outbox/StatusStore"
import * as DeliveryStatus from "@effect-cascade/core/DeliveryStatus"
import { assert } from "@effect/vitest"
import { Arbitrary, Duration, Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import {
  accepted,
  anotherStatusStore,
  endPauses,
  hint,
  makeDue,
  onFollowed,
  report,
  runOutLeases,
  statusRow
} from "./support/followed.ts"
import { ids } from "./support/messages.ts"

const minute = Duration.minutes(1)

const claim = (limit = 100, account = "default") =>
  StatusStore.use((store) => store.claim([{ account, limit }], minute))

const claimOne = Effect.map(claim(), ([check]) => check ?? assert.fail("nothing is due"))

const settlement = (
  check: DueCheck,
  next: NextCheck,
  state?: DeliveryStatus.DeliveryState,
  counts?: { readonly checks?: number; readonly misses?: number }
) => ({
  id: check.id,
  lease: check.lease,
  state,
  next,
  checks: check.checks,
  misses: check.misses,
  ...counts
})

const again: NextCheck = { kind: "again", delayMillis: 3_600_000 }
const over: NextCheck = { kind: "over" }
const processing = { status: "processing", confirmed: true } as const
const delivered = { status: "delivered", confirmed: true } as const

onFollowed("claiming checks", (test) => {
  test("gives the longest due first, with what is known of it", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const known = yield* accepted(["a", "b"], { ttl: "1 hour" })
      yield* sql`UPDATE cascade.delivery_status SET next_check_at = next_check_at - interval '1 hour'
        WHERE message_id = ${known.get("b") ?? ""}::uuid`
      const [{ ageMillis, remainingMillis, ...check } = assert.fail("nothing"), ...others] = yield* claim(1)
      assert.deepStrictEqual(others, [])
      assert.deepStrictEqual(check, {
        id: known.get("b") ?? "",
        lease: 1n,
        account: "default",
        providerMessageId: "provider-b",
        checks: 1,
        misses: 0,
        trackingId: "b",
        messageType: "transaction"
      })
      assert.isAtLeast(ageMillis, 0)
      assert.isAtMost(ageMillis, 60_000)
      assert.isAtMost(remainingMillis ?? 0, 3_600_000)
      assert.isAtLeast(remainingMillis ?? 0, 3_500_000)
    }))

  test("gives none twice, and each again when its lease is over", () =>
    Effect.gen(function* () {
      const store = yield* StatusStore
      const other = yield* anotherStatusStore
      yield* accepted(ids("m", 100))
      const claims = yield* Effect.all(
        Array.from({ length: 10 }, (_, index) =>
          (index % 2 === 0 ? store : other).claim([{ account: "default", limit: 10 }], minute)
        ),
        { concurrency: "unbounded" }
      )
      // What another is just taking is skipped, so that a claim may get less than there is.
      const rest = yield* claim(100)
      const taken = [...claims.flat(), ...rest].map(({ id }) => id)
      assert.strictEqual(taken.length, 100)
      assert.strictEqual(new Set(taken).size, 100)
      assert.deepStrictEqual(yield* claim(), [])
      yield* runOutLeases
      const anew = yield* claim()
      assert.strictEqual(anew.length, 100)
      assert.isTrue(anew.every(({ checks, lease }) => lease === 2n && checks === 2))
    }))

  test("keeps accounts apart, and leaves a paused one out", () =>
    Effect.gen(function* () {
      const store = yield* StatusStore
      const other = yield* anotherStatusStore
      yield* accepted(["a"])
      yield* accepted(["b"], { account: "second" })
      yield* store.pause("default", minute)
      // A shorter pause does not shorten it.
      yield* other.pause("default", Duration.zero)
      assert.deepStrictEqual(yield* claim(), [])
      const both = yield* other.claim(
        [
          { account: "default", limit: 5 },
          { account: "second", limit: 5 }
        ],
        minute
      )
      assert.deepStrictEqual(
        both.map(({ trackingId }) => trackingId),
        ["b"]
      )
      yield* endPauses
      assert.deepStrictEqual(
        (yield* claim()).map(({ trackingId }) => trackingId),
        ["a"]
      )
    }))

  test("gives a message that was deleted meanwhile, too", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* accepted(["a"])
      yield* sql`DELETE FROM cascade.message`
      const check = yield* claimOne
      assert.deepStrictEqual(
        [check.trackingId, check.messageType, check.remainingMillis, check.providerMessageId],
        [null, null, null, "provider-a"]
      )
    }))
})

onFollowed("settling a check", (test) => {
  test("says when the next is due, and what it found", () =>
    Effect.gen(function* () {
      const store = yield* StatusStore
      yield* accepted(["a"])
      const check = yield* claimOne
      const move = yield* store.settle(settlement(check, again, processing, { misses: 2 }))
      assert.deepStrictEqual(move, { previous: undefined, moved: true, held: true })
      const { dueIn, ...row } = (yield* statusRow("a")) ?? assert.fail("gone")
      assert.include(row, { ...processing, lease: 1, leased: false, checks: 1, misses: 2 })
      assert.isAbove(dueIn ?? 0, 3_500_000)

      yield* makeDue
      const next = yield* claimOne
      assert.deepStrictEqual([next.checks, next.misses], [2, 2])
      assert.deepStrictEqual(yield* store.settle(settlement(next, over, delivered)), {
        previous: processing,
        moved: true,
        held: true
      })
      assert.include(yield* statusRow("a"), { ...delivered, dueIn: null, leased: false })
      yield* runOutLeases
      assert.deepStrictEqual(yield* claim(), [])
    }))

  test("gives back what was not asked about, as if it had never been claimed", () =>
    Effect.gen(function* () {
      const store = yield* StatusStore
      yield* accepted(["a"])
      const check = yield* claimOne
      yield* store.settle(settlement(check, { kind: "released" }, undefined, { checks: check.checks - 1 }))
      const { dueIn, ...row } = (yield* statusRow("a")) ?? assert.fail("gone")
      assert.include(row, { status: null, leased: false, checks: 0 })
      assert.isAtMost(dueIn ?? 1, 0)
      assert.strictEqual((yield* claimOne).lease, 2n)
    }))

  test("leaves the next check alone where the lease is another's, though what it found counts", () =>
    Effect.gen(function* () {
      const store = yield* StatusStore
      const other = yield* anotherStatusStore
      yield* accepted(["a"])
      const stale = yield* claimOne
      yield* runOutLeases
      const [fresh = assert.fail("nothing")] = yield* other.claim([{ account: "default", limit: 1 }], minute)
      const late = settlement(stale, over, processing, { checks: 7, misses: 7 })
      assert.deepStrictEqual(yield* store.settle(late), { previous: undefined, moved: true, held: false })
      assert.include(yield* statusRow("a"), { ...processing, lease: 2, leased: true, checks: 2, misses: 0 })
      assert.deepStrictEqual(yield* store.settle(late), { previous: processing, moved: false, held: false })
      // The end it finds is the end for whoever holds the lease, too.
      assert.deepInclude(yield* store.settle(settlement(stale, over, delivered)), {
        moved: true,
        held: false
      })
      assert.include(yield* statusRow("a"), { ...delivered, leased: false, dueIn: null })
      assert.deepStrictEqual(yield* other.settle(settlement(fresh, again, processing)), {
        previous: delivered,
        moved: false,
        held: false
      })
      assert.include(yield* statusRow("a"), { ...delivered, leased: false, dueIn: null })
    }))

  test("of a message that is gone says so", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const store = yield* StatusStore
      yield* accepted(["a"])
      const check = yield* claimOne
      yield* sql`DELETE FROM cascade.delivery_status`
      assert.isUndefined(yield* store.settle(settlement(check, again, processing)))
    }))

  test("never takes a state back", () =>
    Effect.gen(function* () {
      const store = yield* StatusStore
      yield* accepted(["a"])
      yield* store.record("default", hint("a", "delivered"))
      const check = yield* claimOne
      assert.deepStrictEqual(yield* store.settle(settlement(check, again, processing)), {
        previous: { status: "delivered", confirmed: false },
        moved: false,
        held: true
      })
      assert.include(yield* statusRow("a"), { status: "delivered", confirmed: false })
    }))
})

onFollowed("recording a report", (test) => {
  test("of a message that is not followed does nothing", () =>
    Effect.gen(function* () {
      const store = yield* StatusStore
      yield* accepted(["a"])
      assert.deepStrictEqual(yield* store.record("default", report("b", "delivered")), [])
      assert.deepStrictEqual(yield* store.record("second", report("a", "delivered")), [])
      for (const messageId of ["provider-a\u0000", "", "%", "x".repeat(100_000), "\ud800"]) {
        assert.deepStrictEqual(yield* store.record("default", report("", "delivered", { messageId })), [])
      }
      assert.include(yield* statusRow("a"), { status: null })
    }))

  test("that is a confirmed end ends the checks, and one that is under way", () =>
    Effect.gen(function* () {
      const store = yield* StatusStore
      yield* accepted(["a"])
      const check = yield* claimOne
      assert.deepStrictEqual(yield* store.record("default", report("a", "undeliverable")), [
        { previous: undefined, moved: true, trackingId: "a", messageType: "transaction" }
      ])
      assert.include(yield* statusRow("a"), { status: "undeliverable", dueIn: null, leased: false })
      assert.deepInclude(yield* store.settle(settlement(check, again, processing)), {
        moved: false,
        held: false
      })
      assert.include(yield* statusRow("a"), { status: "undeliverable", dueIn: null, leased: false })
      assert.deepStrictEqual(yield* store.record("default", report("a", "undeliverable")), [
        {
          previous: { status: "undeliverable", confirmed: true },
          moved: false,
          trackingId: "a",
          messageType: "transaction"
        }
      ])
    }))

  test("that hints at an end moves the next check up, though not behind the last one's heels", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const store = yield* StatusStore
      yield* accepted(["a"])
      yield* store.settle(settlement(yield* claimOne, again, processing))
      yield* store.record("default", hint("a", "undeliverable"))
      const soon = (yield* statusRow("a"))?.dueIn ?? assert.fail("over")
      assert.isAtMost(soon, 1_000)
      yield* sql`UPDATE cascade.delivery_status SET next_check_at = now() + interval '1 hour',
        checked_at = now() - interval '1 hour'`
      yield* store.record("default", hint("a", "delivered"))
      assert.isAtMost((yield* statusRow("a"))?.dueIn ?? 1, 0)
      // The same once more is no news, so nobody can keep a message due by repeating it.
      yield* sql`UPDATE cascade.delivery_status SET next_check_at = now() + interval '1 hour'`
      yield* store.record("default", hint("a", "delivered"))
      assert.isAbove((yield* statusRow("a"))?.dueIn ?? 0, 3_000_000)
      // Nor is a message followed anew that was given up.
      yield* sql`UPDATE cascade.delivery_status SET next_check_at = NULL, status = NULL, confirmed = NULL`
      yield* store.record("default", hint("a", "delivered"))
      assert.include(yield* statusRow("a"), { status: "delivered", confirmed: false, dueIn: null })
    }))

  test("counts for every message that the provider calls so", () =>
    Effect.gen(function* () {
      const store = yield* StatusStore
      yield* accepted(["a", "b"], { providerId: () => "provider-one" })
      const recorded = yield* store.record("default", report("one", "delivered"))
      assert.sameMembers(
        recorded.map(({ trackingId }) => trackingId ?? ""),
        ["a", "b"]
      )
      assert.include(yield* statusRow("a"), delivered)
      assert.include(yield* statusRow("b"), delivered)
    }))
})

onFollowed("reading a status", (test) => {
  test("tells what is known, and whether it is still asked about", () =>
    Effect.gen(function* () {
      const store = yield* StatusStore
      yield* accepted(["a"])
      assert.isUndefined(yield* store.read("default", "b"))
      assert.isUndefined(yield* store.read("second", "a"))
      const first = (yield* store.read("default", "a")) ?? assert.fail("unknown")
      assert.deepInclude(first, { messageId: "provider-a", state: undefined, following: true, checks: 0 })
      yield* store.record("default", report("a", "delivered"))
      const last = (yield* store.read("default", "a")) ?? assert.fail("unknown")
      assert.deepInclude(last, { state: delivered, following: false })
      assert.deepStrictEqual(last.acceptedAt, first.acceptedAt)
      assert.isAtLeast(last.updatedAt.epochMilliseconds, first.updatedAt.epochMilliseconds)
    }))
})

type Moves = ReadonlyArray<StatusMove | undefined>

const isEnd = ({ confirmed, status }: DeliveryStatus.DeliveryState) =>
  confirmed && DeliveryStatus.isFinal(status)

const State = Schema.Struct({ status: DeliveryStatus.DeliveryStatus, confirmed: Schema.Boolean })

/** Reports about one message, each by a webhook or by a check. */
const Reports = Arbitrary.array(
  Arbitrary.all({
    state: Arbitrary.schema(State),
    by: Arbitrary.schema(Schema.Literals(["webhook", "poll"]))
  }),
  { minLength: 1, maxLength: 12 }
)

onFollowed("reports", (test) => {
  test("end in the state of the pure fold, in any order and at the same time", () =>
    Effect.gen(function* () {
      const store = yield* StatusStore
      const other = yield* anotherStatusStore
      const cases = yield* Arbitrary.sampleEffect(Reports, { count: 60 })
      const trackingIds = ids("m", cases.length)
      yield* accepted(trackingIds)
      const checks = new Map((yield* claim(cases.length)).map((check) => [check.trackingId, check]))

      yield* Effect.forEach(
        cases,
        (reports, index) =>
          Effect.gen(function* () {
            const trackingId = trackingIds[index] ?? ""
            const check = checks.get(trackingId) ?? assert.fail("not claimed")
            // Only one check is under way at a time; the others come by the provider's calls.
            const polled = reports.findIndex(({ by }) => by === "poll")
            const apply = (
              state: DeliveryStatus.DeliveryState,
              place: number
            ): Effect.Effect<Moves, StoreError> =>
              place === polled
                ? Effect.map(store.settle(settlement(check, again, state)), (move) => [move])
                : (place % 2 === 0 ? store : other).record("default", report(trackingId, state.status, state))
            const moves = yield* Effect.forEach(reports, ({ state }, place) => apply(state, place), {
              concurrency: "unbounded"
            })

            const fold = (states: ReadonlyArray<DeliveryStatus.DeliveryState>) =>
              states.reduce(DeliveryStatus.joinStates)
            const row = (yield* statusRow(trackingId)) ?? assert.fail("gone")
            const found = { status: row.status, confirmed: row.confirmed }
            assert.deepStrictEqual(
              found,
              { ...fold(reports.map(({ state }) => state)) },
              JSON.stringify(reports)
            )
            // There is an end to the checks if and only if there is a confirmed end.
            assert.strictEqual(
              row.dueIn === null,
              reports.some(({ state }) => isEnd(state)),
              JSON.stringify(reports)
            )

            // Each move begins where another ended: the row was moved by one report at a time.
            const path = moves.flat().filter((move) => move?.moved === true)
            const from = path.map((move) => JSON.stringify(move?.previous))
            assert.strictEqual(new Set(from).size, path.length)
          }),
        { concurrency: 8 }
      )
    }))
})
