import { Effect } from "effect"

/** Lets tests wait for what happens in other fibers, without asking the time. */
export interface Signal {
  /** Something has happened. */
  readonly tick: () => void
  /** Done as soon as it holds; looked at now and with each tick. */
  readonly until: (holds: () => boolean) => Effect.Effect<void>
}

export const makeSignal = (): Signal => {
  const waiting = new Set<() => void>()
  return {
    tick: () => {
      for (const check of Array.from(waiting)) check()
    },
    until: (holds) =>
      Effect.callback((resume) => {
        const check = () => {
          if (!holds()) return
          waiting.delete(check)
          resume(Effect.void)
        }
        waiting.add(check)
        check()
        return Effect.sync(() => waiting.delete(check))
      })
  }
}
