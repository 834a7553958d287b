/**
 * Writes settlements: everything that waits goes into one statement, so that batches which end together are settled
 * together and none waits for company.
 *
 * While the database is away a settlement waits in memory, until its lease is over: then another relay has the row,
 * and what this one knows of it is said in the log and dropped.
 */
import * as CauseSummary from "@effect-cascade/core/CauseSummary"
import * as Telemetry from "@effect-cascade/core/Telemetry"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { StoreError } from "../../OutboxError.ts"
import type { SettledRow } from "../../OutboxRow.ts"
import type { OutboxStoreShape } from "../../OutboxStore.ts"
import * as OutboxTelemetry from "../../OutboxTelemetry.ts"

export interface Settler {
  /** Settles rows; done when that is durable or hopeless. Answers with the ids whose lease still held. */
  readonly settle: (
    rows: Arr.NonEmptyReadonlyArray<SettledRow>,
    leaseEnd: () => bigint
  ) => Effect.Effect<ReadonlySet<string>>
  /** From now on each settlement is tried once more at most, and none waits for another. */
  readonly hurry: Effect.Effect<void>
}

interface Job {
  readonly rows: Arr.NonEmptyReadonlyArray<SettledRow>
  readonly leaseEnd: () => bigint
  readonly done: Deferred.Deferred<ReadonlySet<string>>
}

/** The most rows of one statement. A job is never split. */
const statementLimit = 1_000

export const make = Effect.fnUntraced(function* (options: {
  readonly store: OutboxStoreShape
  readonly relay: string
}): Effect.fn.Return<Settler, never, Scope.Scope> {
  const { relay, store } = options
  // Bounded by the slots of the relay: a slot is free again only when its settlement is done.
  const jobs = yield* Queue.unbounded<Job>()

  const scope = yield* Effect.scope
  let hurried = false

  // A defect, or an interruption from within the store, is a failure like others: it must neither end the settler nor
  // leave a job without an answer, whose slot would never be free again.
  const write = (rows: Arr.NonEmptyReadonlyArray<SettledRow>) =>
    Effect.suspend(() => store.settle(rows, { relay })).pipe(
      Telemetry.observe("settle", OutboxTelemetry.destination, {
        kind: "client",
        root: true,
        attributes: {
          [Telemetry.attributes.batchSize]: rows.length,
          [Telemetry.attributes.relay]: relay
        }
      }),
      Effect.catchCause((cause) =>
        Option.match(Cause.findErrorOption(cause), {
          onSome: Effect.fail,
          onNone: () =>
            Effect.andThen(
              Effect.logError("outbox: the store broke", CauseSummary.of(cause)),
              Effect.fail(broken)
            )
        })
      )
    )

  const complete = (job: Job, settled: ReadonlySet<string>) => Deferred.succeed(job.done, settled)

  const giveUp = (job: Job, error: StoreError) =>
    Effect.logError(
      "outbox: settlements could not be written; their leases will run out",
      CauseSummary.ofError(error)
    ).pipe(Effect.annotateLogs({ relay, rows: job.rows.length }), Effect.andThen(complete(job, nothing)))

  const settleJob = (job: Job): Effect.Effect<void> =>
    Effect.suspend(function attempt(): Effect.Effect<unknown> {
      return Effect.matchEffect(write(job.rows), {
        onSuccess: (settled) => complete(job, settled),
        onFailure: (error) =>
          Effect.flatMap(Clock.monotonicTimeNanos, (now) =>
            error.isRetryable && !hurried && now < job.leaseEnd()
              ? Effect.andThen(Effect.sleep("100 millis"), Effect.suspend(attempt))
              : giveUp(job, error)
          )
      })
    })

  const settleTogether = (group: Arr.NonEmptyReadonlyArray<Job>): Effect.Effect<void> =>
    Effect.matchEffect(write(Arr.flatMap(group, (job) => job.rows)), {
      onSuccess: (settled) => Effect.forEach(group, (job) => complete(job, settled), { discard: true }),
      onFailure: (error) =>
        hurried && error.isRetryable
          ? Effect.forEach(group, (job) => giveUp(job, error), { discard: true })
          : // One by one: what the database refuses for one row must not hold up the others.
            Effect.forEach(group, settleJob, { discard: true, concurrency: 4 })
    })

  yield* Queue.takeAll(jobs).pipe(
    Effect.flatMap((waiting) => Effect.forEach(grouped(waiting), settleTogether, { discard: true })),
    Effect.tapCause((cause) => Effect.logError("outbox: the settler failed", CauseSummary.of(cause))),
    Effect.forever,
    Effect.forkScoped
  )

  return {
    settle: (rows, leaseEnd) =>
      Effect.flatMap(Deferred.make<ReadonlySet<string>>(), (done) => {
        const job = { rows, leaseEnd, done }
        return Effect.andThen(hurried ? settleJob(job) : Queue.offer(jobs, job), Deferred.await(done))
      }),
    hurry: Effect.gen(function* () {
      hurried = true
      const waiting = yield* Queue.clear(jobs)
      // What is being written may hang for as long as a statement may; these do not wait for it.
      yield* Effect.forEach(grouped(waiting), (group) => Effect.forkIn(settleTogether(group), scope), {
        discard: true
      })
    })
  }
})

const nothing: ReadonlySet<string> = new Set()

const broken = new StoreError({ operation: "settle", detail: "the store broke", isRetryable: false })

const grouped = (jobs: ReadonlyArray<Job>): ReadonlyArray<Arr.NonEmptyReadonlyArray<Job>> => {
  const groups: Array<Arr.NonEmptyArray<Job>> = []
  let ids = new Set<string>()
  for (const job of jobs) {
    const last = groups.at(-1)
    // A statement answers by id. A relay that stood still for longer than its lease may settle a row under that lease
    // and under its next one at the same time; in one statement the answer to the one would pass for both.
    const isClear = job.rows.every(({ id }) => !ids.has(id))
    if (last === undefined || ids.size + job.rows.length > statementLimit || !isClear) {
      groups.push([job])
      ids = new Set()
    } else {
      last.push(job)
    }
    for (const { id } of job.rows) ids.add(id)
  }
  return groups
}
