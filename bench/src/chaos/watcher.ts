/** Looks at a run from outside, many times a second: when lanes were paused, and when no relay was there to work. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Outage } from "./injector.ts"
import type { Supervised } from "./supervisor.ts"
import type { World } from "./world.ts"

export interface Watched {
  /** Times in which lanes of the account were paused, as far as could be seen. */
  readonly paused: ReadonlyArray<Outage>
  /**
   * Times in which a pause was over and one relay at a time had the right to try. If that one is killed, the others
   * wait until its right is over.
   */
  readonly onTrial: ReadonlyArray<Outage>
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
  const onTrial: Array<Outage> = []
  const deserted: Array<Outage> = []

  const look = Effect.gen(function* () {
    const from = yield* Clock.currentTimeMillis
    // While the database is away nothing can be seen of it; that is known from elsewhere.
    const lanes = yield* world.sql<{ readonly paused: number; readonly tried: number }>`
      SELECT
        (count(*) FILTER (WHERE paused_until > now()))::int AS paused,
        (count(*) FILTER (WHERE paused_until <= now()))::int AS tried
      FROM cascade.lane`.pipe(
      Effect.timeout("2 seconds"),
      Effect.catchCause(() => Effect.succeed([]))
    )
    const isDeserted = !relays.some((relay, link) => relay.isReady() && !impaired.includes(link))
    yield* Effect.sleep(interval)
    const seen = { from: from - interval, to: yield* Clock.currentTimeMillis }
    if ((lanes[0]?.paused ?? 0) > 0) add(paused, seen)
    if ((lanes[0]?.tried ?? 0) > 0) add(onTrial, seen)
    if (isDeserted) add(deserted, seen)
  })
  yield* Effect.forkScoped(Effect.forever(look))

  return Effect.sync((): Watched => ({ paused: [...paused], onTrial: [...onTrial], deserted: [...deserted] }))
})

const add = (spans: Array<Outage>, seen: Outage) => {
  const last = spans.at(-1)
  if (last !== undefined && last.to >= seen.from) spans[spans.length - 1] = { from: last.from, to: seen.to }
  else spans.push(seen)
}
