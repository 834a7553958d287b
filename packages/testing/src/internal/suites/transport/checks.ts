/**
 * What can be wrong with one call of `send`, each as the list of what was found. Plain functions.
 */
import { TransportError } from "@effect-cascade/core/TransportError"
import type * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import type { Sample } from "./samples.ts"
import type { Observation, Received, Verdict } from "./trial.ts"

/** It answers once for each envelope and for no other, or fails with a `TransportError`. */
export const answered = ({ batch, exit }: Observation): ReadonlyArray<string> => {
  if (Exit.isFailure(exit)) return failedOtherwise(exit.cause)
  const left = new Map(batch.map(({ id }) => [id, 0]))
  const foreign: Array<string> = []
  for (const { trackingId } of exit.value) {
    const times = left.get(trackingId)
    if (times === undefined) foreign.push(trackingId)
    else left.set(trackingId, times + 1)
  }
  return [
    ...Array.from(left).flatMap(([id, times]) =>
      times === 1 ? [] : [times === 0 ? `no answer for ${id}` : `${times} answers for ${id}`]
    ),
    ...foreign.map((id) => `an answer for ${JSON.stringify(id)}, which was not in the batch`)
  ]
}

const failedOtherwise = (cause: Cause.Cause<unknown>): ReadonlyArray<string> =>
  cause.reasons.flatMap((reason) => {
    if (reason._tag === "Interrupt") return ["it was interrupted, though nobody had interrupted it"]
    if (reason._tag === "Die") return [`it died with ${nameOf(reason.defect)}`]
    return reason.error instanceof TransportError
      ? []
      : [`it failed with ${nameOf(reason.error)}, which is no TransportError`]
  })

// Without its words, which may hold anything.
const nameOf = (value: unknown): string =>
  value instanceof Error ? `the error ${value.constructor.name}` : `a ${typeof value}`

/** It says of every envelope what it is expected to. */
export const every = (
  { batch, verdict }: Observation,
  expected: string,
  holds: (verdict: Verdict, sample: Sample) => boolean
): ReadonlyArray<string> =>
  batch.flatMap((sample) => {
    const said = verdict(sample.id)
    // One without an answer is the matter of another check.
    return said === undefined || holds(said, sample)
      ? []
      : [`${sample.id} (${sample.kind}) is ${describe(said)}, expected ${expected}`]
  })

/** Good messages are `Accepted`, with an id of the other side. */
export const goodAreAccepted = (observation: Observation): ReadonlyArray<string> =>
  every(
    observation,
    "Accepted with an id",
    (verdict, { kind }) => kind !== "good" || (verdict.certainty === "Accepted" && verdict.messageId !== "")
  )

/** Late ones are `Expired`, unless they would not have been let out in any case. */
export const lateAreExpired = (observation: Observation): ReadonlyArray<string> =>
  every(
    observation,
    "NotSent Expired",
    (verdict, { kind }) => kind !== "expired" || isReason(verdict, "Expired") || isReason(verdict, "Withheld")
  )

/** Refused ones are `NotSent`, by a reason that is about the message. */
export const badAreRefused = (observation: Observation): ReadonlyArray<string> =>
  every(
    observation,
    "NotSent for a reason of the message",
    (verdict, { kind }) => kind !== "rejected" || isMessageScope(verdict)
  )

/** What it says it did not send has not been received. */
export const deniesTruly = (observation: Observation, received: Received): ReadonlyArray<string> =>
  every(
    observation,
    "Accepted or Unknown: the other side has received it",
    (verdict, { id }) => verdict.certainty !== "NotSent" || !received.has(id)
  )

/** What it says was accepted has been received. */
export const acceptsTruly = (observation: Observation, received: Received): ReadonlyArray<string> =>
  every(
    observation,
    "something else: the other side has not received it",
    (verdict, { id }) => verdict.certainty !== "Accepted" || received.has(id)
  )

/** Nothing was received more than once. */
export const receivedOnce = ({ batch }: Observation, received: Received): ReadonlyArray<string> =>
  batch.flatMap(({ id }) => {
    const times = received.get(id) ?? 0
    return times > 1 ? [`${id} was received ${times} times`] : []
  })

/** What came too late was not sent, whatever was said of it. */
export const lateNotReceived = ({ batch }: Observation, received: Received): ReadonlyArray<string> =>
  batch.flatMap(({ id, kind }) =>
    kind === "expired" && received.has(id) ? [`${id} was received after its deadline`] : []
  )

/** Whether a verdict has this reason. */
export const isReason = (verdict: Verdict, tag: string): boolean =>
  verdict.certainty !== "Accepted" && verdict.reason._tag === tag

/** Whether a verdict is that the message itself is wrong. */
export const isMessageScope = (verdict: Verdict): boolean =>
  verdict.certainty === "NotSent" && verdict.reason.scope === "message"

/** A verdict in words: `NotSent Throttled`. */
export const describe = (verdict: Verdict): string =>
  verdict.certainty === "Accepted" ? "Accepted" : `${verdict.certainty} ${verdict.reason._tag}`
