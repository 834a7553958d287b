/** Messages in the outbox's tables as its own write side would have left them, made by the server itself. */
import * as OutboxMigrations from "@effect-cascade/outbox/OutboxMigrations"
import * as Effect from "effect/Effect"
import { shopTable } from "../systems/System.ts"
import type { Range } from "./messages.ts"
import type { Database } from "./server.ts"

/** Waiting in a lane since so long; or until then, where it is negative. */
export interface Waiting {
  readonly range: Range
  /** Defaults to `"high"`, that of transactions. */
  readonly priority?: "high" | "low" | undefined
  /** Defaults to 1 minute. */
  readonly dueMinutesAgo?: number | undefined
}

export const tables = async (database: Database): Promise<void> => {
  await database.query(shopTable)
  for (const { text } of await Effect.runPromise(OutboxMigrations.sql())) await database.query(text)
}

export const waiting = async (
  database: Database,
  { dueMinutesAgo = 1, priority = "high", range }: Waiting
) => {
  await database.query(`
    WITH written AS (${messages(range, priority)})
    INSERT INTO cascade.work (message_id, lane, due_at, deadline)
    SELECT
      id,
      'default/${priority}',
      now() - ${dueMinutesAgo} * interval '1 minute' + row_number() OVER () * interval '1 microsecond',
      now() + interval '2 days'
    FROM written`)
}

/** Sent a while ago: what history keeps of them. */
export const settled = async (database: Database, range: Range) => {
  await database.query(`
    WITH written AS (${messages(range, "high")})
    INSERT INTO cascade.outcome (message_id, lease, kind, attempt, provider_message_id, relay, at)
    SELECT id, 1, 'sent', 1, '00000000-0000-4000-8000-000000000000', 'before', now() - interval '1 hour'
    FROM written`)
}

export const pauseLane = async (database: Database, lane: string) => {
  await database.query("INSERT INTO cascade.lane (lane, note) VALUES ($1, 'closed for the benchmark')", [
    lane
  ])
}

// As `notice` in messages.ts makes them.
const messages = ({ count, first }: Range, priority: "high" | "low") => {
  const [type, uncertainty] = priority === "high" ? ["transaction", "resend"] : ["promo", "hold"]
  return `
    INSERT INTO cascade.message
      (id, account, tracking_id, lane, message_type, uncertainty, payload, created_at, deadline)
    SELECT
      uuidv7(),
      'default',
      'order-confirmed:' || n,
      'default/${priority}',
      '${type}',
      '${uncertainty}',
      '{"v":1,"message":{"id":"order-confirmed:' || n || '","fromName":"Shop","toPhone":"+38067'
        || lpad((n % 10000000)::text, 7, '0') || '","messageType":"${type}","text":"Your order ' || n
        || ' is confirmed and will be delivered tomorrow between 10:00 and 14:00. Thank you!","ttl":86400},'
        || '"route":"standard","schedule":"outbox"}',
      now() - interval '1 minute',
      now() + interval '2 days'
    FROM generate_series(${first}::bigint, ${first + count - 1}::bigint) AS n
    RETURNING id`
}
