/** What a figure answers with, and how it is shown. */
import type { Spread } from "./stats.ts"

export interface Row {
  readonly label: string
  readonly unit: string
  readonly value: Spread
}

/** A figure that was asked for, beside what came out. */
export interface Verdict {
  readonly what: string
  readonly wanted: string
  readonly got: number
  readonly isMet: boolean
}

export interface FigureResult {
  readonly rows: ReadonlyArray<Row>
  readonly verdicts: ReadonlyArray<Verdict>
  /** Anything else worth saying, a line each. */
  readonly notes?: ReadonlyArray<string> | undefined
}

export const atLeast = (what: string, got: number, limit: number): Verdict => ({
  what,
  wanted: `≥ ${shown(limit)}`,
  got,
  isMet: got >= limit
})

export const atMost = (what: string, got: number, limit: number): Verdict => ({
  what,
  wanted: `≤ ${shown(limit)}`,
  got,
  isMet: got <= limit
})

/** Three digits that matter, thousands apart. */
export const shown = (value: number): string => {
  if (!Number.isFinite(value)) return "-"
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

export const lines = ({ notes = [], rows, verdicts }: FigureResult): ReadonlyArray<string> => {
  const width = Math.max(0, ...rows.map(({ label }) => label.length))
  return [
    ...rows.map(
      ({ label, unit, value }) =>
        `  ${label.padEnd(width)}  ${shown(value.median).padStart(9)} ${unit}` +
        (value.rounds > 1 ? `  (${shown(value.min)} to ${shown(value.max)})` : "")
    ),
    ...verdicts.map(
      ({ got, isMet, wanted, what }) => `  ${isMet ? "✓" : "✗"} ${what}: ${shown(got)} (wanted ${wanted})`
    ),
    ...notes.map((note) => `  ${note}`)
  ]
}
