/**
 * Watches every move of the store: that a message goes only where the life of a message lets it go, that the number of
 * its lease only grows, that no live lease is taken away, and that attempts are counted as they are told to count.
 *
 * It compares what the store holds before and after each move, and knows nothing of how the store does it.
 */
import type { SettledRow } from "@effect-cascade/outbox/OutboxRow"
import type { MessageRow, OutcomeRow, State } from "../../src/internal/memory/state.ts"

/** What is being done to the store. */
export type Move =
  | { readonly kind: "claim"; readonly by: string }
  | { readonly kind: "settle"; readonly by: string; readonly rows: ReadonlyArray<SettledRow> }
  | { readonly kind: "expire" }
  | { readonly kind: "operator"; readonly verb: "cancelled" | "requeued" | "discarded" | "resolved" }
  | { readonly kind: "other" }

/** Where a message is: `waiting`, `leased`, or how it ended. */
interface Place {
  readonly place: string
  readonly lease: bigint
  readonly leaseUntil: number | undefined
  readonly dueAt: number
  readonly attempts: number
  readonly outcomes: number
}

export interface Watch {
  readonly around: <A>(move: Move, perform: () => A) => A
  /** Which relay took the newest lease of a message. */
  readonly ownerOf: (id: string) => string | undefined
}

const operatorMoves: Readonly<Record<string, ReadonlyArray<string>>> = {
  cancelled: ["waiting", "leased"],
  requeued: ["dead", "uncertain", "expired"],
  discarded: ["dead", "uncertain"],
  resolved: ["uncertain"]
}

export const make = (state: State, now: () => number, problem: (text: string) => void): Watch => {
  const owners = new Map<string, string>()

  const judge = (move: Move, message: MessageRow, before: Place, after: Place): string | undefined => {
    if (after.lease < before.lease) return "the number of its lease went back"
    if (before.place === after.place && before.lease === after.lease) {
      return before.attempts === after.attempts || move.kind === "other" ? undefined : "its attempts changed"
    }
    switch (move.kind) {
      case "claim":
        return judgeClaim(move.by, message, before, after)
      case "settle":
        return judgeSettle(move, message, before, after)
      case "expire":
        return before.place === "waiting" && after.place === "expired" && isOver(message)
          ? undefined
          : "it was expired where it is not to be"
      case "operator":
        return operatorMoves[move.verb]?.includes(before.place) === true &&
          !(before.place === "leased" && isAhead(before))
          ? undefined
          : `an operator moved it (${move.verb})`
      case "other":
        return "nothing was to move it"
    }
  }

  const isAhead = ({ leaseUntil }: Place) => leaseUntil !== undefined && leaseUntil > now()

  const isOver = ({ deadline }: MessageRow) => deadline !== undefined && deadline <= now()

  const judgeClaim = (by: string, message: MessageRow, before: Place, after: Place): string | undefined => {
    if (after.place !== "leased" || after.lease !== before.lease + 1n) return "a claim did not lease it"
    owners.set(message.row.id, by)
    if (before.place === "leased") {
      if (isAhead(before)) return "a live lease was taken from its holder"
      const last = message.outcomes.at(-1)
      if (last?.kind !== "lapsed" || last.lease !== before.lease)
        return "a lease that ran out was not recorded"
      return undefined
    }
    if (before.place !== "waiting") return "a claim took what had ended"
    return before.dueAt <= now() ? undefined : "a claim took what is not due"
  }

  const judgeSettle = (
    move: Extract<Move, { readonly kind: "settle" }>,
    message: MessageRow,
    before: Place,
    after: Place
  ): string | undefined => {
    const row = move.rows.find(({ id, lease }) => id === message.row.id && lease === before.lease)
    if (row === undefined) return "a settle changed what it does not hold"
    if (before.place !== "leased") return "a settle moved what was not leased"
    const stays = row.kind === "retry" || row.kind === "deferred" || row.kind === "released"
    if (after.place !== (stays ? "waiting" : row.kind)) return `a settle (${row.kind}) moved it elsewhere`
    const last = message.outcomes.at(-1)
    const counted = last === undefined || row.kind === "released" ? 0 : costs(last)
    const attempts = stays ? after.attempts : (last?.attempt ?? 0)
    return attempts === before.attempts + counted
      ? undefined
      : `its ${row.kind} made ${attempts} attempts of ${before.attempts}`
  }

  return {
    ownerOf: (id) => owners.get(id),
    around: (move, perform) => {
      const before = new Map(Array.from(state.messages.values(), (message) => [message, placeOf(message)]))
      const answer = perform()
      for (const [message, was] of before) {
        const is = placeOf(message)
        const wrong = judge(move, message, was, is)
        if (wrong !== undefined) {
          problem(
            `${message.row.trackingId}: ${wrong} (${move.kind}: ${was.place} → ${is.place}, lease ${is.lease})`
          )
        }
      }
      return answer
    }
  }
}

/** What an outcome costs of the attempts, by the table in docs/message-lifecycle.md. */
export const costs = ({ kind, reason }: OutcomeRow): number => {
  const byLease = reason?._tag === "CutShort" && reason.by === "lease"
  switch (kind) {
    case "sent":
    case "retry":
    case "uncertain":
      return 1
    case "dead":
      return byLease ? 0 : 1
    case "expired":
      return reason === undefined || byLease ? 0 : 1
    default:
      return 0
  }
}

const placeOf = ({ outcomes, work }: MessageRow): Place => {
  const last = outcomes.at(-1)
  return {
    place:
      work === undefined ? (last?.kind ?? "nowhere") : work.leaseUntil === undefined ? "waiting" : "leased",
    lease: work?.lease ?? last?.lease ?? 0n,
    leaseUntil: work?.leaseUntil,
    dueAt: work?.dueAt ?? 0,
    attempts: work?.attempts ?? last?.attempt ?? 0,
    outcomes: outcomes.length
  }
}
