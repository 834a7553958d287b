/**
 * Comparisons of all that a store holds with the model.
 */
import { assert } from "@effect/vitest"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import { priorityOf, sizes } from "./commands.ts"
import type * as Model from "./model.ts"
import type { World } from "./world.ts"

/** Every lane that is not simply open is listed as the model has it. */
export const lanes = Effect.fnUntraced(function* (world: World, model: Model.Model) {
  const now = yield* Clock.currentTimeMillis
  const listed = yield* world.lanes
  const actual = listed.map(({ lane, pausedUntil, reason, trips }) => ({
    lane,
    until: pausedUntil === undefined ? "endless" : isAhead(DateTime.toEpochMillis(pausedUntil), now),
    reason: reason !== undefined,
    trips
  }))
  const expected = Array.from(model.lanes, ([lane, { paused, probe, reason, trips }]) => ({
    lane: world.laneOf(priorityOf(lane)) as string,
    until: paused === "endless" ? "endless" : paused === "hour" || probe === "hour" ? "hour" : "over",
    reason,
    trips
  }))
  assert.deepStrictEqual(sortBy(actual), sortBy(expected), "the lanes")
})

const isAhead = (until: number, now: number): string => (until - now > 60_000 ? "hour" : "over")

const sortBy = <A extends { readonly lane: string }>(lanes: ReadonlyArray<A>): ReadonlyArray<A> =>
  [...lanes].sort((a, b) => (a.lane < b.lane ? -1 : 1))

/** Each committed message is in one state, the model's, and has ended at most once; there are no others. */
export const stored = Effect.fnUntraced(function* (world: World, model: Model.Model) {
  if (world.messages === undefined) return
  const listed = yield* world.messages
  const actual = listed.map(({ attempts, id, outcomes, state }) => ({
    id,
    state,
    attempts,
    ends: outcomes.filter(({ kind }) => ends.has(kind)).length
  }))
  const expected = Array.from(model.committed.values(), ({ attempts, end, id, state }) => ({
    id,
    state: state === "ended" ? end : state === "free" ? "waiting" : "leased",
    attempts,
    ends: state === "ended" ? 1 : 0
  }))
  const byId = <A extends { readonly id: string }>(rows: ReadonlyArray<A>) =>
    [...rows].sort((a, b) => (a.id < b.id ? -1 : 1))
  assert.deepStrictEqual(byId(actual), byId(expected) as typeof actual, "what is stored in the end")
})

/** Each tracking id stands for its message if that was committed, and for none if it was not. */
export const keys = Effect.fnUntraced(function* ({ laneOf, row, store }: World, model: Model.Model) {
  const keys = Arr.range(0, sizes.keys - 1)
  const asking = store.insert(
    Arr.map(keys, (key) => row({ trackingId: `key-${key}`, lane: laneOf("high"), payload: "content 0" }))
  )
  const answers = yield* Effect.catch(
    store.transaction(Effect.flatMap(asking, (answers) => Effect.fail({ answers }))),
    (error) => ("answers" in error ? Effect.succeed(error.answers) : Effect.fail(error))
  )
  const expected = keys.map((key) => {
    const known = model.committed.get(key)
    return known === undefined ? "inserted" : known.content === 0 ? "existing" : "conflict"
  })
  assert.deepStrictEqual(
    answers.map(({ result }) => result),
    expected,
    "what the tracking ids stand for in the end"
  )
})

const ends: ReadonlySet<string> = new Set(["sent", "uncertain", "dead", "expired"])
