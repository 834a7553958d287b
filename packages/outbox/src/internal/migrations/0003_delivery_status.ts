/**
 * What became of messages after the provider accepted them, and which of them is to be asked about when.
 *
 * Never edited once released; what changes later is another migration.
 */
import { type Migration, table } from "./migration.ts"

export const deliveryStatus: Migration = {
  id: 3,
  name: "delivery_status",
  statements: (schema) => {
    const status = table(schema, "delivery_status")
    return [
      `
      CREATE TABLE ${status} (
        message_id uuid CONSTRAINT delivery_status_pkey PRIMARY KEY,
        account text COLLATE "C" NOT NULL,
        -- Not unique: what the provider calls its messages is its own affair, and must not keep an outcome from being
        -- written.
        provider_message_id text COLLATE "C" NOT NULL,
        -- Null: nothing was heard yet.
        status text,
        confirmed boolean,
        -- Null: it is not asked about any more.
        next_check_at timestamptz,
        lease bigint NOT NULL DEFAULT 0,
        lease_until timestamptz,
        checks integer NOT NULL DEFAULT 0,
        -- How many of the last checks in a row found that the provider does not know the message.
        misses integer NOT NULL DEFAULT 0,
        checked_at timestamptz,
        accepted_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT delivery_status_known CHECK (
          status IN ('unrecognised', 'scheduled', 'processing', 'permanenterror', 'undeliverable', 'delivered')
        ),
        CONSTRAINT delivery_status_state_whole CHECK ((status IS NULL) = (confirmed IS NULL)),
        CONSTRAINT delivery_status_end_is_over CHECK (
          next_check_at IS NULL OR NOT (confirmed AND status IN ('permanenterror', 'undeliverable', 'delivered'))
        ),
        CONSTRAINT delivery_status_lease_needs_check CHECK (lease_until IS NULL OR next_check_at IS NOT NULL),
        CONSTRAINT delivery_status_provider_id_short CHECK (char_length(provider_message_id) <= 255),
        CONSTRAINT delivery_status_counts_not_negative CHECK (lease >= 0 AND checks >= 0 AND misses >= 0)
      ) WITH (fillfactor = 70)`,

      // Only what is to be asked about is in it, and no column that a claim updates, so that claims rewrite no index (HOT).
      `
      CREATE INDEX delivery_status_due_idx ON ${status} (account, next_check_at)
      WHERE next_check_at IS NOT NULL`,

      // The provider's calls name a message by nothing else.
      `CREATE INDEX delivery_status_provider_idx ON ${status} (account, provider_message_id)`,

      // An account without a row, or whose pause is over, may be asked with.
      `
      CREATE TABLE ${table(schema, "status_pause")} (
        account text COLLATE "C" CONSTRAINT status_pause_pkey PRIMARY KEY,
        paused_until timestamptz NOT NULL
      )`
    ]
  }
}
