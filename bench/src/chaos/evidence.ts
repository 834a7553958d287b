/** What is there when a run is over: the tables, the provider's ledger and the notes of every process. */
import * as Effect from "effect/Effect"
import { groupBy } from "./groupBy.ts"
import * as Notes from "./notes.ts"
import type { World } from "./world.ts"

/** A row of `outcome`. Instants are milliseconds since the epoch. */
export interface Outcome {
  readonly lease: number
  readonly kind: string
  readonly attempt: number
  /** The tag of the reason, or `null` where there is none. */
  readonly reason: string | null
  readonly relay: string
  readonly at: number
}

/** A message of the outbox with all that became of it. */
export interface MessageFacts {
  readonly id: string
  readonly trackingId: string
  readonly uncertainty: "resend" | "hold"
  readonly deadline: number | undefined
  /** In the order of the leases. */
  readonly outcomes: ReadonlyArray<Outcome>
}

/** One acceptance by the provider. */
export interface Acceptance {
  readonly trackingId: string
  /** When its request came. */
  readonly at: number
}

export interface Evidence {
  /** Orders in the table of the shop, with the number of messages that were enqueued with each. */
  readonly orders: ReadonlyMap<string, number>
  readonly messages: ReadonlyArray<MessageFacts>
  readonly ledger: ReadonlyArray<Acceptance>
  /** Rows left in `work`. */
  readonly workLeft: number
  /** What the producers noted of their orders. */
  readonly committed: ReadonlySet<string>
  readonly rolledBack: ReadonlySet<string>
  readonly doubtful: ReadonlySet<string>
  /** Orders that a producer had begun when it was killed, or whose end it did not get to know. */
  readonly begun: ReadonlySet<string>
  /** Messages that were called off, with an answer that says so. */
  readonly cancelled: ReadonlySet<string>
  /** Failures of producers that are none of a lost connection. */
  readonly odd: ReadonlyArray<string>
  /** Which relay was given a lease: by `id lease`. */
  readonly claims: ReadonlyMap<string, string>
}

export const gather = Effect.fnUntraced(function* (world: World) {
  const { sql } = world
  const orders = yield* sql<{ readonly id: string; readonly messages: number }>`
    SELECT id, messages FROM shop_order`
  const rows = yield* sql<{
    readonly id: string
    readonly trackingId: string
    readonly uncertainty: "resend" | "hold"
    readonly deadline: number | null
  }>`
    SELECT id::text AS id, tracking_id AS "trackingId", uncertainty,
      (extract(epoch FROM deadline) * 1000)::float8 AS deadline
    FROM cascade.message`
  const outcomes = yield* sql<{
    readonly id: string
    readonly lease: number
    readonly kind: string
    readonly attempt: number
    readonly reason: string | null
    readonly relay: string
    readonly at: number
  }>`
    SELECT message_id::text AS id, lease::float8 AS lease, kind, attempt, reason->>'_tag' AS reason, relay,
      (extract(epoch FROM at) * 1000)::float8 AS at
    FROM cascade.outcome
    ORDER BY message_id, lease`
  const [left] = yield* sql<{ readonly count: number }>`SELECT count(*)::int AS count FROM cascade.work`

  const byMessage = groupBy(outcomes, ({ id }) => id)
  const messages = rows.map((row): MessageFacts => ({
    id: row.id,
    trackingId: row.trackingId,
    uncertainty: row.uncertainty,
    deadline: row.deadline ?? undefined,
    outcomes: byMessage.get(row.id) ?? []
  }))

  const received = yield* world.emulator.ledger.all
  const requests = new Map((yield* world.emulator.requests).map(({ at, number }) => [number, at]))
  const ledger = received.map(({ acceptedAt, request, trackingId }) => ({
    trackingId,
    at: requests.get(request) ?? acceptedAt
  }))

  const noted = yield* Effect.promise(() => Notes.read(world.folder, "producer-"))
  const claims = yield* Effect.promise(() => Notes.read(world.folder, "relay-"))
  const of = (kind: string) =>
    new Set(noted.filter(({ words }) => words[0] === kind).map(({ words }) => words[1] ?? ""))
  const evidence: Evidence = {
    orders: new Map(orders.map(({ id, messages }) => [id, messages])),
    messages,
    ledger,
    workLeft: left?.count ?? Number.NaN,
    committed: of("committed"),
    rolledBack: of("rolled-back"),
    doubtful: of("doubtful"),
    begun: of("begun"),
    cancelled: of("cancelled"),
    odd: noted.filter(({ words }) => words[0] === "odd").map(({ words }) => words.slice(1).join(" ")),
    claims: new Map(claims.map(({ file, words }) => [`${words[1]} ${words[2]}`, file]))
  }
  return evidence
})
