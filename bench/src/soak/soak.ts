/**
 * A steady rate for a long time, with the faults of a bad network and a bad provider all the while: does anything
 * grow that should not? The relays are the same two processes from the first minute to the last.
 */
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Injector from "../chaos/injector.ts"
import * as Plan from "../chaos/plan.ts"
import type { Supervised } from "../chaos/supervisor.ts"
import * as World from "../chaos/world.ts"
import { trend, type Trend } from "./trend.ts"

export interface SoakOptions {
  readonly minutes: number
  readonly perSecond: number
  readonly seed: number
}

const relays = 2

/** How often the database crashes. */
const restartEveryMinutes = 5

/** One look at everything that could grow. Memory is in MiB, after a forced collection. */
export interface Sample {
  readonly at: number
  readonly rss: number
  readonly heap: number
  /** What else the process holds: sockets, timers, requests. */
  readonly resources: number
  /** Sessions of the relays and the producer in Postgres. */
  readonly connections: number
  readonly messages: number
  readonly work: number
  readonly outcomes: number
  readonly databaseMebibytes: number
}

type Figure = Exclude<keyof Sample, "at">

/** How much growth in all of the time counts as none, by the mean of the figure. */
const allowed: Readonly<Record<Figure, (mean: number) => number>> = {
  rss: (mean) => Math.max(16, mean * 0.1),
  heap: (mean) => Math.max(5, mean * 0.1),
  resources: () => 5,
  // Pools open sessions as they need them; the relays and the producer may have 21 together.
  connections: () => 8,
  messages: (mean) => mean * 0.25,
  work: (mean) => Math.max(200, mean),
  outcomes: (mean) => mean * 0.25,
  databaseMebibytes: (mean) => Math.max(8, mean * 0.25)
}

const figures = Object.keys(allowed) as ReadonlyArray<Figure>

export type SoakResult = Effect.Success<ReturnType<typeof run>>

export const run = Effect.fnUntraced(function* ({ minutes, perSecond, seed }: SoakOptions) {
  const millis = minutes * 60_000
  // Within the first quarter of the run as much is deleted as is written.
  const keepMillis = Math.max(10_000, millis / 10)
  const world = yield* World.make({ seed, links: relays + 1, keep: "ids", keepRequests: 1_000 })
  const fleet = yield* Effect.forEach([0, 1], (index) =>
    World.relay(world, index, {
      leaseMillis: 5_000,
      noting: false,
      keepMillis,
      nodeArguments: ["--expose-gc"]
    })
  )
  while (!fleet.every((relay) => relay.isReady())) yield* Effect.sleep("100 millis")
  const startedAt = yield* Clock.currentTimeMillis
  const producer = yield* World.producer(world, 0, {
    seed,
    link: relays,
    quota: Math.round((perSecond * millis) / 1_000),
    perSecond,
    startedAt
  })
  yield* Console.log(
    `Postgres ${world.postgres}; ${perSecond} messages a second for ${minutes} minutes, seed ${seed}; finished messages are deleted after ${Math.round(keepMillis / 1_000)} s.`
  )
  const injecting = yield* Effect.forkScoped(
    Injector.run({
      world,
      millis,
      plan: Plan.draw({
        seed,
        millis,
        kills: 0,
        restarts: Math.round(minutes / restartEveryMinutes),
        relays,
        producers: 1
      }),
      relays: fleet,
      producers: [producer],
      impaired: []
    })
  )

  const samples: Array<Sample> = []
  const count = Math.max(20, Math.min(120, Math.round(minutes * 10)))
  for (let index = 1; index <= count; index++) {
    const wait = startedAt + (index * millis) / count - (yield* Clock.currentTimeMillis)
    if (wait > 0) yield* Effect.sleep(wait)
    const sample = yield* look(world, fleet)
    if (sample === undefined) continue
    samples.push(sample)
    if (index % Math.floor(count / 10) === 0) yield* Console.log(line(sample, startedAt))
  }
  const injected = yield* Fiber.join(injecting)
  const { faults, requests } = yield* world.emulator.requestCounts
  const { extra, ids } = yield* world.emulator.ledger.counts

  const settled = samples.filter(({ at }) => at - startedAt > millis / 4)
  return {
    seed,
    minutes,
    perSecond,
    postgres: world.postgres,
    samples: settled.length,
    received: ids,
    copies: extra,
    requests,
    faults: {
      databaseCrashes: injected.restarts.length,
      cuts: injected.cuts.times,
      stalls: injected.stalls,
      badLinks: injected.badLinks,
      producerKills: injected.producerKills,
      provider: Object.values(faults).reduce((sum, times) => sum + times, 0)
    },
    relayStarts: fleet.reduce((sum, { generations }) => sum + generations.length, 0),
    trends: Object.fromEntries(
      figures.map((name) => [
        name,
        trend(
          settled.map((sample) => ({ at: sample.at, value: sample[name] })),
          allowed[name]
        )
      ])
    ) as Readonly<Record<Figure, Trend>>
  }
})

