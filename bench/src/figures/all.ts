/** Every figure, in the order in which they are measured. */
import { cpu } from "./cpu.ts"
import { drainNothing, drainSink } from "./drain.ts"
import { commit, enqueueAll } from "./enqueue.ts"
import type { Figure } from "./Figure.ts"

import { latency } from "./latency.ts"

export const figures: ReadonlyArray<Figure> = [drainSink, drainNothing, enqueueAll, commit, latency, cpu]
