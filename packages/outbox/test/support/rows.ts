import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/** What was written about a message, in the order in which it happened. */
export interface OutcomeRow {
  readonly kind: string
  readonly attempt: number
  /** The tag of the reason. */
  readonly reason: string | null
  /** Who cut it short, where that is the reason. */
  readonly by: string | null
  readonly relay: string
  readonly messageId: string | null
}

/** Everything that was written about a message. */
export const outcomesOf = (trackingId: string) =>
  SqlClient.SqlClient.use(
    (sql) => sql<OutcomeRow>`
      SELECT
        outcome.kind, outcome.attempt, outcome.reason->>'_tag' AS reason, outcome.reason->>'by' AS by, outcome.relay,
        outcome.provider_message_id AS "messageId"
      FROM cascade.outcome AS outcome
      JOIN cascade.message AS message ON message.id = outcome.message_id
      WHERE message.tracking_id = ${trackingId}
      ORDER BY outcome.lease`
  )

/** The story of a message in short: `["lapsed 0", "sent 1"]`, each with the number of the attempt. */
export const storyOf = (trackingId: string) =>
  SqlClient.SqlClient.use((sql) =>
    sql<{ readonly line: string }>`
      SELECT outcome.kind || ' ' || outcome.attempt AS line
      FROM cascade.outcome AS outcome
      JOIN cascade.message AS message ON message.id = outcome.message_id
      WHERE message.tracking_id = ${trackingId}
      ORDER BY outcome.lease`.pipe(Effect.map((rows) => rows.map(({ line }) => line)))
  )

/** What is still to be done about a message. */
export interface WorkRow {
  readonly lane: string
  readonly lease: number
  readonly attempts: number
  readonly started: number
  readonly finished: number
  readonly leased: boolean
  /** Milliseconds from now until it is due. */
  readonly dueIn: number
}

/** What is still to be done about a message; empty when it is over. */
export const workOf = (trackingId: string) =>
  SqlClient.SqlClient.use(
    (sql) => sql<WorkRow>`
      SELECT
        work.lane, work.lease::int AS lease, work.attempts, work.started, work.finished,
        work.lease_until IS NOT NULL AS leased,
        extract(epoch FROM work.due_at - now())::float8 * 1000 AS "dueIn"
      FROM cascade.work AS work
      JOIN cascade.message AS message ON message.id = work.message_id
      WHERE message.tracking_id = ${trackingId}`
  )

/** How many rows each table has. */
export const counts = SqlClient.SqlClient.use((sql) =>
  Effect.map(
    sql<{ readonly message: number; readonly work: number; readonly outcome: number; readonly shop: number }>`
      SELECT
        (SELECT count(*)::int FROM cascade.message) AS message,
        (SELECT count(*)::int FROM cascade.work) AS work,
        (SELECT count(*)::int FROM cascade.outcome) AS outcome,
        (SELECT count(*)::int FROM shop_order) AS shop`,
    ([row]) => row
  )
)

/** How many outcomes of each kind there are. */
export const kinds = SqlClient.SqlClient.use((sql) =>
  Effect.map(
    sql<{ readonly kind: string; readonly count: number }>`
      SELECT kind, count(*)::int AS count FROM cascade.outcome GROUP BY kind ORDER BY kind`,
    (rows) => Object.fromEntries(rows.map(({ count, kind }) => [kind, count]))
  )
)

/** Lets every lease run out. */
export const expireLeases = SqlClient.SqlClient.use(
  (sql) =>
    sql`UPDATE cascade.work SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL`
)
