/**
 * The moves of the store in memory, over what it holds.
 */
import type { OutboxStoreShape } from "@effect-cascade/outbox/OutboxStore"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import { claim } from "./claim.ts"
import { expire } from "./expire.ts"
import * as Lanes from "./lanes.ts"
import { renew, settle } from "./settle.ts"
import * as State from "./state.ts"
import * as Transactions from "./transactions.ts"

export const storeOver = (state: State.State): OutboxStoreShape => {
  const wakes = makeWakes()
  const transactions = Transactions.make({
    committed: (key) => state.keys.get(key)?.row,
    commit: (rows, startedAt) => {
      State.write(state, rows, startedAt)
      if (rows.length > 0) wakes.nudge()
    }
  })
  const atNow = <A>(move: (now: number) => A): Effect.Effect<A> => Effect.map(Clock.currentTimeMillis, move)
  const lanesChanged = Effect.sync(wakes.lanesChanged)

  return {
    insert: transactions.insert,
    transaction: transactions.run,
    afterCommit: transactions.afterCommit,
    claim: (capacities, { lease, relay }) =>
      atNow((now) => claim(state, capacities, { leaseMillis: Duration.toMillis(lease), relay, now })),
    settle: (rows, { relay }) => atNow((now) => settle(state, rows, { relay, now })),
    renew: (leases, lease) =>
      atNow((now) => renew(state, leases, { leaseMillis: Duration.toMillis(lease), now })),
    expire: ({ limit, relay }) => atNow((now) => expire(state, { limit, relay, now })),
    lanes: Effect.sync(() => Lanes.read(state)),
    pauseLanes: (pause) =>
      Effect.andThen(
        atNow((now) => Lanes.pause(state, pause, now)),
        lanesChanged
      ),
    probeLane: (lane, window) => atNow((now) => Lanes.probe(state, lane, Duration.toMillis(window), now)),
    reopenLanes: (lanes) =>
      Effect.tap(
        atNow((now) => Lanes.reopen(state, lanes, now)),
        (opened) => (opened.length > 0 ? lanesChanged : Effect.void)
      ),
    resumeLanes: (lanes) =>
      Effect.andThen(
        Effect.sync(() => Lanes.resume(state, lanes)),
        lanesChanged
      ),
    wakes: wakes.subscribe
  }
}

const makeWakes = () => {
  const listeners = new Set<{ readonly work: Queue.Queue<void>; readonly lanes: Queue.Queue<void> }>()
  const nudge = () => {
    for (const { work } of listeners) Queue.offerUnsafe(work, undefined)
  }
  return {
    nudge,
    lanesChanged: () => {
      for (const { lanes } of listeners) Queue.offerUnsafe(lanes, undefined)
      nudge()
    },
    subscribe: Effect.acquireRelease(
      Effect.gen(function* () {
        const listener = { work: yield* Queue.sliding<void>(1), lanes: yield* Queue.sliding<void>(1) }
        listeners.add(listener)
        return { ...listener, isDeaf: Effect.succeed(false), listener }
      }),
      ({ listener }) => Effect.sync(() => listeners.delete(listener))
    )
  }
}
