/**
 * What an operator does with an outbox: count what waits, read what failed and why, send it again or end it, call a
 * message off, stop and start lanes, and ask why a message has not gone.
 *
 * No answer and no error holds a phone number or a text: numbers come masked, of texts only the length. Every move is
 * recorded in the message's history under the {@link Operator}'s name, and fences off relays that still hold an older
 * lease. Moves join the caller's open transaction, if there is one: an order that is cancelled and the message that
 * is called off with it commit together.
 */
import * as CascadeEvent from "@effect-cascade/core/CascadeEvent"
import * as CascadeEvents from "@effect-cascade/core/CascadeEvents"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Explanation from "./Explanation.ts"
import { cancel } from "./internal/admin/cancel.ts"
import { lanesOf } from "./internal/admin/laneTarget.ts"
import { checkState, clamp, move, type Move } from "./internal/admin/move.ts"
import * as MessageHistory from "./MessageHistory.ts"
import { MessageNotFound, type MoveRefused } from "./OutboxAdminError.ts"
import {
  OutboxAdminStore,
  type ParkedFilter,
  type ParkedState,
  type RecoverableState
} from "./OutboxAdminStore.ts"
import * as OutboxCounts from "./OutboxCounts.ts"
import { InvalidName, type StoreError } from "./OutboxError.ts"

/**
 * Who is recorded beside every move; set it for each request. What Postgres cannot hold as text (NUL, half of a surrogate
 * pair) is recorded as U+FFFD. Defaults to `"operator"`.
 */
export const Operator = Context.Reference<string>("@effect-cascade/outbox/OutboxAdmin/Operator", {
  defaultValue: () => "operator"
})

/** Which messages to list. */
export interface ListQuery extends ParkedFilter {
  readonly state: RecoverableState
  /** From 1 to 1,000. Defaults to 50. */
  readonly limit?: number | undefined
  /** The `next` of the page before. Defaults to the beginning. */
  readonly after?: string | undefined
}

/** A page of a list, the newest first. */
export interface Page {
  readonly messages: ReadonlyArray<MessageHistory.ParkedMessage>
  /** Where the next page begins; absent on the last one. */
  readonly next?: string
}

/**
 * Which messages to move: those named by the outbox's ids, all of them or none; or the ones that ended first among
 * those that match, from 1 to 10,000 of them.
 */
export type Selection<State extends RecoverableState> =
  | { readonly ids: ReadonlyArray<string> }
  | (ParkedFilter & { readonly state: State; readonly limit: number })

/** How messages become due again. */
export interface RequeueOptions {
  /** Whether all attempts of the retry policy are open to them again. Defaults to `true`. */
  readonly resetAttempts?: boolean | undefined
  /** Until when they are worth sending now. An expired message needs one. Defaults to the deadline they have. */
  readonly newDeadline?: DateTime.DateTime | Date | undefined
}

/** It was called off. */
export interface Cancelled {
  readonly _tag: "Cancelled"
  readonly id: string
  /** An attempt before had no clear answer: a person may have received it all the same. */
  readonly mayHaveBeenSent: boolean
}

/** A relay is sending it right now, so that nothing can be promised; nothing was changed. */
export interface InFlight {
  readonly _tag: "InFlight"
  readonly id: string
  /** By then it is over, or it can be cancelled. */
  readonly leaseUntil: DateTime.Utc
}

/** It was over before; nothing was changed. */
export interface TooLate {
  readonly _tag: "TooLate"
  readonly id: string
  readonly state: MessageHistory.MessageState
}

/** One lane, such as `default/low`, or every lane of an account. */
export type LaneTarget = { readonly lane: string } | { readonly account: string }

/** What a move can fail with. */
export type MoveError = MoveRefused | InvalidName | StoreError

/** What an operator can do. */
export interface OutboxAdminShape {
  /** What waits, what is parked and which lanes are paused. Costs what waits, not what was ever sent. */
  readonly counts: Effect.Effect<OutboxCounts.OutboxCounts, StoreError>

