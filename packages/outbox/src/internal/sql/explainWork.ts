/**
 * Reads everything that decides why a message has not gone yet, by the claim's own conditions.
 *
 * Index: message_tracking_id_key, work_pkey, lane_pkey, outcome_pkey; work_claim_idx for the rows before it, no
 * further than the limit. Locks: none. No row: there is no such message.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import { isDue, isFree, isPaused } from "./due.ts"
import { outcomeJson, outcomesOf } from "./history.ts"
import { millis } from "./millis.ts"
import type { Tables } from "./tables.ts"

export const explainWork = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  options: { readonly account: string; readonly trackingId: string; readonly aheadLimit: number }
) => sql`
    SELECT
      message.id::text AS id,
      message.message_type AS "messageType",
      ${millis(sql, "message.deadline")} AS deadline,
      ${millis(sql, "now()")} AS "asOf",
      CASE WHEN waiting.message_id IS NOT NULL THEN
        jsonb_build_object(
          'lane', waiting.lane,
          'dueAt', ${millis(sql, "waiting.due_at")},
          'attempts', waiting.attempts,
          'due', ${isDue(sql, "waiting")},
          'free', ${isFree(sql, "waiting")},
          'leasedAt', ${millis(sql, "waiting.leased_at")},
          'leaseUntil', ${millis(sql, "waiting.lease_until")},
          'ahead', ahead.rows
        )
      END AS work,
      CASE WHEN lane.lane IS NOT NULL THEN
        jsonb_build_object(
          'lane', lane.lane,
          'paused', ${isPaused(sql, "lane")},
          'until', ${millis(sql, "lane.paused_until")},
          'reason', lane.reason,
          'note', lane.note,
          'trips', lane.trips,
          'since', ${millis(sql, "lane.updated_at")}
        )
      END AS "heldLane",
      newest.outcome AS newest,
      ${outcomesOf(sql, tables, "doubtful")} AS outcomes
    FROM ${tables.message} AS message
    LEFT JOIN ${tables.work} AS waiting ON waiting.message_id = message.id
    LEFT JOIN ${tables.lane} AS lane ON lane.lane = waiting.lane
    LEFT JOIN LATERAL (
      SELECT ${outcomeJson(sql, "last")} AS outcome
      FROM ${tables.outcome} AS last
      WHERE last.message_id = message.id
      ORDER BY last.lease DESC
      LIMIT 1
    ) AS newest ON true
    LEFT JOIN LATERAL (
      SELECT count(*)::int AS rows
      FROM (
        SELECT
        FROM ${tables.work} AS work
        WHERE work.lane = waiting.lane AND work.due_at < waiting.due_at AND ${isDue(sql, "work")}
        ORDER BY work.due_at
        LIMIT ${String(options.aheadLimit)}::int
      ) AS first
    ) AS ahead ON true
    WHERE message.account = ${options.account} AND message.tracking_id = ${options.trackingId}`
