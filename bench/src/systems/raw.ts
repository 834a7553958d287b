/**
 * The limit: a loop by hand on `pg` and `undici`, with no library between them.
 *
 * It has the outbox's tables and runs the outbox's own three statements, taken as text from where the outbox has
 * them, so that it cannot fall behind. It leaves out whatever a loop by hand leaves out: validation, lanes, renewal of
 * leases, retries, events, time-outs.
 */
import * as OutboxMigrations from "@effect-cascade/outbox/OutboxMigrations"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import * as Statement from "effect/sql/Statement"
import { Pool, type PoolClient } from "pg"
import type { NewRow } from "../../../packages/outbox/src/OutboxRow.ts"
import { claim } from "../../../packages/outbox/src/internal/sql/claim.ts"
import { inIndexOrder } from "../../../packages/outbox/src/internal/sql/inIndexOrder.ts"
import { insert } from "../../../packages/outbox/src/internal/sql/insert.ts"
import { settle } from "../../../packages/outbox/src/internal/sql/settle.ts"
import * as Tables from "../../../packages/outbox/src/internal/sql/tables.ts"
import { type Notice, notice, notices, parts } from "../support/messages.ts"
import { makePoster, type Poster } from "../support/post.ts"
import { insertOrder, shopTable, type System, type Target } from "./System.ts"

/** As the relay's: batches of one lane under way at a time, here and at the sink. */
const slots = 4

const lane = "default/high"

// Only compiles statements; nothing is ever run on it.
const sql = Statement.make(Effect.never, PgClient.makeCompiler(), [], undefined) as SqlClient
const tables = Tables.make(sql, OutboxMigrations.defaultSchema)

interface Claimed {
  readonly id: string
  readonly lease: string
  readonly trackingId: string
  readonly payload: string
  readonly remainingMillis: number
}

export const make = (): System => {
  let pool: Pool
  let batchSize = 1_000
  let poster: Poster | undefined
  let handled = 0
  const stopping = { now: false }
  let loop: Promise<void> | undefined
  let failure: unknown

  const run = async <Row>(
    on: Pool | PoolClient,
    name: string,
    statement: { readonly compile: () => readonly [string, ReadonlyArray<unknown>] }
  ): Promise<ReadonlyArray<Row>> => {
    const [text, values] = statement.compile()
    return (await on.query({ name, text, values: [...values] })).rows as ReadonlyArray<Row>
  }

  const insertAll = (on: PoolClient, name: string, messages: ReadonlyArray<Notice>) => {
    const [first, ...others] = messages.map(rowOf)
    return first === undefined ? undefined : run(on, name, insert(sql, tables, [first, ...others]))
  }

  const inTransaction = async (action: (client: PoolClient) => Promise<unknown>) => {
    const client = await pool.connect()
    try {
      await client.query("BEGIN")
      await action(client)
      await client.query("COMMIT")
    } finally {
      client.release()
    }
  }

  const work = async (batch: ReadonlyArray<Claimed>) => {
    const receipts = await poster?.post(batch.map(wireOf))
    const [first, ...others] = batch.map((row) => ({
      id: row.id,
      lease: row.lease,
      kind: "sent",
      delayMillis: 0,
      counted: true,
      reason: "",
      providerMessageId: receipts === undefined ? "nowhere" : (receipts.get(row.trackingId) ?? "")
    }))
    if (first === undefined) return
    const settled = await run(pool, "settle", settle(sql, tables, [first, ...others], "raw"))
    handled += settled.length
  }

  // As the outbox's store does it: the settings leave the claim one plan, and end with the transaction.
  const take = async (limit: number) => {
    const client = await pool.connect()
    try {
      await client.query("BEGIN ISOLATION LEVEL READ COMMITTED")
      await run(client, "in-index-order", inIndexOrder(sql))
      const rows = await run<Claimed>(
        client,
        "claim",
        claim(sql, tables, {
          capacities: [{ lane, limit }],
          leaseMillis: 30_000,
          relay: "raw",
          lapseReason: "{}"
        })
      )
      await client.query("COMMIT")
      return rows
    } finally {
      client.release()
    }
  }

  const relay = async () => {
    const running = new Set<Promise<void>>()
    while (!stopping.now) {
      const rows = await take((slots - running.size) * batchSize)
      for (const part of parts({ first: 0, count: rows.length }, batchSize)) {
        const one = work(rows.slice(part.first, part.first + part.count)).finally(() => running.delete(one))
        running.add(one)
      }
      if (rows.length === 0 && running.size === 0) return
      if (running.size >= slots || rows.length === 0) await Promise.race(running)
    }
    await Promise.all(running)
  }

  return {
    open: async (url, options) => {
      batchSize = options.batchSize ?? batchSize
      pool = new Pool({ connectionString: url, max: options.connections ?? 10 })
      // The database is dropped as soon as the pool says that it has ended, which is before its last connections are gone.
      pool.on("error", () => {})
      const { rows } = await pool.query("SELECT to_regclass('cascade.work') AS found")
      if (rows[0]?.found !== null) return
      await pool.query(shopTable)
      for (const { text } of await Effect.runPromise(OutboxMigrations.sql())) await pool.query(text)
    },
    clear: async () => {
      await pool.query("TRUNCATE cascade.message, cascade.work, cascade.outcome, shop_order")
    },
    enqueueAll: async (range, size) => {
      for (const part of parts(range, size)) {
        await inTransaction(async (client) => insertAll(client, `insert-${size}`, notices(part)))
      }
    },
    commitOne: (number) =>
      inTransaction(async (client) => {
        const one = notice(number)
        await client.query({ name: "order", text: insertOrder, values: [number, one.toPhone] })
        await insertAll(client, "insert", [one])
      }),
    start: async (target: Target) => {
      poster = target.kind === "sink" ? makePoster(target.url) : undefined
      handled = 0
      stopping.now = false
      loop = relay()
      loop.catch((error) => {
        failure = error
      })
    },
    stop: async () => {
      stopping.now = true
      await loop
      await poster?.close()
    },
    handled: () => {
      if (failure !== undefined) throw failure
      return handled
    },
    isSettled: async () => true,
    close: () => pool.end()
  }
}

/** A row of the outbox, as its own write side would make it. */
export const rowOf = (message: Notice): NewRow => ({
  id: SecureRandom.uuidV7Unsafe(),
  account: "default",
  trackingId: message.id,
  lane,
  messageType: message.messageType,
  uncertainty: "resend",
  payload: JSON.stringify({ v: 1, message, route: "standard", schedule: "outbox" }),
  availableAt: undefined,
  ttlFrom: undefined,
  ttlMillis: message.ttl * 1_000,
  traceparent: undefined
})

const wireOf = (row: Claimed): Notice => {
  const { message } = JSON.parse(row.payload) as { readonly message: Notice }
  return { ...message, ttl: Math.floor(row.remainingMillis / 1_000) }
}