  /** Messages that wait for an operator, or expired, the newest first. */
  readonly list: (query: ListQuery) => Effect.Effect<Page, InvalidName | StoreError>

  /** A message with its whole history. */
  readonly read: (
    account: string,
    trackingId: string
  ) => Effect.Effect<MessageHistory.MessageHistory, MessageNotFound | StoreError>

  /** Why a message has not gone yet, or what became of it. */
  readonly explain: (
    account: string,
    trackingId: string
  ) => Effect.Effect<Explanation.Explanation, StoreError>

  /**
   * Makes messages due again; answers with their ids. An uncertain one that was sent after all reaches its recipient
   * twice. A filter leaves out what could not be sent: without a payload, or past its deadline.
   */
  readonly requeue: (
    selection: Selection<RecoverableState>,
    options?: RequeueOptions
  ) => Effect.Effect<ReadonlyArray<string>, MoveError>

  /** Ends dead or uncertain messages for good; answers with their ids. */
  readonly discard: (selection: Selection<ParkedState>) => Effect.Effect<ReadonlyArray<string>, MoveError>

  /** Says what became of an uncertain message: `sent` ends it for good, `not-sent` makes it due again. */
  readonly resolve: (
    id: string,
    verdict: "sent" | "not-sent",
    options?: RequeueOptions
  ) => Effect.Effect<void, MoveError>

  /** Calls a message off that no relay holds. */
  readonly cancel: (
    account: string,
    trackingId: string
  ) => Effect.Effect<Cancelled | InFlight | TooLate, MessageNotFound | StoreError>

  /**
   * Stops lanes until they are resumed; relays obey at once or with their next heartbeat, and finish what they have. The note is
   * shown to whoever asks why; it must hold no personal data. Answers with the lanes.
   */
  readonly pause: (
    target: LaneTarget,
    note?: string
  ) => Effect.Effect<ReadonlyArray<string>, InvalidName | StoreError>

  /** Opens lanes, whoever paused them. Answers with those that were not open. */
  readonly resume: (target: LaneTarget) => Effect.Effect<ReadonlyArray<string>, InvalidName | StoreError>
}

/**
 * The operator's side of an outbox.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { OutboxAdmin } from "@effect-cascade/outbox"
 *
 * const retryRejected = Effect.gen(function* () {
 *   const admin = yield* OutboxAdmin.OutboxAdmin
 *   const moved = yield* admin.requeue({ state: "dead", reasonTag: "Rejected", limit: 1_000 })
 *   yield* Effect.log(`requeued ${moved.length}`)
 * }).pipe(Effect.provideService(OutboxAdmin.Operator, "olena"))
 * ```
 */
export class OutboxAdmin extends Context.Service<OutboxAdmin, OutboxAdminShape>()(
  "@effect-cascade/outbox/OutboxAdmin"
) {}

const recoverable = ["dead", "uncertain", "expired"] as const

const listLimits = { most: 1_000, usual: 50 }

