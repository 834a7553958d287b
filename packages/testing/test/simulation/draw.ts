/**
 * From a seed to a schedule: what happens, when, and where it goes wrong.
 */
import * as Prng from "./prng.ts"
import type { Action, Call, Planned, ProviderFault, Schedule, Side, Step, StoreFault } from "./steps.ts"

const types = ["Transaction", "Promo", "ViberSurvey", "FlashCall"] as const
const priorities = ["urgent", "high", "normal", "low"] as const
const lanes = ["default/urgent", "default/high", "default/normal", "default/low"] as const
const sides = ["before", "in flight", "after"] as const satisfies ReadonlyArray<Side>
const calls = [
  "claim",
  "claim",
  "settle",
  "settle",
  "settle",
  "send",
  "send",
  "send",
  "renew",
  "expire",
  "lanes",
  "pauseLanes",
  "probeLane",
  "reopenLanes"
] as const satisfies ReadonlyArray<Call>

const storeFaults = [
  "error, nothing done",
  "error, done all the same",
  "refusal",
  "defect",
  "slow"
] as const satisfies ReadonlyArray<StoreFault>

const providerFaults = [
  "accept, lose the reply",
  "accept, lose the reply",
  "fail with 500 before accepting",
  "fail with 500 after accepting",
  "reject",
  "429",
  "429 with retry-after",
  "503 with retry-after",
  "401",
  "redirect",
  "down",
  "down",
  "slower than the send time-out",
  "slower than the send time-out",
  "leave some out of the reply",
  "name some twice in the reply",
  "contradict itself",
  "name foreign ids in the reply",
  "take some, and name only those",
  "answer with HTML",
  "break (a defect of the transport)"
] as const satisfies ReadonlyArray<ProviderFault>

/** How long faults go on at most, in milliseconds. */
const horizon = 25_000

export const draw = (seed: number): Schedule => {
  const prng = Prng.make(`schedule ${seed}`)
  const relays = prng.between(1, 3)
  const keys = prng.between(1, 5)
  const length = prng.between(5_000, horizon)
  const at = () => prng.between(0, length)
  const steps: Array<Step> = []
  const add = (action: Action, when = at()) => steps.push({ ...action, at: when })

  for (let relay = 0; relay < relays; relay++) {
    add({ do: "start", relay }, prng.chance(0.7) ? 0 : prng.between(0, 3_000))
  }
  for (let key = 0; key < keys; key++) {
    const messages = [planned(prng, key)]
    while (prng.chance(0.3) && key + 1 < keys) messages.push(planned(prng, ++key))
    enqueue(prng, messages, add, prng.chance(0.6) ? prng.between(0, 2_000) : at())
    // The same again, or another message under its tracking id.
    if (prng.chance(0.15)) {
      const repeated = messages.map((message) => again(prng, message))
      enqueue(prng, repeated, add, at())
    }
  }
  const busy = steps.flatMap(({ at, do: what }) => (what === "enqueue" ? [at] : []))
  const happenings = prng.between(0, 12)
  for (let one = 0; one < happenings; one++) {
    // Most go wrong where something is under way.
    const near = (busy[prng.between(0, busy.length - 1)] ?? 0) + prng.between(-500, 300)
    const when = Math.min(Math.max(0, near), length)
    const action = happening(prng, { relays, keys })
    // There is nothing to decide about before something has ended.
    const late = "key" in action && action.do !== "cancel" && action.do !== "poison"
    add(action, late ? prng.between(Math.floor(length / 2), length) : prng.chance(0.6) ? when : at())
  }
  return {
    seed,
    relays,
    skews: Array.from({ length: relays }, () => (prng.chance(0.3) ? prng.between(-90_000, 90_000) : 0)),
    steps: steps.sort((a, b) => a.at - b.at),
    calm: length
  }
}

const planned = (prng: Prng.Prng, key: number): Planned => {
  const type = prng.pick(types)
  const scheduled = prng.chance(0.12)
  return {
    key,
    edition: 0,
    type,
    ...(prng.chance(0.25) ? { uncertainty: prng.pick(["resend", "hold"]) } : {}),
    ...(prng.chance(0.35) ? { ttlSeconds: prng.between(1, 20) } : {}),
    ...(scheduled ? { scheduledIn: prng.between(500, 12_000) } : {}),
    ...(scheduled && prng.chance(0.3) ? { schedule: "provider" } : {}),
    ...(prng.chance(0.1) ? { availableIn: prng.between(100, 10_000) } : {}),
    ...(prng.chance(0.1) ? { priority: prng.pick(priorities) } : {})
  }
}

const again = (prng: Prng.Prng, message: Planned): Planned => ({
  ...message,
  edition: prng.chance(0.7) ? 0 : 1
})

const enqueue = (
  prng: Prng.Prng,
  messages: ReadonlyArray<Planned>,
  add: (action: Action, at: number) => void,
  at: number
) =>
  add(
    {
      do: "enqueue",
      messages,
      holds: prng.chance(0.6) ? 0 : prng.between(1, 3_000),
      ends: prng.chance(0.8) ? "commit" : prng.pick(["rollback", "commit, reply lost"])
    },
    at
  )

/** Something that is not an enqueue. */
const happening = (
  prng: Prng.Prng,
  { keys, relays }: { readonly relays: number; readonly keys: number }
): Action => {
  const relay = prng.between(0, relays - 1)
  const key = prng.between(0, keys - 1)
  const kind = prng.next()
  if (kind < 0.34) {
    return {
      do: "provider",
      fault: prng.pick(providerFaults),
      times: prng.chance(0.5) ? 1 : prng.between(2, 5),
      millis: prng.between(500, 8_000)
    }
  }
  if (kind < 0.52) {
    return { do: "die at", relay, call: prng.pick(calls), side: prng.pick(sides), nth: prng.between(1, 2) }
  }
  if (kind < 0.66) {
    return {
      do: "store fault",
      relay,
      call: prng.pick(calls.filter(isStoreCall) as [Call, ...Array<Call>]),
      fault: prng.pick(storeFaults),
      times: prng.chance(0.5) ? 1 : prng.between(2, 60),
      millis: prng.between(100, 12_000)
    }
  }
  if (kind < 0.72) return { do: "poison", key, times: prng.between(1, 5), side: prng.pick(sides) }
  if (kind < 0.77) {
    return {
      do: "freeze",
      relay,
      when: prng.pick(["now", "claim", "send", "send"]),
      millis: prng.between(500, 25_000)
    }
  }
  if (kind < 0.84) return { do: prng.pick(["kill", "stop", "stop", "start"]), relay }
  if (kind < 0.92) return { do: prng.pick(operator), key }
  if (kind < 0.96) return { do: prng.pick(["pause", "resume"]), lane: prng.pick(lanes) }
  return { do: "clock jump", relay, millis: prng.between(-20_000, 20_000) }
}

const operator = [
  "cancel",
  "cancel",
  "requeue",
  "requeue",
  "discard",
  "resolve as sent",
  "resolve as not sent"
] as const

const isStoreCall = (call: Call) => call !== "send"
