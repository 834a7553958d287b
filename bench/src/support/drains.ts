/** One backlog worked off by each contender in turn, round after round, each time on a copy of the same database. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Target } from "../systems/System.ts"
import type { Bench, Contender } from "./bench.ts"
import type { Database, Usage } from "./server.ts"
import * as Seed from "./seed.ts"
import { type Spread, spread } from "./stats.ts"
import type { Drained } from "./systemProcess.ts"

/** A drain with what it did to the database. */
export interface Round extends Drained {
  readonly messages: number
  readonly perSecond: number
  readonly usage: Usage
}

export interface Entry extends Contender {
  /** Its process. Defaults to that of its module. */
  readonly processName?: string | undefined
  /** Makes the database that it drains. Defaults to `backlog`. */
  readonly fill?: ((database: Database) => Promise<void>) | undefined
  /** How many messages it drains of it. Defaults to the run's size. */
  readonly messages?: number | undefined
}

/** The rounds of each entry by its label. A first drain of each is not counted: it warms the processes up. */
export const drainAll = async (
  bench: Bench,
  entries: ReadonlyArray<Entry>,
  target: "sink" | "nothing"
): Promise<ReadonlyMap<string, ReadonlyArray<Round>>> => {
  const rounds = new Map(entries.map(({ label }): [string, Array<Round>] => [label, []]))
  for (let round = bench.size < 10_000 ? 1 : 0; round <= bench.rounds; round++) {
    for (const entry of rotated(entries, round)) {
      const drained = await drainOnce(bench, entry, target)
      if (round > 0) rounds.get(entry.label)?.push(drained)
    }
  }
  return rounds
}

const rotated = <A>(values: ReadonlyArray<A>, by: number): ReadonlyArray<A> => {
  const cut = by % values.length
  return [...values.slice(cut), ...values.slice(0, cut)]
}

export const targetOf = (bench: Bench, target: "sink" | "nothing"): Target =>
  target === "sink" ? { kind: "sink", url: bench.sinkUrl } : { kind: "nothing" }

export const drainOnce = async (bench: Bench, entry: Entry, target: "sink" | "nothing"): Promise<Round> => {
  const { methods } = await bench.process(entry.module, entry.processName)
  const messages = entry.messages ?? bench.size
  const template = await bench.template(
    nameOf(entry.label),
    entry.fill ?? ((database) => backlog(bench, entry, database))
  )
  return bench.onCopy(template, async (database) => {
    await bench.sink.methods.reset()
    await methods.open(database.url, entry.options ?? {})
    const before = await database.usage()
    const drained = await methods.drain(targetOf(bench, target), messages)
    const { walBytes } = await database.usage()
    await methods.close()
    // A session tells what it did to the tables when it ends.
    await sleep(200)
    const after = await database.usage()
    const count = await bench.sink.methods.count()
    if (target === "sink" && count.distinct < messages) {
      throw new Error(`${entry.label}: ${count.distinct} of ${messages} messages came to the sink`)
    }
    return {
      ...drained,
      messages,
      perSecond: messages / (drained.millis / 1_000),
      usage: {
        cpuMillis: after.cpuMillis - before.cpuMillis,
        walBytes: walBytes - before.walBytes,
        deadTuples: after.deadTuples - before.deadTuples,
        updates: after.updates - before.updates,
        hotUpdates: after.hotUpdates - before.hotUpdates
      }
    }
  })
}

const nameOf = (label: string) => `t_${label.toLowerCase().replaceAll(/[^a-z0-9]+/gu, "_")}`

/** The messages of a drain, due and nothing else. */
export const backlog = async (bench: Bench, entry: Entry, database: Database): Promise<void> => {
  const range = { first: 1, count: entry.messages ?? bench.size }
  if (entry.module === "cascade" || entry.module === "raw") {
    await Seed.tables(database)
    await Seed.waiting(database, { range })
  } else {
    const { methods } = await bench.process(entry.module)
    await methods.open(database.url, entry.options ?? {})
    await methods.enqueueAll(range, 1_000)
    await methods.close()
  }
  await database.settle({ analyze: entry.options?.variant !== "fresh-queue" })
}

export const rateOf = (rounds: ReadonlyArray<Round> | undefined): Spread =>
  spread((rounds ?? []).map(({ perSecond }) => perSecond))

/** The median over the rounds of one's rate beside the other's in the same round: what disturbs one disturbs both. */
export const ratio = (
  one: ReadonlyArray<Round> | undefined,
  other: ReadonlyArray<Round> | undefined
): number =>
  spread((one ?? []).map((round, index) => round.perSecond / (other?.[index]?.perSecond ?? Number.NaN)))
    .median
