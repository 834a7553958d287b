/** Whether a flash call waits behind a campaign. */
import { setTimeout as sleep } from "node:timers/promises"
import { targetOf } from "../support/drains.ts"
import { atMost } from "../support/result.ts"
import * as Seed from "../support/seed.ts"
import { median, percentile, spread } from "../support/stats.ts"
import type { Figure } from "./Figure.ts"

export const flash: Figure = {
  name: "flash",
  title: "milliseconds from the commit of a flash call to the sink, while 1,000,000 promos are being drained",
  seconds: () => 60,
  run: async (bench) => {
    const promos = { first: 1, count: bench.size * 10 }
    const calls = { first: 1, count: Math.max(10, Math.ceil(bench.size / 400)) }
    const template = await bench.template("t_campaign", async (database) => {
      await Seed.tables(database)
      await Seed.waiting(database, { range: promos, priority: "low" })
      await database.settle()
    })
    const { methods: relay } = await bench.process("cascade", "relay")
    const { methods: writer } = await bench.process("cascade", "writer")
    return bench.onCopy(template, async (database) => {
      await bench.sink.methods.reset("flash:")
      await relay.open(database.url, { variant: "default-options" })
      await writer.open(database.url, { variant: "flash" })
      await relay.start(targetOf(bench, "sink"))
      await sleep(bench.size < 10_000 ? 0 : 2_000)
      const before = await relay.handled()
      const committed = await writer.offer(calls, 25)
      const during = await relay.handled()
      for (let tries = 0; tries < 600 && (await bench.sink.methods.arrivals()).size < calls.count; tries++) {
        await sleep(50)
      }
      const arrivals = await bench.sink.methods.arrivals()
      await relay.stop()
      await relay.close()
      await writer.close()
      const millis = committed.map(([number, at]) => (arrivals.get(`flash:${number}`) ?? Number.NaN) - at)
      return {
        rows: [
          { label: "p50", unit: "ms", value: spread([median(millis)]) },
          { label: "p99", unit: "ms", value: spread([percentile(millis, 0.99)]) },
          { label: "longest", unit: "ms", value: spread([Math.max(...millis)]) }
        ],
        verdicts: [atMost("p99", percentile(millis, 0.99), 250)],
        notes: [
          `${calls.count} calls; meanwhile ${during - before} promos were sent, of ${promos.count}` +
            (during >= promos.count ? ": they were all gone before the end" : "")
        ]
      }
    })
  }
}
