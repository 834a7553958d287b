-- What OutboxMigrations makes of an empty database, read back from it, with the rights of the three roles.
-- Written by `node scripts/dump-schema.ts`; not to be edited, nor to be run: use OutboxMigrations.sql.
-- Migrations: 0001_create_outbox, 0002_rate_limit, 0003_delivery_status, 0004_work_deadline

CREATE SCHEMA cascade;

CREATE TABLE cascade.delivery_status (
  message_id uuid NOT NULL,
  account text COLLATE "C" NOT NULL,
  provider_message_id text COLLATE "C" NOT NULL,
  status text,
  confirmed boolean,
  next_check_at timestamp with time zone,
  lease bigint DEFAULT 0 NOT NULL,
  lease_until timestamp with time zone,
  checks integer DEFAULT 0 NOT NULL,
  misses integer DEFAULT 0 NOT NULL,
  checked_at timestamp with time zone,
  accepted_at timestamp with time zone DEFAULT now() NOT NULL,
  updated_at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT delivery_status_pkey PRIMARY KEY (message_id),
  CONSTRAINT delivery_status_counts_not_negative CHECK (((lease >= 0) AND (checks >= 0) AND (misses >= 0))),
  CONSTRAINT delivery_status_end_is_over CHECK (((next_check_at IS NULL) OR (NOT (confirmed AND (status = ANY (ARRAY['permanenterror'::text, 'undeliverable'::text, 'delivered'::text])))))),
  CONSTRAINT delivery_status_known CHECK ((status = ANY (ARRAY['unrecognised'::text, 'scheduled'::text, 'processing'::text, 'permanenterror'::text, 'undeliverable'::text, 'delivered'::text]))),
  CONSTRAINT delivery_status_lease_needs_check CHECK (((lease_until IS NULL) OR (next_check_at IS NOT NULL))),
  CONSTRAINT delivery_status_provider_id_short CHECK ((char_length(provider_message_id) <= 255)),
  CONSTRAINT delivery_status_state_whole CHECK (((status IS NULL) = (confirmed IS NULL)))
) WITH (
  fillfactor=70
);

CREATE TABLE cascade.lane (
  lane text COLLATE "C" NOT NULL,
  paused_until timestamp with time zone,
  probe_until timestamp with time zone,
  reason jsonb,
  note text,
  trips integer DEFAULT 0 NOT NULL,
  updated_at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT lane_pkey PRIMARY KEY (lane)
);

CREATE TABLE cascade.message (
  id uuid NOT NULL,
  account text NOT NULL,
  tracking_id text NOT NULL,
  lane text NOT NULL,
  message_type text NOT NULL,
  uncertainty text NOT NULL,
  payload text,
  created_at timestamp with time zone NOT NULL,
  deadline timestamp with time zone,
  traceparent text,
  CONSTRAINT message_pkey PRIMARY KEY (id),
  CONSTRAINT message_tracking_id_key UNIQUE (account, tracking_id),
  CONSTRAINT message_type_known CHECK ((message_type = ANY (ARRAY['transaction'::text, 'promo'::text, 'viber_survey'::text, 'flashcall'::text]))),
  CONSTRAINT message_uncertainty_known CHECK ((uncertainty = ANY (ARRAY['resend'::text, 'hold'::text])))
);

CREATE TABLE cascade.migration (
  migration_id integer NOT NULL,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  name text NOT NULL,
  CONSTRAINT migration_pkey PRIMARY KEY (migration_id)
);

CREATE TABLE cascade.outcome (
  message_id uuid NOT NULL,
  lease bigint NOT NULL,
  kind text NOT NULL,
  attempt integer NOT NULL,
  reason jsonb,
  provider_message_id text,
  relay text NOT NULL,
  at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
  superseded boolean DEFAULT false NOT NULL,
  CONSTRAINT outcome_pkey PRIMARY KEY (message_id, lease),
  CONSTRAINT outcome_kind_known CHECK ((kind = ANY (ARRAY['sent'::text, 'retry'::text, 'deferred'::text, 'lapsed'::text, 'uncertain'::text, 'dead'::text, 'expired'::text, 'cancelled'::text, 'requeued'::text, 'discarded'::text, 'resolved'::text])))
);

CREATE TABLE cascade.rate_limit (
  algorithm text COLLATE "C" NOT NULL,
  key text COLLATE "C" NOT NULL,
  until timestamp with time zone NOT NULL,
  taken double precision DEFAULT 0 NOT NULL,
  state jsonb,
  CONSTRAINT rate_limit_pkey PRIMARY KEY (algorithm, key),
  CONSTRAINT rate_limit_algorithm_known CHECK ((algorithm = ANY (ARRAY['token-bucket'::text, 'fixed-window'::text, 'adaptive'::text])))
) WITH (
  autovacuum_vacuum_cost_delay=0,
  autovacuum_vacuum_scale_factor=0,
  autovacuum_vacuum_threshold=1000,
  fillfactor=50
);

CREATE TABLE cascade.status_pause (
  account text COLLATE "C" NOT NULL,
  paused_until timestamp with time zone NOT NULL,
  CONSTRAINT status_pause_pkey PRIMARY KEY (account)
);

