/**
 * The machine of a tracker: claims messages that are to be asked about, asks, and writes down what it found.
 *
 * Accounts do not wait for each other. Each has room for so many messages, of which so many are asked about at a time,
 * and claiming stops while there is no room. A look-up changes nothing on the other side; so what is cut short is
 * simply given back.
 */
import * as CauseSummary from "@effect-cascade/core/CauseSummary"
import type { StatusReport } from "@effect-cascade/core/DeliveryStatus"
import { StatusError, type StatusLookupShape } from "@effect-cascade/core/StatusLookup"
import { TimedOut } from "@effect-cascade/core/TransportReason"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { StoreError } from "../../OutboxError.ts"
import type { DueCheck, NextCheck, SettledStatus, StatusMove, StatusStoreShape } from "../../StatusStore.ts"
import type { AccountGate } from "./accountGate.ts"
import { type CheckPolicy, type Decision, decide, type Finding, isMiss, isObstacle } from "./decideCheck.ts"

/** Checks by what they came to, since the checker was made. */
export interface CheckTally {
  /** Answered. */
  readonly answered: number
  /** Not answered, or not known to the provider. */
  readonly failed: number
  /** Given back without having been asked, or after a refusal of the whole account. */
  readonly released: number
  /** Messages that are not asked about any more, though no end of theirs is confirmed. */
  readonly gaveUp: number
  /** The lease was over before it was settled, a webhook told the end first, or the store failed. */
  readonly lost: number
}

export interface CheckerOptions {
  readonly store: StatusStoreShape
  readonly accounts: ReadonlyArray<CheckedAccount>
  readonly policy: CheckPolicy
  /** How many messages of an account are held at once, and how many of them are asked about at a time. */
  readonly room: number
  readonly concurrency: number
  readonly lease: Duration.Duration
  readonly lookupTimeout: Duration.Duration
  /** Tells whoever listens what a check found. */
  readonly publish: (move: StatusMove, report: StatusReport, check: DueCheck) => Effect.Effect<void>
  /** Called when there is room again. */
  readonly onRoom: () => void
}

export interface CheckedAccount {
  readonly account: string
  readonly lookup: StatusLookupShape["lookup"]
  readonly gate: AccountGate
  /** Waits for the account's turn; fails where nobody can tell whose turn it is. */
  readonly turn: Effect.Effect<void, unknown>
}

/** How a claim went. */
export interface Claimed {
  readonly rows: number
  /** Whether some account gave all that there was room for, so that it may have more. */
  readonly more: boolean
}

export interface Checker {
  /** Claims what there is room for, and starts to ask. Not to be cut short: what is claimed is started. */
  readonly claim: Effect.Effect<Claimed, StoreError>
  /** Done when nothing is under way. */
  readonly idle: Effect.Effect<void>
  readonly tally: Effect.Effect<CheckTally>
}

interface AccountState extends CheckedAccount {
  readonly permits: Semaphore.Semaphore
  held: number
}

