/** One run: everything is started, goes wrong for a while by plan, is left in peace until nothing is due, and judged. */
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Evidence from "./evidence.ts"
import * as Injector from "./injector.ts"
import * as Judge from "./judge.ts"
import * as Plan from "./plan.ts"
import * as Recovery from "./recovery.ts"
import { spread } from "./spread.ts"
import type { Supervised } from "./supervisor.ts"
import * as Watcher from "./watcher.ts"
import * as World from "./world.ts"

export interface ChaosOptions {
  readonly seed: number
  readonly minutes: number
  readonly messages: number
  readonly kills: number
  readonly restarts: number
  readonly relays: number
  readonly producers: number
  readonly leaseMillis: number
  /** How much longer than a lease the rows of a killed relay may wait, when somebody could have taken them. */
  readonly slackMillis: number
  /** How long a request may be on its way to the provider. */
  readonly transitMillis: number
  readonly keepFolder: boolean
}

export type ChaosResult = Effect.Success<ReturnType<typeof run>>

export const run = Effect.fnUntraced(function* (options: ChaosOptions) {
  const { leaseMillis, relays, seed } = options
  const began = yield* Clock.currentTimeMillis
  // The rest of the time is for the drain, and for looking.
  const millis = options.minutes * 60_000 * 0.7
  // For a machine that has other things to do; a run that needs it says so by its figures.
  const patience = 60_000 + millis / 2
  const plan = Plan.draw({ ...options, millis })
  const world = yield* World.make({
    seed,
    links: relays + options.producers,
    keepFolder: options.keepFolder
  })
  if (options.keepFolder) yield* Console.log(`notes and logs: ${world.folder}`)
  const fleet = yield* Effect.forEach(range(relays), (index) =>
    World.relay(world, index, { leaseMillis, noting: true })
  )
  yield* until(
    Effect.sync(() => fleet.every((relay) => relay.isReady())),
    "30 seconds"
  )
  const startedAt = yield* Clock.currentTimeMillis
  const producers = yield* Effect.forEach(range(options.producers), (index) =>
    World.producer(world, index, {
      seed,
      link: relays + index,
      quota: options.messages / options.producers,
      perSecond: options.messages / options.producers / (millis / 1_000),
      startedAt
    })
  )
  const impaired: Array<number> = []
  const watched = yield* Watcher.start(world, fleet, impaired)
  yield* Console.log(
    `Postgres ${world.postgres}; ${relays} relays, ${options.producers} producers; ${plan.length} faults in ${Math.round(millis / 1_000)} s, seed ${seed}.`
  )
  const injected = yield* Injector.run({ world, millis, plan, relays: fleet, producers, impaired })
  const faultsEnded = yield* Clock.currentTimeMillis

  yield* Console.log("No more faults; waiting until nothing is due.")
  const finished = yield* Effect.forEach(range(options.producers), (index) =>
    until(World.isFinished(world, index), patience)
  )
  const drained = yield* until(
    Effect.map(left(world), (count) => count === 0),
    patience
  )
  const drainedAt = yield* Clock.currentTimeMillis
  yield* Effect.forEach(producers, (producer) => producer.stop(5_000), { concurrency: "unbounded" })
  const stopped = yield* Effect.forEach(fleet, (relay) => relay.stop(leaseMillis * 2 + 5_000), {
    concurrency: "unbounded"
  })

  const evidence = yield* Evidence.gather(world)
  const requests = yield* world.emulator.requestCounts
  const recovery = Recovery.measure(evidence, injected, yield* watched, leaseMillis)
  const died = [...fleet, ...producers].flatMap(diedByThemselves)
  const late = recovery.beyondLease.max > options.slackMillis
  const verdicts: ReadonlyArray<Judge.Verdict> = [
    ...Judge.judge(evidence, { transitMillis: options.transitMillis }),
    {
      promise: `what a killed relay held moves again within ${(leaseMillis + options.slackMillis) / 1_000} s, if anything can`,
      of: recovery.kills,
      broken: late ? 1 : 0,
      examples: late ? [`${Math.round(recovery.beyondLease.max)} ms beyond the lease`] : []
    },
    {
      promise: "a process that works dies of no outage",
      of: [...fleet, ...producers].reduce((sum, { generations }) => sum + generations.length, 0),
      broken: died.length,
      examples: died.slice(0, 5)
    },
    {
      promise: "a relay stops in order when asked",
      of: stopped.length,
      broken: stopped.filter((done) => !done).length,
      examples: []
    }
  ]
  return {
    seed,
    postgres: world.postgres,
    planned: plan.length,
    finished: finished.every(Boolean) && drained,
    injected: {
      ...injected,
      starts: spread(fleet.flatMap(startTimes)),
      provider: requests.faults
    },
    counts: {
      ordersCommitted: evidence.orders.size,
      ordersRolledBack: evidence.rolledBack.size,
      ordersDoubtful: evidence.doubtful.size,
      doubtfulFoundCommitted: [...evidence.doubtful].filter((order) => evidence.orders.has(order)).length,
      messages: evidence.messages.length,
      received: evidence.ledger.length,
      requests: requests.requests,
      duplicates: Judge.duplicates(evidence.ledger),
      lapsedLeases: evidence.messages.reduce(
        (sum, { outcomes }) => sum + outcomes.filter(({ kind }) => kind === "lapsed").length,
        0
      ),
      endings: Object.fromEntries(Judge.endings(evidence))
    },
    recovery,
    verdicts,
    seconds: {
      faults: (faultsEnded - startedAt) / 1_000,
      drain: (drainedAt - faultsEnded) / 1_000,
      whole: ((yield* Clock.currentTimeMillis) - began) / 1_000
    }
  }
})

/** How long each start took until the process worked, in milliseconds. */
const startTimes = ({ generations }: Supervised): ReadonlyArray<number> =>
  generations.flatMap(({ readyAt, startedAt }) => (readyAt === undefined ? [] : [readyAt - startedAt]))

const range = (count: number) => Array.from({ length: count }, (_, index) => index)

const left = (world: World.World): Effect.Effect<number> =>
  world.sql<{ readonly count: number }>`SELECT count(*)::int AS count FROM cascade.work`.pipe(
    Effect.map(([row]) => row?.count ?? Infinity),
    Effect.catchCause(() => Effect.succeed(Infinity))
  )

const until = (condition: Effect.Effect<boolean>, atMost: Duration.Input): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    while (!(yield* condition)) yield* Effect.sleep("100 millis")
    return true
  }).pipe(Effect.timeoutOrElse({ duration: atMost, orElse: () => Effect.succeed(false) }))

/** One that ends before it works has not found its database, and is started again. */
const diedByThemselves = ({ generations }: Supervised): ReadonlyArray<string> =>
  generations.filter(({ end, readyAt }) => end === "died" && readyAt !== undefined).map(({ name }) => name)
