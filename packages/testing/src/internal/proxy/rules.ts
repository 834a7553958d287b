/**
 * What the toxics of one direction of a connection say about the next thing in it. Plain code without sockets and
 * without a clock: it is told what there is and what time it is.
 */
import * as Duration from "effect/Duration"
import type { Direction, Toxic } from "../../Toxic.ts"
import * as dice from "../emulator/dice.ts"

/** What came from a side: bytes, the end of its stream, or a reset. */
export interface Arrival {
  readonly kind: "data" | "end" | "reset"
  /** How many bytes of it have not passed yet. */
  readonly size: number
  /** Milliseconds since the epoch. */
  readonly at: number
}

/** What becomes of it now. */
export type Step =
  /** As many bytes pass, or all of what is no data. `last`: the connection is closed after them. */
  | { readonly _tag: "Pass"; readonly bytes: number; readonly last: boolean }
  /** Look again at this time, or only when something has changed (`Infinity`). */
  | { readonly _tag: "Wait"; readonly until: number }
  | { readonly _tag: "Close" }
  | { readonly _tag: "Reset" }

/** The toxics of one direction of one connection, with what they remember. */
export interface Rules {
  readonly next: (arrival: Arrival, now: number) => Step
  /** Says that bytes which {@link next} let pass have passed. */
  readonly passed: (arrival: Arrival, bytes: number) => void
}

/** Those of the toxics that work on this direction of this connection. `seed` is the connection's own. */
export const make = (toxics: ReadonlyArray<Toxic>, direction: Direction, seed: string): Rules => {
  const chance = (toxic: number) => dice.make(`${seed}/${direction}/${toxic}`)
  const active = toxics.flatMap((toxic, index) => {
    if (toxic._tag === "Down" || (toxic.stream !== "both" && toxic.stream !== direction)) return []
    const own = chance(index)
    return own.next() < (toxic.toxicity ?? 1) ? [{ toxic, chance: own }] : []
  })
  if (active.length === 0) return harmless

  const ofTag = <Tag extends Working["_tag"]>(tag: Tag) =>
    active.flatMap(({ chance, toxic }) => (isTag(toxic, tag) ? [{ ...toxic, chance }] : []))
  const timeouts = ofTag("Timeout").map(({ timeout }) => Duration.toMillis(timeout))
  const closesAfter = least(timeouts.filter((millis) => millis > 0))
  const resetsAfter = least(ofTag("ResetPeer").map(({ timeout }) => Duration.toMillis(timeout)))
  const slowClose = sum(ofTag("SlowClose").map(({ delay }) => Duration.toMillis(delay)))
  const latencies = ofTag("Latency")
  // Kilobytes a second are bytes a millisecond.
  const rate = least(ofTag("Bandwidth").map((toxic) => toxic.rate))
  const slices = ofTag("Slicer").map(slicerOf)

  let left = least(ofTag("LimitData").map(({ bytes }) => bytes)) ?? Infinity
  let freeAt = 0
  // One throw for each arrival, which is asked about until the last of it has passed.
  let delay: number | undefined

  const delayOf = (arrival: Arrival): number => {
    delay ??= Math.max(0, sum(latencies.map(latencyOf))) + (arrival.kind === "end" ? slowClose : 0)
    return delay
  }

  return {
    next: (arrival, now) => {
      if (timeouts.length > 0) return when(arrival.at + (closesAfter ?? Infinity), now, { _tag: "Close" })
      if (resetsAfter !== undefined && arrival.kind !== "reset") {
        return when(arrival.at + resetsAfter, now, { _tag: "Reset" })
      }
      let due = arrival.at + delayOf(arrival)
      if (arrival.kind !== "data") return when(due, now, { _tag: "Pass", bytes: 0, last: false })
      if (left === 0) return when(due, now, { _tag: "Close" })
      let bytes = Math.min(arrival.size, left)
      for (const slice of slices) {
        bytes = Math.min(bytes, slice.left())
        due = Math.max(due, slice.readyAt())
      }
      if (rate !== undefined) {
        // A tenth of a second at a time, so that a slow line trickles.
        bytes = Math.min(bytes, Math.max(1, Math.floor(rate * 100)))
        due = Math.max(due, Math.max(freeAt, arrival.at) + bytes / rate)
      }
      return when(due, now, { _tag: "Pass", bytes, last: bytes === left })
    },
    passed: (arrival, bytes) => {
      left -= bytes
      for (const slice of slices) slice.passed(arrival.at, bytes)
      if (rate !== undefined) freeAt = Math.max(freeAt, arrival.at) + bytes / rate
      if (arrival.size === bytes) delay = undefined
    }
  }
}

type Working = Exclude<Toxic, { readonly _tag: "Down" }>

const isTag = <Tag extends Working["_tag"]>(
  toxic: Working,
  tag: Tag
): toxic is Extract<Working, { readonly _tag: Tag }> => toxic._tag === tag

const harmless: Rules = {
  next: (arrival) => ({ _tag: "Pass", bytes: arrival.size, last: false }),
  passed: () => undefined
}

const when = (at: number, now: number, step: Step): Step => (now >= at ? step : { _tag: "Wait", until: at })

const latencyOf = (
  toxic: Extract<Working, { readonly _tag: "Latency" }> & { readonly chance: dice.Dice }
): number =>
  Duration.toMillis(toxic.latency) + (toxic.chance.next() * 2 - 1) * Duration.toMillis(toxic.jitter)

/** Counts along the stream, so that the cuts do not depend on the pieces in which the network brought it. */
const slicerOf = (toxic: Extract<Working, { readonly _tag: "Slicer" }> & { readonly chance: dice.Dice }) => {
  const delay = Duration.toMillis(toxic.delay)
  const draw = () =>
    Math.max(1, Math.round(toxic.averageSize + (toxic.chance.next() * 2 - 1) * toxic.sizeVariation))
  let left = draw()
  let readyAt = 0
  return {
    left: () => left,
    readyAt: () => readyAt,
    passed: (arrivedAt: number, bytes: number) => {
      left -= bytes
      if (left > 0) return
      left = draw()
      readyAt = Math.max(readyAt, arrivedAt) + delay
    }
  }
}

const least = (values: ReadonlyArray<number>): number | undefined =>
  values.length === 0 ? undefined : Math.min(...values)

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)
