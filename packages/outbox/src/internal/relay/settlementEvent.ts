/**
 * The event that tells of a settlement.
 */
import * as CascadeEvent from "@effect-cascade/core/CascadeEvent"
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { ClaimedRow } from "../../OutboxRow.ts"
import type { Decided } from "./deliverBatch.ts"

/** `undefined` where nothing happened that an observer would want to know. */
export const eventOf = (
  { envelope, row, settlement }: Decided,
  at: DateTime.Utc
): CascadeEvent.CascadeEvent | undefined => {
  const about = envelope === undefined ? aboutRow(row, at) : CascadeEvent.about(envelope, at)
  if (about === undefined) return undefined
  switch (settlement.kind) {
    case "sent":
      return new CascadeEvent.Accepted({ ...about, messageId: settlement.providerMessageId }, unchecked)
    case "retry":
      return new CascadeEvent.RetryScheduled(
        {
          ...about,
          attempt: row.attempts + 1,
          nextAt: DateTime.addDuration(at, settlement.delay),
          reason: settlement.reason
        },
        unchecked
      )
    case "uncertain":
      return new CascadeEvent.Uncertain({ ...about, reason: settlement.reason }, unchecked)
    case "dead":
      return new CascadeEvent.Dead({ ...about, reason: settlement.reason }, unchecked)
    case "expired":
      return new CascadeEvent.Expired(about, unchecked)
    case "deferred":
    case "released":
      return undefined
  }
}

const unchecked = { disableChecks: true }

/** A row that cannot be read tells no more than its columns do. */
const aboutRow = (row: ClaimedRow, at: DateTime.Utc) =>
  Option.getOrUndefined(
    Option.map(asMessageType(row.messageType), (messageType) => ({
      trackingId: row.trackingId,
      messageType,
      account: row.account,
      at
    }))
  )

const asMessageType = Schema.decodeUnknownOption(CascadeEvent.MessageType)
