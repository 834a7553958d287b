/**
 * Takes reports in and answers what is known: the side of a tracker that asks nobody.
 */
import type { StatusReport } from "@effect-cascade/core/DeliveryStatus"
import * as Envelope from "@effect-cascade/core/Envelope"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { StatusStore } from "../../StatusStore.ts"
import * as TellMove from "./tellMove.ts"

/** The reports that a tracker was given, since it was made. */
export interface ReportTally {
  /** Reports that were given to it. */
  readonly reports: number
  /** Those of them that named a message that is not followed. */
  readonly unknown: number
}

export const make = Effect.gen(function* () {
  const store = yield* StatusStore
  const tell = yield* TellMove.make
  const tally = { reports: 0, unknown: 0 }

  const report = Effect.fn("StatusTracker.report")(function* (
    report: StatusReport,
    options?: { readonly account?: string | undefined }
  ) {
    const account = options?.account ?? Envelope.defaultAccount
    tally.reports++
    const recorded = yield* store
      .record(account, report)
      .pipe(Effect.retry({ while: (error) => error.isRetryable, schedule: retries }))
    if (recorded.length === 0) {
      tally.unknown++
      yield* Effect.logDebug("outbox: a status report about a message that is not followed").pipe(
        Effect.annotateLogs({ account, source: report.source })
      )
    }
    yield* Effect.forEach(recorded, (row) => tell(row, report, { ...row, account }), { discard: true })
  })

  return {
    report,
    status: Effect.fn("StatusTracker.status")((account: string, trackingId: string) =>
      store.read(account, trackingId)
    ),
    tally: Effect.sync((): ReportTally => ({ ...tally }))
  }
})

/** 3 seconds in all: whoever calls may have others waiting, and what is not recorded here a check will find. */
const retries = Schedule.exponential("100 millis").pipe(Schedule.upTo({ times: 5 }))
