/** Two relays, in two processes, on one table. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Bench } from "../support/bench.ts"
import { contest, ratio, rowsOf } from "../support/contest.ts"
import { backlog, targetOf } from "../support/drains.ts"
import { atLeast } from "../support/result.ts"
import { now } from "../support/time.ts"
import type { Figure } from "./Figure.ts"

const entries = [
  { label: "one relay", relays: ["one"] },
  { label: "two relays", relays: ["one", "two"] }
] as const

export const relays: Figure = {
  name: "relays",
  title: "messages a second to the sink, by one relay and by two",
  seconds: (rounds) => 15 + rounds * 9,
  run: async (bench) => {
    const rates = await contest(bench, entries, (entry) => drainBy(bench, entry.relays))
    return {
      rows: rowsOf(rates, "msg/s"),
      verdicts: [atLeast("two relays / one relay", ratio(rates, "two relays", "one relay"), 1)]
    }
  }
}

const drainBy = async (bench: Bench, names: ReadonlyArray<string>): Promise<number> => {
  const template = await bench.template("t_relays", (database) =>
    backlog(bench, { label: "cascade", module: "cascade" }, database)
  )
  const processes = await Promise.all(names.map((name) => bench.process("cascade", `relay ${name}`)))
  const relays = processes.map(({ methods }) => methods)
  return bench.onCopy(template, async (database) => {
    await bench.sink.methods.reset()
    await Promise.all(relays.map((relay) => relay.open(database.url, {})))
    const started = now()
    await Promise.all(relays.map((relay) => relay.start(targetOf(bench, "sink"))))
    const handled = async () =>
      (await Promise.all(relays.map((relay) => relay.handled()))).reduce((a, b) => a + b, 0)
    while ((await handled()) < bench.size) await sleep(5)
    const millis = now() - started
    await Promise.all(relays.map((relay) => relay.stop()))
    await Promise.all(relays.map((relay) => relay.close()))
    const { distinct, messages } = await bench.sink.methods.count()
    if (distinct !== bench.size || messages !== bench.size) {
      throw new Error(
        `${names.length} relays: ${messages} messages, ${distinct} of them distinct, of ${bench.size}`
      )
    }
    return bench.size / (millis / 1_000)
  })
}
