/** What a claim costs while another session holds its snapshot open, so that vacuum removes nothing. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Bench } from "../support/bench.ts"
import { atMost } from "../support/result.ts"
import { median, percentile, spread } from "../support/stats.ts"
import type { CascadeSystem } from "../systems/cascade.ts"
import { emptyOf } from "./enqueue.ts"
import type { Figure } from "./Figure.ts"

const perSecond = 1_000

export const snapshot: Figure = {
  name: "snapshot",
  title: "milliseconds of a claim, at 1,000 messages a second for 2 minutes",
  seconds: () => 255,
  run: async (bench) => {
    const free = await claims(bench, false)
    const held = await claims(bench, true)
    const p99 = (millis: ReadonlyArray<number>) => percentile(millis, 0.99)
    const row = (label: string, value: number) => ({ label, unit: "ms", value: spread([value]) })
    return {
      rows: [
        row("as ever, p50", median(free)),
        row("as ever, p99", p99(free)),
        row("snapshot held, p50", median(held)),
        row("snapshot held, p99", p99(held)),
        // When the most has piled up.
        row("snapshot held, p99 of the last quarter", p99(held.slice(-Math.ceil(held.length / 4))))
      ],
      verdicts: [atMost("p99 with / without", p99(held) / p99(free), 3)],
      notes: [`${free.length} and ${held.length} claims`]
    }
  }
}

const claims = async (bench: Bench, isHeld: boolean): Promise<ReadonlyArray<number>> => {
  const count = Math.ceil((120 * perSecond * bench.size) / 100_000)
  const { methods: relay } = await bench.process<CascadeSystem>("cascade", "relay")
  const { methods: writer } = await bench.process("cascade", "writer")
  return bench.onCopy(await emptyOf(bench, { label: "cascade", module: "cascade" }), async (database) => {
    await relay.open(database.url, { variant: "default-options" })
    await writer.open(database.url, {})
    const run = async () => {
      await relay.start({ kind: "nothing" })
      await writer.offer({ first: 1, count: 100 }, perSecond)
      await sleep(100)
      await relay.takeClaimTimes()
      await writer.offer({ first: 1_000, count }, perSecond)
      const millis = await relay.takeClaimTimes()
      for (let tries = 0; tries < 600 && (await relay.handled()) < count + 100; tries++) await sleep(50)
      await relay.stop()
      return millis
    }
    const millis = await (isHeld ? database.holdingSnapshot(run) : run())
    await relay.close()
    await writer.close()
    return millis
  })
}
