import { StatusLookup } from "@effect-cascade/core/StatusLookup"
import { StatusStore, type StatusStoreShape } from "@effect-cascade/outbox/StatusStore"
import * as StatusTracker from "@effect-cascade/outbox/StatusTracker"
import { assert } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { type LookupScript, scripted, steady } from "./followed.ts"
import { memoryStatusStore } from "./memoryStatusStore.ts"

/** A tracker over a store in memory, on the clock of the test, with what it did. */
export const tracking = Effect.fnUntraced(function* (
  script: LookupScript,
  options?: StatusTracker.StatusTrackerOptions,
  change?: (store: StatusStoreShape) => Partial<StatusStoreShape>
) {
  const memory = memoryStatusStore()
  const lookup = scripted(script)
  const logged: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    logged.push(`${logLevel} ${String(message)}`)
  })
  const tracker = yield* StatusTracker.make({ ...steady, poll: "1 second", ...options }).pipe(
    Effect.provideService(StatusStore, { ...memory.shape, ...change?.(memory.shape) }),
    Effect.provideService(StatusLookup, lookup.shape),
    Effect.provide(Logger.layer([logger]))
  )
  const row = (trackingId: string) => memory.rows.get(trackingId) ?? assert.fail("not followed")
  return { ...memory, lookup, tracker, logged, row }
})

export const asState = (
  status: "scheduled" | "processing" | "delivered" | "unrecognised",
  confirmed = true
) => ({
  status,
  confirmed
})
