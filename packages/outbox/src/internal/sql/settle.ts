/**
 * Writes what became of a batch of leased rows, of every kind at once.
 *
 * Guarded by id and lease: a row that another relay has leased since then is left alone and not returned. The same
 * settle again, when the answer to the first was lost, changes nothing and answers as the first. Index: work_pkey,
 * and outcome_pkey for rows whose lease is gone. Locks: the rows, in the order of their ids, so that two settles never
 * wait for each other crosswise. Rows returned: the ids that are settled so.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import type * as SqlClient from "effect/sql/SqlClient"
import type { Tables } from "./tables.ts"
import { trackSent } from "./trackSent.ts"

export interface EncodedSettlement {
  readonly id: string
  readonly lease: string
  readonly kind: string
  readonly delayMillis: number
  readonly counted: boolean
  /** JSON, or empty. */
  readonly reason: string
  /** The provider's id, or empty. */
  readonly providerMessageId: string
}

export const settle = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  rows: NonEmptyReadonlyArray<EncodedSettlement>,
  relay: string,
  /** How long after its acceptance a message is first asked about; `undefined` where nobody follows messages. */
  firstCheckMillis?: number | undefined
) => sql<{ readonly id: string }>`
    WITH settlement AS (
      SELECT
        id::uuid AS id,
        lease::bigint AS lease,
        kind,
        delay_millis::float8 AS delay_millis,
        counted::int AS counted,
        nullif(reason, '')::jsonb AS reason,
        nullif(provider_message_id, '') AS provider_message_id
      FROM unnest(
        ${rows.map((row) => row.id)}::text[],
        ${rows.map((row) => row.lease)}::text[],
        ${rows.map((row) => row.kind)}::text[],
        ${rows.map((row) => String(row.delayMillis))}::text[],
        ${rows.map((row) => (row.counted ? "1" : "0"))}::text[],
        ${rows.map((row) => row.reason)}::text[],
        ${rows.map((row) => row.providerMessageId)}::text[]
      ) AS t(id, lease, kind, delay_millis, counted, reason, provider_message_id)
    ),
    -- Lateral with a limit: looked up one by one, whatever the planner believes of the table.
    held AS MATERIALIZED (
      SELECT settlement.*, least(work.attempts, 2147483646) + settlement.counted AS attempt
      FROM (SELECT * FROM settlement ORDER BY settlement.id) AS settlement
      CROSS JOIN LATERAL (
        SELECT work.attempts
        FROM ${tables.work} AS work
        WHERE work.message_id = settlement.id AND work.lease = settlement.lease AND work.lease_until IS NOT NULL
        LIMIT 1
        FOR UPDATE
      ) AS work
    ),
    ended AS (
      DELETE FROM ${tables.work} AS work
      WHERE work.message_id = ANY (
        ARRAY(SELECT held.id FROM held WHERE held.kind IN ('sent', 'dead', 'expired', 'uncertain'))
      )
    ),
    returned AS (
      UPDATE ${tables.work} AS work
      SET
        lease_until = NULL,
        finished = work.finished + 1,
        attempts = held.attempt,
        due_at = CASE held.kind
          WHEN 'retry' THEN now() + held.delay_millis * interval '1 millisecond'
          ELSE work.due_at
        END
      FROM held
      WHERE work.message_id = held.id
        AND work.lease = held.lease
        AND held.kind IN ('retry', 'deferred', 'released')
    ),
    recorded AS (
      INSERT INTO ${tables.outcome} (message_id, lease, kind, attempt, reason, provider_message_id, relay)
      SELECT id, lease, kind, attempt, reason, provider_message_id, ${relay}
      FROM held
      -- A released row was never tried: there is nothing to record.
      WHERE kind <> 'released'
    )${firstCheckMillis === undefined ? sql.literal("") : trackSent(sql, tables, firstCheckMillis)},
    -- Materialized, and looked up one by one: as a rule there is none, and a join might read all outcomes to find that.
    unheld AS MATERIALIZED (
      SELECT id, lease, kind FROM settlement WHERE id NOT IN (SELECT id FROM held)
    )
    SELECT id::text AS id FROM held
    UNION ALL
    SELECT unheld.id::text
    FROM unheld
    CROSS JOIN LATERAL (
      SELECT
      FROM ${tables.outcome} AS outcome
      WHERE outcome.message_id = unheld.id
        AND outcome.lease = unheld.lease
        AND outcome.kind = unheld.kind
        AND outcome.relay = ${relay}
      LIMIT 1
    ) AS written_before`
