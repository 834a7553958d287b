/** Looks at a run from outside, many times a second: when lanes were paused, and when no relay was there to work. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Outage } from "./injector.ts"
import type { Supervised } from "./supervisor.ts"
import type { World } from "./world.ts"

export interface Watched {
  /** Times in which the lanes of the account were paused, as far as could be seen. */
  readonly paused: ReadonlyArray<Outage>
  /** Times in which no relay worked that had a sound link to the database. */
  readonly deserted: ReadonlyArray<Outage>
}

const interval = 100

/** Watches until it is interrupted; what it saw can be asked for at any time. */
export const start = Effect.fnUntraced(function* (
  world: World,
  relays: ReadonlyArray<Supervised>,
  impaired: ReadonlyArray<number>
) {
  const paused: Array<Outage> = []
  const deserted: Array<Outage> = []

  const look = Effect.gen(function* () {
    const from = yield* Clock.currentTimeMillis
    // While the database is away nothing can be seen of it; that is known from elsewhere.
    const lanes = yield* world.sql<{ readonly count: number }>`
      SELECT count(*)::int AS count FROM cascade.lane WHERE paused_until > now()`.pipe(
      Effect.timeout("2 seconds"),
      Effect.catchCause(() => Effect.succeed([]))
    )
    const isDeserted = !relays.some((relay, link) => relay.isReady() && !impaired.includes(link))
    yield* Effect.sleep(interval)
    const seen = { from: from - interval, to: yield* Clock.currentTimeMillis }
    if ((lanes[0]?.count ?? 0) > 0) add(paused, seen)
    if (isDeserted) add(deserted, seen)
  })
  yield* Effect.forkScoped(Effect.forever(look))

  return Effect.sync((): Watched => ({ paused: [...paused], deserted: [...deserted] }))
})

const add = (spans: Array<Outage>, seen: Outage) => {
  const last = spans.at(-1)
  if (last !== undefined && last.to >= seen.from) spans[spans.length - 1] = { from: last.from, to: seen.to }
  else spans.push(seen)
}
