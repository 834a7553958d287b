import * as EnqueuedMessages from "@effect-cascade/testing/EnqueuedMessages"
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
  Effect.map(recorded(trackingId), (outcomes) =>
    outcomes.map(({ attempt, by, kind, providerMessageId, reason }): OutcomeRow => ({
      kind,
      attempt,
      reason: reason?._tag ?? null,
      by: reason?._tag === "CutShort" ? reason.by : null,
      relay: by,
      messageId: providerMessageId ?? null
    }))
  )

/** The story of a message in short: `["lapsed 0", "sent 1"]`, each with the number of the attempt. */
export const storyOf = (trackingId: string) =>
  Effect.map(recorded(trackingId), (outcomes) => outcomes.map(({ attempt, kind }) => `${kind} ${attempt}`))

const recorded = (trackingId: string) =>
  EnqueuedMessages.EnqueuedMessages.use(({ all }) => all).pipe(
    Effect.map((all) => all.filter((message) => message.trackingId === trackingId)),
    Effect.map((found) => found.flatMap(({ outcomes }) => outcomes)),
    Effect.provide(EnqueuedMessages.layerPg())
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