/** `undefined` where the database or a relay cannot be asked just now. */
const look = (world: World.World, fleet: ReadonlyArray<Supervised>) =>
  Effect.gen(function* () {
    const [rows] = yield* world.sql<Omit<Sample, "at" | "rss" | "heap" | "resources">>`
      SELECT
        (SELECT count(*)::int FROM pg_stat_activity
          WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()) AS connections,
        (SELECT count(*)::int FROM cascade.message) AS messages,
        (SELECT count(*)::int FROM cascade.work) AS work,
        (SELECT count(*)::int FROM cascade.outcome) AS outcomes,
        pg_database_size(current_database())::float8 / 1048576 AS "databaseMebibytes"`
    const said = yield* Effect.forEach(fleet, (relay) => relay.ask("memory"))
    if (rows === undefined || !said.every(isMemory)) return undefined
    const mean = (of: (memory: Memory) => number) =>
      said.reduce((sum, memory) => sum + of(memory), 0) / said.length
    const sample: Sample = {
      ...rows,
      at: yield* Clock.currentTimeMillis,
      rss: mean(({ rss }) => rss) / 2 ** 20,
      heap: mean(({ heapUsed }) => heapUsed) / 2 ** 20,
      resources: mean(({ resources }) => resources)
    }
    return sample
  }).pipe(
    Effect.timeout("15 seconds"),
    Effect.catchCause(() => Effect.undefined)
  )

interface Memory {
  readonly rss: number
  readonly heapUsed: number
  readonly resources: number
}

const isMemory = (said: unknown): said is Memory =>
  typeof said === "object" && said !== null && "heapUsed" in said

const line = (sample: Sample, startedAt: number): string =>
  [
    `${((sample.at - startedAt) / 60_000).toFixed(1).padStart(5)} min`,
    ...figures.map((name) => `${labels[name]} ${shown(sample[name])}`)
  ].join("  ")

const labels: Readonly<Record<Figure, string>> = {
  rss: "rss MiB",
  heap: "heap MiB",
  resources: "handles",
  connections: "sessions",
  messages: "message",
  work: "work",
  outcomes: "outcome",
  databaseMebibytes: "database MiB"
}

const shown = (value: number): string => value.toFixed(Number.isInteger(value) ? 0 : 1)

export const isFlat = ({ trends }: SoakResult): boolean => figures.every((name) => trends[name].isFlat)

export const table = (result: SoakResult): string =>
  [
    "",
    `${result.received.toLocaleString("en-US")} messages received (${result.copies.toLocaleString("en-US")} copies beyond the first) in ${result.requests.toLocaleString("en-US")} requests.`,
    `Faults: ${Object.entries(result.faults)
      .map(([name, times]) => `${name} ${times.toLocaleString("en-US")}`)
      .join(", ")}. Relay processes started: ${result.relayStarts}.`,
    "",
    `After the first quarter (${result.samples} samples; of the two relays the mean):`,
    ...figures.map((name) => {
      const { first, growth, isFlat, last, max, min, perHour } = result.trends[name]
      return `  ${labels[name].padEnd(13)} ${isFlat ? "flat" : "GROWS"}  first ${shown(first)}, last ${shown(last)}, from ${shown(min)} to ${shown(max)}, slope ${shown(perHour)} an hour (${shown(growth)} in all)`
    })
  ].join("\n")
