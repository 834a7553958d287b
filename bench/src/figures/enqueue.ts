/** Messages written to the outbox: many in each transaction, and one beside the change it tells of. */
import type { Bench, Contender } from "../support/bench.ts"
import { best, contest, ratio, type Rates, rowsOf } from "../support/contest.ts"
import { atLeast, type Verdict } from "../support/result.ts"
import type { Figure } from "./Figure.ts"

const bulk = (bench: Bench): ReadonlyArray<Contender & { readonly count: number }> => {
  const count = bench.size
  return [
    { label: "raw unnest", module: "raw", count },
    { label: "cascade", module: "cascade", count },
    { label: "cascade, from JSON", module: "cascade", options: { variant: "decode" }, count },
    { label: "graphile-worker, job key", module: "graphile", count },
    { label: "graphile-worker, no key", module: "graphile", options: { variant: "no-key" }, count },
    { label: "pg-boss, singleton key", module: "pgboss", count },
    { label: "pg-boss, no key", module: "pgboss", options: { variant: "no-key" }, count },
    // A statement for each message: fewer of them.
    { label: "PersistedQueue, id", module: "persistedQueue", count: Math.ceil(count / 20) }
  ]
}

export const enqueueAll: Figure = {
  name: "enqueue-all",
  title: "messages a second into the outbox, 1,000 in each transaction",
  seconds: (rounds) => 20 + rounds * 26,
  run: async (bench) => {
    const rates = await contest(bench, bulk(bench), async ({ count, label, module, options }) => {
      const { methods } = await bench.process(module)
      return bench.onCopy(await emptyOf(bench, { label, module, options }), async (database) => {
        await methods.open(database.url, options ?? {})
        const millis = await methods.enqueue({ first: 1, count }, Math.min(1_000, count))
        await methods.close()
        return count / (millis / 1_000)
      })
    })
    const peer = best(
      rates,
      (label) => /^(?:graphile|pg-boss|Persisted).*(?:key|id)$/u.test(label) && !label.endsWith("no key")
    )
    return {
      rows: rowsOf(rates, "msg/s"),
      verdicts: [
        atLeast("cascade / raw unnest", ratio(rates, "cascade", "raw unnest"), 0.7),
        atLeast(`cascade / best peer that finds duplicates (${peer})`, ratio(rates, "cascade", peer), 1)
      ]
    }
  }
}

const single: ReadonlyArray<Contender> = [
  { label: "raw insert", module: "cascade", options: { variant: "raw-insert" } },
  { label: "cascade", module: "cascade" },
  { label: "cascade, wake off", module: "cascade", options: { wake: false } },
  { label: "raw insert on pg", module: "raw" },
  { label: "graphile-worker", module: "graphile" },
  { label: "pg-boss", module: "pgboss" }
]

/** How many at once. A small run is there to see that all of it works. */
const clientCounts = (bench: Bench): ReadonlyArray<number> => (bench.size < 10_000 ? [1, 8] : [1, 8, 32, 64])

export const commit: Figure = {
  name: "commit",
  title: "transactions a second: an order, and its message",
  seconds: (rounds) => 25 + rounds * 32,
  run: async (bench) => {
    const transactions = Math.max(8, Math.ceil(bench.size / 50))
    const entries = clientCounts(bench).flatMap((clients) =>
      single.map(({ label, module, options }) => ({
        label: `${label}, ${clients} at once`,
        module,
        options,
        clients
      }))
    )
    const rates: Rates = await contest(bench, entries, async ({ clients, label, module, options }) => {
      const { methods } = await bench.process(module)
      const count = clients === 1 ? Math.ceil(transactions / 4) : transactions
      return bench.onCopy(await emptyOf(bench, { label, module }), async (database) => {
        await methods.open(database.url, { ...options, connections: clients + 2 })
        // The pool's connections are opened, and its statements prepared.
        await methods.transact({ first: 1, count: clients * 2 }, clients)
        const millis = await methods.transact({ first: 1_000, count }, clients)
        await methods.close()
        return count / (millis / 1_000)
      })
    })
    return {
      rows: rowsOf(rates, "tx/s"),
      verdicts: clientCounts(bench).flatMap((clients): ReadonlyArray<Verdict> => {
        const at = (label: string) => `${label}, ${clients} at once`
        return [
          atLeast(
            `cascade / raw insert, ${clients} at once`,
            ratio(rates, at("cascade"), at("raw insert")),
            0.85
          ),
          atLeast(
            `cascade / cascade with wake off, ${clients} at once`,
            ratio(rates, at("cascade"), at("cascade, wake off")),
            0.95
          )
        ]
      })
    }
  }
}

/** A database with the tables of a system and nothing in them. */
export const emptyOf = (bench: Bench, { module, options }: Contender): Promise<string> => {
  const kind = options?.variant === "no-key" ? "_no_key" : ""
  return bench.template(`e_${module.toLowerCase()}${kind}`, async (database) => {
    const { methods } = await bench.process(module)
    await methods.open(database.url, options ?? {})
    await methods.close()
    await database.settle()
  })
}
