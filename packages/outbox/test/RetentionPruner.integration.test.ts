import { Outbox } from "@effect-cascade/outbox/Outbox"
import { OutboxAdmin } from "@effect-cascade/outbox/OutboxAdmin"
import type { SettledKind } from "@effect-cascade/outbox/OutboxRow"
import { OutboxAdminStore } from "@effect-cascade/outbox/OutboxAdminStore"
import * as RetentionPruner from "@effect-cascade/outbox/RetentionPruner"
import { PgClient } from "@effect/sql-pg"
import { assert } from "@effect/vitest"
import { DateTime, Duration, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { finished } from "../src/internal/sql/finished.ts"
import * as Tables from "../src/internal/sql/tables.ts"
import * as Operated from "./support/admin.ts"
import { ids, transaction } from "./support/messages.ts"

const { claim, ended, enqueue } = Operated
const firstId = "00000000-0000-0000-0000-000000000000"

const sql = (statement: string) => SqlClient.SqlClient.use((client) => client.unsafe(statement))

/** Moves messages into the past, ids included: created and ended so many days earlier than they were. */
const age = Effect.fnUntraced(function* (
  trackingIds: string | ReadonlyArray<string>,
  days: { readonly created: number; readonly ended?: number }
) {
  const names = [trackingIds].flat().map((id) => `'${id}'`)
  const shifted = (id: string) => {
    const hex = `replace(${id}::text, '-', '')`
    const millis = `('x' || left(${hex}, 12))::bit(48)::bigint - ${Math.round(days.created * 86_400_000)}`
    return `(lpad(to_hex(${millis}), 12, '0') || substr(${hex}, 13))::uuid`
  }
  const those = `(SELECT id FROM cascade.message WHERE tracking_id IN (${names.join(", ")}))`
  yield* sql(`UPDATE cascade.outcome
    SET message_id = ${shifted("message_id")}, at = at - ${days.ended ?? days.created} * interval '1 day'
    WHERE message_id IN ${those}`)
  yield* sql(`UPDATE cascade.work SET message_id = ${shifted("message_id")} WHERE message_id IN ${those}`)
  yield* sql(`UPDATE cascade.message
    SET id = ${shifted("id")}, created_at = created_at - ${days.created} * interval '1 day'
    WHERE id IN ${those}`)
})

/** A message of that many days ago. */
const old = Effect.fnUntraced(function* (kind: SettledKind, trackingId: string, days: number) {
  yield* ended(kind, transaction(trackingId))
  yield* age(trackingId, { created: days })
})

/** What is left: `whole`, `scrubbed`, or nothing at all. */
const left = Effect.gen(function* () {
  const client = yield* SqlClient.SqlClient
  const rows = yield* client<{ readonly name: string; readonly state: string }>`
    SELECT tracking_id AS name, CASE WHEN payload IS NULL THEN 'scrubbed' ELSE 'whole' END AS state
    FROM cascade.message`
  return Object.fromEntries(rows.map(({ name, state }) => [name, state]))
})

Operated.onOperated("retention", (test) => {
  test("scrubs after one period, deletes after another, by the time of the end", () =>
    Effect.gen(function* () {
      yield* old("sent", "fresh", 6)
      yield* old("sent", "week", 8)
      yield* old("expired", "month", 30)
      yield* old("sent", "year", 365)
      yield* old("sent", "late", 0)
      yield* age("late", { created: 100, ended: 1 })
      const figures = yield* RetentionPruner.runOnce()
      assert.deepInclude(figures, { scrubbed: 3, deleted: 1 })
      assert.deepStrictEqual(yield* left, {
        fresh: "whole",
        week: "scrubbed",
        month: "scrubbed",
        late: "whole"
      })
      const [outcomes] = yield* SqlClient.SqlClient.use(
        (client) => client<{ readonly count: number }>`
          SELECT count(*)::int AS count FROM cascade.outcome AS o
          WHERE NOT EXISTS (SELECT FROM cascade.message AS m WHERE m.id = o.message_id)`
      )
      assert.strictEqual(outcomes?.count, 0)
      assert.deepInclude(yield* RetentionPruner.runOnce(), { scrubbed: 0, deleted: 0 })
    }))

  test("of every end that is final; never of what is not finished", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      for (const kind of ["sent", "expired", "dead", "uncertain", "retry"] as const)
        yield* old(kind, kind, 200)
      for (const name of ["discarded", "resolved", "requeued"]) yield* ended("uncertain", transaction(name))
      for (const name of ["cancelled", "scheduled", "leased"]) yield* enqueue(transaction(name))
      const idOf = (name: string) => Effect.map(admin.read("default", name), ({ id }) => id)
      yield* admin.cancel("default", "cancelled")
      yield* admin.discard({ ids: [yield* idOf("discarded")] })
      yield* admin.resolve(yield* idOf("resolved"), "sent")
      yield* admin.requeue({ ids: [yield* idOf("requeued")] })
      yield* sql(`UPDATE cascade.work SET due_at = now() + interval '1 h'
        FROM cascade.message WHERE id = message_id AND tracking_id = 'scheduled'`)
      yield* age(["cancelled", "scheduled", "leased", "discarded", "resolved", "requeued"], { created: 200 })
      yield* claim(1)
      const kept = {
        dead: "whole",
        uncertain: "whole",
        retry: "whole",
        scheduled: "whole",
        leased: "whole",
        requeued: "whole"
      }
      yield* RetentionPruner.runOnce({ deleteAfter: Duration.infinity })
      assert.deepStrictEqual(yield* left, {
        ...kept,
        sent: "scrubbed",
        expired: "scrubbed",
        cancelled: "scrubbed",
        discarded: "scrubbed",
        resolved: "scrubbed"
      })
      assert.deepInclude(yield* RetentionPruner.runOnce({ scrubAfter: Duration.infinity }), {
        scrubbed: 0,
        deleted: 5
      })
      assert.deepStrictEqual(yield* left, kept)

      assert.deepInclude(yield* RetentionPruner.runOnce({ keepParked: false }), { scrubbed: 2, deleted: 2 })
      const { dead: _, uncertain: __, ...unfinished } = kept
      assert.deepStrictEqual(yield* left, unfinished)
      assert.deepInclude((yield* admin.counts).total, { dead: 0, uncertain: 0 })
    }))

  test("in small batches", () =>
    Effect.gen(function* () {
      const all = ids("order", 45)
      for (const id of all) yield* ended("sent", transaction(id))
      yield* age(all, { created: 100 })
      const figures = yield* RetentionPruner.runOnce({ batch: 10, deleteAfter: Duration.infinity })
      assert.deepStrictEqual(figures, { scrubbed: 45, deleted: 0, walked: 45 })
      assert.deepInclude(yield* RetentionPruner.runOnce({ batch: 15 }), { scrubbed: 0, deleted: 45 })
      assert.deepStrictEqual(yield* left, {})
    }))

  test("remembers how far it came, and looks once more at what came of age lately", () =>
    Effect.gen(function* () {
      const pruner = yield* RetentionPruner.make({ deleteAfter: Duration.infinity })
      const all = ids("order", 20)
      for (const id of all) yield* ended("sent", transaction(id))
      yield* age(all, { created: 30 })
      // Came of age a minute ago, and ended a little later.
      yield* ended("sent", transaction("lately"))
      yield* age("lately", { created: 7 + 1 / 1440, ended: 7 - 1 / 1440 })
      assert.deepStrictEqual(yield* pruner.runOnce, { scrubbed: 20, deleted: 0, walked: 21 })
      assert.deepStrictEqual(yield* pruner.runOnce, { scrubbed: 0, deleted: 0, walked: 1 })
      yield* sql(`UPDATE cascade.outcome SET at = at - interval '5 minutes'`)
      assert.deepStrictEqual(yield* pruner.runOnce, { scrubbed: 1, deleted: 0, walked: 1 })
    }))

  test("keeps the tracking id of a scrubbed message, and frees that of a deleted one", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const admin = yield* OutboxAdmin
      yield* old("expired", "order-1", 8)
      yield* RetentionPruner.runOnce()
      // What it said is forgotten: whatever comes under its tracking id counts as the same.
      const other = transaction("order-1", { text: "another text" })
      assert.strictEqual((yield* outbox.transaction(outbox.enqueue(other)))._tag, "AlreadyEnqueued")
      const history = yield* admin.read("default", "order-1")
      assert.deepStrictEqual(history.content, { _tag: "Scrubbed" })
      assert.strictEqual(history.state, "expired")
      const newDeadline = DateTime.add(yield* DateTime.now, { hours: 1 })
      const refused = yield* Effect.flip(admin.requeue({ ids: [history.id] }, { newDeadline }))
      assert.deepInclude(refused, { refused: [{ id: history.id, because: "scrubbed" }] })

      yield* RetentionPruner.runOnce({ deleteAfter: "8 days" })
      assert.strictEqual((yield* outbox.transaction(outbox.enqueue(other)))._tag, "Enqueued")
    }))

  test("leaves no text and no number behind", () =>
    Effect.gen(function* () {
      yield* old("sent", "order-1", 8)
      yield* RetentionPruner.runOnce()
      const client = yield* SqlClient.SqlClient
      const rows = yield* client<{ readonly row: string }>`
        SELECT message::text AS row FROM cascade.message AS message
        UNION ALL SELECT outcome::text FROM cascade.outcome AS outcome`
      for (const { row } of rows) {
        assert.notInclude(row, "671112233")
        assert.notInclude(row, "text of")
      }
    }))

  test("shares the work with others at the same time", () =>
    Effect.gen(function* () {
      const all = ids("order", 60)
      for (const id of all) yield* ended("sent", transaction(id))
      yield* age(all, { created: 100 })
      const figures = yield* Effect.all(
        Array.from({ length: 6 }, () => RetentionPruner.runOnce({ batch: 7 })),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(
        figures.reduce((sum, { deleted }) => sum + deleted, 0),
        60
      )
      assert.deepStrictEqual(yield* left, {})
    }))
})

