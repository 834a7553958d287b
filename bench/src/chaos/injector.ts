/**
 * Carries out a plan of faults: each when it is due, or as soon after that as it can be. Whatever was broken is whole
 * again when the injector is done.
 */
import type { PgTestServerError } from "@effect-cascade/testing/PgTestServer"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type { PlannedEvent, PlannedFault } from "./plan.ts"
import type { Supervised } from "./supervisor.ts"
import type { World } from "./world.ts"

/** A relay that was killed. */
export interface Kill {
  readonly name: string
  readonly at: number
}

/** A time in which the database was away. */
export interface Outage {
  readonly from: number
  readonly to: number
}

/** What was done, as opposed to planned. */
export interface Injected {
  readonly kills: ReadonlyArray<Kill>
  readonly producerKills: number
  readonly restarts: ReadonlyArray<Outage>
  readonly cuts: { readonly times: number; readonly connections: number }
  readonly stalls: number
  readonly badLinks: number
  readonly refusals: number
  readonly providerOutages: ReadonlyArray<Outage>
}

export interface InjectorOptions {
  readonly world: World
  /** How long the plan is. */
  readonly millis: number
  readonly plan: ReadonlyArray<PlannedEvent>
  readonly relays: ReadonlyArray<Supervised>
  readonly producers: ReadonlyArray<Supervised>
  /** The links that are stalled or bad right now are put in here, each as often as it is so. */
  readonly impaired: Array<number>
}

export const run = Effect.fnUntraced(function* (options: InjectorOptions) {
  const { impaired, millis, plan, producers, relays, world } = options
  const started = yield* Clock.currentTimeMillis
  const kills: Array<Kill> = []
  const restarts: Array<Outage> = []
  const providerOutages: Array<Outage> = []
  let producerKills = 0
  let cuts = 0
  let connections = 0
  let stalls = 0
  let badLinks = 0
  let refusals = 0

  const cut = (link: number) =>
    Effect.map(world.links[link]?.cut ?? Effect.succeed(0), (count) => {
      connections += count
    })

  const impairing = <A, E>(link: number, during: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.acquireUseRelease(
      Effect.sync(() => impaired.push(link)),
      () => during,
      () => Effect.sync(() => impaired.splice(impaired.indexOf(link), 1))
    )

  const perform = (fault: PlannedFault): Effect.Effect<void, PgTestServerError | Error> => {
    switch (fault._tag) {
      case "KillRelay":
        return Effect.gen(function* () {
          const killed = yield* killOne(relays, fault.relay, started + 2 * millis)
          kills.push({ name: killed.name, at: yield* Clock.currentTimeMillis })
        })
      case "KillProducer":
        return Effect.gen(function* () {
          // One that has finished has nothing left to lose.
          if ((yield* producers[fault.producer]?.kill ?? Effect.undefined) !== undefined) producerKills++
        })
      case "RestartDatabase":
        return Effect.gen(function* () {
          const from = yield* Clock.currentTimeMillis
          yield* world.database.stop("immediate")
          yield* Effect.sleep(fault.awayMillis)
          yield* world.database.start
          restarts.push({ from, to: yield* Clock.currentTimeMillis })
        })
      case "Cut":
        cuts++
        return cut(fault.link)
      case "Stall":
        return Effect.gen(function* () {
          const link = world.links[fault.link]
          if (link === undefined) return
          stalls++
          yield* link.stall(fault.direction)
          yield* impairing(fault.link, Effect.sleep(fault.millis)).pipe(Effect.ensuring(link.resume()))
          if (fault.thenCut) yield* cut(fault.link)
        })
      case "BadLink":
        return Effect.gen(function* () {
          const link = world.links[fault.link]
          if (link === undefined) return
          badLinks++
          yield* link.setToxics(fault.toxics)
          yield* impairing(fault.link, Effect.sleep(fault.millis)).pipe(
            Effect.ensuring(Effect.orDie(link.setToxics("")))
          )
        })
      case "Weather":
        return world.emulator.setFaults(fault.faults)
      case "Refusal":
        refusals++
        return world.emulator.nextRequests(fault.script)
      case "ProviderAway":
        return Effect.gen(function* () {
          const from = yield* Clock.currentTimeMillis
          yield* world.provider.setToxics("down")
          yield* Effect.sleep(fault.millis).pipe(Effect.ensuring(Effect.orDie(world.provider.setToxics(""))))
          providerOutages.push({ from, to: yield* Clock.currentTimeMillis })
        })
    }
  }

  yield* Effect.scoped(
    Effect.gen(function* () {
      // Those that take time go on beside the others; the database can only crash once at a time, and so on.
      const under = yield* FiberSet.make<void, PgTestServerError | Error>()
      const busy = new Set<string>()
      for (const { at, fault } of plan) {
        const wait = started + at - (yield* Clock.currentTimeMillis)
        if (wait > 0) yield* Effect.sleep(wait)
        const place = placeOf(fault)
        while (busy.has(place)) yield* Effect.sleep("20 millis")
        busy.add(place)
        yield* FiberSet.run(
          under,
          Effect.ensuring(
            perform(fault),
            Effect.sync(() => busy.delete(place))
          )
        )
      }
      while (busy.size > 0) yield* Effect.raceFirst(Effect.sleep("20 millis"), FiberSet.join(under))
    })
  )
  yield* world.emulator.setFaults("")
  const injected: Injected = {
    kills,
    producerKills,
    restarts,
    cuts: { times: cuts, connections },
    stalls,
    badLinks,
    refusals,
    providerOutages
  }
  return injected
})

/**
 * Kills a relay that works: the one that was planned, or the next one if it is still starting. On a machine so slow
 * that half of them are still starting it waits for them, but not for ever: to kill what has not begun shows nothing.
 */
const killOne = Effect.fnUntraced(function* (
  relays: ReadonlyArray<Supervised>,
  planned: number,
  until: number
) {
  for (;;) {
    const working = relays.filter((relay) => relay.isReady()).length
    const mayKill = working * 2 > relays.length || (yield* Clock.currentTimeMillis) > until
    const from = planned % relays.length
    for (const relay of mayKill ? [...relays.slice(from), ...relays.slice(0, from)] : []) {
      const killed = yield* relay.kill
      if (killed !== undefined) return killed
    }
    yield* Effect.sleep("20 millis")
  }
})

/** Faults of one place wait for each other; others do not. */
const placeOf = (fault: PlannedFault): string => {
  switch (fault._tag) {
    case "Stall":
    case "BadLink":
      return `${fault._tag} ${fault.link}`
    default:
      return fault._tag
  }
}
