import { Outbox } from "@effect-cascade/outbox/Outbox"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import { PgClient } from "@effect/sql-pg"
import { assert } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Scope } from "effect"
import { expire } from "../src/internal/sql/expire.ts"
import { requeue } from "../src/internal/sql/requeue.ts"
import * as Tables from "../src/internal/sql/tables.ts"
import { onDatabase } from "./support/database.ts"
import { ids, promo, transaction } from "./support/messages.ts"
import { altered, drain, listening, startRelay } from "./support/relay.ts"
import { counts, kinds, storyOf, workOf } from "./support/rows.ts"
import { indexes, planOf, rowsOf, scanned } from "./support/plan.ts"
import { makeSignal } from "./support/signal.ts"
import { acceptAll, recording } from "./support/transport.ts"

/** Lets every deadline pass. */
const pass = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  yield* sql`UPDATE cascade.message SET deadline = now() - interval '1 second' WHERE deadline IS NOT NULL`
  yield* sql`UPDATE cascade.work SET deadline = now() - interval '1 second' WHERE deadline IS NOT NULL`
})

const soon = { ttl: Duration.hours(1) }

onDatabase("a message that waits past its deadline", (test) => {
  test("is told of also by a relay that is just stopping", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const heard = yield* listening
      const written = yield* Deferred.make<void>()
      const store = yield* altered((own) => ({
        expire: (options) =>
          Effect.tap(own.expire(options), (rows) =>
            rows.length === 0
              ? Effect.void
              : Effect.andThen(Deferred.succeed(written, undefined), Effect.sleep("300 millis"))
          )
      }))
      const scope = yield* Scope.make()
      yield* outbox.transaction(
        outbox.enqueue(promo("late", soon), { availableAt: new Date(Date.now() + 86_400_000) })
      )
      yield* Scope.provide(startRelay({ sent: recording(), heard, store }), scope)
      yield* pass
      yield* Deferred.await(written)
      yield* Scope.close(scope, Exit.void)
      yield* heard.heard("Expired", 1, "late")
    }))

  test("expires in a paused lane, and in one that no relay serves; the others go on", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const store = yield* OutboxStore
      const heard = yield* listening
      const sent = recording()
      yield* store.pauseLanes({
        lanes: ["default/low"],
        duration: undefined,
        reason: undefined,
        trips: 0
      })
      yield* outbox.transaction(
        Effect.all([
          outbox.enqueueAll([promo("paused", soon), promo("waits")]),
          outbox.enqueueAll([transaction("unserved", soon), transaction("kept")], { account: "nobody" }),
          outbox.enqueue(transaction("later", soon), { availableAt: new Date(Date.now() + 86_400_000) })
        ])
      )
      const relay = yield* startRelay({ sent, heard })
      yield* pass
      for (const id of ["paused", "unserved", "later"]) {
        yield* heard.heard("Expired", 1, id)
        assert.deepStrictEqual(yield* storyOf(id), ["expired 0"])
        assert.deepStrictEqual(yield* workOf(id), [])
      }
      yield* outbox.transaction(outbox.enqueue(transaction("open")))
      yield* heard.heard("Accepted", 1, "open")
      assert.deepStrictEqual(sent.sentIds(), ["open"])
      assert.deepInclude(yield* relay.tally, { expired: 3, sent: 1 })
      assert.strictEqual((yield* counts)?.work, 2)
      assert.lengthOf(heard.all, 4)
    }))

  test("is left to the claim where an older writer or an older table did not say its deadline there", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const sql = yield* PgClient.PgClient
      const heard = yield* listening
      const sent = recording()
      yield* outbox.transaction(outbox.enqueue(promo("old", soon)))
      yield* sql`UPDATE cascade.work SET deadline = NULL`
      yield* pass
      assert.deepInclude(yield* drain({ sent, heard }), { expired: 1, sent: 0 })
      assert.deepStrictEqual(yield* storyOf("old"), ["expired 0"])
    }))

  test("does not keep a relay from sending when the store fails to expire it", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const heard = yield* listening
      const sent = recording(acceptAll)
      const again = makeSignal()
      let asked = 0
      const store = yield* altered(() => ({
        expire: () =>
          Effect.suspend(() => {
            asked++
            again.tick()
            return Effect.die(new Error("bug"))
          })
      }))
      yield* startRelay({ sent, heard, store })
      yield* outbox.transaction(outbox.enqueue(transaction("a")))
      yield* heard.heard("Accepted", 1, "a")
      yield* again.until(() => asked >= 3)
    }))

  test("expires again when its second chance is over as well", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const store = yield* OutboxStore
      const sql = (yield* PgClient.PgClient).withoutTransforms()
      yield* outbox.transaction(outbox.enqueue(promo("a", soon)))
      yield* pass
      const [ended] = yield* store.expire({ limit: 10, relay: "first" })
      const move = { by: "test", resetAttempts: false, newDeadline: Date.now() + 3_600_000, resolves: false }
      const choice = { ids: [ended?.id ?? ""], states: ["expired"] } as const
      const moved = yield* requeue(sql, Tables.make(sql, "cascade"), choice, move)
      assert.lengthOf(moved, 1)
      assert.deepStrictEqual(yield* store.expire({ limit: 10, relay: "early" }), [])
      yield* pass
      assert.lengthOf(yield* store.expire({ limit: 10, relay: "second" }), 1)
      assert.deepStrictEqual(yield* storyOf("a"), ["expired 0", "requeued 0", "expired 0"])
      assert.deepStrictEqual(yield* kinds, { expired: 2, requeued: 1 })
    }))

  test("is found by the index of deadlines, however many wait", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const sql = (yield* PgClient.PgClient).withoutTransforms()
      const statement = expire(sql, Tables.make(sql, "cascade"), { limit: 100, relay: "plan" })
      const looked = Effect.gen(function* () {
        const plans = [yield* planOf(statement, "custom"), yield* planOf(statement, "generic")]
        for (const plan of plans) {
          assert.notInclude(scanned(plan), "work")
          assert.include(Array.from(indexes(plan)), "work_deadline_idx")
          assert.isAtMost(rowsOf(plan, "work"), 300)
        }
      })
      yield* sql`ALTER TABLE cascade.work SET (autovacuum_enabled = false)`
      yield* outbox.transaction(outbox.enqueueAll(ids("late", 200).map((id) => promo(id, soon))))
      yield* pass
      yield* sql`
        INSERT INTO cascade.work (message_id, lane, due_at, deadline)
        SELECT gen_random_uuid(), 'default/low', now(), CASE WHEN n % 2 = 0 THEN now() + interval '1 day' END
        FROM generate_series(1, 50000) AS n`
      yield* sql`ANALYZE cascade.work`
      yield* looked
    }))
})
