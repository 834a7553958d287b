import { Outbox } from "@effect-cascade/outbox/Outbox"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import { assert } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { accepted, onFollowed, statusRow } from "./support/followed.ts"
import { transaction } from "./support/messages.ts"
import { outcomesOf } from "./support/rows.ts"

const minute = Duration.minutes(1)

onFollowed("what is followed", (test) => {
  test("is what was sent, from the statement that says so", () =>
    Effect.gen(function* () {
      const store = yield* OutboxStore
      yield* accepted(["a", "b"])
      const row = {
        account: "default",
        status: null,
        confirmed: null,
        lease: 0,
        leased: false,
        checks: 0,
        misses: 0
      }
      for (const id of ["a", "b"]) {
        const { dueIn, ...rest } = (yield* statusRow(id)) ?? assert.fail("not followed")
        assert.deepStrictEqual(rest, { ...row, providerId: `provider-${id}` })
        assert.isAtMost(dueIn ?? 1, 0)
        assert.strictEqual((yield* outcomesOf(id)).length, 1)
      }

      // And nothing else: what is settled in another way is not.
      const outbox = yield* Outbox
      yield* outbox.transaction(outbox.enqueueAll([transaction("dead"), transaction("retry")]))
      const [dead, retry] = yield* store.claim([{ lane: "default/high", limit: 2 }], {
        lease: minute,
        relay: "test"
      })
      if (dead === undefined || retry === undefined) return assert.fail("nothing claimed")
      const common = { delayMillis: 0, counted: true, reason: undefined, providerMessageId: "p" }
      const settled = yield* store.settle(
        [
          { ...common, id: dead.id, lease: dead.lease, kind: "dead" },
          { ...common, id: retry.id, lease: retry.lease, kind: "retry" }
        ],
        { relay: "test" }
      )
      assert.strictEqual(settled.size, 2)
      assert.isUndefined(yield* statusRow("dead"))
      assert.isUndefined(yield* statusRow("retry"))
    }))

  test("is not what a relay has lost the lease of", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const store = yield* OutboxStore
      yield* outbox.transaction(outbox.enqueue(transaction("a")))
      const [row] = yield* store.claim([{ lane: "default/high", limit: 1 }], { lease: minute, relay: "test" })
      if (row === undefined) return assert.fail("nothing claimed")
      const common = { delayMillis: 0, counted: true, reason: undefined, providerMessageId: "p" }
      const sent = { ...common, id: row.id, kind: "sent" as const }
      assert.strictEqual(
        (yield* store.settle([{ ...sent, lease: row.lease + 1n }], { relay: "test" })).size,
        0
      )
      assert.isUndefined(yield* statusRow("a"))
      // The same settle twice follows it once.
      assert.strictEqual((yield* store.settle([{ ...sent, lease: row.lease }], { relay: "test" })).size, 1)
      assert.strictEqual((yield* store.settle([{ ...sent, lease: row.lease }], { relay: "test" })).size, 1)
      assert.strictEqual((yield* statusRow("a"))?.providerId, "p")
    }))

  test("is what was accepted first, should a message ever be sent once more", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const store = yield* OutboxStore
      const known = yield* accepted(["a"])
      yield* sql`INSERT INTO cascade.work (message_id, lane, due_at, lease)
        VALUES (${known.get("a") ?? ""}::uuid, 'default/high', now(), 7)`
      const [row] = yield* store.claim([{ lane: "default/high", limit: 1 }], { lease: minute, relay: "test" })
      if (row === undefined) return assert.fail("nothing claimed")
      const common = { delayMillis: 0, counted: true, reason: undefined, providerMessageId: "another" }
      const sent = { ...common, id: row.id, lease: row.lease, kind: "sent" as const }
      assert.strictEqual((yield* store.settle([sent], { relay: "test" })).size, 1)
      assert.strictEqual((yield* outcomesOf("a")).length, 2)
      assert.strictEqual((yield* statusRow("a"))?.providerId, "provider-a")
    }))

  test("never keeps an outcome from being written, whatever the provider calls its messages", () =>
    Effect.gen(function* () {
      yield* accepted(["same-1", "same-2"], { providerId: () => "one for all" })
      yield* accepted(["long"], { providerId: () => "x".repeat(100_000) })
      yield* accepted(["empty"], { providerId: () => "" })
      yield* accepted(["odd"], { providerId: () => "\u0000\ud800 \u{1f4a9}" })
      for (const id of ["same-1", "same-2", "long", "empty", "odd"]) {
        assert.deepStrictEqual(
          (yield* outcomesOf(id)).map(({ kind }) => kind),
          ["sent"],
          id
        )
      }
      assert.isDefined(yield* statusRow("same-1"))
      assert.isDefined(yield* statusRow("same-2"))
      assert.isUndefined(yield* statusRow("long"))
      assert.isUndefined(yield* statusRow("empty"))
    }))
})
