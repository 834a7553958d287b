/**
 * Which faults meet a request: the script first, then the plan, each fault by its own filter, count and dice.
 */
import * as Duration from "effect/Duration"
import * as EmulatorFault from "../../EmulatorFault.ts"
import type { Fault } from "../../EmulatorFault.ts"
import * as dice from "./dice.ts"

/** A request as faults see it. */
export interface Target {
  readonly endpoint: EmulatorFault.Endpoint
  readonly route: "standard" | "tg-viber" | undefined
  readonly account: string
  /** The messages of a batch, once they have been read. */
  readonly messages: ReadonlyArray<Readonly<Record<string, unknown>>>
}

/** A fault that decides what becomes of a request. */
export type Verdict = Exclude<
  Fault,
  { readonly _tag: "Latency" | "TruncatedBody" | "SlowBody" | "Shuffled" | "MissingIds" | "ForeignIds" }
>

/** The faults that fired for one request. */
export interface Fired {
  readonly names: ReadonlyArray<string>
  /** Milliseconds to wait before the messages are accepted. */
  readonly waitBefore: number
  /** Milliseconds to wait before the reply. */
  readonly waitAfter: number
  readonly verdict: Verdict | undefined
  readonly shuffled: boolean
  readonly missing: number
  readonly foreign: number
  readonly truncated: boolean
  readonly slow: Extract<Fault, { readonly _tag: "SlowBody" }> | undefined
  /** For the order of a shuffled reply and the ids that are left out. */
  readonly dice: dice.Dice
}

/** The faults of an emulator. */
export interface FaultBook {
  /** Replaces the plan; its counts and dice start again. */
  readonly setPlan: (plan: ReadonlyArray<Fault>) => void
  readonly plan: () => ReadonlyArray<Fault>
  /** Adds entries to the script. */
  readonly addScript: (entries: ReadonlyArray<ReadonlyArray<Fault>>) => void
  /** How many entries of the script are left. */
  readonly scripted: () => number
  /** As if it had just been made: the first plan, no script, dice as new. */
  readonly restart: () => void
  /** Before the body is read: the name of a fault that resets the connection now, or `undefined`. */
  readonly whileReading: (target: Target) => string | undefined
  readonly fire: (target: Target) => Fired
}

interface Slot {
  readonly fault: Fault
  readonly name: string
  readonly dice: dice.Dice
  left: number
}

/** A book with a plan and no script. The same seed and requests fire the same faults. */
export const make = (seed: number, initial: ReadonlyArray<Fault>): FaultBook => {
  const slotsOf = (plan: ReadonlyArray<Fault>): ReadonlyArray<Slot> =>
    plan.map((fault, index) =>
      slotOf(fault, dice.make(`${seed}/${index}/${fault._tag}`), fault.count ?? Infinity)
    )
  let slots = slotsOf(initial)
  let script: Array<ReadonlyArray<Fault>> = []
  const replyDice = dice.make(`${seed}/reply`)
  const scriptDice = dice.make(`${seed}/script`)
  const none: Fired = { ...nothing, dice: replyDice }

  // The first entry that was meant for such a request; those before it wait for theirs.
  const entryFor = (target: Target) =>
    script.findIndex((entry) => entry.every((fault) => fits(fault, target)))

  const takeEntry = (index: number): ReadonlyArray<Slot> =>
    script.splice(index, 1).flatMap((entry) => entry.map((fault) => slotOf(fault, scriptDice, 1)))

  const throwDice = (slot: Slot): boolean =>
    // Thrown even where nothing can come of it, so that what happens later depends on the requests alone.
    slot.dice.next() < (slot.fault.probability ?? 1) && slot.left > 0

  return {
    setPlan: (plan) => {
      slots = slotsOf(plan)
    },
    plan: () => slots.map(({ fault }) => fault),
    addScript: (entries) => {
      for (const entry of entries) {
        const times = Math.max(1, ...entry.map(({ count }) => count ?? 1))
        for (let index = 0; index < times; index++) script.push(entry)
      }
    },
    scripted: () => script.length,
    restart: () => {
      script = []
      slots = slotsOf(initial)
      scriptDice.restart()
      replyDice.restart()
    },
    whileReading: (target) => {
      if (script.length > 0) {
        const index = entryFor(target)
        if (index !== -1) {
          if (!script[index]?.some(isReading)) return undefined
          return takeEntry(index).find(({ fault }) => isReading(fault))?.name
        }
      }
      for (const slot of slots) {
        if (!isReading(slot.fault) || !fits(slot.fault, target) || !throwDice(slot)) continue
        slot.left--
        return slot.name
      }
      return undefined
    },
    fire: (target) => {
      const index = script.length === 0 ? -1 : entryFor(target)
      if (index !== -1) return combine(takeEntry(index), target, throwDice, replyDice)
      if (slots.length === 0) return none
      const candidates = slots.filter(({ fault }) => !isReading(fault) && fits(fault, target))
      return candidates.length === 0 ? none : combine(candidates, target, throwDice, replyDice)
    }
  }
}

