/**
 * The demo: `npx pnpm demo`. See README.md beside this file.
 */
import { PhoneNumber } from "@effect-cascade/core"
import { Relay } from "@effect-cascade/outbox"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import {
  Clock,
  Config,
  ConfigProvider,
  Console,
  Data,
  Effect,
  Layer,
  Option,
  Random,
  References,
  Schema
} from "effect"
import { Command, Flag } from "effect/cli"
import { SqlClient } from "effect/sql"
import { broken, table, take } from "./audit.ts"
import { badDay, Database, outbox, real } from "./places.ts"
import { untilDone } from "./progress.ts"
import { createTables, placeOrder, poison } from "./shop.ts"

/** A run that cannot start, or a promise that was broken; its message is all that there is to say. */
class DemoFailed extends Data.TaggedError("DemoFailed")<{ readonly message: string }> {}

const unfinished = new DemoFailed({ message: "broken: some messages have not ended after three minutes" })

const flags = {
  orders: Flag.Int("orders").pipe(Flag.withDescription("how many orders"), Flag.withDefault(2000)),
  seed: Flag.Int("seed").pipe(Flag.withDescription("which orders and which faults"), Flag.withDefault(1)),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("the result as JSON on the last line"),
    Flag.withDefault(false)
  ),
  to: Flag.optional(Flag.String("to").pipe(Flag.withDescription("the recipient, with a real provider")))
}

const demo = Command.make(
  "demo",
  flags,
  Effect.fn(function* ({ json, orders, seed, to }) {
    if (yield* isReal) return yield* oneRealMessage(to, json)
    if (orders < 100) return yield* new DemoFailed({ message: "--orders must be 100 or more" })
    return yield* badDayOf(orders, seed, json).pipe(
      Effect.timeoutOrElse({ duration: "3 minutes", orElse: () => Effect.fail(unfinished) }),
      Effect.provide([outbox, badDay(seed, poison)])
    )
  })
)

/** Both of its variables name a real provider, none means the emulator; one alone is a mistake. */
const isReal = Effect.gen(function* () {
  const baseUrl = yield* Config.option(Config.NonEmptyString("SMSBAT_BASE_URL"))
  const apiKey = yield* Config.option(Config.Redacted("SMSBAT_API_KEY"))
  if (Option.isSome(baseUrl) === Option.isSome(apiKey)) return Option.isSome(baseUrl)
  const message =
    "set both SMSBAT_BASE_URL and SMSBAT_API_KEY to send to a real provider, or neither for the emulator"
  return yield* new DemoFailed({ message })
})

/** Many orders against the emulator. */
const badDayOf = Effect.fn("badDay")(function* (orders: number, seed: number, json: boolean) {
  const started = yield* Clock.currentTimeMillis
  yield* createTables
  yield* Console.log(
    `Placing ${orders} orders from 16 fibers, about one in ten to be rolled back; two relays send.`
  )

  const audit = yield* Effect.scoped(
    Effect.gen(function* () {
      for (const name of ["relay-a", "relay-b"]) yield* Relay.make({ ...relayOptions, name })
      const numbers = Array.from({ length: orders }, (_, index) => index + 1)
      const placed = yield* Effect.forEach(
        numbers,
        (order) => placeOrder(order, `+38067${String(1_000_000 + order)}`),
        { concurrency: 16 }
      ).pipe(Random.withSeed(seed))
      yield* untilDone(Console.log)
      return yield* take(numbers.filter((_, index) => placed[index] === false))
    })
  )

  const seconds = ((yield* Clock.currentTimeMillis) - started) / 1000
  yield* Console.log(`\n${table(audit, seconds)}`)
  if (json) yield* Console.log(JSON.stringify({ ...audit, seconds }))
  const problems = broken(audit)
  if (problems.length > 0) return yield* new DemoFailed({ message: `broken: ${problems.join("; ")}` })
})

/** Small batches and short pauses, so that a short run sees a good deal of trouble. */
const relayOptions: Relay.RelayOptions = {
  slots: { urgent: 1, high: 2, normal: 1, low: 1 },
  batchSize: { urgent: 10, high: 20, normal: 20, low: 20 }
}

/** One order against a provider that exists. */
const oneRealMessage = Effect.fn("oneRealMessage")(function* (to: Option.Option<string>, json: boolean) {
  if (Option.isNone(to)) {
    return yield* new DemoFailed({
      message:
        "SMSBAT_BASE_URL and SMSBAT_API_KEY name a real provider: say with --to which number gets the one message"
    })
  }
  if (!Schema.is(PhoneNumber.PhoneNumber)(to.value)) {
    return yield* new DemoFailed({ message: `--to: expected ${PhoneNumber.rule}` })
  }
  yield* Console.log(
    "A real provider: this sends ONE message, to the number given by --to, and nothing else."
  )
  const sent = yield* sendOne(to.value).pipe(Effect.provide([outbox, real]))
  yield* Console.log(
    json ? JSON.stringify(sent) : `${sent.outcome}${sent.reason === null ? "" : `: ${sent.reason}`}`
  )
  if (sent.outcome !== "sent") {
    return yield* new DemoFailed({ message: "not sent; the message was discarded with the demo's schema" })
  }
})

const sendOne = Effect.fn("sendOne")(function* (to: string) {
  yield* createTables
  // An order of the plainest kind, under a tracking id of its own.
  const order = (yield* Random.nextIntBetween(100_000, 999_999)) * 8 + 5
  yield* placeOrder(order, to).pipe(Random.withSeed(1))
  yield* Relay.drain()
  const sql = yield* SqlClient.SqlClient
  const { schema } = yield* Database
  const [last] = yield* sql<{
    readonly kind: string
    readonly reason: string | null
    readonly id: string | null
  }>`
    SELECT kind, reason->>'_tag' AS reason, provider_message_id AS id
    FROM ${sql(`${schema}.outcome`)} ORDER BY lease DESC LIMIT 1`
  return { outcome: last?.kind ?? "waiting", reason: last?.reason ?? null, messageId: last?.id ?? null }
})

Command.run(demo, { version: "1.0.0" }).pipe(
  Effect.catchTag(["DemoFailed", "InvalidMessage", "SmsBatConfigError", "StoreError"], (error) =>
    Effect.andThen(
      Console.error(error.message),
      Effect.sync(() => (process.exitCode = 1))
    )
  ),
  Effect.provide(Layer.mergeAll(NodeServices.layer, ConfigProvider.layer(ConfigProvider.fromEnv()))),
  Effect.provideService(References.MinimumLogLevel, "Error"),
  NodeRuntime.runMain
)
