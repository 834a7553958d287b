import * as Delivery from "@effect-cascade/core/Delivery"
import * as Reason from "@effect-cascade/core/TransportReason"
import type { ClaimedRow } from "@effect-cascade/outbox/OutboxRow"
import { lapseLimit } from "@effect-cascade/outbox/Settlement"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Duration, Effect, Fiber, Logger, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { group } from "../../../src/internal/relay/batch.ts"
import { deliverBatch, type DeliverOptions } from "../../../src/internal/relay/deliverBatch.ts"
import { claimed } from "../../support/claimed.ts"
import { transaction } from "../../support/messages.ts"
import { acceptAll, failAll, recording, type Script } from "../../support/transport.ts"

const lease = Duration.seconds(30)

/** One batch of these rows, claimed now. */
const batchOf = Effect.fnUntraced(function* (...rows: ReadonlyArray<ClaimedRow>) {
  const claimedAt = yield* Clock.monotonicTimeNanos
  const leaseEnd = claimedAt + Duration.toNanosUnsafe(lease)
  const [batch, another] = group(rows, { size: () => 1_000, claimedAt, leaseEnd })
  assert.isUndefined(another)
  return batch ?? assert.fail("no batch")
})

const options = (script?: Script, more?: Partial<DeliverOptions>) => {
  const sent = recording(script)
  return {
    sent,
    options: {
      relay: "relay-test",
      transport: sent.transport,
      sendTimeout: Duration.seconds(20),
      retry: () => Schedule.spaced("1 second"),
      cut: Deferred.makeUnsafe<void>(),
      isHalted: () => false,
      ...more
    } satisfies DeliverOptions
  }
}

const row = (id: string, more?: Partial<ClaimedRow>) => claimed(transaction(id), more)

/** What was decided, by tracking id, with the reason's name where there is one. */
const kinds = (decided: Effect.Success<ReturnType<typeof deliverBatch>>) =>
  Object.fromEntries(
    decided.map(({ row, settlement }) => [
      row.trackingId,
      "reason" in settlement && settlement.reason !== undefined
        ? `${settlement.kind} ${settlement.reason._tag}`
        : settlement.kind
    ])
  )

describe("before the send", () => {
  it.effect("sends what can be sent in one call, and what cannot be read is dead", () =>
    Effect.gen(function* () {
      const { options: o, sent } = options()
      const decided = yield* deliverBatch(
        yield* batchOf(row("a"), row("b", { payload: "{" }), row("c"), row("d", { payload: null })),
        o
      )
      assert.deepStrictEqual(kinds(decided), {
        a: "sent",
        b: "dead Unencodable",
        c: "sent",
        d: "dead Unencodable"
      })
      assert.deepStrictEqual(
        sent.batches.map((batch) => batch.length),
        [2]
      )
    })
  )

  it.effect("does not call the transport for nothing", () =>
    Effect.gen(function* () {
      const { options: o, sent } = options()
      yield* deliverBatch(yield* batchOf(row("a", { payload: "{" })), o)
      assert.deepStrictEqual(sent.batches, [])
    })
  )

  it.effect("never sends what is past its deadline, also when that passed after the claim", () =>
    Effect.gen(function* () {
      const { options: o, sent } = options()
      const batch = yield* batchOf(
        row("past", { remainingMillis: -1 }),
        row("now", { remainingMillis: 0 }),
        row("soon", { remainingMillis: 5_000 }),
        row("later", { remainingMillis: 5_001 }),
        row("never")
      )
      yield* TestClock.adjust("5 seconds")
      const decided = yield* deliverBatch(batch, o)
      assert.deepStrictEqual(kinds(decided), {
        past: "expired",
        now: "expired",
        soon: "expired",
        later: "sent",
        never: "sent"
      })
      assert.deepStrictEqual(sent.sentIds(), ["later", "never"])
    })
  )

  it.effect("a lapsed row follows its policy, and three lapses are enough", () =>
    Effect.gen(function* () {
      const { options: o, sent } = options()
      const lapsed = { lapsed: true, lapses: 1 }
      assert.deepStrictEqual(
        kinds(
          yield* deliverBatch(
            yield* batchOf(row("a", lapsed), row("b", { lapsed: true, lapses: lapseLimit })),
            o
          )
        ),
        { a: "sent", b: "dead CutShort" }
      )
      const held = yield* deliverBatch(
        yield* batchOf(
          row("c", { ...lapsed, uncertainty: "hold" }),
          row("d", { lapses: 1, uncertainty: "hold" })
        ),
        o
      )
      assert.deepStrictEqual(kinds(held), { c: "uncertain CutShort", d: "sent" })
      assert.deepStrictEqual(sent.sentIds(), ["a", "d"])
    })
  )

  it.effect(
    "when nothing is to be sent any more, gives back what it has not sent, and settles what needs no send",
    () =>
      Effect.gen(function* () {
        const { options: o, sent } = options(acceptAll, { isHalted: () => true })
        const decided = yield* deliverBatch(yield* batchOf(row("a"), row("b", { remainingMillis: 0 })), o)
        assert.deepStrictEqual(kinds(decided), { a: "released", b: "expired" })
        assert.deepStrictEqual(sent.batches, [])
      })
  )

  it.effect("gives back what could still be under way when its lease is over", () =>
    Effect.gen(function* () {
      const { options: o, sent } = options()
      const batch = yield* batchOf(row("a"))
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(kinds(yield* deliverBatch(batch, o)), { a: "released" })
      assert.deepStrictEqual(sent.batches, [])
      // The heartbeat has moved the end of the lease meanwhile.
      batch.leaseEnd += 1n
      assert.deepStrictEqual(kinds(yield* deliverBatch(batch, o)), { a: "sent" })
    })
  )
})

