/**
 * The provider on the loopback interface: a real HTTP server that speaks its wire, goes wrong on demand, and keeps
 * the ledger of what people would have received.
 *
 * Use it where a test must cross the network as production does, and to count what was lost and what was sent twice.
 * Nothing leaves the machine. It holds no timers of its own: everything that takes time takes it on the `Clock` of
 * the layer, which a `TestClock` may be.
 *
 * The wire is that of https://smsbat.com/help/api/cascade/send/ and, for the status of a message,
 * https://smsbat.com/help/api/smsbat/status/. Where the pages are silent or at odds, an option decides.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { SmsBatEmulator } from "@effect-cascade/testing"
 *
 * const program = Effect.gen(function* () {
 *   const emulator = yield* SmsBatEmulator.SmsBatEmulator
 *   yield* emulator.nextRequests("reset-after, ok")
 *   // … send to emulator.url with the key "test-key" …
 *   const twice = yield* emulator.ledger.duplicates
 * }).pipe(Effect.provide(SmsBatEmulator.layer()))
 * ```
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as EmulatorFault from "./EmulatorFault.ts"
import type { EmulatorLedger, RequestCounts, RequestRecord, WebhookRecord } from "./EmulatorLedger.ts"
import * as EmulatorOptions from "./EmulatorOptions.ts"
import * as book from "./internal/emulator/book.ts"
import * as control from "./internal/emulator/control.ts"
import * as dice from "./internal/emulator/dice.ts"
import type { Emulation } from "./internal/emulator/emulation.ts"
import { Exchange } from "./internal/emulator/exchange.ts"
import * as faultBook from "./internal/emulator/faultBook.ts"
import * as handler from "./internal/emulator/handler.ts"
import * as items from "./internal/emulator/items.ts"
import * as rateLimit from "./internal/emulator/rateLimit.ts"
import * as server from "./internal/emulator/server.ts"
import * as signals from "./internal/emulator/signals.ts"
import * as webhooks from "./internal/emulator/webhooks.ts"

/** The port could not be listened on. */
export class ListenError extends Schema.TaggedError<ListenError>(
  "@effect-cascade/testing/SmsBatEmulator/ListenError"
)("ListenError", {
  port: Schema.Number,
  /** The system's code, such as `EADDRINUSE`. */
  code: Schema.String
}) {
  override get message(): string {
    return `cannot listen on ${server.host}:${this.port} (${this.code})`
  }
}

/** A running emulator. */
export interface SmsBatEmulatorShape {
  /** `http://127.0.0.1:…`: the base URL for a client. */
  readonly url: string
  readonly port: number
  /** What people would have received. */
  readonly ledger: EmulatorLedger
  /** The latest requests, oldest first; as many as `keepRequests`. Requests to the control interface are not among them. */
  readonly requests: Effect.Effect<ReadonlyArray<RequestRecord>>
  /** Counts of all requests since the start or the last reset. */
  readonly requestCounts: Effect.Effect<RequestCounts>
  /** The latest webhook calls, oldest first; as many as `keepRequests`. */
  readonly webhooks: Effect.Effect<ReadonlyArray<WebhookRecord>>
  /** Replaces the plan of faults. Takes effect with the next request. `setFaults("")` clears it. */
  readonly setFaults: (faults: EmulatorFault.PlanInput) => Effect.Effect<void, EmulatorFault.InvalidFaults>
  /**
   * Adds to the script: each entry is what meets one of the next requests, in order, in place of the plan. An entry
   * with a filter waits for a request that it fits, and lets others pass.
   */
  readonly nextRequests: (
    script: EmulatorFault.ScriptInput
  ) => Effect.Effect<void, EmulatorFault.InvalidFaults>
  /** How many entries of the script have not met their request yet. */
  readonly scripted: Effect.Effect<number>
  /** Answers an account 403 from now on. */
  readonly suspend: (account: string) => Effect.Effect<void>
  /** Lets a suspended account in again. */
  readonly restore: (account: string) => Effect.Effect<void>
  /**
   * Succeeds when so many requests have come since the start or the last reset. Each of them is read by then, its
   * faults have fired, and nothing but time is awaited before its messages are accepted or its reply is sent.
   */
  readonly awaitRequests: (count: number) => Effect.Effect<void>
  /** Succeeds with the first remembered request of which `holds` is true, now or later. */
  readonly awaitRequest: (holds: (request: RequestRecord) => boolean) => Effect.Effect<RequestRecord>
  /** Succeeds when so many messages have been accepted since the start or the last reset, copies counted. */
  readonly awaitReceived: (count: number) => Effect.Effect<void>
  /** Succeeds with the webhook calls when so many have been made and answered since the start or the last reset. */
  readonly awaitWebhooks: (count: number) => Effect.Effect<ReadonlyArray<WebhookRecord>>
  /**
   * Back to the start: forgets messages, requests, variables, the script and webhooks still due; the faults are those
   * of the options again, the dice are as new. Requests under way are cut off and accept nothing.
   */
  readonly reset: Effect.Effect<void>
}

/** The emulator of a test or a program. */
export class SmsBatEmulator extends Context.Service<SmsBatEmulator, SmsBatEmulatorShape>()(
  "@effect-cascade/testing/SmsBatEmulator"
) {}

