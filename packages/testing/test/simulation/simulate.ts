/**
 * Runs a schedule: an outbox, relays in processes that die, a database that fails and a provider that does what it
 * wants, in virtual time; and says which promises were broken.
 */
import * as Message from "@effect-cascade/core/Message"
import type * as Envelope from "@effect-cascade/core/Envelope"
import type * as SmsBatWire from "@effect-cascade/core/SmsBatWire"
import type { TransportShape } from "@effect-cascade/core/Transport"
import * as Outbox from "@effect-cascade/outbox/Outbox"
import { lapseLimit } from "@effect-cascade/outbox/Settlement"
import { OutboxStore, type OutboxStoreShape } from "@effect-cascade/outbox/OutboxStore"
import { DateTime, Duration, Effect, Exit } from "effect"
import * as Lanes from "../../src/internal/memory/lanes.ts"
import * as State from "../../src/internal/memory/state.ts"
import { storeOver } from "../../src/internal/memory/store.ts"
import { operate } from "./operator.ts"
import * as Prng from "./prng.ts"
import * as Process from "./process.ts"
import * as Provider from "./provider.ts"
import type { Planned, Schedule, Step } from "./steps.ts"
import { judge, storyOf } from "./verdict.ts"
import * as Watch from "./watch.ts"
import * as World from "./world.ts"

/** A library that does something wrong: what the simulation must find. */
export interface Mutation {
  /** Changes what the store does, over what it holds. */
  readonly store?: (store: OutboxStoreShape, state: State.State) => OutboxStoreShape
  /** Changes what a relay's transport answers. */
  readonly transport?: (transport: TransportShape) => TransportShape
}

/** What came of a simulation. */
export interface Result {
  /** The promises that were broken; none where all is well. */
  readonly problems: ReadonlyArray<string>
  /** What became of each message, as a list that a person can read; the same for the same schedule. */
  readonly stories: ReadonlyArray<string>
  /** How much happened, to see that a schedule is not empty. */
  readonly counts: Readonly<Record<"messages" | "requests" | "received" | "deaths", number>> & {
    readonly ends: ReadonlyArray<string>
  }
}

/** How long after the end of faults everything must have ended. */
const patience = Duration.toMillis("4 minutes")

/** A supervisor starts a process again this long after its death. */
const restartDelay = 1_500

/** A relay obeys an operator's pause with its next heartbeat, which takes a little. */
const obedience = Duration.toMillis(Process.relayOptions.heartbeat) + 1_000

/** A graceful stop takes at most the grace period, what the store still needs, and the end of the leases. */
const stopLimit = 60_000

