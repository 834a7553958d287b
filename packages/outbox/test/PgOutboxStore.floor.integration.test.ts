import { Outbox } from "@effect-cascade/outbox/Outbox"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import { PgClient } from "@effect/sql-pg"
import { assert } from "@effect/vitest"
import { Clock, Duration, Effect } from "effect"
import { claim } from "../src/internal/sql/claim.ts"
import { inIndexOrder } from "../src/internal/sql/inIndexOrder.ts"
import * as Tables from "../src/internal/sql/tables.ts"
import { onSetClock } from "./support/clock.ts"
import { connect, onDatabase } from "./support/database.ts"
import { transaction } from "./support/messages.ts"
import { pages, planOf } from "./support/plan.ts"

const lane = "default/high"
const enqueue = (id: string) => Outbox.use((outbox) => outbox.transaction(outbox.enqueue(transaction(id))))

onDatabase("a claim of what is recent", (test) => {
  test("does not walk over what was settled while somebody held an old snapshot", () =>
    Effect.gen(function* () {
      const sql = (yield* PgClient.PgClient).withoutTransforms()
      const holder = yield* connect({ maxConnections: 1 })
      // Whoever looks at the database for long: a dump, a report, a session that was forgotten.
      yield* holder`BEGIN ISOLATION LEVEL REPEATABLE READ`
      yield* holder`SELECT count(*) FROM cascade.work`
      yield* sql`
        INSERT INTO cascade.work (message_id, lane, due_at)
        SELECT gen_random_uuid(), ${lane}, now() - interval '10 minutes' + n * interval '10 ms'
        FROM generate_series(1, 20000) AS n`
      yield* sql`DELETE FROM cascade.work`
      yield* enqueue("new")
      const explained = (from: ReadonlyArray<number>) =>
        planOf(
          claim(sql, Tables.make(sql, "cascade"), {
            capacities: [{ lane, limit: 100 }],
            from,
            leaseMillis: 30_000,
            relay: "test",
            lapseReason: "{}"
          }),
          "custom",
          inIndexOrder(sql)
        )
      const now = (yield* Clock.currentTimeMillis) / 1000
      const full = pages(yield* explained([-Infinity]))
      const recent = pages(yield* explained([now - 60]))
      yield* holder`ROLLBACK`
      assert.isAbove(full, 300)
      assert.isBelow(recent, 100)
    }))

  test("leaves for the next full look what fell due long before, and every other claim gives it", () =>
    onSetClock((set) =>
      Effect.gen(function* () {
        const store = yield* OutboxStore
        const sql = yield* PgClient.PgClient
        // It stands.
        set.monotonicNanos = 0n
        const claimed = (recent: boolean) =>
          store
            .claim([{ lane, limit: 10 }], { lease: Duration.seconds(30), relay: "test", recent })
            .pipe(Effect.map((rows) => rows.map(({ trackingId }) => trackingId)))
        const late = (id: string) =>
          Effect.andThen(
            enqueue(id),
            sql`UPDATE cascade.work SET due_at = now() - interval '1 hour'
            WHERE message_id = (SELECT id FROM cascade.message WHERE tracking_id = ${id})`
          )
        yield* enqueue("first")
        assert.deepStrictEqual(yield* claimed(true), ["first"])
        yield* late("late")
        yield* enqueue("second")
        assert.deepStrictEqual(yield* claimed(true), ["second"])
        set.monotonicNanos = 1_000_000_000n
        assert.deepStrictEqual(yield* claimed(true), ["late"])
        yield* enqueue("third")
        assert.deepStrictEqual(yield* claimed(true), ["third"])
        yield* late("later")
        assert.deepStrictEqual(yield* claimed(false), ["later"])
      })
    ))
})
