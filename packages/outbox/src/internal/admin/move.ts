/**
 * Moves what an operator selected: what is named altogether or not at all, what matches a filter as far as it goes.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { stateOf } from "../../MessageHistory.ts"
import type { Selection } from "../../OutboxAdmin.ts"
import { MoveRefused, type Refusal } from "../../OutboxAdminError.ts"
import type { Choice, OutboxAdminStoreShape, RecoverableState, StateRow } from "../../OutboxAdminStore.ts"
import { InvalidName, type StoreError } from "../../OutboxError.ts"

export interface Move<State extends RecoverableState> {
  readonly name: MoveRefused["move"]
  readonly selection: Selection<State>
  /** The states from which it is possible. */
  readonly states: Arr.NonEmptyReadonlyArray<State>
  readonly newDeadline?: number | undefined
  /** Moves what it can; answers with the ids of those that moved. */
  readonly run: (choice: Choice) => Effect.Effect<ReadonlyArray<string>, StoreError>
}

/** The most messages that a filter moves at once. */
const limit = 10_000

export const move = Effect.fnUntraced(function* <State extends RecoverableState>(
  store: OutboxAdminStoreShape,
  { name, newDeadline, run, selection, states }: Move<State>
): Effect.fn.Return<ReadonlyArray<string>, MoveRefused | InvalidName | StoreError> {
  if (!("ids" in selection)) {
    const { limit: asked, state, ...filter } = selection
    yield* checkState(state, states)
    return yield* run({ state, filter, limit: clamp(asked, limit) })
  }
  const ids = Arr.dedupe(selection.ids.map((id) => id.toLowerCase()))
  if (!Arr.isReadonlyArrayNonEmpty(ids)) return []
  // Checked here, because the database would repeat in its error what it cannot read.
  if (!ids.every(isId)) {
    return yield* new InvalidName({ what: "message id", rule: "a UUID; `list` or `read` gives it" })
  }
  return yield* store.transaction(
    Effect.gen(function* () {
      const moved = new Set(yield* run({ ids, states }))
      const rest = ids.filter((id) => !moved.has(id))
      if (!Arr.isReadonlyArrayNonEmpty(rest)) return ids
      const rows = new Map((yield* store.states(rest, newDeadline)).map((row) => [row.id, row]))
      return yield* new MoveRefused({
        move: name,
        refused: Arr.map(rest, (id) => ({ id, because: reasonOf(rows.get(id), states) }))
      })
    })
  )
})

/** Fails for what is none of these states, as a program without types may ask for. */
export const checkState = (state: string, states: ReadonlyArray<string>): Effect.Effect<void, InvalidName> =>
  states.includes(state)
    ? Effect.void
    : Effect.fail(new InvalidName({ what: "state", rule: `one of ${states.join(", ")}` }))

/** A whole number from 1 to `most`. */
export const clamp = (asked: number, most: number): number =>
  Math.max(1, Math.min(most, Math.floor(asked) || 1))

const isId = Schema.is(Schema.String.check(Schema.isGUID()))

const reasonOf = (
  row: typeof StateRow.Type | undefined,
  states: ReadonlyArray<RecoverableState>
): Refusal["because"] => {
  if (row === undefined || row.state === null) return "unknown"
  const state = stateOf(row.state)
  if (!states.some((one) => one === state)) return state
  if (row.scrubbed) return "scrubbed"
  return row.late ? "deadline-passed" : "changed"
}
