/**
 * Tells of a message whose status has moved on, with what the store knows of it.
 */
import * as CascadeEvent from "@effect-cascade/core/CascadeEvent"
import * as CascadeEvents from "@effect-cascade/core/CascadeEvents"
import * as DeliveryStatus from "@effect-cascade/core/DeliveryStatus"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { StatusMove } from "../../StatusStore.ts"

/** What the store knows of the message. */
export interface Known {
  readonly account: string
  readonly trackingId: string | null | undefined
  readonly messageType: string | null | undefined
}

/** Publishes `StatusChanged` where the status is another one than before. */
export type TellMove = (
  move: StatusMove,
  report: DeliveryStatus.StatusReport,
  known: Known
) => Effect.Effect<void>

/** To the events that it is made with, else to those of the fiber that tells. */
export const make: Effect.Effect<TellMove> = Effect.map(
  Effect.serviceOption(CascadeEvents.CascadeEvents),
  (events) =>
    ({ moved, previous }, report, { account, messageType, trackingId }) => {
      // The store has judged under the row's lock; from the same `previous` this comes to the same step.
      const told = DeliveryStatus.track(previous, report, {
        account,
        trackingId: trackingId ?? undefined,
        messageType: Option.getOrUndefined(asMessageType(messageType))
      })
      if (!moved) return Effect.void
      return Effect.asVoid(
        Option.isSome(events) ? Effect.provideService(told, CascadeEvents.CascadeEvents, events.value) : told
      )
    }
)

const asMessageType = Schema.decodeUnknownOption(CascadeEvent.MessageType)
