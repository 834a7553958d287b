/**
 * The demo: `npx pnpm demo`. See README.md beside this file.
 */
import { Relay } from "@effect-cascade/outbox"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Clock, ConfigProvider, Console, Data, Effect, Layer, Option, Random, References } from "effect"
import { Command, Flag } from "effect/cli"
import { SqlClient } from "effect/sql"
import { broken, table, take } from "./audit.ts"
import { badDay, Database, outbox, real, realProvider } from "./places.ts"
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
    const isReal = Option.isSome(yield* Effect.option(realProvider))
    if (isReal) return yield* oneRealMessage(to)
    if (orders < 100) return yield* new DemoFailed({ message: "--orders must be 100 or more" })
    return yield* badDayOf(orders, seed, json).pipe(
      Effect.timeoutOrElse({ duration: "3 minutes", orElse: () => Effect.fail(unfinished) }),
      Effect.provide([outbox, badDay(seed, poison)])
    )
  })
)

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
const oneRealMessage = Effect.fn("oneRealMessage")(function* (to: Option.Option<string>) {
  if (Option.isNone(to)) {
    return yield* new DemoFailed({
      message:
        "SMSBAT_BASE_URL and SMSBAT_API_KEY name a real provider: say with --to which number gets the one message"
    })
  }
  yield* Console.log(
    "A real provider: this sends ONE message, to the number given by --to, and nothing else."
  )
  yield* Effect.gen(function* () {
    yield* createTables
    const order = yield* Random.nextIntBetween(100_000, 999_999)
    yield* placeOrder(order * 8 + 5, to.value).pipe(Random.withSeed(1))
    const tally = yield* Relay.drain()
    const sql = yield* SqlClient.SqlClient
    const { schema } = yield* Database
    const outcomes = yield* sql`
      SELECT kind, reason, provider_message_id FROM ${sql(`${schema}.outcome`)} ORDER BY lease`
    yield* Console.log(tally, outcomes)
  }).pipe(Effect.provide([outbox, real]))
})

Command.run(demo, { version: "1.0.0" }).pipe(
  Effect.catchTag(["DemoFailed", "InvalidMessage"], (error) =>
    Effect.andThen(
      Console.error(error.message),
      Effect.sync(() => (process.exitCode = 1))
    )
  ),
  Effect.provide(Layer.mergeAll(NodeServices.layer, ConfigProvider.layer(ConfigProvider.fromEnv()))),
  Effect.provideService(References.MinimumLogLevel, "Error"),
  NodeRuntime.runMain
)
