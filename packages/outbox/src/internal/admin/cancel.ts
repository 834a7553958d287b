/**
 * Calls a message off, and says what came of it.
 */
import * as CascadeEvent from "@effect-cascade/core/CascadeEvent"
import type * as CascadeEvents from "@effect-cascade/core/CascadeEvents"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as MaskedContent from "../../MaskedContent.ts"
import * as MessageHistory from "../../MessageHistory.ts"
import type { Cancelled, InFlight, TooLate } from "../../OutboxAdmin.ts"
import { MessageNotFound } from "../../OutboxAdminError.ts"
import type { CancelRow, OutboxAdminStoreShape } from "../../OutboxAdminStore.ts"
import type { StoreError } from "../../OutboxError.ts"

export const cancel = Effect.fnUntraced(function* (
  store: OutboxAdminStoreShape,
  publisher: CascadeEvents.Publisher,
  message: { readonly account: string; readonly trackingId: string; readonly by: string }
): Effect.fn.Return<Cancelled | InFlight | TooLate, MessageNotFound | StoreError> {
  const { account, by, trackingId } = message
  while (true) {
    const row = yield* store.cancel(account, trackingId, by)
    if (row === undefined) return yield* new MessageNotFound({ account, trackingId })
    const { id, leaseUntil, result } = row
    if (result === "leased" && leaseUntil !== null) return { _tag: "InFlight", id, leaseUntil }
    const after = yield* store.read(account, trackingId)
    const history = after === undefined ? undefined : MessageHistory.of(after)
    if (result === "cancelled") {
      const event = yield* eventOf(message, row)
      yield* store.afterCommit(publisher.publishAll(Option.toArray(event)))
      return { _tag: "Cancelled", id, mayHaveBeenSent: history?.mayHaveBeenSent ?? true }
    }
    if (history === undefined) return yield* new MessageNotFound({ account, trackingId })
    // It may have been requeued since the statement looked; then there is something to call off.
    const { state } = history
    if (state !== "waiting" && state !== "in-flight") return { _tag: "TooLate", id, state }
  }
})

const eventOf = Effect.fnUntraced(function* (
  { account, trackingId }: { readonly account: string; readonly trackingId: string },
  row: typeof CancelRow.Type
) {
  const at = yield* DateTime.now
  const content = MaskedContent.of(row.payload, at)
  const toPhone = content._tag === "Readable" ? { toPhone: content.toPhone } : {}
  return Option.map(
    asMessageType(row.messageType),
    (messageType) =>
      new CascadeEvent.Cancelled({ trackingId, messageType, account, ...toPhone, at }, unchecked)
  )
})

const unchecked = { disableChecks: true }

const asMessageType = Schema.decodeUnknownOption(CascadeEvent.MessageType)