export const simulate = (schedule: Schedule, mutation: Mutation = {}): Result => {
  const problems: Array<string> = []
  const problem = (text: string) => {
    problems.push(`${((world.now() - World.epoch) / 1_000).toFixed(3)} s: ${text}`)
  }
  const prng = Prng.make(`course ${schedule.seed}`)
  const world = World.make(prng)
  const state = State.empty()
  const trueClock = world.clock()
  const healthy = storeOver(state)
  const store = mutation.store?.(healthy, state) ?? healthy
  const watch = Watch.make(state, world.now, problem)
  const processes: Array<Process.Process> = []
  const places = new Map<number, Process.Process>()
  const offsets = [...schedule.skews]
  const committed = new Set<string>()
  const attempted = new Set<string>()
  /** Of these nobody was told whether they committed. */
  const unsure = new Set<string>()
  /** Since when lanes are paused by the operator. */
  const paused = new Map<string, number>()
  let open = 0
  let deaths = 0
  let over = false

  const die = (process: Process.Process) => {
    if (!process.alive) return
    process.alive = false
    deaths++
    process.sending.clear()
    places.delete(process.place)
    world.after(restartDelay, () => {
      if (!over) startAt(process.place)
    })
  }

  const inspect = (process: Process.Process, envelope: Envelope.Envelope, wire: SmsBatWire.WireMessage) => {
    const now = world.now()
    const message = state.keys.get(State.keyOf(envelope))
    const { trackingId } = envelope
    if (message === undefined) return problem(`${trackingId}: it was sent before it was committed`)
    const { deadline, outcomes, row, work } = message
    const stillFor = now - (paused.get(row.lane) ?? now)
    if (stillFor > obedience && !process.disturbed) {
      problem(`${trackingId}: ${process.name} sends in a lane that has been paused for ${stillFor} ms`)
    }
    const fresh = outcomes.findLastIndex(({ kind }) => kind === "requeued") + 1
    if (outcomes.slice(fresh).filter(({ kind }) => kind === "lapsed").length >= lapseLimit) {
      problem(`${trackingId}: it was sent again, though ${lapseLimit} of its leases ended without a word`)
    }
    const held = work?.leaseUntil !== undefined && watch.ownerOf(message.row.id) === process.name
    if (!held) problem(`${trackingId}: ${process.name} sends what it does not hold`)
    else if ((work.leaseUntil ?? 0) - now < Duration.toMillis(Process.relayOptions.sendTimeout)) {
      problem(`${trackingId}: ${process.name} sends it under a lease that may end before the send does`)
    }
    for (const other of processes) {
      if (other !== process && other.sending.has(trackingId)) {
        problem(`${trackingId}: ${process.name} sends it while ${other.name} does`)
      }
    }
    if (deadline === undefined) return
    // A clock that was set back since the claim makes its process late by as much.
    const slack = process.setBack.reduce((sum, { at, millis }) => sum + (now - at < 30_000 ? millis : 0), 0)
    const until = now + (wire.ttl ?? 0) * 1_000 - (wire.scheduledSent === undefined ? 0 : Infinity)
    if (now > deadline + slack) problem(`${trackingId}: it was sent after its deadline`)
    else if (wire.ttl === undefined) problem(`${trackingId}: it was sent without the ttl that is left`)
    else if (until > deadline + slack + 1) problem(`${trackingId}: it was sent with more ttl than is left`)
  }

  const provider = Provider.make({ world, prng, die, inspect })

  const startAt = (place: number) => {
    if (places.has(place)) return
    const generation = processes.filter((process) => process.place === place).length + 1
    const process = Process.make(`relay-${place}.${generation}`, place, offsets[place] ?? 0)
    processes.push(process)
    places.set(place, process)
    const own = provider.transport(process)
    Process.start(
      process,
      {
        world,
        prng,
        watch,
        store,
        die,
        seed: String(schedule.seed),
        transport: mutation.transport?.(own) ?? own
      },
      () => {
        places.delete(place)
        if (!process.stopping) problem(`${process.name} ended by itself`)
        if (!process.disturbed) judgeStopped(process)
      }
    )
  }

  const judgeStopped = (process: Process.Process) => {
    for (const { row, work } of state.messages.values()) {
      if (
        work?.leaseUntil !== undefined &&
        watch.ownerOf(row.id) === process.name &&
        work.leaseUntil > world.now()
      ) {
        problem(`${row.trackingId}: ${process.name} stopped and kept its lease`)
      }
    }
  }

  const stopAt = (place: number) => {
    const process = places.get(place)
    if (process === undefined || process.stopping) return
    process.stopping = true
    process.fiber?.interruptUnsafe()
  }

  const enqueue = (step: Extract<Step, { readonly do: "enqueue" }>) => {
    open++
    for (const { key } of step.messages) attempted.add(`m${key}`)
    const transaction = Effect.gen(function* () {
      const outbox = yield* Outbox.make
      yield* outbox.transaction(
        Effect.gen(function* () {
          for (const planned of step.messages) {
            const message = yield* Message.make(inputOf(planned, world.now()))
            const available =
              planned.availableIn === undefined
                ? {}
                : { availableAt: DateTime.makeUnsafe(Math.floor(world.now()) + planned.availableIn) }
            yield* outbox.enqueue(message, {
              ...available,
              uncertainty: planned.uncertainty,
              schedule: planned.schedule,
              priority: planned.priority
            })
          }
          if (step.holds > 0) yield* Effect.sleep(step.holds)
          if (step.ends === "rollback") yield* Effect.fail("rolled back")
        })
      )
    })
    const fiber = world.fork(
      trueClock,
      `${schedule.seed} service`,
      Effect.provideService(transaction, OutboxStore, store)
    )
    fiber.addObserver((exit) => {
      open--
      if (!Exit.isSuccess(exit)) return
      for (const { key } of step.messages) (step.ends === "commit" ? committed : unsure).add(`m${key}`)
    })
  }

  const perform = (step: Step): void => {
    const process = "relay" in step ? places.get(step.relay) : undefined
    switch (step.do) {
      case "enqueue":
        return enqueue(step)
      case "cancel":
      case "requeue":
      case "discard":
      case "resolve as sent":
      case "resolve as not sent":
        return operate(state, watch, step.do, `default/m${step.key}`, Math.floor(world.now()))
      case "pause":
        paused.set(step.lane, paused.get(step.lane) ?? world.now())
        return Lanes.pause(
          state,
          { lanes: [step.lane], duration: undefined, reason: undefined, trips: 0 },
          world.now()
        )
      case "resume":
        paused.delete(step.lane)
        return Lanes.resume(state, [step.lane])
      case "start":
        return startAt(step.relay)
      case "stop":
        return stopAt(step.relay)
      case "kill":
        return process === undefined ? undefined : die(process)
      case "die at":
        return void process?.traps.push({ call: step.call, side: step.side, left: step.nth })
      case "store fault":
        return void process?.faults.push({
          call: step.call,
          fault: step.fault,
          millis: step.millis,
          left: step.times
        })
      case "clock jump":
        offsets[step.relay] = (offsets[step.relay] ?? 0) + step.millis
        if (process === undefined) return
        process.offset += step.millis
        if (step.millis < 0) process.setBack.push({ at: world.now(), millis: -step.millis })
        return
      case "freeze":
        if (process === undefined) return
        if (step.when === "now") return Process.freeze(process, world, step.millis)
        process.standsStillAt.push({ call: step.when, millis: step.millis })
        return
      case "provider":
        return provider.arm(step.fault, step.times, step.millis)
      case "poison":
        return provider.poison(`m${step.key}`, step.times, step.side)
    }
  }

  const calmDown = () => {
    provider.calmDown()
    paused.clear()
    for (const process of processes) {
      process.traps.length = 0
      process.faults.length = 0
      process.standsStillAt.length = 0
    }
    for (const [lane, { reason }] of state.lanes) if (reason === undefined) Lanes.resume(state, [lane])
    if (![...places.values()].some(({ stopping }) => !stopping)) startAt(schedule.relays)
  }

  const nothingWaits = () =>
    open === 0 && Array.from(state.messages.values()).every(({ work }) => work === undefined)

  for (const step of schedule.steps) world.after(step.at, () => perform(step))
  world.run(World.epoch + schedule.calm)
  calmDown()
  world.run(world.now() + patience, nothingWaits)
  over = true
  for (const place of places.keys()) stopAt(place)
  if (!world.run(world.now() + stopLimit, () => places.size === 0)) {
    problem(`${[...places.values()].map(({ name }) => name).join(", ")} did not stop`)
  }
  const rolledBack = new Set([...attempted].filter((id) => !committed.has(id) && !unsure.has(id)))
  judge({ state, provider, processes, committed, rolledBack }, problem)
  return {
    problems,
    stories: Array.from(state.messages.values(), (message) => storyOf(message, provider.ledger)),
    counts: {
      messages: state.messages.size,
      requests: provider.requests.length,
      received: provider.ledger.length,
      deaths,
      ends: Array.from(state.messages.values(), ({ outcomes }) => outcomes.at(-1)?.kind ?? "none")
    }
  }
}

const inputOf = (
  { edition, key, scheduledIn, ttlSeconds, type }: Planned,
  now: number
): Message.MessageInput => {
  const common = {
    id: `m${key}`,
    fromName: "Shop",
    toPhone: "+380671112233",
    ...(ttlSeconds === undefined ? {} : { ttl: Duration.seconds(ttlSeconds) }),
    ...(scheduledIn === undefined
      ? {}
      : { scheduledSent: DateTime.makeUnsafe(Math.floor(now) + scheduledIn) })
  }
  const text = `Text of edition ${edition}`
  switch (type) {
    case "Transaction":
    case "Promo":
      return { _tag: type, ...common, text }
    case "ViberSurvey":
      return { _tag: type, ...common, text, surveyOptions: ["Yes", "No"] }
    case "FlashCall":
      return { _tag: type, ...common, fromName: `Shop ${edition}` }
  }
}
