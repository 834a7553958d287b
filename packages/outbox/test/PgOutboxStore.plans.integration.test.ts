import { PgClient } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Array as Arr, Duration, Effect } from "effect"
import { claim } from "../src/internal/sql/claim.ts"
import { expire } from "../src/internal/sql/expire.ts"
import { inIndexOrder } from "../src/internal/sql/inIndexOrder.ts"
import { insert } from "../src/internal/sql/insert.ts"
import { prune } from "../src/internal/sql/prune.ts"
import { renew } from "../src/internal/sql/renew.ts"
import { scrub } from "../src/internal/sql/scrub.ts"
import { settle } from "../src/internal/sql/settle.ts"
import * as Tables from "../src/internal/sql/tables.ts"
import { database } from "./support/admin.ts"
import * as Backlog from "./support/backlog.ts"
import { indexes, pages, planOf, rowsOf, scanned } from "./support/plan.ts"

const relay = "relay"
const tables = ["work", "message", "outcome"]

/** How many rows a claim gets of the one lane that has any. */
const claimed = 400

/** Above this cost a server compiles a plan first, unless told otherwise: longer than any of these takes. */
const jitCost = 100_000

const statementsOf = Effect.gen(function* () {
  const sql = (yield* PgClient.PgClient).withoutTransforms()
  const names = Tables.make(sql, "cascade")
  const due = yield* sql<{ readonly id: string }>`
    SELECT message_id::text AS id FROM cascade.work WHERE lane = ${Backlog.lanes.due} ORDER BY due_at LIMIT 1000`
  const lease = sql`
    UPDATE cascade.work SET lease_until = now() + interval '30 seconds', lease = 1, started = 1
    WHERE message_id = ANY (${due.map(({ id }) => id)}::text[]::uuid[])`
  const lapse = sql`
    UPDATE cascade.work SET lease_until = now() - interval '1 second', lease = 1, started = 1
    WHERE message_id = ANY (${due.map(({ id }) => id)}::text[]::uuid[])`
  if (!Arr.isReadonlyArrayNonEmpty(due)) return assert.fail("nothing is due")
  const rows = due
  // A relay of five accounts.
  const accounts = Arr.make("default", "account-1", "account-2", "account-3", "account-4")
  const capacities = Arr.flatMap(accounts, (account) =>
    Arr.map(Arr.make("urgent", "high", "normal", "low"), (priority) => ({
      lane: `${account}/${priority}`,
      limit: claimed
    }))
  )
  const asked = {
    capacities,
    from: capacities.map(() => -Infinity),
    leaseMillis: 30_000,
    relay,
    lapseReason: "{}"
  }
  const kinds = ["sent", "retry", "deferred", "released", "uncertain", "dead", "expired"]
  const outcomes = Arr.map(rows, ({ id }, index) => ({
    id,
    // One in ten has lost its lease.
    lease: index % 10 === 0 ? "7" : "1",
    kind: kinds[index % kinds.length] ?? "sent",
    delayMillis: 1_000,
    counted: true,
    reason: '{"_tag":"TimedOut"}',
    providerMessageId: `provider-${index}`
  }))
  const retention = {
    after: "00000000-0000-0000-0000-000000000000",
    batch: 1_000,
    period: Duration.days(7),
    slack: Duration.minutes(5),
    keepParked: true
  }
  const news = Arr.map(
    rows,
    (_, index) =>
      ({
        id: `0199b0c0-0000-7000-8000-${String(index).padStart(12, "0")}`,
        account: "default",
        // Half of them are there already.
        trackingId: index % 2 === 0 ? `new-${index}` : `${Backlog.lanes.due} ${index}`,
        lane: "default/low",
        messageType: "transaction",
        uncertainty: "resend",
        payload: "{}",
        availableAt: undefined,
        ttlFrom: undefined,
        ttlMillis: 60_000,
        traceparent: undefined
      }) as const
  )
  const leases = Arr.map(rows, ({ id }) => ({ id, lease: 1n }))
  // What the function find_existing does.
  const found = sql`
    SELECT asked.id, message.id
    FROM unnest(
      ${news.map(({ id }) => id)}::text[], ${news.map(() => "default")}::text[],
      ${news.map(({ trackingId }) => trackingId)}::text[]
    ) AS asked(id, account, tracking_id)
    CROSS JOIN LATERAL (
      SELECT message.id FROM cascade.message AS message
      WHERE message.account = asked.account AND message.tracking_id = asked.tracking_id
      LIMIT 1
    ) AS message`
  const base = { before: Effect.void, modes: ["custom"], hurried: true } as const
  const claiming = {
    modes: ["custom", "generic"],
    hurried: false,
    before: inIndexOrder(sql),
    statement: claim(sql, names, asked),
    rows: claimed,
    pages: 60,
    indexes: ["work_claim_idx", "work_pkey", "message_pkey"]
  } as const
  const settling = { ...base, before: lease, rows: rows.length, pages: 25 }
  const retaining = { ...base, hurried: false, rows: retention.batch, pages: 80 }
  const walked = ["message_pkey", "outcome_pkey", "work_pkey"]
  // The statements of the writers are kept prepared.
  const writing = { ...base, modes: ["custom", "generic"], rows: rows.length, pages: 20 } as const
  return {
    claim: claiming,
    "claim of what lapsed": { ...claiming, before: Effect.andThen(lapse, inIndexOrder(sql)) },
    expire: {
      ...claiming,
      statement: expire(sql, names, { limit: 1_000, relay }),
      rows: 1_000,
      indexes: ["work_deadline_idx", "work_pkey", "message_pkey"]
    },
    settle: {
      ...settling,
      statement: settle(sql, names, outcomes, relay, undefined),
      indexes: ["work_pkey", "outcome_pkey"]
    },
    "settle with tracking": {
      ...settling,
      statement: settle(sql, names, outcomes, relay, 5_000),
      indexes: ["work_pkey", "outcome_pkey", "message_pkey"]
    },
    renew: { ...settling, statement: renew(sql, names, leases, 30_000), indexes: ["work_pkey"] },
    prune: { ...retaining, statement: prune(sql, names, retention), indexes: walked },
    scrub: { ...retaining, statement: scrub(sql, names, retention), indexes: walked },
    insert: { ...writing, statement: insert(sql, names, news), indexes: [] },
    "find existing": { ...writing, statement: found, indexes: ["message_tracking_id_key"] }
  }
})

