import * as Reason from "@effect-cascade/core/TransportReason"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import { assert } from "@effect/vitest"
import { DateTime, Duration, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { onDatabase } from "./support/database.ts"

const throttled = new Reason.Throttled({ status: 429, retryAfter: Duration.seconds(90) })
const minute = Duration.minutes(1)
const hour = Duration.hours(1)

const lane = "default/high"
const byRelay = (duration: Duration.Duration, trips = 1) =>
  OutboxStore.use((store) => store.pauseLanes({ lanes: [lane], duration, reason: throttled, trips }))
const byOperator = (duration: Duration.Duration | undefined) =>
  OutboxStore.use((store) => store.pauseLanes({ lanes: [lane], duration, reason: undefined, trips: 0 }))

/** Lets every pause end, and every right to probe. */
const endPauses = SqlClient.SqlClient.use(
  (sql) => sql`UPDATE cascade.lane SET paused_until = now() - interval '1 second', probe_until = NULL`
)

/** The lane's row, with the minutes that are left of it. */
const read = Effect.gen(function* () {
  const [row, another] = yield* (yield* OutboxStore).lanes
  assert.isUndefined(another)
  if (row === undefined) return undefined
  const now = yield* DateTime.now
  return {
    reason: row.reason?._tag,
    trips: row.trips,
    minutes: row.pausedUntil && Math.round(Duration.toMinutes(DateTime.distance(now, row.pausedUntil)))
  }
})

onDatabase("lanes", (test) => {
  test("are open unless there is a row", () =>
    Effect.gen(function* () {
      const store = yield* OutboxStore
      assert.deepStrictEqual(yield* store.lanes, [])
      yield* store.pauseLanes({
        lanes: ["a/low", "a/high", "b/low"],
        duration: minute,
        reason: throttled,
        trips: 2
      })
      const rows = yield* store.lanes
      assert.deepStrictEqual(
        rows.map(({ lane, reason, trips }) => [lane, reason, trips]),
        ["a/high", "a/low", "b/low"].map((lane) => [lane, throttled, 2])
      )
      yield* store.resumeLanes(["a/low", "b/low", "never/low"])
      assert.deepStrictEqual(
        (yield* store.lanes).map(({ lane }) => lane),
        ["a/high"]
      )
    }))

  test("of two pauses the longer one stays, with its reason", () =>
    Effect.gen(function* () {
      yield* byRelay(minute, 3)
      yield* byRelay(hour)
      assert.deepStrictEqual(yield* read, { reason: "Throttled", trips: 3, minutes: 60 })
      yield* byRelay(minute)
      assert.deepStrictEqual(yield* read, { reason: "Throttled", trips: 3, minutes: 60 })
      // A person's shorter pause makes no person's pause of it, nor a longer one a relay's.
      yield* byOperator(minute)
      assert.deepStrictEqual(yield* read, { reason: "Throttled", trips: 3, minutes: 60 })
      yield* byOperator(Duration.hours(2))
      yield* byRelay(hour)
      assert.deepStrictEqual(yield* read, { reason: undefined, trips: 3, minutes: 120 })
    }))

  test("a pause without an end outlasts one with an end, whichever came first", () =>
    Effect.gen(function* () {
      const endless = { reason: undefined, trips: 1, minutes: undefined }
      yield* byRelay(hour)
      yield* byOperator(undefined)
      assert.deepStrictEqual(yield* read, endless)
      yield* byRelay(hour)
      assert.deepStrictEqual(yield* read, endless)
      yield* byOperator(hour)
      assert.deepStrictEqual(yield* read, endless)
    }))

  test("infinity in the table means without an end", () =>
    Effect.gen(function* () {
      const store = yield* OutboxStore
      const sql = yield* SqlClient.SqlClient
      yield* sql`INSERT INTO cascade.lane (lane, paused_until) VALUES (${lane}, 'infinity')`
      assert.deepStrictEqual(yield* read, { reason: undefined, trips: 0, minutes: undefined })
      assert.isFalse(yield* store.probeLane(lane, minute))
      assert.deepStrictEqual(yield* store.reopenLanes([lane]), [])
    }))

  test("one at a time may try a lane, and only when its pause is over", () =>
    Effect.gen(function* () {
      const store = yield* OutboxStore
      assert.isFalse(yield* store.probeLane(lane, minute))
      yield* byRelay(hour)
      assert.isFalse(yield* store.probeLane(lane, minute))
      yield* endPauses
      const taken = yield* Effect.all(
        Array.from({ length: 10 }, () => store.probeLane(lane, minute)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(taken.filter(Boolean).length, 1)
      assert.deepInclude(yield* read, { minutes: 1 })
      yield* endPauses
      assert.isTrue(yield* store.probeLane(lane, minute))
      yield* byOperator(undefined)
      assert.isFalse(yield* store.probeLane(lane, minute))
    }))

  test("a probe that fails is followed by the pause alone", () =>
    Effect.gen(function* () {
      const store = yield* OutboxStore
      yield* byRelay(minute)
      yield* endPauses
      assert.isTrue(yield* store.probeLane(lane, hour))
      yield* byRelay(minute, 2)
      assert.deepStrictEqual(yield* read, { reason: "Throttled", trips: 2, minutes: 1 })
    }))

  test("relays open what relays paused and what is over; operators open everything", () =>
    Effect.gen(function* () {
      const store = yield* OutboxStore
      assert.deepStrictEqual(yield* store.reopenLanes([lane]), [])
      yield* byRelay(hour)
      assert.deepStrictEqual(yield* store.reopenLanes(["other/high"]), [])
      assert.deepStrictEqual(yield* store.reopenLanes([lane, "other/high"]), [lane])
      assert.isUndefined(yield* read)

      for (const duration of [undefined, hour]) {
        yield* byOperator(duration)
        assert.deepStrictEqual(yield* store.reopenLanes([lane]), [])
        assert.isDefined(yield* read)
        yield* store.resumeLanes([lane])
        assert.isUndefined(yield* read)
      }
      yield* byOperator(hour)
      yield* endPauses
      assert.deepStrictEqual(yield* store.reopenLanes([lane]), [lane])
    }))

  test("a reason that this version does not know keeps the lane paused", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      yield* sql`
        INSERT INTO cascade.lane (lane, paused_until, reason)
        VALUES (${lane}, now() + interval '1 hour', '{"_tag":"FromTheFuture"}')`
      assert.deepStrictEqual(yield* read, { reason: undefined, trips: 0, minutes: 60 })
    }))
})
