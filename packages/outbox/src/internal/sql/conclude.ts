/**
 * Ends parked messages for good: as discarded, or as found to have been sent.
 *
 * Index and locks: see chosen. Rows returned: the ids that moved; what is missing was not in the state that was asked
 * for.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { Choice, ConcludeMove } from "../../OutboxAdminStore.ts"
import { chosen, superseded } from "./chosen.ts"
import type { Tables } from "./tables.ts"

export const conclude = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  choice: Choice,
  move: ConcludeMove
) => sql<{ readonly id: string }>`
    WITH ${chosen(sql, tables, choice, sql.literal("true"))},${superseded(sql, tables, choice)},
    recorded AS (
      INSERT INTO ${tables.outcome} (message_id, lease, kind, attempt, relay)
      SELECT message_id, lease + 1, ${move.kind}, attempt, ${move.by}
      FROM chosen
    )
    SELECT message_id::text AS id FROM chosen`