layer(database, { excludeTestServices: true })("what a relay runs in its loop", (it) => {
  it.effect(
    "touches what it moves and no more, whatever lies about and whatever the statistics say",
    () =>
      Effect.gen(function* () {
        yield* Backlog.fill
        const states = {
          "of ten rows": Effect.void,
          "of full tables that are empty": Backlog.believe(0, 100_000),
          "never taken": Effect.andThen(Backlog.forgetColumns, Backlog.believe(-1, 0)),
          "up to date": Backlog.analyze,
          "of a backlog that is gone": Backlog.emptied
        }
        for (const [statistics, prepare] of Object.entries(states)) {
          yield* prepare
          for (const [name, asked] of Object.entries(yield* statementsOf)) {
            for (const mode of asked.modes) {
              const plan = yield* planOf(asked.statement, mode, asked.before)
              const where = `${name}, ${mode} plan, statistics ${statistics}`
              // Less is more where there is little to look through.
              if (statistics !== "of a backlog that is gone") {
                const hot = scanned(plan).filter((table) => tables.includes(table))
                assert.deepStrictEqual(hot, [], where)
                assert.includeMembers(Array.from(indexes(plan)), [...asked.indexes], where)
              }
              for (const table of tables) {
                assert.isAtMost(rowsOf(plan, table), 4 * asked.rows, `${where}: ${table}`)
              }
              assert.isAtMost(pages(plan), asked.pages * asked.rows, where)
              if (asked.hurried) assert.isBelow(plan[0]?.["Total Cost"] ?? Infinity, jitCost, where)
            }
          }
        }
      }),
    300_000
  )
})
