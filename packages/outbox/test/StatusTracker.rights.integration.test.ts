import * as Reason from "@effect-cascade/core/TransportReason"
import { Outbox } from "@effect-cascade/outbox/Outbox"
import * as OutboxMigrations from "@effect-cascade/outbox/OutboxMigrations"
import * as PgStatusStore from "@effect-cascade/outbox/PgStatusStore"
import { StatusStore } from "@effect-cascade/outbox/StatusStore"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import { PgClient } from "@effect/sql-pg"
import { assert } from "@effect/vitest"
import { Effect, Logger, References, Tracer } from "effect"
import { SqlClient } from "effect/sql"
import { inspect } from "node:util"
import { connect } from "./support/database.ts"
import {
  endPauses,
  hint,
  intake,
  inTurn,
  makeDue,
  onFollowed,
  refuses,
  report,
  runOnce,
  says,
  scripted,
  statusRow,
  storeOn
} from "./support/followed.ts"
import { canary, transaction } from "./support/messages.ts"
import { drain, listening } from "./support/relay.ts"
import { recording } from "./support/transport.ts"

/** A role of this test alone. */
const makeRole = Effect.fnUntraced(function* (suffix: string) {
  const sql = yield* SqlClient.SqlClient
  const { name } = yield* PgTestDatabase
  const role = `${name}_${suffix}`.slice(-63)
  return yield* Effect.acquireRelease(Effect.as(sql.unsafe(`CREATE ROLE "${role}" NOLOGIN`), role), () =>
    Effect.orDie(Effect.andThen(sql.unsafe(`DROP OWNED BY "${role}"`), sql.unsafe(`DROP ROLE "${role}"`)))
  )
})

onFollowed("with the least rights", (test) => {
  test("a relay and a tracker do all they do, and a program that enqueues may read the status", () =>
    Effect.gen(function* () {
      const [relay, writer] = [yield* makeRole("tracker"), yield* makeRole("writer")]
      yield* OutboxMigrations.applyGrants({ relay, writer })
      const as = (role: string) => connect({ startupParameters: { role } })
      const client = yield* as(relay)
      const store = yield* Effect.provideService(PgStatusStore.make(), PgClient.PgClient, client)
      const outbox = yield* Outbox
      yield* outbox.transaction(outbox.enqueueAll([transaction("a"), transaction("b"), transaction("c")]))
      yield* drain({ sent: recording(), store: yield* storeOn(client) })

      const lookup = scripted((id, call) =>
        id === "provider-c"
          ? refuses(new Reason.Throttled({ status: 429 }))(id, call)
          : inTurn(says("processing"), says("delivered"))(id, call)
      )
      yield* runOnce({ lookup, store })
      yield* endPauses
      yield* makeDue
      yield* runOnce({ lookup, store })
      assert.include(yield* statusRow("a"), { status: "delivered", dueIn: null })
      const tracker = yield* intake(store)
      yield* tracker.report(hint("c", "processing"))
      yield* tracker.report(report("c", "delivered"))

      const reader = yield* Effect.provideService(PgStatusStore.make(), PgClient.PgClient, yield* as(writer))
      for (const id of ["a", "b", "c"]) {
        assert.deepInclude(yield* reader.read("default", id), {
          state: { status: "delivered", confirmed: true }
        })
      }
      const refused = yield* Effect.flip(reader.record("default", report("a", "delivered")))
      assert.deepInclude(refused, { _tag: "StoreError", code: "42501", isRetryable: false })
    }))
})

onFollowed("a phone number and a text", (test) => {
  test("are in nothing that a tracker logs, traces, tells or answers", () =>
    Effect.gen(function* () {
      const heard = yield* listening
      const logs: Array<string> = []
      const spans: Array<Tracer.NativeSpan> = []
      const logger = Logger.map(
        Logger.formatStructured,
        (entry) => void logs.push(inspect(entry, { depth: 20 }))
      )
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const outbox = yield* Outbox
      const secret = { toPhone: canary.phone, text: canary.text }
      yield* outbox.transaction(
        outbox.enqueueAll(["told", "fails", "refused", "breaks"].map((id) => transaction(id, secret)))
      )
      yield* drain({ sent: recording() })
      // The refused one last: it pauses the look-ups of its account.
      yield* SqlClient.SqlClient.use(
        (sql) => sql`
          UPDATE cascade.delivery_status SET next_check_at = next_check_at - interval '1 minute'
          WHERE provider_message_id <> 'provider-refused'`
      )
      const answers = yield* Effect.gen(function* () {
        const lookup = scripted((id, call) => {
          if (id === "provider-fails") return refuses(new Reason.ServerError({ status: 500 }))(id, call)
          if (id === "provider-breaks") return Effect.die("a bug of the look-up")
          if (id === "provider-refused") return refuses(new Reason.Unauthorized({ status: 401 }))(id, call)
          return says("delivered")(id, call)
        })
        yield* runOnce({ lookup, events: heard.events })
        const tracker = yield* intake(yield* StatusStore, heard.events)
        yield* tracker.report(hint("fails", "delivered"))
        yield* tracker.report(hint("nobody", "delivered"))
        return [yield* tracker.status("default", "told"), yield* tracker.tally]
      }).pipe(
        Effect.provide(Logger.layer([logger])),
        Effect.provideService(References.MinimumLogLevel, "All"),
        Effect.provideService(Tracer.Tracer, tracer)
      )
      yield* heard.heard("StatusChanged", 2)
      assert.isAbove(logs.length, 0)
      assert.isAbove(spans.length, 0)
      const everything = [
        ...logs,
        ...spans.map(({ attributes, events, name }) => inspect([name, attributes, events], { depth: 20 })),
        inspect([answers, heard.all], { depth: 20 }),
        JSON.stringify(heard.all)
      ]
      for (const forbidden of [canary.digits, canary.text]) {
        assert.notInclude(everything.join("\n"), forbidden)
      }
    }))
})
