/**
 * The part of the settle statement that puts accepted messages under observation: in one statement with the outcome
 * `sent`, so that a crash leaves both or neither.
 *
 * A CTE behind `held`, the settled rows. Index: message_pkey, delivery_status_pkey. An id that is too long to be one of
 * the provider's cannot be asked for, and is left out.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import * as StatusTables from "./statusTables.ts"
import type { Tables } from "./tables.ts"

/** Begins with a comma. `firstCheckMillis`: how long after its acceptance a message is first asked about. */
export const trackSent = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  firstCheckMillis: number
): Fragment => sql`,
    tracked AS (
      INSERT INTO ${StatusTables.make(sql, tables.schema).deliveryStatus}
        (message_id, account, provider_message_id, next_check_at)
      SELECT
        held.id,
        accepted.account,
        held.provider_message_id,
        now() + ${Math.min(firstCheckMillis, aYear)}::float8 * interval '1 millisecond'
      FROM held
      -- Lateral, with a limit: looked up one by one, whatever the planner believes of the table.
      CROSS JOIN LATERAL (
        SELECT message.account FROM ${tables.message} AS message WHERE message.id = held.id LIMIT 1
      ) AS accepted
      WHERE held.kind = 'sent' AND char_length(held.provider_message_id) <= 255
      -- Whatever is there already, the outcome must be written.
      ON CONFLICT ON CONSTRAINT delivery_status_pkey DO NOTHING
    )`

/** An instant that Postgres cannot hold would keep the outcome from being written. */
const aYear = 365 * 24 * 3_600_000
