/** Where the processor time of this library goes: making one message ready, and all of a drained message. */
import type { Bench } from "../support/bench.ts"
import { backlog, targetOf } from "../support/drains.ts"
import { type FigureResult, shown } from "../support/result.ts"
import type { Share } from "../support/profile.ts"
import { spread } from "../support/stats.ts"
import type { CascadeSystem } from "../systems/cascade.ts"
import type { Figure } from "./Figure.ts"

export const cpu: Figure = {
  name: "cpu",
  title: "processor time of one message: made ready, and drained",
  seconds: () => 25,
  run: async (bench: Bench): Promise<FigureResult> => {
    const entry = { label: "cascade", module: "cascade" }
    const template = await bench.template("t_cascade", (database) => backlog(bench, entry, database))
    const { methods } = await bench.process<CascadeSystem>("cascade")
    const ready: Array<number> = []
    for (let round = 0; round <= bench.rounds; round++) {
      const millis = await methods.makeReady({ first: 1, count: bench.size })
      if (round > 0) ready.push((millis * 1_000) / bench.size)
    }
    const drains: Array<number> = []
    for (let round = 0; round < bench.rounds; round++) {
      await bench.onCopy(template, async (database) => {
        await methods.open(database.url, {})
        const { cpuMillis } = await methods.drain(targetOf(bench, "sink"), bench.size)
        drains.push((cpuMillis * 1_000) / bench.size)
        await methods.close()
      })
    }
    const notes = await bench.onCopy(template, async (database) => {
      await methods.open(database.url, {})
      const [, profile] = await methods.profileDrain(targetOf(bench, "sink"), bench.size)
      await methods.close()
      const told = (title: string, shares: typeof profile.files, count: number) => [
        title,
        ...shares.slice(0, count).map(({ name, share }) => `  ${shown(share * 100).padStart(5)} %  ${name}`)
      ]
      return [
        ...told("shares of a drain, by file", profile.files, 12),
        ...told("by function", profile.functions, 12),
        ...told("by function of this library with what it calls", profile.totals.filter(isOwn), 30)
      ]
    })
    return {
      rows: [
        { label: "validate, seal, encode", unit: "µs/msg", value: spread(ready) },
        { label: "drain to the sink", unit: "µs/msg", value: spread(drains) }
      ],
      verdicts: [],
      notes
    }
  }
}

const isOwn = ({ name }: Share) => name.includes("packages/")