Operated.onOperated("retention in a race", (test) => {
  const expired = Effect.gen(function* () {
    yield* old("expired", "order-1", 200)
    return (yield* OutboxAdmin.use((admin) => admin.read("default", "order-1"))).id
  })
  const requeue = (id: string) => OutboxAdmin.use((admin) => admin.requeue({ ids: [id] }))

  test("leaves out what an operator has in hand, and then what the operator has moved", () =>
    Effect.gen(function* () {
      const id = yield* expired
      const figures = yield* Operated.meanwhile(requeue(id), RetentionPruner.runOnce())
      assert.deepInclude(figures, { scrubbed: 0, deleted: 0, walked: 2 })
      assert.deepInclude(yield* RetentionPruner.runOnce(), { scrubbed: 0, deleted: 0, walked: 2 })
      assert.strictEqual((yield* claim()).length, 1)
    }))

  test("sees a move that was committed after it had begun", () =>
    Effect.gen(function* () {
      const client = (yield* PgClient.PgClient).withoutTransforms()
      const id = yield* expired
      const move = {
        after: firstId,
        batch: 10,
        period: Duration.days(7),
        slack: Duration.minutes(5),
        keepParked: true
      }
      // Held up in its middle: its snapshot is taken, its locks are not.
      const wait = client.literal("(SELECT true FROM pg_advisory_xact_lock_shared(7))")
      const step = client<{
        readonly id: string
      }>`WITH ${finished(client, Tables.make(client, "cascade"), move, wait)} SELECT id FROM finished`
      const lock = client`SELECT pg_advisory_xact_lock(7)`
      assert.deepStrictEqual(yield* step, [{ id }])
      assert.deepStrictEqual(yield* Operated.oneAfterTheOther(lock, step, requeue(id)), [])
    }))

  test("an operator who waits for it finds nothing left to send", () =>
    Effect.gen(function* () {
      const id = yield* expired
      const store = yield* OutboxAdminStore
      const move = {
        after: firstId,
        batch: 10,
        period: Duration.days(7),
        slack: Duration.minutes(5),
        keepParked: true
      }
      const afterScrub = yield* Operated.oneAfterTheOther(store.scrub(move), Effect.flip(requeue(id)))
      assert.deepInclude(afterScrub, { _tag: "MoveRefused", refused: [{ id, because: "scrubbed" }] })
      const afterPrune = yield* Operated.oneAfterTheOther(store.prune(move), Effect.flip(requeue(id)))
      assert.deepInclude(afterPrune, { _tag: "MoveRefused", refused: [{ id, because: "unknown" }] })
    }))
})
