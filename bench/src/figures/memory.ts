/** The memory of a relay that works for long. */
import { drainOnce } from "../support/drains.ts"
import { atMost } from "../support/result.ts"
import { spread } from "../support/stats.ts"
import type { Figure } from "./Figure.ts"

export const memory: Figure = {
  name: "memory",
  title: "resident memory of a new process that drains 1,000,000 messages to the sink, in MiB",
  seconds: () => 60,
  run: async (bench) => {
    const { rss } = await drainOnce(
      bench,
      {
        label: "cascade for long",
        module: "cascade",
        processName: "cascade for long",
        messages: bench.size * 10
      },
      "sink"
    )
    const [start = Number.NaN, first = Number.NaN] = rss
    const last = rss.at(-1) ?? Number.NaN
    const labels = ["at the start", "after a quarter", "after a half", "after three quarters", "at the end"]
    return {
      rows: rss.map((value, index) => ({ label: labels[index] ?? "", unit: "MiB", value: spread([value]) })),
      verdicts: [
        atMost("growth from the start to the end, MiB", last - start, 64),
        // What a garbage collector leaves lying is more one time and less another.
        atMost("growth from the first quarter to the last, MiB", last - first, 8)
      ]
    }
  }
}
