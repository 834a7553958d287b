/**
 * What a relay logs of messages that wait for a person from now on: one line for each batch and state, and no word of
 * the messages themselves.
 */
import * as Effect from "effect/Effect"
import type { Decided } from "./deliverBatch.ts"

/** Warns of what was settled as dead or uncertain. The rows are those of one batch, and so of one lane. */
export const warnOfParked = (relay: string, settled: ReadonlyArray<Decided>): Effect.Effect<void> =>
  Effect.forEach(parked, ([kind, words]) => warnOf(kind, words, relay, settled), { discard: true })

const parked = [
  ["dead", "outbox: messages given up as dead; OutboxAdmin.list shows them, requeue tries them again"],
  ["uncertain", "outbox: messages uncertain, as they may have been sent; OutboxAdmin.resolve decides"]
] as const

const warnOf = (
  kind: "dead" | "uncertain",
  words: string,
  relay: string,
  settled: ReadonlyArray<Decided>
) => {
  const reasons = new Map<string, number>()
  let lane = ""
  let messages = 0
  for (const { row, settlement } of settled) {
    if (settlement.kind !== kind) continue
    const { _tag } = settlement.reason
    reasons.set(_tag, (reasons.get(_tag) ?? 0) + 1)
    lane = row.lane
    messages++
  }
  if (messages === 0) return Effect.void
  return Effect.logWarning(words).pipe(
    Effect.annotateLogs({
      relay,
      lane,
      messages,
      reasons: Array.from(reasons, ([tag, count]) => `${tag} ${count}`).join(", ")
    })
  )
}
