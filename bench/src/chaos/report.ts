/** The table "faults injected against promises kept". */
import type { ChaosResult } from "./chaos.ts"
import type { Spread } from "./spread.ts"

export const isKept = (result: ChaosResult): boolean =>
  result.finished && result.verdicts.every(({ broken }) => broken === 0)

export const table = (result: ChaosResult): string => {
  const { counts, injected, recovery, seconds, verdicts } = result
  return [
    "",
    "Faults injected",
    ...rows([
      ["relays killed (SIGKILL)", whole(injected.kills.length)],
      ["  started again, and worked after", spread(injected.starts)],
      ["producers killed (SIGKILL)", whole(injected.producerKills)],
      ["database crashed and restarted", whole(injected.restarts.length)],
      [
        "links to the database cut",
        `${whole(injected.cuts.times)} (${whole(injected.cuts.connections)} connections)`
      ],
      ["links to the database stalled", whole(injected.stalls)],
      ["links to the database slow, cut short, reset or refused for a while", whole(injected.badLinks)],
      ["provider away", whole(injected.providerOutages.length)],
      [
        "faults that requests to the provider met",
        `${whole(sum(Object.values(injected.provider)))} in ${whole(counts.requests)} requests`
      ],
      ...Object.entries(injected.provider)
        .sort(([a], [b]) => a.localeCompare(b))
        .map(([name, times]): [string, string] => [`  ${name}`, whole(times)])
    ]),
    "",
    "What happened",
    ...rows([
      ["orders committed", whole(counts.ordersCommitted)],
      ["orders rolled back", whole(counts.ordersRolledBack)],
      [
        "orders whose commit was doubtful",
        `${whole(counts.ordersDoubtful)} (${whole(counts.doubtfulFoundCommitted)} were found committed)`
      ],
      ["messages committed", whole(counts.messages)],
      ["messages received by people, copies included", whole(counts.received)],
      ["copies beyond the first", whole(counts.duplicates)],
      ["leases that ran out", whole(counts.lapsedLeases)],
      ...Object.entries(counts.endings).map(([name, times]): [string, string] => [`  ${name}`, whole(times)])
    ]),
    "",
    "Recovery",
    ...rows([
      [
        `rows of ${recovery.kills} killed relays (${whole(recovery.rows)} rows) taken over after`,
        spread(recovery.afterKill)
      ],
      ["  beyond a lease, while somebody could", spread(recovery.beyondLease)],
      [
        "nobody could: database away, lanes paused, lanes on trial, no relay",
        Object.values(recovery.blocked).map(inSeconds).join(", ")
      ],
      ["first outcome after a restart of the database", spread(recovery.afterRestart)]
    ]),
    "",
    "Promises kept",
    ...verdicts.map(
      ({ broken, examples, of, promise }) =>
        `  ${broken === 0 ? "kept  " : "BROKEN"}  ${promise}: ${broken} of ${whole(of)}${examples.map((example) => `\n            ${example}`).join("")}`
    ),
    ...(result.finished
      ? []
      : ["  BROKEN  the run did not come to its end: work was left, or orders not placed"]),
    "",
    `${Math.round(seconds.faults)} s with faults, ${Math.round(seconds.drain)} s to the end of the work, ${Math.round(seconds.whole)} s in all; seed ${result.seed}.`
  ].join("\n")
}

const whole = (value: number): string => value.toLocaleString("en-US")

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)

const spread = ({ count, max, p50, p99 }: Spread): string =>
  count === 0 ? "nothing to measure" : `p50 ${inSeconds(p50)}, p99 ${inSeconds(p99)}, max ${inSeconds(max)}`

const inSeconds = (millis: number): string => `${(millis / 1_000).toFixed(2)} s`

const rows = (cells: ReadonlyArray<readonly [string, string]>): ReadonlyArray<string> => {
  const width = Math.max(...cells.map(([name]) => name.length))
  return cells.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)
}
