/**
 * What must be true when a simulation is over, whatever happened in it: the promises of docs/delivery-guarantees.md.
 */
import type { CascadeEvent } from "@effect-cascade/core/CascadeEvent"
import type { MessageRow, OutcomeRow, State } from "../../src/internal/memory/state.ts"
import { operatorName } from "./operator.ts"
import { attemptLimit, type Process } from "./process.ts"
import type { Provider, Received, Request } from "./provider.ts"
import { costs } from "./watch.ts"
import { epoch } from "./world.ts"

export interface Facts {
  readonly state: State
  readonly provider: Provider
  readonly processes: ReadonlyArray<Process>
  /** The tracking ids of which some transaction said that it committed, and those of which none did. */
  readonly committed: ReadonlySet<string>
  readonly rolledBack: ReadonlySet<string>
}

const ends = new Set(["sent", "dead", "expired", "cancelled", "uncertain", "resolved", "discarded"])

export const judge = (facts: Facts, problem: (text: string) => void): void => {
  const messages = new Map(Array.from(facts.state.messages.values(), (one) => [one.row.trackingId, one]))
  for (const id of facts.committed) {
    if (!messages.has(id)) problem(`${id}: it was committed, and is nowhere`)
  }
  for (const id of facts.rolledBack) {
    if (messages.has(id)) problem(`${id}: it was rolled back, and is in the outbox`)
  }
  for (const { trackingId } of facts.provider.ledger) {
    if (!messages.has(trackingId)) problem(`${trackingId}: somebody received what was never committed`)
  }
  for (const [id, message] of messages) {
    const received = facts.provider.ledger.filter(({ trackingId }) => trackingId === id)
    const requests = facts.provider.requests.filter(({ trackingId }) => trackingId === id)
    const tell = (text: string) => problem(`${id}: ${text}\n    ${storyOf(message, received)}`)
    judgeEnd(message, received, tell)
    judgeDuplicates(message, received, tell)
    judgeAttempts(message, requests, tell)
    judgeEvents(message, facts.processes, tell)
  }
}

const judgeEnd = ({ outcomes, work }: MessageRow, received: ReadonlyArray<Received>, tell: Tell) => {
  const last = outcomes.at(-1)
  if (work !== undefined) tell("it waits for ever")
  else if (last === undefined || !ends.has(last.kind)) tell("it ended in no known way")
  if (outcomes.some(({ kind }) => kind === "sent") && received.length === 0)
    tell("it is sent, and nobody received it")
  if (outcomes.filter(({ kind }) => kind === "sent").length > 1) tell("it was sent to its end twice")
}

const judgeDuplicates = ({ outcomes, row }: MessageRow, received: ReadonlyArray<Received>, tell: Tell) => {
  const inOrder = [...received].sort((a, b) => a.sentAt - b.sentAt)
  inOrder.forEach((again, index) => {
    const before = inOrder[index - 1]
    if (before === undefined) return
    const between = outcomes.filter(({ at }) => at >= Math.floor(before.sentAt) && at <= again.sentAt)
    const asked = between.some(({ kind, relay }) => relay === operatorName && kind === "requeued")
    if (row.uncertainty === "hold" && !asked) tell("hold, and somebody received it twice")
    if (!asked && !between.some(isUnknown)) tell("somebody received it twice, and no outcome says why")
  })
}

/** Whether an outcome says that somebody may have received the message. */
const isUnknown = ({ kind, reason }: OutcomeRow): boolean =>
  kind === "lapsed" || (reason !== undefined && reason.certainty === "Unknown")

const judgeAttempts = ({ outcomes, row }: MessageRow, requests: ReadonlyArray<Request>, tell: Tell) => {
  let attempts = 0
  for (const outcome of outcomes) {
    if (outcome.kind === "requeued") attempts = 0
    else if (outcome.relay !== operatorName) {
      attempts += costs(outcome)
      if (outcome.attempt !== attempts) tell(`attempt ${outcome.attempt} should be ${attempts}`)
    }
    if (attempts > attemptLimit) tell(`it had ${attempts} attempts`)
    const early = outcome.kind === "uncertain" && row.uncertainty === "resend" && attempts < attemptLimit
    if (early) tell(`resend, and given up as uncertain after ${attempts} attempts`)
  }
  // What a lapse makes uncertain is one attempt that nobody saw.
  const counted = outcomes.reduce((sum, outcome) => sum + (isLapse(outcome) ? 0 : costs(outcome)), 0)
  const made = requests.filter(({ answer }) => answer !== "lane").length
  const unsendable = outcomes.some(({ reason }) => reason?._tag === "Unencodable") ? 1 : 0
  // A request whose transport broke or was cut off before it left counts too; so do those of a defect.
  if (counted > made + unsendable)
    tell(`${counted} attempts were counted, of ${made} requests that could count`)
}

const isLapse = ({ reason }: OutcomeRow): boolean => reason?._tag === "CutShort" && reason.by === "lease"

const judgeEvents = ({ outcomes, row }: MessageRow, processes: ReadonlyArray<Process>, tell: Tell) => {
  for (const process of processes) {
    for (const [kind, tag] of told) {
      const happened = outcomes.filter((one) => one.relay === process.name && one.kind === kind).length
      const heard = process.events.filter((event) => isAbout(event, tag, row.trackingId)).length
      const complete = process.alive && !process.disturbed
      if (heard > happened || (complete && heard < happened)) {
        tell(`${process.name} told of ${kind} ${heard} times, and it happened ${happened} times`)
      }
    }
  }
}

const told = [
  ["sent", "Accepted"],
  ["retry", "RetryScheduled"],
  ["uncertain", "Uncertain"],
  ["dead", "Dead"],
  ["expired", "Expired"]
] as const

const isAbout = (event: CascadeEvent, tag: CascadeEvent["_tag"], trackingId: string): boolean =>
  event._tag === tag && "trackingId" in event && event.trackingId === trackingId

type Tell = (text: string) => void

/** What became of a message. */
export const storyOf = (
  { deadline, outcomes, row, work }: MessageRow,
  ledger: ReadonlyArray<Received>
): string => {
  const received = ledger.filter(({ trackingId }) => trackingId === row.trackingId)
  const since = (at: number) => `${((at - epoch) / 1_000).toFixed(3)} s`
  return [
    `${row.trackingId} ${row.messageType}, ${row.uncertainty}${deadline === undefined ? "" : `, until ${since(deadline)}`}`,
    ...outcomes.map(
      ({ at, attempt, kind, reason, relay }) =>
        `${since(at)} ${kind} ${attempt}${reason === undefined ? "" : ` (${reason._tag})`} by ${relay}`
    ),
    ...(work === undefined
      ? []
      : [work.leaseUntil === undefined ? "waits" : `leased until ${since(work.leaseUntil)}`]),
    ...received.map(({ by, sentAt }) => `${since(sentAt)} received, sent by ${by}`)
  ].join("; ")
}
