/** Whether a figure that is taken again and again stays where it is. */

export interface Point {
  /** Milliseconds. */
  readonly at: number
  readonly value: number
}

export interface Trend {
  readonly first: number
  readonly last: number
  readonly min: number
  readonly max: number
  /** Of the straight line that fits best. */
  readonly perHour: number
  /** By how much that line rises in the time that was looked at. */
  readonly growth: number
  /** Whether that is within what was allowed. A figure that falls is flat. */
  readonly isFlat: boolean
}

/** Fits a line. `allowed` is how much growth counts as none. */
export const trend = (points: ReadonlyArray<Point>, allowed: (mean: number) => number): Trend => {
  const values = points.map(({ value }) => value)
  const mean = average(values)
  const meanAt = average(points.map(({ at }) => at))
  const spread = sum(points.map(({ at }) => (at - meanAt) ** 2))
  const slope = spread === 0 ? 0 : sum(points.map(({ at, value }) => (at - meanAt) * (value - mean))) / spread
  const growth = slope * ((points.at(-1)?.at ?? 0) - (points[0]?.at ?? 0))
  return {
    first: values[0] ?? Number.NaN,
    last: values.at(-1) ?? Number.NaN,
    min: Math.min(...values),
    max: Math.max(...values),
    perHour: slope * 3_600_000,
    growth,
    isFlat: growth <= allowed(mean)
  }
}

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)

const average = (values: ReadonlyArray<number>): number => sum(values) / values.length
