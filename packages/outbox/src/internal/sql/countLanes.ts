/**
 * Counts what waits, by lane and type of message.
 *
 * Reads all of `work`, which holds unfinished messages only, and message_pkey once for each of them. Locks: none. No
 * row: nothing waits.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import { isDue, isFree } from "./due.ts"
import type { Tables } from "./tables.ts"

export const countLanes = (sql: SqlClient.SqlClient, tables: Tables) => sql`
    SELECT
      work.lane,
      coalesce(message.message_type, 'unknown') AS "messageType",
      (count(*) FILTER (WHERE ${isDue(sql, "work")}))::int AS due,
      (count(*) FILTER (WHERE ${isFree(sql, "work")} AND NOT (${isDue(sql, "work")})))::int AS scheduled,
      (count(*) FILTER (WHERE NOT ${isFree(sql, "work")}))::int AS leased,
      floor(extract(epoch FROM now() - min(work.due_at) FILTER (WHERE ${isDue(sql, "work")})) * 1000)::float8
        AS "oldestDueMillis"
    FROM ${tables.work} AS work
    -- With a limit, so that it is looked up and never becomes a join over the whole history. Left: a work row without
    -- its message counts too.
    LEFT JOIN LATERAL (
      SELECT message_type FROM ${tables.message} WHERE id = work.message_id LIMIT 1
    ) AS message ON true
    GROUP BY work.lane, message.message_type
    ORDER BY work.lane, message.message_type`
