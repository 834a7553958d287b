/** One of the figures that a run measures. */
import type { Bench } from "../support/bench.ts"
import type { FigureResult } from "../support/result.ts"

export interface Figure {
  readonly name: string
  readonly title: string
  /** About how long it takes on two processors at its full size, with this many rounds. */
  readonly seconds: (rounds: number) => number
  readonly run: (bench: Bench) => Promise<FigureResult>
}