/** Makes the service over the store of the context. */
export const make: Effect.Effect<OutboxAdminShape, never, OutboxAdminStore> = Effect.gen(function* () {
  const store = yield* OutboxAdminStore
  const publisher = yield* CascadeEvents.publisher
  const publish = (events: Iterable<CascadeEvent.CascadeEvent>) =>
    store.afterCommit(publisher.publishAll(events))

  const requeue = Effect.fnUntraced(function* <State extends RecoverableState>(
    moves: Pick<Move<State>, "name" | "selection" | "states">,
    options: RequeueOptions | undefined
  ) {
    const by = yield* Operator
    const newDeadline = yield* instantOf(options?.newDeadline)
    const resetAttempts = options?.resetAttempts ?? true
    const resolves = moves.name === "resolve"
    return yield* move(store, {
      ...moves,
      newDeadline,
      run: (choice) => store.requeue(choice, { by, resetAttempts, newDeadline, resolves })
    })
  })

  return {
    counts: Effect.all([store.countLanes, store.countParked, store.heldLanes]).pipe(
      Effect.map(([waiting, parked, held]) => OutboxCounts.of(waiting, parked, held)),
      Effect.withSpan("OutboxAdmin.counts")
    ),

    list: Effect.fn("OutboxAdmin.list")(function* ({ after, limit, state, ...filter }) {
      if (after !== undefined && !isCursor(after)) {
        return yield* new InvalidName({ what: "cursor", rule: "the `next` of a page" })
      }
      yield* checkState(state, recoverable)
      const size = clamp(limit ?? listLimits.usual, listLimits.most)
      // One more than is shown, which tells whether there is another page.
      const rows = yield* store.list({ state, filter, limit: size + 1, after })
      const shown = rows.slice(0, size)
      const next = rows.length > size ? shown.at(-1)?.cursor : undefined
      return { messages: shown.map(MessageHistory.ofParked), ...(next === undefined ? {} : { next }) }
    }),

    read: Effect.fn("OutboxAdmin.read")(function* (account, trackingId) {
      const row = yield* store.read(account, trackingId)
      return row === undefined ? yield* new MessageNotFound({ account, trackingId }) : MessageHistory.of(row)
    }),

    explain: Effect.fn("OutboxAdmin.explain")((account, trackingId) =>
      Effect.map(store.explain(account, trackingId, { aheadLimit: Explanation.aheadLimit }), (row) =>
        Explanation.of({ account, trackingId }, row)
      )
    ),

    requeue: Effect.fn("OutboxAdmin.requeue")((selection, options) =>
      requeue({ name: "requeue", selection, states: recoverable }, options)
    ),

    discard: Effect.fn("OutboxAdmin.discard")(function* (selection) {
      const by = yield* Operator
      return yield* move(store, {
        name: "discard",
        selection,
        states: ["dead", "uncertain"],
        run: (choice) => store.conclude(choice, { by, kind: "discarded" })
      })
    }),

    resolve: Effect.fn("OutboxAdmin.resolve")(function* (id, verdict, options) {
      const by = yield* Operator
      const uncertain: Pick<Move<"uncertain">, "name" | "selection" | "states"> = {
        name: "resolve",
        selection: { ids: [id] },
        states: ["uncertain"]
      }
      yield* verdict === "sent"
        ? move(store, { ...uncertain, run: (choice) => store.conclude(choice, { by, kind: "resolved" }) })
        : requeue(uncertain, options)
    }),

    cancel: Effect.fn("OutboxAdmin.cancel")(function* (account, trackingId) {
      return yield* cancel(store, publisher, { account, trackingId, by: yield* Operator })
    }),

    pause: Effect.fn("OutboxAdmin.pause")(function* (target, note) {
      const lanes = yield* lanesOf(target)
      yield* store.holdLanes(lanes, note)
      const at = yield* DateTime.now
      yield* publish(lanes.map((lane) => new CascadeEvent.LanePaused({ lane, at })))
      return lanes
    }),

    resume: Effect.fn("OutboxAdmin.resume")(function* (target) {
      const opened = yield* store.openLanes(yield* lanesOf(target))
      const at = yield* DateTime.now
      yield* publish(opened.map((lane) => new CascadeEvent.LaneResumed({ lane, at })))
      return opened
    })
  }
})

/** The service as a layer. */
export const layer: Layer.Layer<OutboxAdmin, never, OutboxAdminStore> = Layer.effect(OutboxAdmin, make)

const isCursor = (text: string): boolean =>
  /^[0-9]{1,18}:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/u.test(text)

const instantOf = (
  value: DateTime.DateTime | Date | undefined
): Effect.Effect<number | undefined, InvalidName> => {
  if (value === undefined) return Effect.undefined
  const millis = value instanceof Date ? value.getTime() : DateTime.toEpochMillis(value)
  return Number.isFinite(millis)
    ? Effect.succeed(millis)
    : Effect.fail(new InvalidName({ what: "new deadline", rule: "a valid date" }))
}
