/** Every figure, in the order in which they are measured. */
import { backlog } from "./backlog.ts"
import { cpu } from "./cpu.ts"
import { drainNothing, drainSink } from "./drain.ts"
import { commit, enqueueAll } from "./enqueue.ts"
import type { Figure } from "./Figure.ts"
import { flash } from "./flash.ts"
import { latency } from "./latency.ts"
import { memory } from "./memory.ts"
import { relays } from "./relays.ts"
import { snapshot } from "./snapshot.ts"

export const figures: ReadonlyArray<Figure> = [
  drainSink,
  drainNothing,
  backlog,
  enqueueAll,
  commit,
  latency,
  flash,
  memory,
  relays,
  snapshot,
  cpu
]