describe("the send", () => {
  it.effect("takes each delivery for the row that it names", () =>
    Effect.gen(function* () {
      const { options: o } = options((batch) =>
        Effect.succeed(
          batch
            .map(({ trackingId }) =>
              trackingId === "b"
                ? Delivery.notAccepted(trackingId, new Reason.Rejected({ status: 400 }))
                : Delivery.accepted(trackingId, `id-of-${trackingId}`)
            )
            .toReversed()
        )
      )
      const decided = yield* deliverBatch(yield* batchOf(row("a"), row("b"), row("c")), o)
      assert.deepStrictEqual(kinds(decided), { a: "sent", b: "dead Rejected", c: "sent" })
      assert.deepInclude(decided[2]?.settlement, { providerMessageId: "id-of-c" })
    })
  )

  it.effect("is unknown when it takes too long, and is interrupted", () =>
    Effect.gen(function* () {
      let interrupted = false
      const { options: o } = options(() =>
        Effect.onInterrupt(Effect.never, () =>
          Effect.sync(() => {
            interrupted = true
          })
        )
      )
      const fiber = yield* Effect.forkChild(deliverBatch(yield* batchOf(row("a")), o))
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(kinds(yield* Fiber.join(fiber)), { a: "retry TimedOut" })
      assert.isTrue(interrupted)
    })
  )

  it.effect("is unknown when it is cut short, also in a fiber that cannot be interrupted", () =>
    Effect.gen(function* () {
      const { options: o } = options(() => Effect.never)
      const fiber = yield* Effect.forkChild(
        Effect.uninterruptible(deliverBatch(yield* batchOf(row("a"), row("b")), o))
      )
      yield* Deferred.succeed(o.cut, undefined)
      const decided = yield* Fiber.join(fiber)
      assert.deepStrictEqual(kinds(decided), { a: "retry CutShort", b: "retry CutShort" })
      assert.deepInclude(decided[0]?.settlement, { reason: new Reason.CutShort({ by: "interruption" }) })
    })
  )

  it.effect("is unknown in time also when its transport cannot be interrupted, which is said", () => {
    const logged: Array<string> = []
    const logger = Logger.make(({ message }) => void logged.push(String(message)))
    return Effect.gen(function* () {
      const { options: o } = options(() => Effect.uninterruptible(Effect.never))
      const batch = yield* batchOf(row("a"))
      const late = yield* Effect.forkChild(Effect.uninterruptible(deliverBatch(batch, o)))
      yield* TestClock.adjust("20 seconds")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(kinds(yield* Fiber.join(late)), { a: "retry TimedOut" })
      const cut = yield* Effect.forkChild(Effect.uninterruptible(deliverBatch(yield* batchOf(row("a")), o)))
      yield* Effect.yieldNow
      yield* Deferred.succeed(o.cut, undefined)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(kinds(yield* Fiber.join(cut)), { a: "retry CutShort" })
      assert.lengthOf(
        logged.filter((line) => line.includes("cannot be interrupted")),
        2
      )
    }).pipe(Effect.provide(Logger.layer([logger])))
  })

  const broken: ReadonlyArray<[string, Script]> = [
    ["dies", () => Effect.die(new Error("bug"))],
    [
      "throws",
      () => {
        throw new Error("bug")
      }
    ],
    ["interrupts itself", () => Effect.interrupt],
    ["answers with no list", () => Effect.succeed(undefined as never)]
  ]
  for (const [name, script] of broken) {
    it.effect(`is unknown when the transport ${name}`, () =>
      Effect.gen(function* () {
        const { options: o } = options(script)
        const [decided] = yield* deliverBatch(yield* batchOf(row("a")), o)
        assert.deepInclude(decided?.settlement, {
          kind: "retry",
          reason: new Reason.CutShort({ by: "defect" })
        })
      })
    )
  }

  it.effect("is unknown for a row that got no answer", () =>
    Effect.gen(function* () {
      const { options: o } = options((batch, call) => acceptAll(batch.slice(1), call))
      const decided = yield* deliverBatch(yield* batchOf(row("a"), row("b")), o)
      assert.deepStrictEqual(kinds(decided), { a: "retry UnreadableReply", b: "sent" })
    })
  )
})

