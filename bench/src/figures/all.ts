/** Every figure, in the order in which they are measured. */
import { drainNothing, drainSink } from "./drain.ts"
import type { Figure } from "./Figure.ts"

export const figures: ReadonlyArray<Figure> = [drainSink, drainNothing]