const nothing = {
  names: [],
  waitBefore: 0,
  waitAfter: 0,
  verdict: undefined,
  shuffled: false,
  missing: 0,
  foreign: 0,
  truncated: false,
  slow: undefined
}

const slotOf = (fault: Fault, dice: dice.Dice, left: number): Slot => ({
  fault,
  name: EmulatorFault.nameOf(fault),
  dice,
  left
})

const isReading = (fault: Fault): boolean => fault._tag === "Reset" && fault.when === "reading"

const fits = ({ where }: Fault, target: Target): boolean =>
  (where?.endpoint ?? "send") === target.endpoint &&
  (where?.route === undefined || where.route === target.route) &&
  (where?.account === undefined || where.account === target.account) &&
  (where?.prefix === undefined || target.messages.some((message) => beginsWith(message, where.prefix ?? "")))

const beginsWith = (message: Readonly<Record<string, unknown>>, prefix: string): boolean =>
  typeof message["id"] === "string" && message["id"].startsWith(prefix)

const combine = (
  slots: ReadonlyArray<Slot>,
  target: Target,
  throwDice: (slot: Slot) => boolean,
  replyDice: dice.Dice
): Fired => {
  const names: Array<string> = []
  const fired = { ...nothing, names, dice: replyDice }
  let slow: Fired["slow"]
  let verdict: Verdict | undefined
  for (const slot of slots) {
    const { fault } = slot
    if (fault._tag === "Poison" && !isPoisoned(fault, target)) continue
    if (!throwDice(slot)) continue
    switch (fault._tag) {
      case "Latency": {
        const min = Duration.toMillis(fault.min)
        const max = fault.max === undefined ? min : Duration.toMillis(fault.max)
        const wait = min + slot.dice.next() * (max - min)
        if (fault.when === "before") fired.waitBefore += wait
        else fired.waitAfter += wait
        break
      }
      case "Shuffled":
        fired.shuffled = true
        break
      case "MissingIds":
        fired.missing += fault.amount
        break
      case "ForeignIds":
        fired.foreign += fault.amount
        break
      case "TruncatedBody":
        fired.truncated = true
        break
      case "SlowBody":
        slow = fault
        break
      default:
        // The first one has decided; a later one has not fired, and keeps its count.
        if (verdict !== undefined) continue
        verdict = fault
    }
    slot.left--
    names.push(slot.name)
  }
  return { ...fired, slow, verdict }
}

const isPoisoned = (fault: Extract<Fault, { readonly _tag: "Poison" }>, target: Target): boolean =>
  target.messages.some(
    ({ id, text }) =>
      (typeof id === "string" &&
        (fault.trackingIds?.includes(id) || (fault.marker !== undefined && id.includes(fault.marker)))) ||
      (typeof text === "string" && fault.marker !== undefined && text.includes(fault.marker))
  )
