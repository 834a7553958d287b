/**
 * A reason as an operator reads it: its tag, to filter by, and a sentence.
 */
import { TransportReason } from "@effect-cascade/core/TransportReason"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** A reason in short. */
export const ReasonSummary = Schema.Struct({
  /** Such as `Rejected` or `TimedOut`; see `TransportReason` of core. */
  tag: Schema.String,
  summary: Schema.String
})

/** @see ReasonSummary */
export type ReasonSummary = typeof ReasonSummary.Type

/** The summary of a stored reason. One that this version does not know keeps its tag. */
export const of = (json: Schema.Json): ReasonSummary =>
  Option.match(decode(json), {
    onNone: () => ({ tag: tagOf(json), summary: "a reason that this version does not know" }),
    onSome: (reason) => ({ tag: reason._tag, summary: reason.message })
  })

/** Whether somebody may have received the message because of the attempt. What cannot be read is no certainty. */
export const isDoubtful = (json: Schema.Json): boolean =>
  Option.match(decode(json), { onNone: () => true, onSome: ({ certainty }) => certainty === "Unknown" })

const decode = Schema.decodeUnknownOption(Schema.toCodecJson(TransportReason))

const tagOf = (json: Schema.Json): string =>
  typeof json === "object" && json !== null && "_tag" in json && typeof json["_tag"] === "string"
    ? json["_tag"]
    : "Unreadable"
