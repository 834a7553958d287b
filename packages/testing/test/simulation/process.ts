/**
 * The process of a relay: its clock, its store and its transport, through which alone it touches the world.
 *
 * Each call of the store may be slow, fail with or without effect, or be the process's last. A process that is dead does
 * nothing any more: its calls have no effect, its sleeps have no end, and no finalizer of it is heard.
 */
import type { CascadeEvent } from "@effect-cascade/core/CascadeEvent"
import * as CascadeEvents from "@effect-cascade/core/CascadeEvents"
import { Transport, type TransportShape } from "@effect-cascade/core/Transport"
import { StoreError } from "@effect-cascade/outbox/OutboxError"
import { OutboxStore, type OutboxStoreShape } from "@effect-cascade/outbox/OutboxStore"
import * as Relay from "@effect-cascade/outbox/Relay"
import { Clock, DateTime, Effect, type Exit, type Fiber, Schedule, Stream } from "effect"
import type { Prng } from "./prng.ts"
import type { Call, Side, StoreFault } from "./steps.ts"
import type { Move, Watch } from "./watch.ts"
import type { World } from "./world.ts"

export interface Process {
  readonly name: string
  readonly place: number
  alive: boolean
  stopping: boolean
  /** By how much its clock is ahead of the database's. */
  offset: number
  /** Its clock was set back: when, and by how much. */
  readonly setBack: Array<{ readonly at: number; readonly millis: number }>
  /** Its store did not answer as it should, or it stood still: it may not know what became of what it did. */
  disturbed: boolean
  /** In which calls it begins to stand still, and for how long. */
  readonly standsStillAt: Array<{ readonly call: Call; readonly millis: number }>
  /** What happens to it when it stands still no more. */
  held: Array<() => void> | undefined
  /** Tells it something, as soon as it can hear it. */
  readonly tell: (news: () => void) => void
  readonly traps: Array<{ readonly call: Call; readonly side: Side; left: number }>
  readonly faults: Array<{
    readonly call: Call
    readonly fault: StoreFault
    readonly millis: number
    left: number
  }>
  /** The messages of its requests that are under way. */
  readonly sending: Set<string>
  readonly events: Array<CascadeEvent>
  /** Whether this call is to be its last, and at which side of its effect. */
  readonly spring: (call: Call) => Side | undefined
  fiber: Fiber.Fiber<unknown, unknown> | undefined
}

export const make = (name: string, place: number, offset: number): Process => {
  const traps: Process["traps"] = []
  const process: Process = {
    name,
    place,
    alive: true,
    stopping: false,
    offset,
    setBack: [],
    disturbed: false,
    standsStillAt: [],
    held: undefined,
    tell: (news) => {
      if (!process.alive) return
      if (process.held === undefined) news()
      else process.held.push(news)
    },
    traps,
    faults: [],
    sending: new Set(),
    events: [],
    spring: (call) => {
      const index = traps.findIndex((trap) => trap.call === call && --trap.left === 0)
      return traps.splice(index, index === -1 ? 0 : 1)[0]?.side
    },
    fiber: undefined
  }
  return process
}

/** Makes a process stand still if it is to do so in this call. */
export const freezeIn = (call: Call, process: Process, world: World): void => {
  const index = process.standsStillAt.findIndex((one) => one.call === call)
  const [found] = process.standsStillAt.splice(index, index === -1 ? 0 : 1)
  if (found !== undefined) freeze(process, world, found.millis)
}

/** Makes a process stand still for a while. */
export const freeze = (process: Process, world: World, millis: number): void => {
  if (process.held !== undefined) return
  process.held = []
  process.disturbed = true
  // Whether its requests are under way still, it does not know.
  process.sending.clear()
  world.after(millis, () => {
    const held = process.held ?? []
    process.held = undefined
    for (const news of held) process.tell(news)
  })
}

export interface Surroundings {
  readonly world: World
  readonly prng: Prng
  readonly seed: string
  readonly watch: Watch
  readonly store: OutboxStoreShape
  readonly transport: TransportShape
  readonly die: (process: Process) => void
}

/** Times that fit a simulation of a minute. */
export const relayOptions = {
  lease: "10 seconds",
  heartbeat: "3 seconds",
  sendTimeout: "4 seconds",
  poll: { busy: "100 millis", idle: "4 seconds" },
  gracePeriod: "2 seconds",
  slots: { urgent: 2, high: 2, normal: 1, low: 1 },
  batchSize: { urgent: 2, high: 3, normal: 2, low: 3 },
  pause: {
    backoff: Schedule.jittered(
      Schedule.min([Schedule.exponential("1 second", 2), Schedule.spaced("5 seconds")])
    ),
    maximum: "8 seconds",
    unauthorized: "6 seconds"
  }
} satisfies Relay.RelayOptions

/** How many attempts a message has. */
export const attemptLimit = 4