/** Starts an emulator that runs until the scope is closed. */
export const make = Effect.fnUntraced(function* (
  options: EmulatorOptions.EmulatorOptions = {}
): Effect.fn.Return<SmsBatEmulatorShape, ListenError | EmulatorFault.InvalidFaults, Scope.Scope> {
  const clock = yield* Clock.Clock
  const now = () => clock.currentTimeMillisUnsafe()
  const initialFaults = yield* EmulatorFault.plan(options.faults ?? [])
  const seed = options.seed ?? EmulatorOptions.defaults.seed
  const keepRequests = options.keepRequests ?? EmulatorOptions.defaults.keepRequests
  const hook = options.webhook === undefined ? undefined : EmulatorOptions.webhookSettings(options.webhook)

  const fibers = yield* FiberSet.make<void>()
  const background = logged(yield* FiberSet.runtime(fibers)())
  // In a set of its own, so that a reset asked for from outside does not interrupt itself.
  const forControl = logged(yield* FiberSet.makeRuntime())

  const changes = signals.make()
  const open = new Set<Exchange>()
  let epoch = 0
  let handled = 0
  let called = 0
  let calls: Array<WebhookRecord> = []
  const lastCalls = () => calls.slice(-keepRequests)

  const emulation: Emulation = {
    settings: EmulatorOptions.settings(options),
    now,
    after: (millis, action) => {
      const born = epoch
      // What was put off before a reset does not happen after it.
      const late = Effect.sync(() => (born === epoch ? action() : undefined))
      background(Effect.andThen(Effect.sleep(millis), late))
    },
    book: book.make({ keep: options.keep ?? "all", dedupe: options.dedupe ?? false, keepRequests }),
    faults: faultBook.make(seed, initialFaults),
    limiter: rateLimit.make(),
    items: items.make(),
    suspended: new Set(options.suspended),
    chance: dice.make(`${seed}/id`),
    onAccepted: (messages) => {
      changes.changed()
      if (hook === undefined || messages.length === 0) return
      background(webhooks.follow(hook, messages, now, remember))
    }
  }

  const remember = (call: WebhookRecord) => {
    called++
    calls.push(call)
    if (calls.length >= keepRequests * 2) calls = calls.slice(-keepRequests)
    changes.changed()
  }

  const reset = Effect.gen(function* () {
    epoch++
    for (const exchange of open) exchange.abandon()
    open.clear()
    emulation.book.clear()
    emulation.faults.restart()
    emulation.limiter.clear()
    emulation.items.clear()
    emulation.chance.restart()
    emulation.suspended.clear()
    for (const account of options.suspended ?? []) emulation.suspended.add(account)
    handled = 0
    called = 0
    calls = []
    yield* FiberSet.clear(fibers)
  })

  const serveControl = control.make(emulation, reset, forControl)

  const port = yield* server
    .listen(options.port ?? EmulatorOptions.defaults.port, (request, response) => {
      const [path = ""] = (request.url ?? "").split("?")
      if (options.control === true && path.startsWith(control.prefix)) return serveControl(request, response)
      const record = emulation.book.open(request.method ?? "", path, now())
      const noticed = once(() => {
        handled++
        changes.changed()
      })
      const exchange = new Exchange(request, response, record, emulation.book, {
        onSettled: () => {
          noticed()
          changes.changed()
          if (options.log === true) forControl(Effect.logInfo(lineOf(record)))
        },
        onClosed: () => {
          open.delete(exchange)
          changes.changed()
        }
      })
      open.add(exchange)
      handler.handle(emulation, exchange, noticed)
    })
    .pipe(
      Effect.mapError(
        ({ code }) =>
          new ListenError({ port: options.port ?? EmulatorOptions.defaults.port, code: code ?? "unknown" })
      )
    )

  return {
    url: `http://${server.host}:${port}`,
    port,
    ledger: emulation.book.ledger,
    requests: Effect.sync(emulation.book.requests),
    requestCounts: Effect.sync(emulation.book.requestCounts),
    webhooks: Effect.sync(lastCalls),
    setFaults: Effect.fn("SmsBatEmulator.setFaults")((faults) =>
      Effect.map(EmulatorFault.plan(faults), emulation.faults.setPlan)
    ),
    nextRequests: Effect.fn("SmsBatEmulator.nextRequests")((script) =>
      Effect.map(EmulatorFault.script(script), emulation.faults.addScript)
    ),
    scripted: Effect.sync(emulation.faults.scripted),
    suspend: (account) => Effect.sync(() => void emulation.suspended.add(account)),
    restore: (account) => Effect.sync(() => void emulation.suspended.delete(account)),
    awaitRequests: (count) => Effect.asVoid(changes.until(() => handled >= count || undefined)),
    awaitRequest: (holds) => changes.until(() => emulation.book.findRequest(holds)),
    awaitReceived: (count) =>
      Effect.asVoid(changes.until(() => emulation.book.counts().messages >= count || undefined)),
    awaitWebhooks: (count) => changes.until(() => (called >= count ? lastCalls() : undefined)),
    reset
  }
})

/** Starts an emulator for as long as the layer is in use. */
export const layer = (
  options?: EmulatorOptions.EmulatorOptions
): Layer.Layer<SmsBatEmulator, ListenError | EmulatorFault.InvalidFaults> =>
  Layer.effect(SmsBatEmulator, make(options))

// Without the path, which may be anything.
const lineOf = (record: RequestRecord): string =>
  [
    `${record.number} ${record.method} ${record.endpoint ?? "unknown"}`,
    ...(record.route === undefined ? [] : [record.route]),
    ...(record.account === undefined ? [] : [`account=${record.account}`]),
    `messages=${record.messages} accepted=${record.accepted}`,
    `-> ${record.status ?? record.outcome}`,
    ...(record.faults.length === 0 ? [] : [`[${record.faults.join(" ")}]`])
  ].join(" ")

const logged =
  (fork: (effect: Effect.Effect<void>) => unknown) =>
  (effect: Effect.Effect<void>): void =>
    void fork(Effect.tapCause(effect, (cause) => Effect.logError("a part of the emulator failed", cause)))

const once = (action: () => void): (() => void) => {
  let done = false
  return () => {
    if (done) return
    done = true
    action()
  }
}
