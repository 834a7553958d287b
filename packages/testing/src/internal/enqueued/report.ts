/**
 * What is in an outbox, in words for the reader of a failed test. Masked.
 */
import { formatInstant } from "@effect-cascade/core/Message"
import * as PhoneNumber from "@effect-cascade/core/PhoneNumber"
import type { EnqueuedMessage } from "../../EnqueuedMessages.ts"
import { shownId } from "../fake/match.ts"
import type { Differences } from "./match.ts"

/** At most this many messages are listed; a screen holds no more. */
const limit = 10

/** The messages nearest to what was expected, each with its differences. */
export const nearest = (messages: ReadonlyArray<EnqueuedMessage>, differencesOf: Differences): string =>
  list(
    messages
      .map((message) => ({ message, differences: differencesOf(message) }))
      .sort((a, b) => a.differences.length - b.differences.length)
      .map(({ differences, message }) =>
        [line(message), ...differences.map((text) => `    ${text}`)].join("\n")
      )
  )

/** Messages one below the other. */
export const listed = (messages: ReadonlyArray<EnqueuedMessage>): string => list(messages.map(line))

const list = (entries: ReadonlyArray<string>): string => {
  const shown = entries.slice(0, limit).map((entry) => `  ${entry}`)
  const more = entries.length - shown.length
  return [...shown, ...(more > 0 ? [`  and ${more} more`] : [])].join("\n")
}

const line = ({ dueAt, lane, message, messageType, state, trackingId }: EnqueuedMessage): string => {
  const due = state === "waiting" && dueAt !== undefined ? `, due ${formatInstant(dueAt)}` : ""
  const where = `${state} in ${lane}${due}`
  if (message === undefined) return `${messageType} ${shownId(trackingId)}, which cannot be read: ${where}`
  const text = "text" in message ? `, <${message.text.length} characters>` : ""
  const head = `${message._tag} ${shownId(trackingId)} from ${message.fromName}`
  return `${head} to ${PhoneNumber.mask(message.toPhone)}${text}: ${where}`
}
