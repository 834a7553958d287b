import type { OutboxStoreShape } from "@effect-cascade/outbox/OutboxStore"
import { Effect, Queue } from "effect"

/** A store with nothing in it, but for what a test puts in its place. */
export const fakeStore = (parts: Partial<OutboxStoreShape>): OutboxStoreShape => ({
  insert: () => Effect.die("not in this test"),
  transaction: () => Effect.die("not in this test"),
  afterCommit: (effect) => effect,
  claim: () => Effect.succeed([]),
  settle: (rows) => Effect.succeed(new Set(rows.map(({ id }) => id))),
  renew: (leases) => Effect.succeed(new Set(leases.map(({ id }) => id))),
  expire: () => Effect.succeed([]),
  lanes: Effect.succeed([]),
  pauseLanes: () => Effect.void,
  probeLane: () => Effect.succeed(true),
  reopenLanes: () => Effect.succeed([]),
  resumeLanes: () => Effect.void,
  wakes: Effect.all({
    work: Queue.unbounded<void>(),
    lanes: Queue.unbounded<void>(),
    isDeaf: Effect.succeed(Effect.succeed(false))
  }),
  ...parts
})
