/**
 * Asks the provider whether an end that a webhook told of is true.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as CauseSummary from "../../CauseSummary.ts"
import * as DeliveryStatus from "../../DeliveryStatus.ts"
import type { StatusError, StatusLookupShape } from "../../StatusLookup.ts"

/**
 * The report as it is known after asking.
 *
 * - The provider names the same end: the report, confirmed, with what the answer adds.
 * - It names another end: its answer. Who asks is told the truth, and who calls may be anybody.
 * - It cannot tell, or names no end within `within`: the report as it came, not confirmed.
 *
 * An answer without an end is asked for again, since a webhook may run ahead of the look-up; so is one that failed for
 * the moment.
 */
export const confirm = (
  lookup: StatusLookupShape["lookup"],
  within: Duration.Duration
): ((report: DeliveryStatus.StatusReport) => Effect.Effect<DeliveryStatus.StatusReport>) =>
  Effect.fnUntraced(function* (report: DeliveryStatus.StatusReport) {
    if (report.confirmed || !DeliveryStatus.isFinal(report.status)) return report
    const answer = yield* Effect.suspend(() => lookup(report.messageId)).pipe(
      Effect.filterOrFail(
        ({ status }) => DeliveryStatus.isFinal(status),
        () => notYet
      ),
      Effect.retry({
        while: (error) => error._tag === "NotYet" || error.isRetryable,
        schedule: again
      }),
      Effect.timeoutOption(within),
      Effect.orElseSucceed(() => Option.none<DeliveryStatus.StatusReport>()),
      // A look-up of somebody else's making may die; that is no reason to lose the report.
      Effect.catchDefect((defect) =>
        Effect.as(
          Effect.logError("SmsBatWebhook: the status look-up died", CauseSummary.ofError(defect)),
          Option.none<DeliveryStatus.StatusReport>()
        )
      )
    )
    return Option.match(answer, { onNone: () => report, onSome: (said) => agreed(report, said) })
  })

const notYet = { _tag: "NotYet" } as const

const again = Schedule.exponential("1 second").pipe(
  Schedule.setInputType<StatusError | typeof notYet>(),
  Schedule.modifyDelay(({ duration, input }) =>
    Effect.succeed(
      Duration.max(duration, input._tag === "NotYet" ? Duration.zero : (input.retryAfter ?? Duration.zero))
    )
  )
)

const agreed = (
  report: DeliveryStatus.StatusReport,
  answer: DeliveryStatus.StatusReport
): DeliveryStatus.StatusReport => {
  if (answer.status !== report.status) return answer
  const { cost, extendedStatuses, partscount } = answer
  return new DeliveryStatus.StatusReport(
    {
      ...report,
      confirmed: true,
      ...(cost === undefined ? {} : { cost }),
      ...(partscount === undefined ? {} : { partscount }),
      ...(extendedStatuses === undefined ? {} : { extendedStatuses })
    },
    // Both have been checked where they were made.
    { disableChecks: true }
  )
}
