/**
 * The emulator as a command line: flags in, one line out when it is ready, then until it is told to stop.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as CliError from "effect/cli/CliError"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import type { EmulatorOptions } from "../../EmulatorOptions.ts"
import * as SmsBatEmulator from "../../SmsBatEmulator.ts"

const flags = {
  port: Flag.Int("port").pipe(
    Flag.withDescription("port on 127.0.0.1; 0 takes any free one"),
    Flag.withDefault(4010)
  ),
  seed: Flag.Int("seed").pipe(Flag.withDescription("decides every fault, delay and id"), Flag.withDefault(1)),
  faults: Flag.String("faults").pipe(
    Flag.withDescription('such as "429:0.05:retry-after=1, reset-after:2%, latency:20-80ms"'),
    Flag.withDefault("")
  ),
  next: Flag.String("next").pipe(
    Flag.withDescription('what meets the first requests, in order, such as "reset-after, ok, 503"'),
    Flag.withDefault("")
  ),
  key: Flag.String("key").pipe(
    Flag.withDescription("a known key, or key=account; may be repeated; test-key if none is given"),
    Flag.atLeast(0)
  ),
  errorShape: Flag.Literals("error-shape", ["A", "B", "C", "D", "problem", "html", "empty"]).pipe(
    Flag.withDescription("form of an error reply"),
    Flag.withDefault("A" as const)
  ),
  badElement: Flag.Literals("bad-element", ["reject-batch", "drop", "accept-undeliverable"]).pipe(
    Flag.withDescription("what one bad message does to its batch"),
    Flag.withDefault("reject-batch" as const)
  ),
  lenientPhone: Flag.Boolean("lenient-phone").pipe(
    Flag.withDescription("also take phone numbers without a +"),
    Flag.withDefault(false)
  ),
  dedupe: Flag.Boolean("dedupe").pipe(
    Flag.withDescription("send the same tracking id once"),
    Flag.withDefault(false)
  ),
  rateLimit: Flag.Boolean("rate-limit").pipe(
    Flag.withDescription("refuse more than 100 requests a second, with bursts to 150"),
    Flag.withDefault(false)
  ),
  keep: Flag.Literals("keep", ["all", "ids"]).pipe(
    Flag.withDescription("what the ledger keeps: whole messages, or a number for each tracking id"),
    Flag.withDefault("all" as const)
  ),
  webhook: Flag.optional(
    Flag.String("webhook").pipe(Flag.withDescription("address to tell when a message has ended"))
  ),
  log: Flag.Boolean("log").pipe(Flag.withDescription("log a line for each request"), Flag.withDefault(false))
}

/** The command `emulator`. */
export const command = Command.make(
  "emulator",
  flags,
  Effect.fnUntraced(function* ({ key, next, webhook, ...rest }) {
    const options: EmulatorOptions = {
      ...rest,
      ...(key.length === 0 ? {} : { accounts: Object.fromEntries(key.map(accountOf)) }),
      ...(Option.isNone(webhook) ? {} : { webhook: { url: webhook.value } }),
      control: true
    }
    const emulator = yield* Effect.mapError(SmsBatEmulator.make(options), shown)
    yield* Effect.mapError(emulator.nextRequests(next), shown)
    yield* Console.log(`listening on ${emulator.url}`)
    return yield* Effect.never
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "The SMSBAT provider on this machine: its wire, its faults, and a ledger of what people would have received."
  ),
  Command.withExamples([
    {
      command: "cascade-testing emulator",
      description: "Accept everything sent to http://127.0.0.1:4010 with the key test-key"
    },
    {
      command:
        'cascade-testing emulator --port 0 --seed 7 --faults "reset-after:2%, 500:0.05, latency:20-80ms"',
      description: "A bad day that can be repeated"
    }
  ])
)

// A key may end in = itself.
const accountOf = (text: string): readonly [string, string] => {
  const [, key, account] = /^(.+)=([^=]+)$/.exec(text) ?? []
  return key === undefined || account === undefined ? [text, "default"] : [key, account]
}

const shown = (error: { readonly message: string }) =>
  new CliError.UserError({ cause: error, userMessage: error.message })
