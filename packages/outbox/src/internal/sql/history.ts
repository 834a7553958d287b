/**
 * Outcomes as JSON, in the order in which they happened.
 *
 * For a statement that has `message`. Index: outcome_pkey.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { millis } from "./millis.ts"
import type { Tables } from "./tables.ts"

/** One outcome, by its alias. */
export const outcomeJson = (sql: SqlClient.SqlClient, outcome: string): Fragment => sql`
      jsonb_build_object(
        'kind', ${sql.literal(`${outcome}.kind`)},
        'attempt', ${sql.literal(`${outcome}.attempt`)},
        'reason', ${sql.literal(`${outcome}.reason`)},
        'providerMessageId', ${sql.literal(`${outcome}.provider_message_id`)},
        'by', ${sql.literal(`${outcome}.relay`)},
        'at', ${millis(sql, `${outcome}.at`)}
      )`

/** The outcomes of `message`: all of them, or those that say whether it may have been sent. */
export const outcomesOf = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  which: "all" | "doubtful"
): Fragment => sql`
      (
        SELECT coalesce(jsonb_agg(${outcomeJson(sql, "past")} ORDER BY past.lease), '[]')
        FROM ${tables.outcome} AS past
        WHERE past.message_id = message.id
          AND ${
            which === "all"
              ? sql.literal("true")
              : sql.literal("past.kind IN ('retry', 'lapsed', 'uncertain', 'dead', 'expired', 'resolved')")
          }
      )`
