/**
 * One direction of a connection: what comes from one socket waits in a queue until the toxics let it go to the other.
 */
import * as Effect from "effect/Effect"
import type { Socket } from "node:net"
import type { Direction } from "../../Toxic.ts"
import * as signals from "../emulator/signals.ts"
import type { Arrival, Rules } from "./rules.ts"

/** What a pipe has to know of the proxy that it is part of. */
export interface Surroundings {
  readonly now: () => number
  readonly isStalled: (direction: Direction) => boolean
  /** Grows whenever toxics or stalls change. */
  readonly version: () => number
  /** The rules of the toxics that are set now; new ones for each version of the toxics. */
  readonly rules: () => Rules
  /** Lets others wait for what happens here, and this for what happens elsewhere. */
  readonly changes: signals.Signals
  readonly onReceived: (direction: Direction, bytes: number) => void
  readonly onPassed: (direction: Direction, bytes: number) => void
}

/** What a pipe can do to the whole connection. */
export interface Whole {
  /** Ends it on both sides. */
  readonly close: () => void
  /** Resets it on both sides. */
  readonly reset: () => void
}

// Beyond this much in the queue a sender has to wait, as it would for a slow network.
const highWater = 256 * 1024

interface Queued extends Arrival {
  readonly bytes: Uint8Array
}

const nothing = new Uint8Array()

/** Takes in from `source` at once, and passes on to `sink` while it runs: until it is interrupted. */
export const make = (
  direction: Direction,
  source: Socket,
  sink: Socket,
  whole: Whole,
  surroundings: Surroundings
): Effect.Effect<never> => {
  const { changes, now } = surroundings
  const arrivals = signals.make()
  const queue: Array<Queued> = []
  let waiting = 0

  const push = (kind: Arrival["kind"], bytes: Uint8Array) => {
    queue.push({ kind, bytes, size: bytes.length, at: now() })
    arrivals.changed()
  }

  source.on("data", (bytes: Uint8Array) => {
    waiting += bytes.length
    if (waiting >= highWater) source.pause()
    surroundings.onReceived(direction, bytes.length)
    push("data", bytes)
    // Who waits for it goes on at once, so by now it has to be where it belongs.
    changes.changed()
  })
  source.once("end", () => push("end", nothing))
  source.once("close", (hadError: boolean) => (hadError ? push("reset", nothing) : undefined))

  const take = (head: Queued, size: number) => {
    waiting -= size
    if (waiting < highWater && source.isPaused()) source.resume()
    if (size === head.size) queue.shift()
    else queue[0] = { ...head, bytes: head.bytes.subarray(size), size: head.size - size }
    return head.bytes.subarray(0, size)
  }

  const pause = (until: number, version: number) => {
    const changed = changes.until(() => surroundings.version() !== version || undefined)
    return until === Infinity ? changed : Effect.raceFirst(changed, Effect.sleep(Math.max(0, until - now())))
  }

  return Effect.gen(function* () {
    while (true) {
      const head = yield* arrivals.until(() => queue[0])
      const version = surroundings.version()
      if (surroundings.isStalled(direction)) {
        yield* pause(Infinity, version)
        continue
      }
      const rules = surroundings.rules()
      const step = rules.next(head, now())
      switch (step._tag) {
        case "Wait":
          yield* pause(step.until, version)
          continue
        case "Close":
          whole.close()
          return yield* Effect.never
        case "Reset":
          whole.reset()
          return yield* Effect.never
      }
      rules.passed(head, step.bytes)
      const bytes = take(head, step.bytes)
      if (head.kind === "end") sink.end()
      else if (head.kind === "reset") whole.reset()
      else {
        yield* write(sink, bytes)
        surroundings.onPassed(direction, step.bytes)
        changes.changed()
        if (step.last) whole.close()
      }
    }
  })
}

// What is for a socket that is gone goes nowhere.
const write = (sink: Socket, bytes: Uint8Array): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (!sink.writable) return resume(Effect.void)
    sink.write(bytes, () => resume(Effect.void))
  })
