/**
 * What state a message is in: that of its work row while it has one, else the kind of its newest outcome.
 *
 * For a statement that has `message` and, outer joined, `work`. Index: outcome_pkey, backwards, one row.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import { isFree } from "./due.ts"
import type { Tables } from "./tables.ts"

export const stateOf = (sql: SqlClient.SqlClient, tables: Tables): Fragment => sql`
      CASE
        WHEN work.message_id IS NOT NULL AND ${isFree(sql, "work")} THEN 'waiting'
        WHEN work.message_id IS NOT NULL THEN 'in-flight'
        ELSE coalesce(
          (
            SELECT CASE
              WHEN newest.kind IN ('sent', 'dead', 'uncertain', 'expired', 'cancelled', 'discarded', 'resolved')
                THEN newest.kind
            END
            FROM ${tables.outcome} AS newest
            WHERE newest.message_id = message.id
            ORDER BY newest.lease DESC
            LIMIT 1
          ),
          'lost'
        )
      END`
