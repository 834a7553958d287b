/**
 * A shop in a process of its own: fibers that commit orders with their messages, roll others back, and note of each
 * what they know of its end. What they do not know (the connection was lost, perhaps during the COMMIT) is noted as
 * doubtful; the table of orders tells in the end.
 */
import * as Outbox from "@effect-cascade/outbox/Outbox"
import * as OutboxAdmin from "@effect-cascade/outbox/OutboxAdmin"
import * as PgOutboxAdminStore from "@effect-cascade/outbox/PgOutboxAdminStore"
import * as PgOutboxStore from "@effect-cascade/outbox/PgOutboxStore"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import { closeSync, openSync } from "node:fs"
import * as Child from "./childProcess.ts"
import * as Notes from "./notes.ts"
import * as Orders from "./orders.ts"

export interface ProducerSettings {
  readonly producer: number
  readonly seed: number
  readonly databaseUrl: string
  readonly notes: string
  /** The file that is there when all is committed. */
  readonly finished: string
  /** The number of its first order. */
  readonly next: number
  /** How many messages were committed by the generations before. */
  readonly before: number
  /** How many messages are to be committed in all. */
  readonly quota: number
  /** When the first generation began, and how many messages are to be committed in a second. */
  readonly startedAt: number
  readonly perSecond: number
}

class ChangedMind extends Data.TaggedError("ChangedMind") {}

const settings = Child.argument<ProducerSettings>()
const notes = Notes.open(settings.notes)
const fibers = 8

let next = settings.next
let committed = settings.before

const place = Effect.fnUntraced(function* (order: Orders.Order) {
  const outbox = yield* Outbox.Outbox
  const sql = yield* PgClient.PgClient
  return yield* outbox.transaction(
    Effect.gen(function* () {
      yield* sql`INSERT INTO shop_order (id, messages) VALUES (${order.id}, ${order.messages.length})
        ON CONFLICT (id) DO NOTHING`
      for (const { message, options } of order.messages) yield* outbox.enqueue(message, options)
      if (order.rollsBack) return yield* new ChangedMind()
    })
  )
})

const placeNext = Effect.gen(function* () {
  const order = Orders.draw(settings.seed, settings.producer, next++, yield* Clock.currentTimeMillis)
  notes.add([`begun ${order.id}`])
  for (let tries = order.triesAgain ? 3 : 1; tries > 0; tries--) {
    const exit = yield* Effect.exit(place(order))
    if (Exit.isSuccess(exit)) {
      committed += order.messages.length
      notes.add([`committed ${order.id} ${order.messages.length}`])
      return yield* callOff(order)
    }
    if (Cause.hasInterrupts(exit.cause)) return
    const failure = Cause.findErrorOption(exit.cause)
    if (failure._tag === "Some" && failure.value instanceof ChangedMind) {
      return notes.add([`rolled-back ${order.id}`])
    }
    // Anything but a lost connection would be a mistake in the library or in here.
    const isKnown =
      failure._tag === "Some" && failure.value._tag === "StoreError" && failure.value.isRetryable
    const what = failure._tag === "Some" ? failure.value.message : Cause.pretty(exit.cause)
    notes.add([`doubtful ${order.id}`, ...(isKnown ? [] : [`odd ${order.id} ${JSON.stringify(what)}`])])
    yield* Effect.sleep("100 millis")
  }
})

const callOff = Effect.fnUntraced(function* (order: Orders.Order) {
  const admin = yield* OutboxAdmin.OutboxAdmin
  for (const { cancelled, message } of order.messages) {
    if (!cancelled) continue
    const answer = yield* Effect.option(admin.cancel("default", message.id))
    if (answer._tag === "Some" && answer.value._tag === "Cancelled" && !answer.value.mayHaveBeenSent) {
      notes.add([`cancelled ${message.id}`])
    }
  }
})

/** At a steady pace, and as fast as it goes where that was lost. */
const producing = Effect.gen(function* () {
  while (committed < settings.quota) {
    const due = settings.startedAt + (committed / settings.perSecond) * 1_000
    const wait = due - (yield* Clock.currentTimeMillis)
    if (wait > 0) yield* Effect.sleep(wait)
    yield* placeNext
  }
})

const services = Layer.mergeAll(
  Outbox.layer.pipe(Layer.provide(PgOutboxStore.layer())),
  OutboxAdmin.layer.pipe(Layer.provide(PgOutboxAdminStore.layer()))
).pipe(
  Layer.provideMerge(PgClient.layer({ url: Redacted.make(settings.databaseUrl), maxConnections: fibers + 1 }))
)

Child.run(
  Effect.gen(function* () {
    yield* Child.ready
    yield* Effect.raceFirst(
      Effect.forEach(Array.from({ length: fibers }), () => producing, {
        concurrency: "unbounded",
        discard: true
      }).pipe(
        // Whoever started this process looks for the file, and says when to end.
        Effect.andThen(Effect.sync(() => closeSync(openSync(settings.finished, "w")))),
        Effect.andThen(Effect.never)
      ),
      Child.asked
    )
  }).pipe(Effect.provide(services), Effect.provideService(References.MinimumLogLevel, "Warn"))
)
