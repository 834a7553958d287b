/**
 * The state of rate limits that relays on many machines share.
 */
import { type Migration, table } from "./migration.ts"

export const rateLimit: Migration = {
  id: 2,
  name: "rate_limit",
  statements: (schema) => [
    // No column that changes is in an index, and the row is small: an update stays on its page (HOT).
    `
    CREATE TABLE ${table(schema, "rate_limit")} (
      algorithm text COLLATE "C" NOT NULL,
      key text COLLATE "C" NOT NULL,
      -- When the row says nothing any more: the bucket is full, the window over, what was learned too old.
      until timestamptz NOT NULL,
      -- Fixed window: the tokens taken in it.
      taken double precision NOT NULL DEFAULT 0,
      -- Adaptive: what was learned.
      state jsonb,
      CONSTRAINT rate_limit_pkey PRIMARY KEY (algorithm, key),
      CONSTRAINT rate_limit_algorithm_known CHECK (algorithm IN ('token-bucket', 'fixed-window', 'adaptive'))
    ) WITH (
      fillfactor = 50,
      autovacuum_vacuum_scale_factor = 0,
      autovacuum_vacuum_threshold = 1000,
      autovacuum_vacuum_cost_delay = 0
    )`
  ]
}
