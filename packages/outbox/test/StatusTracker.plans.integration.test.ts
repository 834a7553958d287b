import { PgClient } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Array as Arr, Effect } from "effect"
import { claimStatusChecks } from "../src/internal/sql/claimStatusChecks.ts"
import { readStatus } from "../src/internal/sql/readStatus.ts"
import { recordStatus } from "../src/internal/sql/recordStatus.ts"
import { settle } from "../src/internal/sql/settle.ts"
import { settleStatusCheck } from "../src/internal/sql/settleStatusCheck.ts"
import * as StatusTables from "../src/internal/sql/statusTables.ts"
import * as Tables from "../src/internal/sql/tables.ts"
import { database } from "./support/followed.ts"
import { indexes, planOf, rowsOf, scanned } from "./support/plan.ts"

const all = 100_000

/** Months of messages: nearly all at their end, 1 in 50 still followed, half of those due. */
const fill = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  const run = (statement: string) => sql.unsafe(statement)
  // Statistics are what the test makes them.
  for (const table of ["message", "delivery_status"]) {
    yield* run(`ALTER TABLE cascade.${table} SET (autovacuum_enabled = false)`)
    yield* run(`ANALYZE cascade.${table}`)
  }
  const id = `(lpad(to_hex(g), 12, '0') || '7' || lpad(to_hex(g), 19, '0'))::uuid`
  yield* run(`
    INSERT INTO cascade.message (id, account, tracking_id, lane, message_type, uncertainty, payload, created_at)
    SELECT ${id}, 'default', 'm' || g, 'default/high', 'transaction', 'resend', repeat('x', 200), now()
    FROM generate_series(1, ${all}) AS g`)
  yield* run(`
    INSERT INTO cascade.delivery_status
      (message_id, account, provider_message_id, status, confirmed, next_check_at)
    SELECT
      ${id}, 'default', 'p' || g,
      CASE WHEN g % 50 <> 0 THEN 'delivered' END,
      CASE WHEN g % 50 <> 0 THEN true END,
      CASE WHEN g % 50 = 0 THEN now() + CASE WHEN g % 100 = 0 THEN interval '-1 hour' ELSE interval '1 hour' END END
    FROM generate_series(1, ${all}) AS g`)
})

const statementsOf = (client: PgClient.PgClient) => {
  const sql = client.withoutTransforms()
  const tables = { ...Tables.make(sql, "cascade"), ...StatusTables.make(sql, "cascade") }
  const state = { status: "delivered", confirmed: true } as const
  const id = "00000000-0064-7000-0000-000000000064"
  const check = { id, lease: 0n, state, next: { kind: "over" }, checks: 1, misses: 0 } as const
  const sent = Arr.makeBy(200, (index) => ({
    id,
    lease: String(index),
    kind: "sent",
    delayMillis: 0,
    counted: true,
    reason: "",
    providerMessageId: "p"
  }))
  return {
    claim: [
      claimStatusChecks(sql, tables, [{ account: "default", limit: 50 }], 60_000),
      ["delivery_status_due_idx", "delivery_status_pkey", "message_pkey"]
    ],
    "settle a check": [settleStatusCheck(sql, tables, check), ["delivery_status_pkey"]],
    "settle a check that found nothing": [
      settleStatusCheck(sql, tables, { ...check, state: undefined }),
      ["delivery_status_pkey"]
    ],
    record: [
      recordStatus(sql, tables, "default", "p50", state),
      ["delivery_status_provider_idx", "delivery_status_pkey", "message_pkey"]
    ],
    read: [readStatus(sql, tables, "default", "m50"), ["message_tracking_id_key", "delivery_status_pkey"]],
    "settle what was sent": [settle(sql, tables, sent, "relay", 0), ["message_pkey"]]
  } as const
}

layer(database, { excludeTestServices: true })("the statements of delivery status", (it) => {
  it.effect("read no table from end to end, whatever the statistics say", () =>
    Effect.gen(function* () {
      const sql = yield* PgClient.PgClient
      yield* fill
      for (const statistics of ["of empty tables", "up to date"]) {
        if (statistics === "up to date") yield* sql`ANALYZE`
        for (const [name, [statement, expected]] of Object.entries(statementsOf(sql))) {
          for (const mode of ["custom", "generic"] as const) {
            const plan = yield* planOf(statement, mode)
            const where = `${name}, ${mode} plan, statistics ${statistics}`
            assert.notInclude(scanned(plan), "message", where)
            assert.notInclude(scanned(plan), "delivery_status", where)
            assert.includeMembers(Array.from(indexes(plan)), [...expected], where)
            if (name === "claim") assert.isAtMost(rowsOf(plan, "delivery_status"), 300, where)
          }
        }
      }
    })
  )
})