CREATE TABLE cascade.work (
  message_id uuid NOT NULL,
  lane text COLLATE "C" NOT NULL,
  due_at timestamp with time zone NOT NULL,
  lease bigint DEFAULT 0 NOT NULL,
  leased_at timestamp with time zone,
  lease_until timestamp with time zone,
  started integer DEFAULT 0 NOT NULL,
  finished integer DEFAULT 0 NOT NULL,
  attempts integer DEFAULT 0 NOT NULL,
  deadline timestamp with time zone,
  CONSTRAINT work_pkey PRIMARY KEY (message_id),
  CONSTRAINT work_counts_not_negative CHECK (((finished >= 0) AND (attempts >= 0) AND (lease >= 0))),
  CONSTRAINT work_finished_at_most_started CHECK ((finished <= started))
) WITH (
  autovacuum_analyze_scale_factor=0,
  autovacuum_analyze_threshold=1000,
  autovacuum_vacuum_cost_delay=0,
  autovacuum_vacuum_scale_factor=0,
  autovacuum_vacuum_threshold=1000,
  fillfactor=50
);

CREATE INDEX delivery_status_due_idx ON cascade.delivery_status USING btree (account, next_check_at) WHERE (next_check_at IS NOT NULL);

CREATE INDEX delivery_status_provider_idx ON cascade.delivery_status USING btree (account, provider_message_id);

CREATE INDEX outcome_parked_idx ON cascade.outcome USING btree (kind, at) WHERE ((kind = ANY (ARRAY['dead'::text, 'uncertain'::text, 'expired'::text])) AND (NOT superseded));

CREATE INDEX work_claim_idx ON cascade.work USING btree (lane, due_at);

CREATE INDEX work_deadline_idx ON cascade.work USING btree (deadline) WHERE (deadline IS NOT NULL);

CREATE OR REPLACE FUNCTION cascade.find_existing(asked_ids text[], asked_accounts text[], asked_tracking_ids text[], asked_payloads text[])
 RETURNS TABLE(asked text, id text, same boolean)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
    FROM "cascade".message AS message
    WHERE message.account = asked.account AND message.tracking_id = asked.tracking_id
    LIMIT 1
  ) AS message
$function$;

GRANT USAGE ON SCHEMA cascade TO cascade_admin;
GRANT DELETE, SELECT ON cascade.delivery_status TO cascade_admin;
GRANT DELETE, INSERT, SELECT, UPDATE ON cascade.lane TO cascade_admin;
GRANT DELETE, SELECT ON cascade.message TO cascade_admin;
GRANT SELECT ON cascade.migration TO cascade_admin;
GRANT DELETE, SELECT ON cascade.outcome TO cascade_admin;
GRANT DELETE, SELECT ON cascade.work TO cascade_admin;
GRANT UPDATE (deadline, payload) ON cascade.message TO cascade_admin;
GRANT INSERT (attempt, kind, lease, message_id, reason, relay, superseded), UPDATE (superseded) ON cascade.outcome TO cascade_admin;
GRANT INSERT (attempts, deadline, due_at, lane, lease, message_id), UPDATE (due_at) ON cascade.work TO cascade_admin;
GRANT USAGE ON SCHEMA cascade TO cascade_relay;
GRANT SELECT ON cascade.delivery_status TO cascade_relay;
GRANT DELETE, SELECT ON cascade.lane TO cascade_relay;
GRANT SELECT ON cascade.migration TO cascade_relay;
GRANT DELETE, INSERT, SELECT, UPDATE ON cascade.rate_limit TO cascade_relay;
GRANT INSERT, SELECT, UPDATE ON cascade.status_pause TO cascade_relay;
GRANT DELETE, SELECT ON cascade.work TO cascade_relay;
GRANT INSERT (account, message_id, next_check_at, provider_message_id), UPDATE (checked_at, checks, confirmed, lease, lease_until, misses, next_check_at, status, updated_at) ON cascade.delivery_status TO cascade_relay;
GRANT INSERT (lane, paused_until, probe_until, reason, trips, updated_at), UPDATE (paused_until, probe_until, reason, trips, updated_at) ON cascade.lane TO cascade_relay;
GRANT SELECT (account, created_at, deadline, id, message_type, payload, traceparent, tracking_id, uncertainty) ON cascade.message TO cascade_relay;
GRANT INSERT (attempt, kind, lease, message_id, provider_message_id, reason, relay), SELECT (kind, lease, message_id, relay) ON cascade.outcome TO cascade_relay;
GRANT UPDATE (attempts, due_at, finished, lease, lease_until, leased_at, started) ON cascade.work TO cascade_relay;
GRANT USAGE ON SCHEMA cascade TO cascade_writer;
GRANT SELECT ON cascade.migration TO cascade_writer;
GRANT SELECT (accepted_at, checks, confirmed, message_id, next_check_at, provider_message_id, status, updated_at) ON cascade.delivery_status TO cascade_writer;
GRANT INSERT (account, created_at, deadline, id, lane, message_type, payload, traceparent, tracking_id, uncertainty), SELECT (account, id, tracking_id) ON cascade.message TO cascade_writer;
GRANT INSERT (deadline, due_at, lane, message_id) ON cascade.work TO cascade_writer;
GRANT EXECUTE ON FUNCTION cascade.find_existing(text[],text[],text[],text[]) TO cascade_writer;
