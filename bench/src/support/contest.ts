/** Rates of several contenders, measured in turn, round after round. */
import type { Bench } from "./bench.ts"
import type { Row } from "./result.ts"
import { median, spread } from "./stats.ts"

/** What was measured of each label, one value for each round. */
export type Rates = ReadonlyMap<string, ReadonlyArray<number>>

/** Runs all entries `rounds` times, another one first each time. */
export const contest = async <Entry extends { readonly label: string }>(
  bench: Bench,
  entries: ReadonlyArray<Entry>,
  measure: (entry: Entry) => Promise<number>,
  /** Whether a first round is not counted, which warms the processes up. Defaults to `true`. */
  warmUp = true
): Promise<Rates> => {
  const rates = new Map(entries.map(({ label }): [string, Array<number>] => [label, []]))
  for (let round = warmUp && bench.size >= 10_000 ? 0 : 1; round <= bench.rounds; round++) {
    const cut = round % entries.length
    for (const entry of [...entries.slice(cut), ...entries.slice(0, cut)]) {
      const rate = await measure(entry)
      if (round > 0) rates.get(entry.label)?.push(rate)
    }
  }
  return rates
}

export const rowsOf = (rates: Rates, unit: string, of = (label: string) => label): ReadonlyArray<Row> =>
  Array.from(rates, ([label, values]) => ({ label: of(label), unit, value: spread(values) }))

/** The median of one's value beside the other's in the same round: what disturbs one disturbs both. */
export const ratio = (rates: Rates, one: string, other: string): number =>
  median((rates.get(one) ?? []).map((value, index) => value / (rates.get(other)?.[index] ?? Number.NaN)))

/** The label with the highest median. */
export const best = (rates: Rates, among: (label: string) => boolean): string => {
  const labels = Array.from(rates.keys()).filter(among)
  const rateOf = (label: string | undefined) => median(rates.get(label ?? "") ?? [])
  return labels.reduce((found, label) => (rateOf(label) > rateOf(found) ? label : found), labels[0] ?? "")
}
