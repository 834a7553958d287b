/**
 * What can happen in a simulation, and how a schedule of it reads.
 */

/** Which of a store's or a transport's calls something is about. */
export type Call =
  | "claim"
  | "settle"
  | "renew"
  | "expire"
  | "lanes"
  | "pauseLanes"
  | "probeLane"
  | "reopenLanes"
  | "send"

/** A message that the service enqueues. The same key is the same tracking id. */
export interface Planned {
  readonly key: number
  /** Which text it has: the same key with another one is another message. */
  readonly edition: number
  readonly type: "Transaction" | "Promo" | "ViberSurvey" | "FlashCall"
  readonly uncertainty?: "resend" | "hold"
  readonly ttlSeconds?: number
  readonly scheduledIn?: number
  readonly schedule?: "provider"
  readonly availableIn?: number
  readonly priority?: "urgent" | "high" | "normal" | "low"
}

/** What the provider does with the next requests. */
export type ProviderFault =
  | "accept, lose the reply"
  | "fail with 500 before accepting"
  | "fail with 500 after accepting"
  | "reject"
  | "429"
  | "429 with retry-after"
  | "503 with retry-after"
  | "401"
  | "redirect"
  | "down"
  | "slower than the send time-out"
  | "leave some out of the reply"
  | "name some twice in the reply"
  | "contradict itself"
  | "name foreign ids in the reply"
  | "take some, and name only those"
  | "answer with HTML"
  | "break (a defect of the transport)"

/** What the database does with the next calls of one kind. */
export type StoreFault = "error, nothing done" | "error, done all the same" | "refusal" | "defect" | "slow"

/** At which side of a call's effect a process dies. `in flight`: the call is carried out after it is dead. */
export type Side = "before" | "in flight" | "after"

/** One thing that happens. */
export type Action =
  | {
      readonly do: "enqueue"
      readonly messages: ReadonlyArray<Planned>
      readonly holds: number
      readonly ends: "commit" | "rollback" | "commit, reply lost"
    }
  | {
      readonly do: "cancel" | "requeue" | "discard" | "resolve as sent" | "resolve as not sent"
      readonly key: number
    }
  | { readonly do: "pause" | "resume"; readonly lane: string }
  | { readonly do: "start" | "stop" | "kill"; readonly relay: number }
  | {
      readonly do: "die at"
      readonly relay: number
      readonly call: Call
      readonly side: Side
      readonly nth: number
    }
  | {
      readonly do: "store fault"
      readonly relay: number
      readonly call: Call
      readonly fault: StoreFault
      readonly times: number
      readonly millis: number
    }
  | { readonly do: "clock jump"; readonly relay: number; readonly millis: number }
  /** The process stands still, as in a long pause of its machine; the world goes on. */
  | {
      readonly do: "freeze"
      readonly relay: number
      /** At once, or when its next call of this kind is under way. */
      readonly when: "now" | "claim" | "send"
      readonly millis: number
    }
  | {
      readonly do: "provider"
      readonly fault: ProviderFault
      readonly times: number
      readonly millis: number
    }
  /** A message that kills every process which sends it. */
  | { readonly do: "poison"; readonly key: number; readonly times: number; readonly side: Side }

/** An action and when it happens, in milliseconds from the beginning. */
export type Step = Action & { readonly at: number }

/** Everything that decides what a simulation does. */
export interface Schedule {
  readonly seed: number
  /** How many places for a relay there are. */
  readonly relays: number
  /** By how much the clock of each place is ahead of the database's, in milliseconds. */
  readonly skews: ReadonlyArray<number>
  readonly steps: ReadonlyArray<Step>
  /** When faults stop. */
  readonly calm: number
}

/** A schedule as a list that a person can read. */
export const format = (schedule: Schedule): string =>
  [
    `${schedule.relays} relays; clocks ahead of the database's by ${schedule.skews.map((skew) => `${skew} ms`).join(", ")}`,
    ...schedule.steps.map((step) => `${seconds(step.at)}  ${phrase(step)}`),
    `${seconds(schedule.calm)}  faults stop; time goes on until nothing waits`
  ].join("\n")

const seconds = (millis: number): string => `${(millis / 1_000).toFixed(3).padStart(8)} s`

const phrase = (step: Action): string => {
  switch (step.do) {
    case "enqueue":
      return `enqueue ${step.messages.map(planned).join(" + ")}; after ${step.holds} ms: ${step.ends}`
    case "cancel":
    case "requeue":
    case "discard":
    case "resolve as sent":
    case "resolve as not sent":
      return `operator: ${step.do} m${step.key}`
    case "pause":
    case "resume":
      return `operator: ${step.do} ${step.lane}`
    case "start":
    case "stop":
    case "kill":
      return `relay ${step.relay}: ${step.do}`
    case "die at":
      return `relay ${step.relay}: dies at its ${step.nth}. ${step.call} from now, ${side(step.side)}`
    case "store fault":
      return `relay ${step.relay}: its next ${step.times} ${step.call} meet: ${step.fault}${step.fault === "slow" ? ` (${step.millis} ms)` : ""}`
    case "clock jump":
      return `relay ${step.relay}: its clock moves by ${step.millis} ms`
    case "freeze":
      return `relay ${step.relay}: ${step.when === "now" ? "" : `from its next ${step.when} on `}stands still for ${step.millis} ms`
    case "provider":
      return `provider: next ${step.times} requests: ${step.fault}${step.millis > 0 ? ` (${step.millis} ms)` : ""}`
    case "poison":
      return `m${step.key} kills the next ${step.times} processes that send it, ${side(step.side)}`
  }
}

const side = (side: Side): string =>
  side === "in flight" ? "which is carried out all the same" : `${side} its effect`

const planned = (message: Planned): string =>
  [
    `m${message.key}${message.edition === 0 ? "" : ` (edition ${message.edition})`} ${message.type}`,
    message.uncertainty,
    message.priority,
    message.ttlSeconds === undefined ? undefined : `ttl ${message.ttlSeconds} s`,
    message.scheduledIn === undefined
      ? undefined
      : `scheduled in ${message.scheduledIn} ms${message.schedule === "provider" ? " by the provider" : ""}`,
    message.availableIn === undefined ? undefined : `available in ${message.availableIn} ms`
  ]
    .filter((part) => part !== undefined)
    .join(" ")
