/**
 * The outbox: three tables, hot and cold apart, and the small one of paused lanes.
 *
 * Never edited once released; what changes later is another migration.
 */
import { type Migration, table } from "./migration.ts"

export const createOutbox: Migration = {
  id: 1,
  name: "create_outbox",
  statements: (schema) => {
    const lane = table(schema, "lane")
    const message = table(schema, "message")
    const outcome = table(schema, "outcome")
    const work = table(schema, "work")
    return [
      `CREATE SCHEMA IF NOT EXISTS "${schema}"`,

      // Which migrations this schema has had.
      `
      CREATE TABLE IF NOT EXISTS ${table(schema, "migration")} (
        migration_id integer PRIMARY KEY,
        created_at timestamp with time zone NOT NULL DEFAULT now(),
        name text NOT NULL
      )`,

      // Written once, read by the claim; its unique key is what makes a tracking id stand for one message.
      `
      CREATE TABLE ${message} (
        id uuid CONSTRAINT message_pkey PRIMARY KEY,
        account text NOT NULL,
        tracking_id text NOT NULL,
        lane text NOT NULL,
        message_type text NOT NULL,
        uncertainty text NOT NULL,
        -- Versioned JSON as text: stored and compared as it was written, never rewritten by a parser.
        payload text,
        created_at timestamptz NOT NULL,
        deadline timestamptz,
        traceparent text,
        CONSTRAINT message_tracking_id_key UNIQUE (account, tracking_id),
        CONSTRAINT message_type_known CHECK (message_type IN ('transaction', 'promo', 'viber_survey', 'flashcall')),
        CONSTRAINT message_uncertainty_known CHECK (uncertainty IN ('resend', 'hold'))
      )`,

      // The hot table: narrow, and no column that a claim updates is in an index, so that claims rewrite no index (HOT).
      `
      CREATE TABLE ${work} (
        message_id uuid CONSTRAINT work_pkey PRIMARY KEY,
        lane text COLLATE "C" NOT NULL,
        due_at timestamptz NOT NULL,
        lease bigint NOT NULL DEFAULT 0,
        leased_at timestamptz,
        lease_until timestamptz,
        started integer NOT NULL DEFAULT 0,
        finished integer NOT NULL DEFAULT 0,
        attempts integer NOT NULL DEFAULT 0,
        CONSTRAINT work_finished_at_most_started CHECK (finished <= started),
        CONSTRAINT work_counts_not_negative CHECK (finished >= 0 AND attempts >= 0 AND lease >= 0)
      ) WITH (
        fillfactor = 50,
        autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0,
        autovacuum_analyze_scale_factor = 0,
        autovacuum_analyze_threshold = 1000
      )`,

      // Without a trailing id: with one, a settle might be planned as a walk over this whole index.
      `CREATE INDEX work_claim_idx ON ${work} (lane, due_at)`,

      // One row for each attempt and for the end. Its key lets each lease be settled once.
      `
      CREATE TABLE ${outcome} (
        message_id uuid NOT NULL,
        lease bigint NOT NULL,
        kind text NOT NULL,
        attempt integer NOT NULL,
        reason jsonb,
        provider_message_id text,
        relay text NOT NULL,
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        -- An operator has done something about it since: it is no end any more.
        superseded boolean NOT NULL DEFAULT false,
        CONSTRAINT outcome_pkey PRIMARY KEY (message_id, lease),
        CONSTRAINT outcome_kind_known CHECK (
          kind IN (
            'sent', 'retry', 'deferred', 'lapsed', 'uncertain', 'dead', 'expired', 'cancelled', 'requeued', 'discarded',
            'resolved'
          )
        )
      )`,

      // What waits for an operator, and nothing else.
      `
      CREATE INDEX outcome_parked_idx ON ${outcome} (kind, at)
        WHERE kind IN ('dead', 'uncertain', 'expired') AND NOT superseded`,

      // A lane without a row is open.
      `
      CREATE TABLE ${lane} (
        lane text COLLATE "C" CONSTRAINT lane_pkey PRIMARY KEY,
        -- Null: until an operator resumes it.
        paused_until timestamptz,
        -- When the pause is over: until when one relay has the right to try.
        probe_until timestamptz,
        reason jsonb,
        note text,
        trips integer NOT NULL DEFAULT 0,
        updated_at timestamptz NOT NULL DEFAULT now()
      )`,

      // Tells a writer whether a message that is there already says the same, without letting it read what others say.
      `
      CREATE FUNCTION ${table(schema, "find_existing")}(
        asked_ids text[],
        asked_accounts text[],
        asked_tracking_ids text[],
        asked_payloads text[]
      ) RETURNS TABLE (asked text, id text, same boolean)
      LANGUAGE sql STABLE SECURITY DEFINER
      SET search_path = pg_catalog, pg_temp
      AS $$
        SELECT
          asked.id,
          message.id::text,
          -- A payload that retention has scrubbed can no longer be compared.
          message.payload IS NULL OR message.payload = asked.payload
        FROM unnest(asked_ids, asked_accounts, asked_tracking_ids, asked_payloads)
          AS asked(id, account, tracking_id, payload)
        -- Lateral with a limit: looked up one by one, whatever the planner believes of the table.
        CROSS JOIN LATERAL (
          SELECT message.id, message.payload
          FROM ${message} AS message
          WHERE message.account = asked.account AND message.tracking_id = asked.tracking_id
          LIMIT 1
        ) AS message
      $$`,

      `REVOKE ALL ON FUNCTION ${table(schema, "find_existing")}(text[], text[], text[], text[]) FROM PUBLIC`
    ]
  }
}
