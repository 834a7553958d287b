import { PgClient } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Array as Arr, Duration, Effect } from "effect"
import { conclude } from "../src/internal/sql/conclude.ts"
import { countLanes } from "../src/internal/sql/countLanes.ts"
import { countParked } from "../src/internal/sql/countParked.ts"
import { explainWork } from "../src/internal/sql/explainWork.ts"
import { listParked } from "../src/internal/sql/listParked.ts"
import { prune } from "../src/internal/sql/prune.ts"
import { readMessage } from "../src/internal/sql/readMessage.ts"
import { readStates } from "../src/internal/sql/readStates.ts"
import { requeue } from "../src/internal/sql/requeue.ts"
import { scrub } from "../src/internal/sql/scrub.ts"
import * as Tables from "../src/internal/sql/tables.ts"
import { database } from "./support/admin.ts"
import { indexes, planOf, rowsOf, scanned } from "./support/plan.ts"

const settled = 200_000
const firstId = "00000000-0000-0000-0000-000000000000"
const batch = 1_000

/** A month of messages: nearly all sent, 1 in 200 dead, half of those requeued since; a week of payloads. */
const fill = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  const run = (statement: string) => sql.unsafe(statement)
  // Statistics are what the test makes them.
  for (const table of ["message", "outcome", "work"]) {
    yield* run(`ALTER TABLE cascade.${table} SET (autovacuum_enabled = false)`)
    yield* run(`ANALYZE cascade.${table}`)
  }
  yield* run(`
    INSERT INTO cascade.message (
      id, account, tracking_id, lane, message_type, uncertainty, payload, created_at
    )
    SELECT
      (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || lpad(to_hex(g), 19, '0'))::uuid,
      'default', 'm' || g, 'default/high', 'transaction', 'resend',
      CASE WHEN at > now() - interval '8 days' THEN repeat('x', 200) END, at
    FROM (SELECT g, now() - (${settled} - g) * interval '13 seconds' AS at FROM generate_series(1, ${settled}) AS g) AS t`)
  yield* run(`
    INSERT INTO cascade.outcome (message_id, lease, kind, attempt, relay, at, superseded)
    SELECT
      id, 1, CASE WHEN hashtext(tracking_id) % 200 = 0 THEN 'dead' ELSE 'sent' END, 1, 'relay',
      created_at + interval '1 second', hashtext(tracking_id) % 400 = 0
    FROM cascade.message`)
  yield* run(`
    INSERT INTO cascade.work (message_id, lane, due_at, lease)
    SELECT message_id, 'default/high', now(), 2 FROM cascade.outcome WHERE superseded`)
})

const statementsOf = (sql: PgClient.PgClient) => {
  const tables = Tables.make(sql, "cascade")
  const move = { by: "test", resetAttempts: true, newDeadline: undefined, resolves: false }
  const dead = { state: "dead", filter: {}, limit: 100 } as const
  const named = {
    ids: Arr.makeBy(50, () => firstId),
    states: ["dead", "uncertain", "expired"]
  } as const
  const retention = {
    after: firstId,
    batch,
    period: Duration.days(7),
    slack: Duration.minutes(5),
    keepParked: true
  }
  const asked = { account: "default", trackingId: "m199999" }
  const after = { micros: String(10 ** 15), id: firstId }
  return {
    countLanes: [countLanes(sql, tables), ["message_pkey"]],
    countParked: [countParked(sql, tables), ["outcome_parked_idx", "message_pkey"]],
    list: [listParked(sql, tables, { ...dead, after: undefined }), ["outcome_parked_idx", "message_pkey"]],
    "list on": [listParked(sql, tables, { ...dead, after }), ["outcome_parked_idx", "message_pkey"]],
    read: [
      readMessage(sql, tables, asked.account, asked.trackingId),
      ["message_tracking_id_key", "outcome_pkey"]
    ],
    states: [readStates(sql, tables, named.ids, undefined), ["message_pkey", "outcome_pkey"]],
    explain: [
      explainWork(sql, tables, { ...asked, aheadLimit: 10_000 }),
      ["message_tracking_id_key", "outcome_pkey", "work_claim_idx"]
    ],
    "requeue by filter": [
      requeue(sql, tables, dead, move),
      ["outcome_parked_idx", "outcome_pkey", "message_pkey"]
    ],
    "requeue by ids": [requeue(sql, tables, named, move), ["outcome_pkey", "message_pkey"]],
    "discard by filter": [
      conclude(sql, tables, dead, { by: "test", kind: "discarded" }),
      ["outcome_parked_idx", "outcome_pkey", "message_pkey"]
    ],
    scrub: [scrub(sql, tables, retention), ["message_pkey", "outcome_pkey", "work_pkey"]],
    prune: [
      prune(sql, tables, { ...retention, period: Duration.days(20) }),
      ["message_pkey", "outcome_pkey", "work_pkey"]
    ]
  } as const
}

layer(database, { excludeTestServices: true })("the operator's statements", (it) => {
  it.effect("read no history from end to end, whatever the statistics say", () =>
    Effect.gen(function* () {
      const sql = (yield* PgClient.PgClient).withoutTransforms()
      yield* fill
      for (const statistics of ["of empty tables", "up to date"]) {
        if (statistics === "up to date") yield* sql`ANALYZE`
        for (const [name, [statement, expected]] of Object.entries(statementsOf(sql))) {
          for (const mode of ["custom", "generic"] as const) {
            const plan = yield* planOf(statement, mode)
            const where = `${name}, ${mode} plan, statistics ${statistics}`
            assert.notInclude(scanned(plan), "message", where)
            assert.notInclude(scanned(plan), "outcome", where)
            assert.includeMembers(Array.from(indexes(plan)), [...expected], where)
            if (name === "scrub" || name === "prune") {
              assert.isAtMost(rowsOf(plan, "message"), 4 * batch, where)
              assert.isAtMost(rowsOf(plan, "outcome"), 4 * batch, where)
            }
          }
        }
      }
    })
  )
})
