/** From the commit of a transaction to the arrival of its message at the sink. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Bench, Contender } from "../support/bench.ts"
import { contest, rowsOf } from "../support/contest.ts"
import { notice, trackingId } from "../support/messages.ts"
import { atMost } from "../support/result.ts"
import { median, percentile } from "../support/stats.ts"
import type { Committed } from "../support/systemProcess.ts"
import { emptyOf } from "./enqueue.ts"
import type { Figure } from "./Figure.ts"

interface Entry extends Contender {
  /** Whether the relay or worker runs in the process that commits. */
  readonly together: boolean
}

const entries: ReadonlyArray<Entry> = [
  { label: "cascade", module: "cascade", options: { variant: "default-options" }, together: false },
  {
    label: "cascade, one process",
    module: "cascade",
    options: { variant: "default-options" },
    together: true
  },
  { label: "graphile-worker", module: "graphile", together: false },
  {
    label: "graphile-worker, its defaults",
    module: "graphile",
    options: { variant: "defaults" },
    together: false
  },
  { label: "pg-boss", module: "pgboss", together: false }
]

/** Messages a second: so few that all is idle in between, and a steady flow. */
const rates = [
  { label: "idle", perSecond: 10, seconds: 4 },
  { label: "200/s", perSecond: 200, seconds: 3 }
] as const

export const latency: Figure = {
  name: "latency",
  title: "milliseconds from the commit to the sink; worker in a process of its own, unless it says otherwise",
  seconds: (rounds) => 10 + rounds * 48,
  run: async (bench) => {
    const p50 = new Map<string, ReadonlyArray<number>>()
    const p99 = new Map<string, ReadonlyArray<number>>()
    for (const rate of rates) {
      const share = Math.min(1, bench.size / 100_000)
      const count = Math.max(3, Math.ceil(rate.perSecond * rate.seconds * share))
      const samples = new Map(entries.map(({ label }): [string, Array<ReadonlyArray<number>>] => [label, []]))
      const measure = async (entry: Entry) => {
        const millis = await latencies(bench, entry, count, rate.perSecond)
        samples.get(entry.label)?.push(millis)
        return median(millis)
      }
      const medians = await contest(bench, entries, measure, false)
      for (const [label, values] of medians) p50.set(`${label}, ${rate.label}, p50`, values)
      for (const [label, rounds] of samples) {
        p99.set(
          `${label}, ${rate.label}, p99`,
          rounds.map((millis) => percentile(millis, 0.99))
        )
      }
    }
    const of = (label: string) => median(p50.get(label) ?? p99.get(label) ?? [])
    return {
      rows: [...rowsOf(p50, "ms"), ...rowsOf(p99, "ms")],
      verdicts: rates.flatMap(({ label }) => {
        const peer = Math.min(
          of(`graphile-worker, ${label}, p50`),
          of(`graphile-worker, its defaults, ${label}, p50`)
        )
        return [
          atMost(`cascade p50, ${label}`, of(`cascade, ${label}, p50`), 10),
          atMost(`cascade p99, ${label}`, of(`cascade, ${label}, p99`), 50),
          atMost(`cascade p50 / graphile-worker p50, ${label}`, of(`cascade, ${label}, p50`) / peer, 1)
        ]
      })
    }
  }
}

const latencies = async (bench: Bench, entry: Entry, count: number, perSecond: number) => {
  const { methods: writer } = await bench.process(entry.module)
  const { methods: worker } = entry.together
    ? { methods: writer }
    : await bench.process(entry.module, `${entry.module} worker`)
  return bench.onCopy(await emptyOf(bench, entry), async (database) => {
    await writer.open(database.url, entry.options ?? {})
    if (!entry.together) await worker.open(database.url, entry.options ?? {})
    await bench.sink.methods.reset(notice(0).id.slice(0, -1))
    await worker.start({ kind: "sink", url: bench.sinkUrl })
    // Listening, connected, and idle.
    await writer.offer({ first: 1, count: 3 }, 20)
    await sleep(300)
    const committed = await writer.offer({ first: 100, count }, perSecond)
    const arrivals = await arrived(bench, committed)
    await worker.stop()
    if (!entry.together) await worker.close()
    await writer.close()
    return committed.map(([number, at]) => (arrivals.get(trackingId(number)) ?? Number.NaN) - at)
  })
}

const arrived = async (
  bench: Bench,
  committed: ReadonlyArray<Committed>
): Promise<ReadonlyMap<string, number>> => {
  for (let tries = 0; tries < 600; tries++) {
    const { distinct } = await bench.sink.methods.count()
    if (distinct >= committed.length + 3) return bench.sink.methods.arrivals()
    await sleep(50)
  }
  throw new Error("not all messages came to the sink within 30 seconds")
}