export const make = Effect.fnUntraced(function* (
  options: CheckerOptions
): Effect.fn.Return<Checker, never, Scope.Scope> {
  const { concurrency, lease, lookupTimeout, onRoom, policy, publish, room, store } = options
  const fibers = yield* FiberSet.make<void>()
  const states = new Map(
    options.accounts.map((account): [string, AccountState] => [
      account.account,
      { ...account, permits: Semaphore.makeUnsafe(concurrency), held: 0 }
    ])
  )
  const tally = { answered: 0, failed: 0, released: 0, gaveUp: 0, lost: 0 }

  const ask = (check: DueCheck, state: AccountState, leaseEnd: bigint): Effect.Effect<Finding> =>
    Effect.gen(function* () {
      const isTurn = yield* Effect.match(state.turn, { onSuccess: () => true, onFailure: () => false })
      // An answer that comes when the lease is over is worth nothing.
      const latest = leaseEnd - Duration.toNanosUnsafe(lookupTimeout)
      if (!isTurn || !(yield* state.gate.isOpen) || (yield* Clock.monotonicTimeNanos) >= latest) {
        return notAsked
      }
      return yield* Effect.suspend(() => state.lookup(check.providerMessageId)).pipe(
        Effect.timeoutOrElse({ duration: lookupTimeout, orElse: () => Effect.fail(late) }),
        Effect.match({
          onSuccess: (report): Finding => ({ _tag: "Told", report }),
          onFailure: ({ reason }): Finding => ({ _tag: "Failed", reason })
        })
      )
    }).pipe(state.permits.withPermit)

  const findingOf = (exit: Exit.Exit<Finding>): Effect.Effect<Finding> => {
    if (Exit.isSuccess(exit)) return Effect.succeed(exit.value)
    if (Cause.hasInterrupts(exit.cause)) return Effect.succeed(notAsked)
    return Effect.as(
      Effect.logError("outbox: the status look-up broke its contract", CauseSummary.of(exit.cause)),
      broken
    )
  }

  const write = (check: DueCheck, decision: Decision): Effect.Effect<SettledStatus | undefined> => {
    const report = decision.kind === "released" ? undefined : decision.report
    return store
      .settle({
        id: check.id,
        lease: check.lease,
        state: report && { status: report.status, confirmed: report.confirmed },
        next: nextOf(decision),
        checks: decision.kind === "released" ? check.checks - 1 : check.checks,
        misses: decision.kind === "released" ? check.misses : decision.misses
      })
      .pipe(
        Effect.retry({ while: (error) => error.isRetryable, schedule: writeRetries }),
        Effect.catchCause((cause) =>
          Effect.as(
            Effect.logWarning(
              "outbox: a status check could not be written; its lease will run out",
              CauseSummary.of(cause)
            ),
            undefined
          )
        )
      )
  }

  const run = (check: DueCheck, state: AccountState, leaseEnd: bigint): Effect.Effect<void> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const finding = yield* Effect.flatMap(Effect.exit(restore(ask(check, state, leaseEnd))), findingOf)
        // Before the message is given back, or another tracker would ask about it at once.
        if (finding._tag === "Failed" && isObstacle(finding.reason)) {
          yield* state.gate.obstructed(finding.reason)
        } else if (isAnswer(finding)) state.gate.passed()
        const decision = yield* decide(check, finding, policy).pipe(
          Effect.catchCause((cause) =>
            Effect.as(
              Effect.logError("outbox: the schedule of status checks failed", CauseSummary.of(cause)),
              afterBreak
            )
          )
        )
        const settled = yield* write(check, decision)
        count(tally, finding, decision, settled)
        if (decision.kind === "released" || decision.report === undefined || settled === undefined) return
        yield* publish(settled, decision.report, check)
      })
    ).pipe(
      Effect.tapCause((cause) => Effect.logError("outbox: a status check failed", CauseSummary.of(cause))),
      Effect.ensuring(
        Effect.sync(() => {
          state.held--
          if (state.held <= room / 2) onRoom()
        })
      )
    )

  const capacities = Effect.gen(function* () {
    const wanted: Array<{ readonly account: string; readonly limit: number }> = []
    for (const { account, gate, held } of states.values()) {
      // Not for every single place that becomes free: a claim costs as much for one as for many.
      if (held > room / 2 || !(yield* gate.isOpen)) continue
      const limit = gate.isOnProbation() ? 1 - held : room - held
      if (limit > 0) wanted.push({ account, limit })
    }
    return wanted
  })

  const claim = Effect.gen(function* () {
    const wanted = yield* capacities
    if (!Arr.isArrayNonEmpty(wanted)) return nothingClaimed
    // Read before the claim, so that a lease may only be taken for shorter than it is.
    const leaseEnd = (yield* Clock.monotonicTimeNanos) + Duration.toNanosUnsafe(lease)
    const rows = yield* store.claim(wanted, lease)
    const taken = new Map<string, number>()
    for (const row of rows) {
      const state = states.get(row.account)
      if (state === undefined) continue
      state.held++
      taken.set(row.account, (taken.get(row.account) ?? 0) + 1)
      yield* FiberSet.run(fibers, run(row, state, leaseEnd), { startImmediately: true })
    }
    const more = wanted.some(({ account, limit }) => (taken.get(account) ?? 0) >= limit)
    return { rows: rows.length, more }
  }).pipe(Effect.uninterruptible)

  return { claim, idle: FiberSet.awaitEmpty(fibers), tally: Effect.sync(() => ({ ...tally })) }
})

const nothingClaimed: Claimed = { rows: 0, more: false }
const notAsked: Finding = { _tag: "NotAsked" }
const broken: Finding = { _tag: "Broken" }
const late = new StatusError({ reason: new TimedOut() })

/** A schedule is the program's own code. If it breaks, the message is asked about again, though not soon. */
const afterBreak: Decision = { kind: "again", delay: Duration.minutes(1), misses: 0, report: undefined }

/** What cannot be written for so long is found again when the lease is over. */
const writeRetries = Schedule.exponential("100 millis").pipe(Schedule.upTo({ times: 5 }))

const nextOf = (decision: Decision): NextCheck =>
  decision.kind === "again"
    ? { kind: "again", delayMillis: Duration.toMillis(decision.delay) }
    : { kind: decision.kind }

/** Whether the provider was there and took the keys, so that others can be asked about. */
const isAnswer = (finding: Finding): boolean =>
  finding._tag === "Told" || (finding._tag === "Failed" && isMiss(finding.reason))

const count = (
  tally: { -readonly [Name in keyof CheckTally]: number },
  finding: Finding,
  decision: Decision,
  settled: SettledStatus | undefined
): void => {
  if (settled?.held !== true) tally.lost++
  else if (decision.kind === "released") tally.released++
  else if (finding._tag === "Told") tally.answered++
  else tally.failed++
  if (settled?.held === true && decision.kind === "over" && decision.gaveUp) tally.gaveUp++
}
