#!/usr/bin/env node
/**
 * The command of this package: `npx @effect-cascade/testing emulator --port 4010` runs the emulator until SIGINT or
 * SIGTERM. It needs `@effect/platform-node`.
 */
import { createRequire } from "node:module"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Command from "effect/cli/Command"
import { command } from "../internal/emulator/command.ts"

// Two folders up from `src/bin` as from `dist/bin`.
const Manifest = Schema.Struct({ version: Schema.String })
const { version } = Schema.decodeUnknownSync(Manifest)(createRequire(import.meta.url)("../../package.json"))

const program = Command.make("cascade-testing").pipe(
  Command.withDescription("What the tests of a service that sends need beside it."),
  Command.withSubcommands([command])
)

Command.run(program, { version }).pipe(
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({
    // To be told to stop is how it ends, not how it fails.
    teardown: (exit, onExit) =>
      Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause)
        ? onExit(0)
        : Runtime.defaultTeardown(exit, onExit)
  })
)
