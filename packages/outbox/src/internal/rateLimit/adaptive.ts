/**
 * What an adaptive rate limit learns from a provider that says "too many" and for how long: pure steps from state to
 * state, by one clock.
 *
 * Nothing is known until a 429 with a `Retry-After`: then it cools down, learns how many requests pass before the next
 * one, and keeps to that for as long as it holds. The epoch tells which requests an answer belongs to. The same as
 * effect's own stores do, so that one may be put in the other's place. Times in milliseconds.
 */
import * as Schema from "effect/Schema"

const common = {
  epoch: Schema.Int,
  /** When it is too old to go by. */
  expiresAt: Schema.Finite
}

export const AdaptiveState = Schema.Union([
  Schema.Struct({ ...common, phase: Schema.tag("cooldown"), until: Schema.Finite }),
  Schema.Struct({ ...common, phase: Schema.tag("learning"), since: Schema.Finite, observed: Schema.Finite }),
  Schema.Struct({
    ...common,
    phase: Schema.tag("learned"),
    limit: Schema.Finite,
    window: Schema.Finite,
    /** The tokens taken in the window that runs, and when all of them have come back. */
    taken: Schema.Finite,
    until: Schema.Finite
  })
])

export type AdaptiveState = typeof AdaptiveState.Type

export interface Consumed {
  /** `undefined`: nothing changes. */
  readonly next: AdaptiveState | undefined
  readonly delay: number
  readonly epoch: number
  readonly phase: AdaptiveState["phase"] | "inactive"
}

/** How long a state is kept after it has run its course. */
const grace = 60_000

/** The longest pause and the longest window that are believed. */
const longest = 3_600_000

export const consume = (
  state: AdaptiveState | undefined,
  options: { readonly now: number; readonly tokens: number; readonly fallbackWindow: number }
): Consumed => {
  const { now, tokens } = options
  if (state === undefined) return { next: undefined, delay: 0, epoch: 0, phase: "inactive" }
  const { epoch } = state
  switch (state.phase) {
    case "cooldown": {
      if (state.until > now) return { next: undefined, delay: state.until - now, epoch, phase: "cooldown" }
      const next: AdaptiveState = {
        phase: "learning",
        epoch: epoch + 1,
        since: now,
        observed: tokens,
        expiresAt: now + options.fallbackWindow + grace
      }
      return { next, delay: 0, epoch: next.epoch, phase: "learning" }
    }
    case "learning":
      return { next: { ...state, observed: state.observed + tokens }, delay: 0, epoch, phase: "learning" }
    case "learned": {
      const refill = state.window / state.limit
      const running = state.until > now
      const taken = (running ? state.taken : 0) + tokens
      const until = (running ? state.until : now) + refill * tokens
      const elapsed = taken * refill - (until - now)
      const delay = Math.floor((taken - 1) / state.limit) * state.window - elapsed
      return { next: { ...state, taken, until }, delay: Math.max(0, delay), epoch, phase: "learned" }
    }
  }
}

/** The next state after a 429; `undefined`: nothing changes. */
export const throttled = (
  state: AdaptiveState | undefined,
  options: {
    readonly now: number
    readonly epoch: number
    readonly tokens: number
    readonly retryAfter: number
  }
): AdaptiveState | undefined => {
  const { now } = options
  // An answer to a request of an earlier epoch tells nothing about this one.
  if (options.epoch !== (state?.epoch ?? 0)) return undefined
  const retryAfter = believed(options.retryAfter)
  const cooldown = (until: number): AdaptiveState => ({
    phase: "cooldown",
    epoch: options.epoch,
    until,
    expiresAt: until + grace
  })
  if (state?.phase === "cooldown") return cooldown(Math.max(state.until, now + retryAfter))
  if (state?.phase !== "learning" || state.observed <= options.tokens) return cooldown(now + retryAfter)
  const window = believed(now - state.since + retryAfter)
  return {
    phase: "learned",
    epoch: state.epoch + 1,
    limit: state.observed - options.tokens,
    window,
    taken: state.observed - options.tokens,
    until: state.since + window,
    expiresAt: now + window + grace
  }
}

const believed = (millis: number): number => (millis > 0 ? Math.min(millis, longest) : 1)
