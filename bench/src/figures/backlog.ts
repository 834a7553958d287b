/** Whether a drain minds what else lies in the tables. */
import type { Bench } from "../support/bench.ts"
import { drainAll, type Entry, rateOf, ratio } from "../support/drains.ts"
import { atLeast } from "../support/result.ts"
import * as Seed from "../support/seed.ts"
import type { Database } from "../support/server.ts"
import type { Figure } from "./Figure.ts"

const fresh = "nothing else"

const entriesOf = (bench: Bench): ReadonlyArray<Entry> => {
  const count = bench.size
  const million = { first: count + 1, count: count * 10 }
  const entry = (label: string, fill: (database: Database) => Promise<void>): Entry => ({
    label,
    module: "cascade",
    fill: async (database) => {
      await Seed.tables(database)
      await fill(database)
      await Seed.waiting(database, { range: { first: 1, count } })
      await database.settle()
    }
  })
  return [
    entry(fresh, async () => {}),
    entry("1,000,000 settled", (database) => Seed.settled(database, million)),
    entry("1,000,000 due besides", (database) =>
      // Due later than those that are drained, in the same lane: a relay never sees an end of it.
      Seed.waiting(database, { range: million, dueMinutesAgo: 0.5 })
    ),
    entry("1,000,000 in a paused lane", async (database) => {
      await Seed.waiting(database, { range: million, priority: "low" })
      await Seed.pauseLane(database, "default/low")
    }),
    entry("2,000,000 scheduled", (database) =>
      Seed.waiting(database, { range: { ...million, count: count * 20 }, dueMinutesAgo: -24 * 60 })
    )
  ]
}

export const backlog: Figure = {
  name: "backlog",
  title: "messages a second drained into nothing, beside what else is in the tables",
  seconds: (rounds) => 100 + rounds * 26,
  run: async (bench) => {
    const entries = entriesOf(bench)
    const rounds = await drainAll(bench, entries, "nothing")
    return {
      rows: entries.map(({ label }) => ({ label, unit: "msg/s", value: rateOf(rounds.get(label)) })),
      verdicts: entries
        .filter(({ label }) => label !== fresh)
        .map(({ label }) => atLeast(`${label} / ${fresh}`, ratio(rounds.get(label), rounds.get(fresh)), 0.9))
    }
  }
}
