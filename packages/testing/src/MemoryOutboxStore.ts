/**
 * The outbox in memory: for tests of a service that need no database and take no time.
 *
 * It keeps the promises of `OutboxStore` as Postgres keeps them, and passes the same conformance suite: a transaction's
 * rows are seen by others when it commits and never when it fails; a tracking id stands for one message; a row is
 * leased to one relay at a time, its lease is numbered and runs out by itself. Time is the Effect `Clock`, so that a
 * `TestClock` drives it. Nothing outlives the layer.
 *
 * `TestOutbox.layer` puts the write side and a relay over it.
 */
import { OutboxStore, type OutboxStoreShape } from "@effect-cascade/outbox/OutboxStore"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Enqueued from "./EnqueuedMessages.ts"
import { nextDeadline } from "./internal/memory/expire.ts"
import * as Lanes from "./internal/memory/lanes.ts"
import * as State from "./internal/memory/state.ts"
import { storeOver } from "./internal/memory/store.ts"

/** A look into the store, for tests. */
export interface MemoryOutboxShape {
  /** Every committed message, the oldest first. */
  readonly messages: Effect.Effect<ReadonlyArray<Enqueued.EnqueuedMessage>>
  /**
   * The next instant, later than now, at which a relay that has nothing to do may find something: a message falls due,
   * a lease runs out, a lane with messages may be tried again, or a deadline passes. None where nothing will change by
   * itself.
   */
  readonly nextChange: Effect.Effect<DateTime.Utc | undefined>
}

/** @see MemoryOutboxShape */
export class MemoryOutbox extends Context.Service<MemoryOutbox, MemoryOutboxShape>()(
  "@effect-cascade/testing/MemoryOutbox"
) {}

/** Makes an empty store. */
export const make: Effect.Effect<{ readonly store: OutboxStoreShape; readonly memory: MemoryOutboxShape }> =
  Effect.sync(() => {
    const state = State.empty()
    const memory: MemoryOutboxShape = {
      messages: atNow((now) =>
        Array.from(state.messages.values())
          .sort((a, b) => a.createdAt - b.createdAt)
          .map((message) => shown(message, now))
      ),
      nextChange: atNow((now) => {
        const next = Math.min(...changes(state, now), nextDeadline(state, now) ?? Infinity)
        // An instant has whole milliseconds; one that was before the change would change nothing.
        return next === Infinity ? undefined : DateTime.makeUnsafe(Math.ceil(next))
      })
    }
    return { store: storeOver(state), memory }
  })

/** The store, the look into it, and its messages as `OutboxAssert` asks for them. Each build is a store of its own. */
export const layer: Layer.Layer<OutboxStore | MemoryOutbox | Enqueued.EnqueuedMessages> = Layer.effectContext(
  Effect.map(make, ({ memory, store }) =>
    Context.make(OutboxStore, store).pipe(
      Context.add(MemoryOutbox, memory),
      Context.add(Enqueued.EnqueuedMessages, { all: memory.messages })
    )
  )
)

const atNow = <A>(move: (now: number) => A): Effect.Effect<A> => Effect.map(Clock.currentTimeMillis, move)

/** For each lane with messages, the instant later than now at which something of it can be claimed, if there is one. */
const changes = (state: State.State, now: number): ReadonlyArray<number> =>
  Array.from(state.index.earliest()).flatMap(([lane, due]) => {
    const held = state.lanes.get(lane)
    const opens = held === undefined ? due : (Lanes.heldUntil(held) ?? Infinity)
    const at = Math.max(due, opens)
    return at > now ? [at] : []
  })

const shown = (message: State.MessageRow, now: number): Enqueued.EnqueuedMessage => {
  const { createdAt, deadline, outcomes, row, work } = message
  return Enqueued.make(
    {
      id: row.id,
      account: row.account,
      trackingId: row.trackingId,
      lane: row.lane,
      messageType: row.messageType,
      uncertainty: row.uncertainty,
      state: stateOf(message, now),
      attempts: work?.attempts ?? outcomes.at(-1)?.attempt ?? 0,
      createdAt: DateTime.makeUnsafe(createdAt),
      deadline: deadline === undefined ? undefined : DateTime.makeUnsafe(deadline),
      dueAt: work === undefined ? undefined : DateTime.makeUnsafe(work.dueAt),
      traceparent: row.traceparent,
      outcomes: outcomes.map(({ at, attempt, kind, lease, providerMessageId, reason, relay }) => ({
        lease,
        kind,
        attempt,
        reason,
        providerMessageId,
        by: relay,
        at: DateTime.makeUnsafe(at)
      }))
    },
    row.payload
  )
}

const stateOf = ({ outcomes, work }: State.MessageRow, now: number): Enqueued.MessageState => {
  if (work !== undefined) {
    return work.leaseUntil !== undefined && work.leaseUntil > now ? "leased" : "waiting"
  }
  const kind = outcomes.at(-1)?.kind
  return kind === "sent" || kind === "dead" || kind === "expired" || kind === "uncertain" ? kind : "lost"
}
