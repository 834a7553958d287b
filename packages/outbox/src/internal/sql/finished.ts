/**
 * One step of retention: which finished messages, of the next few in the order of their ids, have been so for long.
 *
 * A message is finished when the end that stands says so and it has no work row. Ids are UUIDv7: their order is that
 * of creation, so that the range of ids bounds the walk by age and message_pkey serves it. Index: message_pkey,
 * outcome_pkey, work_pkey. Locks: the messages and their standing outcomes; what another has locked is left out. The
 * outcome, because an operator who requeues it supersedes it, which the lock then sees.
 */
import * as Duration from "effect/Duration"
import type * as SqlClient from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import type { RetentionMove } from "../../OutboxAdminStore.ts"
import type { Tables } from "./tables.ts"

/** The CTEs `walked` (what it looks at) and `finished` (what is to be touched), which meets `condition` on `message`. */
export const finished = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  move: RetentionMove,
  condition: Fragment
): Fragment => sql`
    walked AS MATERIALIZED (
      SELECT next.id, next.wanted
      FROM (
        SELECT message.id, ${condition} AS wanted
        FROM ${tables.message} AS message
        WHERE message.id > ${move.after}::uuid
        ORDER BY message.id
        LIMIT ${String(move.batch)}::int
      ) AS next
      -- Out here: a range with two ends might be taken for so small that it is read and sorted as a whole.
      WHERE next.id < ${firstIdOfAge(sql, move.period)}
    ),
    -- Lateral with a limit: looked up one by one, never joined with a whole history.
    finished AS MATERIALIZED (
      SELECT walked.id
      FROM walked
      CROSS JOIN LATERAL (
        SELECT outcome.message_id
        FROM ${tables.outcome} AS outcome
        WHERE walked.wanted
          AND outcome.message_id = walked.id
          AND NOT outcome.superseded
          AND outcome.kind || '' IN (${sql.literal(kinds(move.keepParked))})
          AND outcome.at <= now() - ${Duration.toMillis(move.period)}::float8 * interval '1 millisecond'
          AND NOT EXISTS (SELECT FROM ${tables.work} AS work WHERE work.message_id = walked.id)
        LIMIT 1
        FOR UPDATE SKIP LOCKED
      ) AS ended
      CROSS JOIN LATERAL (
        SELECT
        FROM ${tables.message} AS message
        WHERE message.id = ended.message_id AND ${condition}
        LIMIT 1
        FOR UPDATE SKIP LOCKED
      ) AS locked
    )`

/** What every step answers with. */
export const stepOf = (sql: SqlClient.SqlClient, move: RetentionMove, changed: string): Fragment => {
  const settled = firstIdOfAge(sql, Duration.sum(move.period, move.slack))
  return sql`
    SELECT
      (SELECT count(*) FROM walked)::int AS walked,
      (SELECT id::text FROM walked ORDER BY id DESC LIMIT 1) AS last,
      (SELECT id::text FROM walked WHERE id < ${settled} ORDER BY id DESC LIMIT 1) AS resume,
      (SELECT count(*) FROM ${sql.literal(changed)})::int AS changed`
}

const kinds = (keepParked: boolean): string =>
  ["sent", "expired", "cancelled", "discarded", "resolved", ...(keepParked ? [] : ["dead", "uncertain"])]
    .map((kind) => `'${kind}'`)
    .join(", ")

// The first 48 bits of a UUIDv7 are milliseconds since 1970.
const firstIdOfAge = (sql: SqlClient.SqlClient, age: Duration.Duration): Fragment => sql`
        rpad(
          lpad(
            to_hex(greatest(0, floor(extract(epoch FROM now()) * 1000 - ${Duration.toMillis(age)}::float8))::bigint),
            12, '0'
          ),
          32, '0'
        )::uuid`
