import { CascadeEventFromJson } from "@effect-cascade/core/CascadeEvent"
import * as Delivery from "@effect-cascade/core/Delivery"
import * as Message from "@effect-cascade/core/Message"
import * as Reason from "@effect-cascade/core/TransportReason"
import { assert } from "@effect/vitest"
import { Cause, Effect, Exit, Logger, References, Schema, Tracer } from "effect"
import { SqlClient } from "effect/sql"
import { inspect } from "node:util"
import { anotherStore, connect, onDatabase, outboxOn, terminateOthers } from "./support/database.ts"
import { canary, promo, transaction } from "./support/messages.ts"
import { drain, listening, startRelay } from "./support/relay.ts"
import { expireLeases } from "./support/rows.ts"
import { recording } from "./support/transport.ts"

const secret = { toPhone: canary.phone, text: canary.text }

/** What an exporter says of how a span ended: of a success nothing but that. */
const failureOf = (status: Tracer.SpanStatus) =>
  status._tag === "Ended" && Exit.isFailure(status.exit) ? Cause.pretty(status.exit.cause) : ""

/** Everything that is logged and traced, as text. */
const observing = () => {
  const logs: Array<string> = []
  const spans: Array<Tracer.NativeSpan> = []
  const logger = Logger.map(Logger.formatStructured, (entry) => void logs.push(inspect(entry, { depth: 20 })))
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return {
    logs,
    spans,
    text: () =>
      [
        ...logs,
        ...spans.map(({ attributes, events, name, status }) =>
          inspect([name, attributes, events, failureOf(status)], { depth: 20 })
        )
      ].join("\n"),
    provide: <A, E, R>(self: Effect.Effect<A, E, R>) =>
      self.pipe(
        Effect.provide(Logger.layer([logger])),
        Effect.provideService(References.MinimumLogLevel, "All"),
        Effect.provideService(Tracer.Tracer, tracer)
      )
  }
}

onDatabase("a phone number and a text", (test) => {
  test("are on the wire and in the payload, and in no log, span, event, reason or error", () =>
    Effect.gen(function* () {
      const observed = observing()
      const heard = yield* listening
      const sql = yield* SqlClient.SqlClient
      const reasons: Readonly<Record<string, Reason.TransportReason>> = {
        rejected: new Reason.Rejected({ status: 400, code: "INVALID_PHONE", field: "toPhone" }),
        unknown: new Reason.ServerError({ status: 500 }),
        held: new Reason.TimedOut(),
        throttled: new Reason.Throttled({ status: 429 })
      }
      const sent = recording((batch, call) =>
        call === 1
          ? Effect.die(new Error(`a bug of the transport: ${canary.phone} ${canary.text}`))
          : Effect.succeed(
              batch.map(({ trackingId }) => {
                const reason = reasons[trackingId]
                return reason === undefined
                  ? Delivery.accepted(trackingId, "m")
                  : Delivery.notAccepted(trackingId, reason)
              })
            )
      )

      yield* observed.provide(
        Effect.gen(function* () {
          const { store } = yield* anotherStore()
          const outbox = yield* outboxOn(store)
          yield* outbox.transaction(
            outbox.enqueueAll(
              ["first", "fine", "rejected", "unknown", "unreadable", "nameless", "lapsed"].map((id) =>
                transaction(id, secret)
              )
            )
          )
          yield* outbox.transaction(outbox.enqueue(promo("held", secret)))
          yield* outbox.transaction(outbox.enqueue(transaction("late", { ...secret, ttl: "1 minute" })))
          yield* Effect.flip(outbox.enqueue(transaction("outside", secret)))
          yield* Effect.flip(
            outbox.transaction(outbox.enqueue(transaction("fine", { ...secret, text: "other" })))
          )
          yield* sql`UPDATE cascade.message SET deadline = now() WHERE tracking_id = 'late'`
          yield* sql`UPDATE cascade.message SET payload = left(payload, -1) WHERE tracking_id = 'unreadable'`
          yield* sql`
            UPDATE cascade.message SET payload = replace(payload, '"toPhone":"+', '"toPhone":"')
            WHERE tracking_id = 'nameless'`
          yield* Effect.scoped(
            Effect.gen(function* () {
              yield* startRelay({ sent, heard, store })
              yield* heard.heard("Accepted", 3)
              yield* heard.heard("Dead", 3)
              yield* heard.heard("Uncertain", 2)
              yield* heard.heard("Expired")
              const killer = yield* connect({ applicationName: "killer" })
              yield* terminateOthers(killer)
              yield* Effect.retry(outbox.transaction(outbox.enqueue(transaction("throttled", secret))), {
                times: 3
              })
              yield* heard.heard("LanePaused", 4)
            })
          )
          yield* expireLeases
          yield* sql`ALTER TABLE cascade.outcome RENAME TO gone`
          yield* Effect.ignore(drain({ sent, heard, store }))
          yield* sql`ALTER TABLE cascade.gone RENAME TO outcome`
        })
      )

      const wire = JSON.stringify(sent.batches.flat().map(({ message }) => Message.encode(message)))
      for (const part of [canary.digits, canary.text]) assert.include(wire, part)

      const encode = Schema.encodeSync(CascadeEventFromJson)
      const events = heard.all.map((event) => encode(event))
      const reasonsInRows = yield* sql`SELECT reason, provider_message_id, relay FROM cascade.outcome`
      const lanes = yield* sql`SELECT * FROM cascade.lane`
      const shown = [
        observed.text(),
        JSON.stringify(events),
        inspect(heard.all, { depth: 20 }),
        JSON.stringify(reasonsInRows),
        inspect(lanes, { depth: 20 })
      ].join("\n")
      for (const part of [canary.digits, canary.text]) assert.notInclude(shown, part)

      // It was not for want of anything to look at.
      for (const part of [
        "outbox: the transport broke its contract",
        "create outbox",
        "lanes paused",
        "+38050*****67"
      ]) {
        assert.include(shown, part)
      }
    }))
})
