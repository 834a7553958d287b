/** A backlog worked off by one process, to the sink and into nothing, and what that costs. */
import type { Bench } from "../support/bench.ts"
import { drainAll, type Entry, rateOf, ratio, type Round } from "../support/drains.ts"
import { atLeast, type FigureResult, type Row } from "../support/result.ts"
import { spread } from "../support/stats.ts"
import type { Figure } from "./Figure.ts"

const entriesOf = (bench: Bench): ReadonlyArray<Entry> => [
  { label: "raw loop", module: "raw" },
  { label: "cascade", module: "cascade" },
  { label: "cascade, default options", module: "cascade", options: { variant: "default-options" } },
  { label: "graphile-worker", module: "graphile" },
  { label: "pg-boss", module: "pgboss" },
  { label: "pg-boss, not analyzed", module: "pgboss", options: { variant: "fresh-queue" } },
  // It writes each end by a statement of its own: fewer of them, or it would take most of the run.
  { label: "PersistedQueue", module: "persistedQueue", messages: Math.ceil(bench.size / 20) }
]

const peers = ["graphile-worker", "pg-boss", "pg-boss, not analyzed", "PersistedQueue"]

export const drainSink: Figure = {
  name: "drain-sink",
  title: "messages a second from a backlog to the sink, one process, batches of 1,000",
  seconds: (rounds) => 25 + rounds * 30,
  run: async (bench) => {
    const rounds = await drainAll(bench, entriesOf(bench), "sink")
    const best = bestOf(rounds)
    return {
      rows: [...rates(rounds), ...costs(rounds)],
      verdicts: [
        atLeast("cascade / raw loop", ratio(rounds.get("cascade"), rounds.get("raw loop")), 0.75),
        atLeast(`cascade / best peer (${best})`, ratio(rounds.get("cascade"), rounds.get(best)), 2.5)
      ]
    }
  }
}

export const drainNothing: Figure = {
  name: "drain-nothing",
  title: "the same, into a transport that does nothing",
  seconds: (rounds) => 20 + rounds * 15,
  run: async (bench): Promise<FigureResult> => {
    const entries = entriesOf(bench).filter(({ module }) => module !== "persistedQueue")
    const rounds = await drainAll(bench, entries, "nothing")
    return {
      rows: [...rates(rounds), ...costs(rounds)],
      verdicts: [
        atLeast("cascade / graphile-worker", ratio(rounds.get("cascade"), rounds.get("graphile-worker")), 1.2)
      ]
    }
  }
}

const bestOf = (rounds: ReadonlyMap<string, ReadonlyArray<Round>>): string =>
  peers
    .filter((label) => rounds.has(label))
    .reduce((best, label) =>
      rateOf(rounds.get(label)).median > rateOf(rounds.get(best)).median ? label : best
    )

export const rates = (rounds: ReadonlyMap<string, ReadonlyArray<Round>>): ReadonlyArray<Row> =>
  Array.from(rounds, ([label, measured]) => ({ label, unit: "msg/s", value: rateOf(measured) }))

/** What each message cost: the log and the garbage it left in the database, and processor time of the process. */
const costs = (rounds: ReadonlyMap<string, ReadonlyArray<Round>>): ReadonlyArray<Row> => {
  const each = (label: string, unit: string, of: (round: Round) => number): ReadonlyArray<Row> =>
    Array.from(rounds, ([name, measured]) => ({
      label: `${label}, ${name}`,
      unit,
      value: spread(measured.map((round) => of(round) / round.messages))
    }))
  return [
    ...each("log", "bytes/msg", ({ usage }) => usage.walBytes),
    ...each("dead tuples", "/msg", ({ usage }) => usage.deadTuples),
    ...each("updates that touch an index", "/msg", ({ usage }) => usage.updates - usage.hotUpdates),
    ...each("processor time, itself", "µs/msg", ({ cpuMillis }) => cpuMillis * 1_000),
    ...each("processor time, Postgres", "µs/msg", ({ usage }) => usage.cpuMillis * 1_000)
  ]
}
