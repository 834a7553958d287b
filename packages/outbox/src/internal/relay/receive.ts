/**
 * What a claim tells of itself. Most of a quiet relay's claims find nothing; they leave no trace, nor do the statements
 * inside them, so that an idle relay does not fill a trace store.
 */
import * as Telemetry from "@effect-cascade/core/Telemetry"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as References from "effect/References"
import type { StoreError } from "../../OutboxError.ts"
import type { ClaimedRow } from "../../OutboxRow.ts"
import { destination } from "../../OutboxTelemetry.ts"

/** Claims, and makes the span `receive outbox` where there was something to claim. */
export const receive = Effect.fnUntraced(function* (
  relay: string,
  claim: Effect.Effect<ReadonlyArray<ClaimedRow>, StoreError>
): Effect.fn.Return<ReadonlyArray<ClaimedRow>, StoreError> {
  const startTime = yield* Clock.currentTimeNanos
  const rows = yield* Effect.withTracerEnabled(claim, false)
  if (rows.length > 0) {
    const endTime = yield* Clock.currentTimeNanos
    yield* Telemetry.recordDuration("receive", destination, endTime - startTime, undefined)
    if (yield* References.TracerEnabled) yield* trace({ relay, rows, startTime, endTime })
  }
  return rows
})

// Begun after the fact, since only then it is known whether there is anything to tell.
const trace = (of: {
  readonly relay: string
  readonly rows: ReadonlyArray<ClaimedRow>
  readonly startTime: bigint
  readonly endTime: bigint
}) =>
  Effect.map(Effect.tracer, (tracer) => {
    const span = tracer.span({
      name: `receive ${destination}`,
      parent: Option.none(),
      annotations: Context.empty(),
      links: [],
      startTime: of.startTime,
      kind: "client",
      root: true,
      sampled: true
    })
    const attributes = {
      ...Telemetry.operation("receive", destination),
      [Telemetry.attributes.batchSize]: of.rows.length,
      [Telemetry.attributes.relay]: of.relay
    }
    for (const [name, value] of Object.entries(attributes)) span.attribute(name, value)
    span.end(of.endTime, Exit.void)
  })
