/**
 * Counts the promises: what the outbox says against what the provider received.
 */
import { SmsBatEmulator } from "@effect-cascade/testing"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { Database } from "./places.ts"
import { trackingId } from "./shop.ts"

/** The figures of a run. */
export interface Audit {
  readonly committed: number
  readonly rolledBack: number
  /** Messages in the outbox. As many as committed orders, if the promise holds. */
  readonly enqueued: number
  readonly accepted: number
  readonly retried: number
  readonly expired: number
  readonly uncertain: number
  readonly dead: number
  /** Copies on the provider's ledger. */
  readonly received: number
  /** Committed, not on the ledger, and nowhere shown as dead, expired or uncertain. */
  readonly lost: number
  /** Copies beyond the first. */
  readonly duplicates: number
  /** Those of them that no recorded unknown outcome explains. */
  readonly duplicatesUnexplained: number
  /** Copies beyond the first of a message that was never to be repeated. */
  readonly duplicatesHeld: number
  readonly afterDeadline: number
  readonly rolledBackButSent: number
}

/** What must be zero. */
export const broken = (audit: Audit): ReadonlyArray<string> => [
  ...(audit.committed === audit.enqueued ? [] : ["committed orders and enqueued messages differ"]),
  ...(audit.lost === 0 ? [] : [`${audit.lost} lost`]),
  ...(audit.duplicatesUnexplained === 0
    ? []
    : [`${audit.duplicatesUnexplained} duplicates without a recorded reason`]),
  ...(audit.duplicatesHeld === 0
    ? []
    : [`${audit.duplicatesHeld} duplicates of messages that may be sent once only`]),
  ...(audit.afterDeadline === 0 ? [] : [`${audit.afterDeadline} sent after their deadline`]),
  ...(audit.rolledBackButSent === 0 ? [] : [`${audit.rolledBackButSent} sent although rolled back`])
]

/** Counts, when nothing is under way any more. */
export const take = Effect.fn("audit")(function* (rolledBackOrders: ReadonlyArray<number>) {
  const sql = yield* SqlClient.SqlClient
  const emulator = yield* SmsBatEmulator.SmsBatEmulator
  const { schema } = yield* Database
  const table = (name: string) => sql(`${schema}.${name}`)

  const orders = yield* sql<{ readonly id: number }>`SELECT id FROM ${table("shop_order")}`
  const messages = yield* sql<{
    readonly tracking_id: string
    readonly uncertainty: string
    readonly deadline: Date | null
    readonly ended: string | null
    readonly retries: number
    readonly unknowns: number
  }>`
    SELECT
      message.tracking_id,
      message.uncertainty,
      message.deadline,
      max(outcome.kind) FILTER (WHERE outcome.kind IN ('sent', 'dead', 'expired', 'uncertain')) AS ended,
      (count(*) FILTER (WHERE outcome.kind = 'retry'))::int AS retries,
      (count(*) FILTER (
        WHERE outcome.reason->>'_tag' IN (
          'ServerError', 'UnexpectedStatus', 'TimedOut', 'ConnectionLost', 'UnreadableReply', 'CutShort'
        )
      ))::int AS unknowns
    FROM ${table("message")} AS message
    LEFT JOIN ${table("outcome")} AS outcome ON outcome.message_id = message.id
    GROUP BY message.id`

  const ledger = yield* emulator.ledger.all
  const receipts = new Map<string, number>()
  for (const { trackingId } of ledger) receipts.set(trackingId, (receipts.get(trackingId) ?? 0) + 1)
  const byId = new Map(messages.map((message) => [message.tracking_id, message]))
  const ended = (kind: string) => messages.filter((message) => message.ended === kind).length
  const explainsAbsence = new Set(["dead", "expired", "uncertain"])
  const extra = Array.from(receipts, ([id, times]) => ({ message: byId.get(id), extra: times - 1 }))
  const sum = (numbers: ReadonlyArray<number>) => numbers.reduce((a, b) => a + b, 0)

  const audit: Audit = {
    committed: orders.length,
    rolledBack: rolledBackOrders.length,
    enqueued: messages.length,
    accepted: ended("sent"),
    retried: sum(messages.map(({ retries }) => retries)),
    expired: ended("expired"),
    uncertain: ended("uncertain"),
    dead: ended("dead"),
    received: ledger.length,
    lost: orders.filter(({ id }) => {
      const message = byId.get(trackingId(id))
      if (message?.ended === null || message === undefined) return true
      return !receipts.has(trackingId(id)) && !explainsAbsence.has(message.ended)
    }).length,
    duplicates: sum(extra.map(({ extra }) => extra)),
    duplicatesUnexplained: sum(
      extra.map(({ extra, message }) => Math.max(0, extra - (message?.unknowns ?? 0)))
    ),
    duplicatesHeld: sum(extra.map(({ extra, message }) => (message?.uncertainty === "hold" ? extra : 0))),
    afterDeadline: ledger.filter(({ acceptedAt, trackingId }) => {
      const deadline = byId.get(trackingId)?.deadline
      return deadline !== null && deadline !== undefined && acceptedAt > deadline.getTime()
    }).length,
    rolledBackButSent: rolledBackOrders.filter((order) => receipts.has(trackingId(order))).length
  }
  return audit
})

/** A table that a person can read. */
export const table = (audit: Audit, seconds: number): string => {
  const number = (value: number) => value.toLocaleString("en-US").padStart(7)
  const mark = (value: number) => (value === 0 ? "  ok" : "  BROKEN")
  return [
    `orders     ${number(audit.committed)} committed    ${number(audit.rolledBack)} rolled back`,
    `messages   ${number(audit.enqueued)} enqueued     ${number(audit.accepted)} accepted     ${number(audit.retried)} retries`,
    `           ${number(audit.expired)} expired      ${number(audit.uncertain)} uncertain    ${number(audit.dead)} dead`,
    ``,
    `on the provider's ledger`,
    `           ${number(audit.received)} received`,
    `           ${number(audit.lost)} lost${mark(audit.lost)}`,
    `           ${number(audit.duplicates)} duplicates, of which`,
    `           ${number(audit.duplicates - audit.duplicatesUnexplained)} explained by an outcome recorded as unknown`,
    `           ${number(audit.duplicatesUnexplained)} not explained${mark(audit.duplicatesUnexplained)}`,
    `           ${number(audit.duplicatesHeld)} of messages that may be sent once only${mark(audit.duplicatesHeld)}`,
    `           ${number(audit.afterDeadline)} sent after their deadline${mark(audit.afterDeadline)}`,
    `           ${number(audit.rolledBackButSent)} sent although rolled back${mark(audit.rolledBackButSent)}`,
    ``,
    `${seconds.toFixed(1)} seconds`
  ].join("\n")
}
