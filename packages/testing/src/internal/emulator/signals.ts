/**
 * Lets a test wait for something to have happened in the emulator, rather than for a time to have passed.
 */
import * as Effect from "effect/Effect"

/** Waiting for conditions over plain state. */
export interface Signals {
  /** Succeeds with what `look` finds, as soon as it finds anything; it looks again at each {@link changed}. */
  readonly until: <A>(look: () => A | undefined) => Effect.Effect<A>
  /** Says that the state has changed. */
  readonly changed: () => void
}

/** Nobody waits yet. */
export const make = (): Signals => {
  const waiting = new Set<() => void>()
  return {
    until: <A>(look: () => A | undefined) =>
      Effect.callback<A>((resume) => {
        const check = () => {
          const found = look()
          if (found === undefined) return
          waiting.delete(check)
          resume(Effect.succeed(found))
        }
        waiting.add(check)
        check()
        return Effect.sync(() => void waiting.delete(check))
      }),
    changed: () => {
      for (const check of waiting) check()
    }
  }
}
