/**
 * Counts what waits for an operator, by lane and type of message.
 *
 * Index: outcome_parked_idx, which holds nothing else, and message_pkey once for each entry. Locks: none. No row:
 * nothing is parked.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import { stands } from "./parked.ts"
import type { Tables } from "./tables.ts"

export const countParked = (sql: SqlClient.SqlClient, tables: Tables) => sql`
    SELECT
      message.lane,
      message.message_type AS "messageType",
      (count(*) FILTER (WHERE outcome.kind = 'dead'))::int AS dead,
      (count(*) FILTER (WHERE outcome.kind = 'uncertain'))::int AS uncertain
    FROM ${tables.outcome} AS outcome
    -- With a limit, so that it is looked up and never becomes a join over the whole history.
    CROSS JOIN LATERAL (
      SELECT lane, message_type FROM ${tables.message} WHERE id = outcome.message_id LIMIT 1
    ) AS message
    WHERE ${stands(sql, ["dead", "uncertain"])}
    GROUP BY message.lane, message.message_type
    ORDER BY message.lane, message.message_type`
