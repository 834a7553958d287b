/**
 * What was sent, in words for the reader of a failed test. Masked.
 */
import type { Delivery } from "@effect-cascade/core/Delivery"
import * as PhoneNumber from "@effect-cascade/core/PhoneNumber"
import { type Compared, shownId } from "./match.ts"

/** A message and what became of it. */
export interface Reported extends Compared {
  readonly delivery: Delivery
}

/** At most this many messages are listed; a screen holds no more. */
const limit = 10

/** The messages nearest to what was expected, each with its differences. */
export const nearest = <Sent extends Reported>(
  sent: ReadonlyArray<Sent>,
  differencesOf: (sent: Sent) => ReadonlyArray<string>
): string =>
  list(
    sent
      .map((one) => ({ one, differences: differencesOf(one) }))
      .sort((a, b) => a.differences.length - b.differences.length)
      .map(({ differences, one }) => [line(one), ...differences.map((text) => `    ${text}`)].join("\n"))
  )

/** Messages one below the other. */
export const listed = (sent: ReadonlyArray<Reported>): string => list(sent.map(line))

const list = (entries: ReadonlyArray<string>): string => {
  const shown = entries.slice(0, limit).map((entry) => `  ${entry}`)
  const more = entries.length - shown.length
  return [...shown, ...(more > 0 ? [`  and ${more} more`] : [])].join("\n")
}

const line = ({ delivery, message }: Reported): string => {
  const text = "text" in message ? `, <${message.text.length} characters>` : ""
  const head = `${message._tag} ${shownId(message.id)} from ${message.fromName}`
  return `${head} to ${PhoneNumber.mask(message.toPhone)}${text}: ${fate(delivery)}`
}

const fate = (delivery: Delivery): string =>
  delivery._tag === "Accepted" ? "accepted" : `${delivery._tag} (${delivery.reason.message})`
