/**
 * Libraries that do one thing wrong, each of which the simulation has to find. They are made from outside, by wrapping
 * what the relay sees of its store and of its transport: no source of the library knows of them.
 */
import * as Delivery from "@effect-cascade/core/Delivery"
import { TransportError } from "@effect-cascade/core/TransportError"
import * as Reason from "@effect-cascade/core/TransportReason"
import type { ClaimedRow, SettledRow } from "@effect-cascade/outbox/OutboxRow"
import { Array as Arr, Effect } from "effect"
import type { State } from "../../src/internal/memory/state.ts"
import type { Mutation } from "./simulate.ts"

/** Changes what a relay is told of the rows that it claims. */
const claimed = (change: (row: ClaimedRow) => ClaimedRow): Mutation => ({
  store: (store) => ({
    ...store,
    claim: (capacities, options) => Effect.map(store.claim(capacities, options), (rows) => rows.map(change))
  })
})

/** Changes what a relay writes. */
const settled = (change: (row: SettledRow, state: State) => SettledRow): Mutation => ({
  store: (store, state) => ({
    ...store,
    settle: (rows, options) =>
      store.settle(
        Arr.map(rows, (row) => change(row, state)),
        options
      )
  })
})

/** Does something to the work rows before or after a claim. */
const aroundClaim = (around: {
  readonly before?: (state: State) => void
  readonly after?: (state: State, rows: ReadonlyArray<ClaimedRow>) => void
}): Mutation => ({
  store: (store, state) => ({
    ...store,
    claim: (capacities, options) =>
      Effect.suspend(() => {
        around.before?.(state)
        return Effect.tap(store.claim(capacities, options), (rows) =>
          Effect.sync(() => around.after?.(state, rows))
        )
      })
  })
})

const works = (state: State) => Array.from(state.messages.values()).flatMap(({ work }) => work ?? [])

/** By what it does wrong. */
export const mutations: Readonly<Record<string, Mutation>> = {
  "a settle is not guarded by its fence": settled((row, state) => ({
    ...row,
    lease: state.messages.get(row.id)?.work?.lease ?? row.lease
  })),

  "a settle is answered for, and not written": {
    store: (store) => ({
      ...store,
      settle: (rows, options) =>
        rows.some(({ kind }) => kind === "sent")
          ? Effect.succeed(new Set(rows.map(({ id }) => id)))
          : store.settle(rows, options)
    })
  },

  "an attempt is not counted": settled((row) => ({ ...row, counted: false })),

  "an outage costs an attempt": settled((row) => (row.kind === "deferred" ? { ...row, counted: true } : row)),

  "giving a row back costs an attempt": settled((row) =>
    row.kind === "released" ? { ...row, counted: true } : row
  ),

  "a claim is not counted as started": aroundClaim({
    after: (state, rows) => {
      for (const { id } of rows) {
        const work = state.messages.get(id)?.work
        if (work !== undefined) work.started--
      }
    }
  }),

  "a message that kills its relays is tried for ever": claimed((row) => ({ ...row, lapses: 0 })),

  "a live lease can be taken": aroundClaim({
    before: (state) => {
      for (const work of works(state)) {
        if (work.leaseUntil === undefined) continue
        work.leaseUntil = 0
        state.index.place(work)
      }
    }
  }),

  "a lease never runs out": {
    store: (store, state) => ({
      ...store,
      claim: (capacities, options) =>
        Effect.tap(store.claim(capacities, options), (rows) =>
          Effect.sync(() => {
            for (const { id } of rows) {
              const work = state.messages.get(id)?.work
              if (work === undefined) continue
              work.leaseUntil = Number.MAX_SAFE_INTEGER
              state.index.place(work)
            }
          })
        )
    })
  },

  "a lease that ran out is not recorded": aroundClaim({
    after: (state, rows) => {
      for (const { id } of rows) {
        const outcomes = state.messages.get(id)?.outcomes
        if (outcomes?.at(-1)?.kind === "lapsed") outcomes.pop()
      }
    }
  }),

  "a row that comes back from a crash is taken for a fresh one": claimed((row) => ({
    ...row,
    lapsed: false,
    lapses: 0
  })),

  "the deadline is not looked at": claimed((row) => ({ ...row, remainingMillis: null })),

  "the deadline is a second late": claimed((row) => ({
    ...row,
    remainingMillis: row.remainingMillis === null ? null : row.remainingMillis + 1_000
  })),

  "hold is treated as resend": claimed((row) => ({ ...row, uncertainty: "resend" })),

  "resend is treated as hold": claimed((row) => ({ ...row, uncertainty: "hold" })),

  "a time-out is taken for not sent": {
    transport: (transport) => ({
      ...transport,
      send: (batch) =>
        Effect.timeoutOrElse(transport.send(batch), {
          duration: "3900 millis",
          orElse: () =>
            new TransportError({
              transport: "mutated",
              reason: new Reason.Unreachable({ code: "ETIMEDOUT" })
            })
        })
    })
  },

  "a 500 is taken for not sent": {
    transport: (transport) => ({
      ...transport,
      send: (batch) =>
        Effect.catchReason(transport.send(batch), "TransportError", "ServerError", () =>
          Effect.fail(
            new TransportError({ transport: "mutated", reason: new Reason.Throttled({ status: 500 }) })
          )
        )
    })
  },

  "a message that the reply does not name is taken for accepted": {
    transport: (transport) => ({
      ...transport,
      send: (batch) =>
        Effect.map(transport.send(batch), (answers) =>
          answers.map((answer) =>
            answer._tag === "Unknown" ? Delivery.accepted(answer.trackingId, "by-position") : answer
          )
        )
    })
  },

  "a transport retries by itself": {
    transport: (transport) => ({
      ...transport,
      send: (batch) => Effect.retry(transport.send(batch), { times: 1 })
    })
  },

  "a rollback writes what it rolls back": {
    store: (store) => ({
      ...store,
      transaction: <A, E, R>(self: Effect.Effect<A, E, R>) =>
        Effect.flatten(store.transaction(Effect.exit(self))) as ReturnType<typeof store.transaction<A, E, R>>
    })
  },

  "a commit loses a row": {
    store: (store, state) => ({
      ...store,
      transaction: <A, E, R>(self: Effect.Effect<A, E, R>) =>
        Effect.tap(store.transaction(self), () =>
          Effect.sync(() => {
            const last = Array.from(state.messages.values()).at(-1)
            if (state.messages.size < 2 || last?.work === undefined || last.work.leaseUntil !== undefined)
              return
            state.index.remove(last.work)
            state.messages.delete(last.row.id)
            state.keys.delete(`${last.row.account}/${last.row.trackingId}`)
          })
        )
    })
  },

  "a retry comes back at once and for ever": {
    store: (store) => ({
      ...store,
      settle: (rows, options) =>
        store.settle(
          Arr.map(rows, (row) => (row.kind === "uncertain" ? { ...row, kind: "retry" as const } : row)),
          options
        )
    })
  },

  "an operator's pause is not seen": {
    store: (store) => ({
      ...store,
      lanes: Effect.map(store.lanes, (lanes) => lanes.filter(({ reason }) => reason !== undefined))
    })
  },

  "a paused lane never opens again": {
    store: (store) => ({
      ...store,
      probeLane: () => Effect.succeed(false),
      reopenLanes: () => Effect.succeed([])
    })
  }
}
