/**
 * The messages that an operator moves, locked.
 *
 * Index: outcome_pkey for ids, outcome_parked_idx for a filter, message_pkey. Locks: the standing outcome and then the
 * message of each, until the transaction ends. The message too, because retention may just have taken its payload
 * away. By ids it waits for whoever has them, since an answer is owed for each; by a filter it takes others instead.
 */
import type * as SqlClient from "effect/sql/SqlClient"
import type { Fragment } from "effect/sql/Statement"
import type { Choice } from "../../OutboxAdminStore.ts"
import { matches, stands, standsThere } from "./parked.ts"
import type { Tables } from "./tables.ts"

/** The CTEs `found` and `chosen`. `condition` is one more that `message` has to meet. */
export const chosen = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  choice: Choice,
  condition: Fragment
): Fragment => sql`
    -- Materialized: the limit and the locks must be taken once, before any row is changed. Lateral with a limit: looked
    -- up one by one, never joined with a whole history.
    found AS MATERIALIZED (${"ids" in choice ? named(sql, tables, choice) : matching(sql, tables, choice, condition)}
    ),
    chosen AS MATERIALIZED (
      SELECT found.message_id, found.lease, found.attempt, message.lane, message.deadline
      FROM found
      CROSS JOIN LATERAL (
        SELECT message.lane, message.deadline
        FROM ${tables.message} AS message
        WHERE message.id = found.message_id AND ${condition}
        LIMIT 1
        FOR UPDATE
      ) AS message
    )`

/** Marks the ends of the chosen ones as superseded, as a CTE. */
export const superseded = (sql: SqlClient.SqlClient, tables: Tables, choice: Choice): Fragment => sql`
    superseded AS (
      UPDATE ${tables.outcome} AS outcome
      SET superseded = true
      WHERE outcome.message_id = ANY (ARRAY(SELECT message_id FROM chosen))
        AND ${standsThere(sql, "ids" in choice ? choice.states : [choice.state])}
    )`

const named = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  { ids, states }: Extract<Choice, { readonly ids: unknown }>
) =>
  sql`
      SELECT outcome.*
      -- In one order, so that two operators never wait for each other crosswise.
      FROM unnest(${[...ids].sort()}::text[]) AS asked(id)
      CROSS JOIN LATERAL (
        SELECT outcome.message_id, outcome.lease, outcome.attempt
        FROM ${tables.outcome} AS outcome
        WHERE outcome.message_id = asked.id::uuid AND ${standsThere(sql, states)}
        LIMIT 1
        FOR UPDATE
      ) AS outcome`

const matching = (
  sql: SqlClient.SqlClient,
  tables: Tables,
  { filter, limit, state }: Extract<Choice, { readonly filter: unknown }>,
  condition: Fragment
) => sql`
      SELECT outcome.message_id, outcome.lease, outcome.attempt
      FROM ${tables.outcome} AS outcome
      CROSS JOIN LATERAL (
        SELECT FROM ${tables.message} AS message
        WHERE message.id = outcome.message_id AND ${matches(sql, filter)} AND ${condition}
        LIMIT 1
      ) AS message
      WHERE ${stands(sql, [state])}
      ORDER BY outcome.at
      LIMIT ${String(limit)}::int
      FOR UPDATE OF outcome SKIP LOCKED`