/** Starts the relay of a process. `ended` is told when it has stopped by itself. */
export const start = (process: Process, around: Surroundings, ended: () => void): void => {
  const { seed, transport, world } = around
  const clock = world.clock({ offset: () => process.offset, tell: process.tell })
  const relay = Effect.scoped(
    Effect.andThen(
      Relay.make({
        ...relayOptions,
        name: process.name,
        retry: Schedule.jittered(
          Schedule.exponential("500 millis", 2).pipe(Schedule.upTo({ times: attemptLimit - 1 }))
        )
      }),
      Effect.never
    )
  ).pipe(
    Effect.provideService(OutboxStore, storeOf(process, around)),
    Effect.provideService(Transport, transport),
    Effect.provideService(CascadeEvents.CascadeEvents, eventsOf(process))
  )
  process.fiber = world.fork(clock, `${seed} ${process.name}`, relay)
  process.fiber.addObserver(() => {
    if (process.alive) ended()
  })
}

const eventsOf = (process: Process): CascadeEvents.CascadeEventsShape => ({
  publish: (event) => Effect.sync(() => void (process.alive && process.events.push(event))),
  publishAll: (events) => Effect.sync(() => void (process.alive && process.events.push(...events))),
  stream: Stream.empty,
  subscribe: Effect.succeed(Stream.empty),
  lost: Effect.succeed(0)
})

const failure = (isRetryable: boolean) =>
  new StoreError({ operation: "simulated", detail: "the simulation says so", isRetryable })

/** The store as a process sees it. */
const storeOf = (process: Process, { die, prng, store, watch, world }: Surroundings): OutboxStoreShape => {
  const trueClock = world.clock()
  const run = <A, E>(effect: Effect.Effect<A, E>): Exit.Exit<A, E> =>
    Effect.runSyncExit(onClock(trueClock, effect))

  const meet = (call: Call) => {
    const index = process.faults.findIndex((fault) => fault.call === call)
    const fault = process.faults[index]
    if (fault === undefined) return undefined
    if (--fault.left <= 0) process.faults.splice(index, 1)
    process.disturbed = true
    return fault
  }

  const through = <A>(
    call: Call,
    move: Move,
    effect: Effect.Effect<A, StoreError>
  ): Effect.Effect<A, StoreError> =>
    Effect.callback<A, StoreError>((resume) => {
      if (!process.alive) return
      const end = process.spring(call)
      if (end === "before") return die(process)
      const met = meet(call)
      freezeIn(call, process, world)
      const slow = met?.fault === "slow" ? met.millis : prng.chance(0.6) ? 0 : prng.between(1, 15)
      const there = Math.floor(slow * prng.next())
      const carryOut = () => {
        if (met?.fault === "error, nothing done") return Effect.fail(failure(true))
        if (met?.fault === "refusal") return Effect.fail(failure(false))
        if (met?.fault === "defect") return Effect.die("broken by the simulation")
        const exit = watch.around(move, () => run(effect))
        return met?.fault === "error, done all the same" ? Effect.fail(failure(true)) : exit
      }
      if (end === "in flight") {
        world.after(slow, carryOut)
        return die(process)
      }
      const answer = (exit: Effect.Effect<A, StoreError>) =>
        process.tell(() => (end === "after" ? die(process) : resume(exit)))
      if (slow === 0) return answer(carryOut())
      world.after(there, () => {
        const exit = carryOut()
        world.after(slow - there, () => answer(exit))
      })
    })

  const other: Move = { kind: "other" }
  return {
    insert: store.insert,
    transaction: store.transaction,
    afterCommit: store.afterCommit,
    wakes: store.wakes,
    resumeLanes: store.resumeLanes,
    claim: (capacities, options) =>
      through("claim", { kind: "claim", by: process.name }, store.claim(capacities, options)),
    settle: (rows, options) =>
      through("settle", { kind: "settle", by: process.name, rows }, store.settle(rows, options)),
    expire: (options) => through("expire", { kind: "expire" }, store.expire(options)),
    renew: (leases, lease) => through("renew", other, store.renew(leases, lease)),
    lanes: Effect.map(through("lanes", other, store.lanes), (lanes) =>
      // The store tells them on the clock of the process that asks.
      lanes.map((lane) => ({
        ...lane,
        pausedUntil:
          lane.pausedUntil === undefined
            ? undefined
            : DateTime.add(lane.pausedUntil, { milliseconds: process.offset })
      }))
    ),
    pauseLanes: (pause) => through("pauseLanes", other, store.pauseLanes(pause)),
    probeLane: (lane, window) => through("probeLane", other, store.probeLane(lane, window)),
    reopenLanes: (lanes) => through("reopenLanes", other, store.reopenLanes(lanes))
  }
}

/** Runs an effect on a clock. */
export const onClock = <A, E, R>(
  clock: Clock.Clock,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => Effect.provideService(effect, Clock.Clock, clock)