describe("after an unknown outcome", () => {
  const unknown = failAll(new Reason.ServerError({ status: 500 }))

  it.effect("asks the row's own schedule, with the number of this attempt", () =>
    Effect.gen(function* () {
      const { options: o } = options(unknown, {
        retry: ({ attempts }) => (attempts === 3 ? Schedule.exponential("1 second", 2) : Schedule.recurs(0))
      })
      const decided = yield* deliverBatch(yield* batchOf(row("a", { attempts: 3 }), row("b")), o)
      assert.deepStrictEqual(kinds(decided), { a: "retry ServerError", b: "uncertain ServerError" })
      // The fourth delay of the schedule.
      assert.deepInclude(decided[0]?.settlement, { delay: Duration.seconds(8) })
    })
  )

  it.effect("counts the time that the send took against the deadline", () =>
    Effect.gen(function* () {
      const slow: Script = (batch, call) => Effect.delay(unknown(batch, call), "4 seconds")
      const { options: o } = options(slow, { retry: () => Schedule.spaced("5 seconds") })
      const fiber = yield* Effect.forkChild(
        deliverBatch(
          yield* batchOf(row("a", { remainingMillis: 9_000 }), row("b", { remainingMillis: 9_001 })),
          o
        )
      )
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(kinds(yield* Fiber.join(fiber)), {
        a: "expired ServerError",
        b: "retry ServerError"
      })
    })
  )

  it.effect("a schedule that breaks costs its own row a decision, and nobody else anything", () =>
    Effect.gen(function* () {
      const { options: o } = options(
        (batch) =>
          Effect.succeed([
            ...batch
              .slice(0, 2)
              .map(({ trackingId }) => Delivery.notAccepted(trackingId, new Reason.TimedOut())),
            ...batch.slice(2).map(({ trackingId }) => Delivery.accepted(trackingId, "m"))
          ]),
        {
          retry: ({ trackingId }) => {
            if (trackingId === "a") throw new Error("bug")
            return Schedule.forever.pipe(Schedule.modifyDelay(() => Effect.die("bug")))
          }
        }
      )
      const decided = yield* deliverBatch(yield* batchOf(row("a"), row("b"), row("c")), o)
      assert.deepStrictEqual(kinds(decided), {
        a: "uncertain TimedOut",
        b: "uncertain TimedOut",
        c: "sent"
      })
    })
  )
})
