/**
 * Messages of one call that share a tracking id: sent once at most.
 */
import * as Deliveries from "../../Delivery.ts"
import type { Delivery } from "../../Delivery.ts"
import * as Message from "../../Message.ts"
import type { TrackingId } from "../../TrackingId.ts"
import * as TransportReason from "../../TransportReason.ts"

/** The messages to send, and how to answer for all of them from the answers for those. */
export interface Distinct {
  readonly messages: ReadonlyArray<Message.Message>
  readonly answer: (deliveries: Iterable<Delivery>) => ReadonlyArray<Delivery>
}

/**
 * Takes the first message of each tracking id. A later one that is the same in every field shares its delivery; one
 * that differs is `NotSent`, since nobody can say which of the two is meant. A delivery stands for itself.
 */
export const distinct = (all: ReadonlyArray<Message.Message | Delivery>): Distinct => {
  const first = new Map<TrackingId, Message.Message>()
  const conflicts = new Set<number>()
  all.forEach((message, index) => {
    if (isDelivery(message)) return
    const earlier = first.get(message.id)
    if (earlier === undefined) first.set(message.id, message)
    else if (earlier !== message && content(earlier) !== content(message)) conflicts.add(index)
  })
  return {
    messages: [...first.values()],
    answer: (deliveries) => {
      const byId = new Map(Array.from(deliveries, (delivery) => [delivery.trackingId, delivery]))
      return all.flatMap((one, index) => {
        if (isDelivery(one)) return one
        return conflicts.has(index) ? Deliveries.notAccepted(one.id, conflict) : (byId.get(one.id) ?? [])
      })
    }
  }
}

const isDelivery = (one: Message.Message | Delivery): one is Delivery => "trackingId" in one

const content = (message: Message.Message): string => JSON.stringify(Message.encode(message))

const conflict = new TransportReason.Unencodable({
  problem: "another message of the same call has this tracking id and other content"
})
