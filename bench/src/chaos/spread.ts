/** How values spread. */
import { percentile } from "../support/stats.ts"

export interface Spread {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export const spread = (values: ReadonlyArray<number>): Spread => ({
  count: values.length,
  p50: percentile(values, 0.5),
  p99: percentile(values, 0.99),
  max: values.length === 0 ? Number.NaN : Math.max(...values)
})
