/**
 * What becomes of an accepted message, as a function of time alone: nothing ticks, the clock is read when asked.
 *
 * `scheduled`, then `processing`, then one of `delivered`, `undeliverable`, `permanenterror`, in the words of
 * https://smsbat.com/help/api/smsbat/status/. A message whose ttl runs out on the way is `undeliverable`.
 */
import type { Course, DeliveryStatus } from "../../EmulatorLedger.ts"

/** What a phone number is known for. `slow`: delivered after ten times the usual. `refused`: never accepted. */
export type Outcome = DeliveryStatus | "slow" | "hidden" | "refused"

/**
 * Numbers with a fixed outcome. All are well-formed; none can belong to a person, since no network of Ukraine has a
 * code that begins with 0.
 */
export const magicNumbers: ReadonlyMap<string, Outcome> = new Map([
  ["+380000000001", "undeliverable"],
  ["+380000000002", "permanenterror"],
  ["+380000000003", "scheduled"],
  ["+380000000004", "processing"],
  ["+380000000005", "slow"],
  ["+380000000006", "hidden"],
  ["+380000000007", "refused"]
])

/** How long a message stays in its states, in milliseconds. */
export interface Pace {
  readonly scheduled: number
  readonly processing: number
}

/** When a message that starts at `start` enters which state. `ttl` in milliseconds. */
export const course = (outcome: Outcome, start: number, ttl: number | undefined, pace: Pace): Course => {
  const factor = outcome === "slow" ? 10 : 1
  const processingAt = outcome === "scheduled" ? Infinity : start + pace.scheduled * factor
  const endAt = outcome === "processing" ? Infinity : processingAt + pace.processing * factor
  const deadline = ttl === undefined ? Infinity : start + ttl
  const hidden = outcome === "hidden"
  return endAt > deadline
    ? { processingAt, endAt: deadline, end: "undeliverable", hidden }
    : { processingAt, endAt, end: endOf(outcome), hidden }
}

const endOf = (outcome: Outcome): DeliveryStatus => {
  switch (outcome) {
    case "slow":
    case "hidden":
      return "delivered"
    case "refused":
      return "undeliverable"
    default:
      return outcome
  }
}

/** The state at an instant. */
export const statusAt = (course: Course, now: number): DeliveryStatus => {
  if (now >= course.endAt) return course.end
  return now >= course.processingAt ? "processing" : "scheduled"
}

/** The states a message enters after it was accepted, in order, each with its instant. */
export const steps = (course: Course): ReadonlyArray<Step> => {
  const { end, endAt, processingAt } = course
  return [
    ...(processingAt < endAt ? [{ at: processingAt, status: "processing" as const }] : []),
    ...(endAt < Infinity ? [{ at: endAt, status: end }] : [])
  ]
}

/** A state and the instant a message enters it. */
export interface Step {
  readonly at: number
  readonly status: DeliveryStatus
}
