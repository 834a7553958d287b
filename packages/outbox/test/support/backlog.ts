import { PgClient } from "@effect/sql-pg"
import { DateTime, Effect } from "effect"

const unit = process.env.CASCADE_TEST_FULL === "1" ? 1_000_000 : 200_000

/**
 * The outbox of a busy shop, in rows. With `CASCADE_TEST_FULL=1` there are five times as many: the planner decides the
 * same, and the machine has a minute more to do.
 */
const sizes = { settled: unit, due: unit, paused: unit, scheduled: 2 * unit }

/** The lanes of {@link fill}. The paused ones are those of another account. */
export const lanes = { due: "default/low", paused: "paused/low", scheduled: "default/high" }

const hot = ["message", "work", "outcome"] as const

/**
 * Fills the tables with {@link sizes}, quickly: without WAL, and with the indexes built at the end. Leaves the
 * statistics of tables with ten rows, and nobody to renew them.
 */
export const fill = Effect.gen(function* () {
  const sql = (yield* PgClient.PgClient).withoutTransforms()
  const run = (statements: ReadonlyArray<string>) =>
    Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
  yield* run(hot.map((table) => `ALTER TABLE cascade.${table} SET (autovacuum_enabled = false)`))
  const today = (yield* DateTime.now).epochMilliseconds
  yield* run(tenRows(today))
  yield* run(hot.map((table) => `ANALYZE cascade.${table}`))
  const indexes = yield* sql<{ readonly drop: string; readonly create: string }>`
    SELECT
      CASE WHEN contype IS NULL THEN 'DROP INDEX ' || indexrelid::regclass
        ELSE format('ALTER TABLE %s DROP CONSTRAINT %I', indrelid::regclass, conname) END AS drop,
      CASE WHEN contype IS NULL THEN pg_get_indexdef(indexrelid)
        ELSE format('ALTER TABLE %s ADD CONSTRAINT %I %s', indrelid::regclass, conname, pg_get_constraintdef(con.oid))
      END AS create
    FROM pg_index LEFT JOIN pg_constraint AS con ON conindid = indexrelid
    WHERE indrelid = ANY (${hot.map((table) => `cascade.${table}`)}::text[]::regclass[])`
  yield* run(hot.map((table) => `ALTER TABLE cascade.${table} SET UNLOGGED`))
  yield* run(indexes.map(({ drop }) => drop))
  yield* run(fillings(today))
  yield* run(indexes.map(({ create }) => create))
  yield* believe(10, 1)
})

/**
 * What the planner is to believe of every table and its indexes: so many rows in so many pages. It looks up how many
 * pages there are in truth, and expects as many rows in each as it believes. `-1` rows: nothing is known.
 */
export const believe = (rows: number, pages: number) =>
  PgClient.PgClient.use((sql) =>
    sql.unsafe(`
      UPDATE pg_class SET reltuples = ${rows}, relpages = ${pages}
      WHERE oid IN (
        SELECT indexrelid FROM pg_index WHERE indrelid = ANY (${hotTables}) UNION SELECT unnest(${hotTables})
      )`)
  )

/** Nothing is known of what is in the columns. */
export const forgetColumns = PgClient.PgClient.use((sql) =>
  sql.unsafe(`DELETE FROM pg_statistic WHERE starelid = ANY (${hotTables})`)
)

/** Everything is known. */
export const analyze = PgClient.PgClient.use((sql) =>
  sql.unsafe(`ANALYZE ${hot.map((table) => `cascade.${table}`).join(", ")}`)
)

/** All but the last 1,000 of the due messages were sent and deleted, and nobody has noticed yet. */
export const emptied = PgClient.PgClient.use((sql) =>
  Effect.gen(function* () {
    yield* sql.unsafe(`CREATE TEMP TABLE kept AS
      SELECT * FROM cascade.work WHERE lane = '${lanes.due}' ORDER BY due_at DESC LIMIT 1000`)
    yield* sql.unsafe("TRUNCATE cascade.work")
    yield* sql.unsafe("INSERT INTO cascade.work SELECT * FROM kept")
    yield* believe(5_000_000, 100_000)
  }).pipe(sql.withTransaction)
)

const hotTables = `ARRAY[${hot.map((table) => `'cascade.${table}'`).join(", ")}]::regclass[]`

const day = 24 * 3_600_000

// A UUIDv7. Written so that a million of them take a second.
const id = (at: string) => `(lpad(to_hex(${at}), 12, '0') || '7' || lpad(to_hex(n), 19, '0'))::uuid`

/** So many messages, numbered on from `from`: the nth created at `at` and n times `step`, in milliseconds. */
const message = (lane: string, from: number, count: number, at: number, step: number) => `
  INSERT INTO cascade.message (id, account, tracking_id, lane, message_type, uncertainty, payload, created_at)
  SELECT
    ${id(`${at} + n * ${step}::bigint`)}, '${lane.split("/")[0] ?? ""}', '${lane} ' || n, '${lane}', 'transaction',
    'resend', '{"v":1}', to_timestamp(${at / 1000} + n * ${step / 1000}::float8)
  FROM generate_series(${from}, ${from + count - 1}) AS n`

const work = (lane: string, from: number, count: number, created: number, due: number) => `
  INSERT INTO cascade.work (message_id, lane, due_at, deadline)
  SELECT
    ${id(`${created}::bigint`)}, '${lane}', to_timestamp(${due / 1000} + n * 0.001::float8),
    -- What is paused has been too late for as long.
    CASE WHEN '${lane}' = '${lanes.paused}' THEN to_timestamp(${due / 1000} + n * 0.001::float8) END
  FROM generate_series(${from}, ${from + count - 1}) AS n`

const ended = (lease: number) => `
  INSERT INTO cascade.outcome (message_id, lease, kind, attempt, relay, at)
  SELECT id, ${lease}, 'sent', 1, 'relay', created_at + interval '1 second' FROM cascade.message`

const tenRows = (today: number) => [
  message(lanes.scheduled, 1, 10, today - 60 * day, 1),
  "INSERT INTO cascade.work (message_id, lane, due_at) SELECT id, lane, created_at FROM cascade.message",
  ended(1)
]

// Of what is paused or for later there are no messages: nobody looks for them.
const fillings = (today: number) => [
  message("default/normal", 11, sizes.settled, today - 30 * day, 2_000),
  ended(2),
  message(lanes.due, 1, sizes.due, today, 0),
  work(lanes.due, 1, sizes.due, today, today - day),
  work(lanes.paused, 2_000_000, sizes.paused, today, today - day),
  work(lanes.scheduled, 4_000_000, sizes.scheduled, today, today + day)
]
