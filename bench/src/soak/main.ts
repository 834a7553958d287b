/** `npx pnpm soak`: whether anything grows in the long run. Fails when something does. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Command, Flag } from "effect/cli"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as References from "effect/References"
import * as Soak from "./soak.ts"

const flags = {
  minutes: Flag.Finite("minutes").pipe(Flag.withDescription("how long"), Flag.withDefault(30)),
  rate: Flag.Finite("rate").pipe(Flag.withDescription("messages a second"), Flag.withDefault(30)),
  seed: Flag.Int("seed").pipe(Flag.withDescription("which orders and which faults"), Flag.withDefault(1)),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("the result as JSON on the last line"),
    Flag.withDefault(false)
  )
}

const command = Command.make(
  "soak",
  flags,
  Effect.fn(function* ({ json, minutes, rate, seed }) {
    const result = yield* Effect.scoped(Soak.run({ minutes, perSecond: rate, seed }))
    yield* Console.log(Soak.table(result))
    if (json) yield* Console.log(JSON.stringify({ ...result, flat: Soak.isFlat(result) }))
    if (!Soak.isFlat(result)) yield* Effect.sync(() => (process.exitCode = 1))
  })
)

Command.run(command, { version: "1.0.0" }).pipe(
  Effect.provide(NodeServices.layer),
  Effect.provideService(References.MinimumLogLevel, "Error"),
  NodeRuntime.runMain
)
