import { Outbox } from "@effect-cascade/outbox/Outbox"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import type * as Envelope from "@effect-cascade/core/Envelope"
import { TransportError } from "@effect-cascade/core/TransportError"
import * as Reason from "@effect-cascade/core/TransportReason"
import { assert } from "@effect/vitest"
import { DateTime, Duration, Effect, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { onSetClock } from "./support/clock.ts"
import { onDatabase } from "./support/database.ts"
import { flashCall, transaction } from "./support/messages.ts"
import { altered, drain } from "./support/relay.ts"
import { storyOf, workOf } from "./support/rows.ts"
import { acceptAll, failAll, recording } from "./support/transport.ts"

const oneMinute = Schedule.spaced("1 minute")

type Enqueue = Parameters<Outbox["Service"]["enqueue"]>

const enqueue = (...parameters: Enqueue) =>
  Outbox.use((outbox) => outbox.transaction(outbox.enqueue(...parameters)))

/** By the database's clock, which is the machine's. */
const inHalfAnHour = SqlClient.SqlClient.use((sql) =>
  Effect.map(
    sql<{
      readonly millis: number
    }>`SELECT extract(epoch FROM now() + interval '30 minutes')::float8 * 1000 AS millis`,
    ([row]) => DateTime.makeUnsafe(row?.millis ?? 0)
  )
)

/** How long what is sent is still worth sending, in seconds, on the clock of whoever sends it. */
const remaining = (envelope: Envelope.Envelope) =>
  Effect.map(DateTime.now, (now) =>
    envelope.deadline === undefined
      ? undefined
      : (envelope.deadline.epochMilliseconds - now.epochMilliseconds) / 1000
  )

for (const [name, ahead] of [
  ["five minutes ahead of the database's", Duration.minutes(5)],
  ["five minutes behind the database's", Duration.minutes(-5)]
] as const) {
  onDatabase(`a program whose clock is ${name}`, (test) => {
    test("enqueues by the database's time, and sends at once with the whole of the ttl", () =>
      onSetClock(
        () =>
          Effect.gen(function* () {
            const left: Array<number | undefined> = []
            const sent = recording((batch, call) =>
              Effect.andThen(
                Effect.forEach(batch, (envelope) =>
                  Effect.map(remaining(envelope), (seconds) => left.push(seconds))
                ),
                acceptAll(batch, call)
              )
            )
            yield* enqueue(flashCall("code", { ttl: "2 minutes" }))
            const [row] = yield* SqlClient.SqlClient.use(
              (sql) => sql<{ readonly age: number; readonly life: number; readonly due: number }>`
                SELECT extract(epoch FROM now() - created_at)::float8 AS age,
                  extract(epoch FROM message.deadline - created_at)::float8 AS life,
                  extract(epoch FROM work.due_at - created_at)::float8 AS due
                FROM cascade.message JOIN cascade.work ON message_id = id`
            )
            assert.isTrue(row !== undefined && row.age >= 0 && row.age < 60)
            assert.strictEqual(row?.life, 120)
            assert.strictEqual(row?.due, 0)
            yield* drain({ sent })
            assert.deepStrictEqual(sent.sentIds(), ["code"])
            const [seconds] = left
            assert.isTrue(seconds !== undefined && seconds > 60 && seconds <= 120, String(seconds))
          }),
        ahead
      ))

    test("sends nothing early that waits for its time, and all of what is due by the database's clock", () =>
      onSetClock(
        () =>
          Effect.gen(function* () {
            const sent = recording()
            const later = yield* inHalfAnHour
            yield* enqueue(transaction("later"), { availableAt: later })
            yield* enqueue(transaction("scheduled", { scheduledSent: later, ttl: "1 minute" }))
            // Due, by the database's clock, for a second.
            yield* enqueue(transaction("now"), {
              availableAt: DateTime.subtract(later, { minutes: 30, seconds: 1 })
            })
            yield* drain({ sent })
            assert.deepStrictEqual(sent.sentIds(), ["now"])
            // Their time has come.
            yield* SqlClient.SqlClient.use((sql) =>
              Effect.andThen(
                sql`UPDATE cascade.work SET due_at = due_at - interval '30 minutes'`,
                sql`UPDATE cascade.message SET deadline = deadline - interval '30 minutes'`
              )
            )
            yield* drain({ sent })
            assert.deepStrictEqual(sent.sentIds().sort(), ["later", "now", "scheduled"])
          }),
        ahead
      ))

    test("expires what is past its deadline by the database's clock, and nothing else", () =>
      onSetClock(
        () =>
          Effect.gen(function* () {
            const sent = recording()
            yield* enqueue(transaction("late", { ttl: "4 minutes" }))
            yield* enqueue(transaction("in-time", { ttl: "4 minutes" }))
            yield* SqlClient.SqlClient.use(
              (sql) =>
                sql`UPDATE cascade.message SET deadline = now() - interval '1 millisecond' WHERE tracking_id = 'late'`
            )
            yield* drain({ sent })
            assert.deepStrictEqual(sent.sentIds(), ["in-time"])
            assert.deepStrictEqual(yield* storyOf("late"), ["expired 0"])
          }),
        ahead
      ))

    test("keeps its leases, and due times of retries are the database's", () =>
      onSetClock(
        () =>
          Effect.gen(function* () {
            const sent = recording(failAll(new Reason.TimedOut()))
            yield* enqueue(transaction("a", { ttl: "10 minutes" }))
            const store = yield* OutboxStore
            const [first] = yield* store.claim([{ lane: "default/high", limit: 1 }], {
              lease: Duration.seconds(30),
              relay: "one"
            })
            assert.strictEqual(first?.trackingId, "a")
            // Another relay, whatever its clock says, finds it leased.
            yield* drain({ sent })
            assert.deepStrictEqual(sent.sentIds(), [])
            yield* SqlClient.SqlClient.use((sql) => sql`UPDATE cascade.work SET lease_until = now()`)
            yield* drain({ sent }, { retry: oneMinute })
            assert.deepStrictEqual(yield* storyOf("a"), ["lapsed 0", "retry 1"])
            const [work] = yield* workOf("a")
            assert.isTrue(work !== undefined && work.dueIn > 0 && work.dueIn <= 60_000, String(work?.dueIn))
          }),
        ahead
      ))
  })
}

onDatabase("a program whose clock is set while it sends", (test) => {
  for (const [name, jump] of [
    ["forward", Duration.minutes(5)],
    ["back", Duration.minutes(-5)]
  ] as const) {
    test(`${name}, after the claim: the whole of what is left is what is left`, () =>
      onSetClock((set) =>
        Effect.gen(function* () {
          const left: Array<number | undefined> = []
          const sent = recording((batch, call) =>
            Effect.andThen(
              Effect.forEach(batch, (envelope) =>
                Effect.map(remaining(envelope), (seconds) => left.push(seconds))
              ),
              acceptAll(batch, call)
            )
          )
          // Between the claim's answer and the send.
          const store = yield* altered((store) => ({
            claim: (...args) =>
              Effect.tap(store.claim(...args), () =>
                Effect.sync(() => {
                  set.ahead = jump
                })
              )
          }))
          yield* enqueue(transaction("a", { ttl: "2 minutes" }))
          yield* drain({ sent, store })
          assert.deepStrictEqual(sent.sentIds(), ["a"])
          const [seconds] = left
          assert.isTrue(seconds !== undefined && seconds > 60 && seconds <= 120, String(seconds))
        })
      ))

    test(`${name}, during the send: whether another attempt fits before the deadline is judged as before`, () =>
      onSetClock((set) =>
        Effect.gen(function* () {
          const sent = recording(() =>
            Effect.suspend(() => {
              set.ahead = jump
              return Effect.fail(new TransportError({ transport: "test", reason: new Reason.TimedOut() }))
            })
          )
          yield* enqueue(transaction("fits", { ttl: "3 minutes" }))
          yield* enqueue(transaction("does-not-fit", { ttl: "30 seconds" }))
          yield* drain({ sent }, { retry: oneMinute })
          assert.deepStrictEqual(yield* storyOf("fits"), ["retry 1"])
          assert.deepStrictEqual(yield* storyOf("does-not-fit"), ["expired 1"])
        })
      ))
  }
})
