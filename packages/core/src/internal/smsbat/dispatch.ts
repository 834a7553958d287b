/**
 * Sends groups one after another, and finds the messages for which a group is refused by halving it.
 *
 * - A refused group of more than one is halved and both halves are sent, until the refused message stands alone. One
 *   bad message among n costs at most 2·log2(n) requests more; everything beside it is sent on the way.
 * - After the first answer that is about the account or the network, nothing more is sent: what is left shares it.
 * - An `Unknown` is the answer for its own group only.
 * - When `budget` requests more are used up, what is still refused as a group is `Throttled`, and waits for another
 *   call: nothing is certain about any one of its messages, so none of them may be given up.
 */
import { isReadonlyArrayNonEmpty, type NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import type { Delivery } from "../../Delivery.ts"
import * as Deliveries from "../../Delivery.ts"
import type { Envelope } from "../../Envelope.ts"
import * as TransportReason from "../../TransportReason.ts"
import type { Group } from "./requests.ts"

/** What became of a group: answers, and the envelopes that share one reason, if there are such. */
export interface Attempt {
  readonly answered: ReadonlyArray<Delivery>
  readonly failed?: {
    readonly envelopes: NonEmptyReadonlyArray<Envelope>
    readonly reason: TransportReason.TransportReason
  }
}

/** Answers for every envelope of every group. */
export const dispatch = Effect.fnUntraced(function* (
  groups: ReadonlyArray<Group>,
  attempt: (group: Group) => Effect.Effect<Attempt>,
  budget: number
): Effect.fn.Return<ReadonlyArray<Delivery>> {
  const answers: Array<Delivery> = []
  const refused: Array<Group & { readonly status: number }> = []
  const lane: { reason?: TransportReason.NotSentReason } = {}

  const answerAll = (envelopes: ReadonlyArray<Envelope>, reason: TransportReason.TransportReason) =>
    answers.push(...envelopes.map(({ trackingId }) => Deliveries.notAccepted(trackingId, reason)))

  const send = Effect.fnUntraced(function* (group: Group) {
    if (lane.reason !== undefined) return answerAll(group.envelopes, lane.reason)
    const { answered, failed } = yield* attempt(group)
    answers.push(...answered)
    if (failed === undefined) return
    const { envelopes, reason } = failed
    if (reason._tag === "Rejected" && envelopes.length > 1) {
      return keep(refused, { route: group.route, envelopes, status: reason.status })
    }
    if (TransportReason.isNotSent(reason) && reason.scope === "lane") lane.reason = reason
    return answerAll(envelopes, reason)
  })

  for (const group of groups) yield* send(group)
  let left = budget
  for (let group = refused.pop(); group !== undefined; group = refused.pop()) {
    const giveUp =
      lane.reason ?? (left < 2 ? new TransportReason.Throttled({ status: group.status }) : undefined)
    if (giveUp !== undefined) {
      answerAll(group.envelopes, giveUp)
      continue
    }
    left -= 2
    for (const half of halves(group)) yield* send(half)
  }
  return answers
})

/**
 * Puts a refused group where its turn is right: deepest first, so that each call settles messages for good however
 * many are bad. But a status that speaks of the address, not of what is in the request, goes widest first: if the
 * address is wrong, the budget ends before single messages are judged by it.
 */
const keep = <Refused extends { readonly status: number }>(refused: Array<Refused>, group: Refused) =>
  aboutContent.has(group.status) ? refused.push(group) : refused.unshift(group)

const aboutContent = new Set([400, 413, 422])

const halves = (group: Group): ReadonlyArray<Group> => {
  const middle = Math.ceil(group.envelopes.length / 2)
  return [group.envelopes.slice(0, middle), group.envelopes.slice(middle)].flatMap((envelopes) =>
    isReadonlyArrayNonEmpty(envelopes) ? [{ route: group.route, envelopes }] : []
  )
}
