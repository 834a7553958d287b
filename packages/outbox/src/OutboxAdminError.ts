/**
 * What can go wrong when an operator acts, beside the store itself.
 */
import * as Schema from "effect/Schema"
import * as MessageHistory from "./MessageHistory.ts"

/** Why a named message did not move. */
export const Refusal = Schema.Struct({
  /** The outbox's id of it. */
  id: Schema.String,
  /**
   * The state it is in; or `unknown` (no such message), `scrubbed` (retention has removed its payload),
   * `deadline-passed` (give it a new one), `changed` (somebody else moved it in between).
   */
  because: Schema.Union([
    MessageHistory.MessageState,
    Schema.Literals(["unknown", "scrubbed", "deadline-passed", "changed"])
  ])
})

/** @see Refusal */
export type Refusal = typeof Refusal.Type

/** Not every message that was named could move; none did. */
export class MoveRefused extends Schema.TaggedError<MoveRefused>("@effect-cascade/outbox/MoveRefused")(
  "MoveRefused",
  {
    move: Schema.Literals(["requeue", "discard", "resolve"]),
    refused: Schema.NonEmptyArray(Refusal)
  }
) {
  override get message(): string {
    const [first, ...rest] = this.refused
    const more = rest.length === 0 ? "" : ` (and ${rest.length} more)`
    return `could not ${this.move} message ${first.id}: ${first.because}${more}; nothing was changed`
  }
}

/** No message of this account has this tracking id. */
export class MessageNotFound extends Schema.TaggedError<MessageNotFound>(
  "@effect-cascade/outbox/MessageNotFound"
)("MessageNotFound", { account: Schema.String, trackingId: Schema.String }) {
  override get message(): string {
    return `no message of account ${this.account} has the tracking id ${JSON.stringify(this.trackingId)}`
  }
}
