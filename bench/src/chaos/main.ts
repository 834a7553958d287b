/**
 * `npx pnpm chaos`: real processes, a real database and a real network go wrong in every way there is, and afterwards
 * it is counted whether each promise was kept. Fails when one was not.
 *
 * The plan of faults is drawn from the seed; what each fault meets depends on the machine's timing and cannot be
 * repeated. Leaves nothing behind, also when it is cut short.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Command, Flag } from "effect/cli"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Chaos from "./chaos.ts"
import * as Report from "./report.ts"

const flags = {
  minutes: Flag.Finite("minutes").pipe(
    Flag.withDescription("about how long the run takes; the figures below follow from it"),
    Flag.withDefault(5)
  ),
  messages: Flag.optional(
    Flag.Int("messages").pipe(Flag.withDescription("how many messages to commit; 10,000 a minute"))
  ),
  kills: Flag.optional(Flag.Int("kills").pipe(Flag.withDescription("how many relays to kill; 22 a minute"))),
  restarts: Flag.optional(
    Flag.Int("restarts").pipe(Flag.withDescription("how often the database crashes; 2 a minute"))
  ),
  seed: Flag.Int("seed").pipe(Flag.withDescription("which orders and which faults"), Flag.withDefault(1)),
  relays: Flag.Int("relays").pipe(Flag.withDescription("how many relays"), Flag.withDefault(4)),
  lease: Flag.Finite("lease").pipe(
    Flag.withDescription("how long a lease is, in seconds"),
    Flag.withDefault(5)
  ),
  slack: Flag.Finite("slack").pipe(
    Flag.withDescription("how many seconds more than a lease a recovery may take"),
    Flag.withDefault(2)
  ),
  transit: Flag.Finite("transit").pipe(
    Flag.withDescription("how many seconds a request may be on its way, and come so much after a deadline"),
    Flag.withDefault(0)
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("the result as JSON on the last line"),
    Flag.withDefault(false)
  ),
  keep: Flag.Boolean("keep").pipe(
    Flag.withDescription("leave the notes and logs of the processes"),
    Flag.withDefault(false)
  )
}

const command = Command.make(
  "chaos",
  flags,
  Effect.fn(function* ({
    json,
    keep,
    kills,
    lease,
    messages,
    minutes,
    relays,
    restarts,
    seed,
    slack,
    transit
  }) {
    const result = yield* Effect.scoped(
      Chaos.run({
        seed,
        minutes,
        messages: Option.getOrElse(messages, () => Math.round(minutes * 10_000)),
        kills: Option.getOrElse(kills, () => Math.round(minutes * 22)),
        restarts: Option.getOrElse(restarts, () => Math.round(minutes * 2)),
        relays,
        producers: 2,
        leaseMillis: lease * 1_000,
        slackMillis: slack * 1_000,
        transitMillis: transit * 1_000,
        keepFolder: keep
      })
    )
    yield* Console.log(Report.table(result))
    if (json) yield* Console.log(JSON.stringify({ ...result, kept: Report.isKept(result) }))
    if (!Report.isKept(result)) yield* Effect.sync(() => (process.exitCode = 1))
  })
)

Command.run(command, { version: "1.0.0" }).pipe(
  Effect.provide(NodeServices.layer),
  Effect.provideService(References.MinimumLogLevel, "Error"),
  NodeRuntime.runMain
)
