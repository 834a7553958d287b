/**
 * A provider in memory for the tests of a service: nothing leaves the machine, everything that was sent is kept, and
 * what becomes of it is scripted.
 *
 * It stands in for the `Cascade` client and for the `Transport` below it (so also for a relay). Each batch is written
 * with the real codec of SMSBAT, read back as the provider would, and answered with a reply that the real reader
 * reads: what does not fit on the wire fails in the test and not in production.
 *
 * Time is that of the `Clock`, so that retries and outages run under a `TestClock`: advance it where a test lets the
 * client send again. The assertions are plain functions that throw, for any test runner.
 *
 * @example
 * ```ts
 * import { Cascade, Message } from "@effect-cascade/core"
 * import { FakeCascade } from "@effect-cascade/testing"
 * import { Effect } from "effect"
 *
 * const test = Effect.gen(function* () {
 *   const fake = yield* FakeCascade.FakeCascade
 *   fake.when({ toPhone: "+380501112233" }, FakeCascade.reject("INVALID_PHONE", "toPhone"))
 *
 *   const message = yield* Message.make({
 *     _tag: "Transaction",
 *     id: "order-1",
 *     fromName: "Shop",
 *     toPhone: "+380671112233",
 *     text: "Your order 1 is confirmed"
 *   })
 *   yield* Cascade.send(message)
 *
 *   fake.assertSent({ id: "order-1", text: /confirmed/ }, 1)
 *   fake.assertNotSent({ toPhone: "+380501112233" })
 *   fake.assertNothingElse()
 * }).pipe(Effect.provide(FakeCascade.layer()))
 * ```
 */
import * as Cascade from "@effect-cascade/core/Cascade"
import * as Transport from "@effect-cascade/core/Transport"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { AssertionFailed } from "./internal/fake/AssertionFailed.ts"
import * as match from "./internal/fake/match.ts"
import type { Outcome } from "./internal/fake/outcome.ts"
import * as provider from "./internal/fake/provider.ts"
import * as report from "./internal/fake/report.ts"
import * as script from "./internal/fake/script.ts"

export { AssertionFailed }
export type { Matcher, MessageMatch } from "./internal/fake/match.ts"
export type { Outcome } from "./internal/fake/outcome.ts"
export type { SentMessage } from "./internal/fake/provider.ts"

/** Takes it on (200). */
export const accept: Outcome = { _tag: "Accept" }

/** Refuses it as wrong (400), with a code word such as `INVALID_PHONE` and the field it is about: `NotSent`, `Rejected`. */
export const reject = (code: string, field?: string): Outcome => ({ _tag: "Reject", code, field })

/** Refuses the keys (401): `NotSent`, `Unauthorized`. */
export const unauthorized: Outcome = { _tag: "Unauthorized" }

/** Fails while it handles it (500): `Unknown`, `ServerError`. It may have reached a person, and counts as sent. */
export const unknown: Outcome = { _tag: "Unknown" }

/** Asks to slow down (429), for as long as `after` where that is given: `NotSent`, `Throttled`. */
export const throttle = (after?: Duration.Input): Outcome => ({ _tag: "Throttle", after })

/** Cannot be reached from this call on, for as long as `duration` by the `Clock`: `NotSent`, `Unreachable`. */
export const down = (duration: Duration.Input): Outcome => ({ _tag: "Down", for: duration })

/** How the fake behaves. */
export interface FakeCascadeOptions {
  /** What becomes of a message of which nothing was said. Defaults to {@link accept}; has no meaning with `strict`. */
  readonly outcome?: Outcome | undefined
  /**
   * Whether a message of which nothing was said fails the test: it is `NotSent` (`Withheld`), the call of the client
   * dies with `AssertionFailed`, and so does the end of the layer, for what was sent some other way. Defaults to false.
   */
  readonly strict?: boolean | undefined
  /** The most messages in one request. Defaults to 1,000. */
  readonly maxBatchSize?: number | undefined
  /** What holds for every call of the client that does not say otherwise. Defaults to what `Cascade.layer` does. */
  readonly cascade?: Cascade.CascadeOptions | undefined
}

const defaults = { strict: false, maxBatchSize: 1000 }

/** What a test can ask and say. Nothing of it is an effect, so that no `yield*` can be forgotten. */
export interface FakeCascadeShape {
  /** What may have reached people so far: everything `Accepted` or `Unknown`, in order, each time that it was sent. */
  readonly sent: ReadonlyArray<provider.SentMessage>
  /** Every attempt at every message, with what became of it; also `NotSent`. */
  readonly attempts: ReadonlyArray<provider.SentMessage>
  /**
   * What becomes of the next calls of the transport, one outcome for all messages of a call, in order. It counts before
   * what `when` says.
   */
  readonly nextCalls: (...outcomes: readonly [Outcome, ...Array<Outcome>]) => void
  /**
   * What becomes of messages that match: the first attempt at such a message meets the first outcome, the second the
   * second, and the last one stays. It is the fate of that message alone, whatever shares a request with it; only an
   * outage is that of the whole call. Where several match, the one said last counts. With `strict`, this declares them.
   */
  readonly when: (matcher: match.Matcher, ...outcomes: readonly [Outcome, ...Array<Outcome>]) => void
  /** Throws unless a message that matches was sent: at least once, or exactly as many times as `times`. */
  readonly assertSent: (matcher: match.Matcher, times?: number) => void
  /** Throws if a message that matches was sent. */
  readonly assertNotSent: (matcher: match.Matcher) => void
  /** Throws if anything was sent that no `assertSent` before it has matched. */
  readonly assertNothingElse: () => void
  /** Forgets what was sent and what was scripted. An outage ends. */
  readonly reset: () => void
}

/** The fake provider of a test. */
export class FakeCascade extends Context.Service<FakeCascade, FakeCascadeShape>()(
  "@effect-cascade/testing/FakeCascade"
) {}

/** Provides the client, the transport and the fake behind them. */
export const layer = (
  options?: FakeCascadeOptions
): Layer.Layer<FakeCascade | Cascade.Cascade | Transport.Transport> => Layer.effectContext(make(options))

const make = Effect.fnUntraced(function* (
  options: FakeCascadeOptions | undefined
): Effect.fn.Return<
  Context.Context<FakeCascade | Cascade.Cascade | Transport.Transport>,
  never,
  Scope.Scope
> {
  const strict = options?.strict ?? defaults.strict
  const maxBatchSize = options?.maxBatchSize ?? defaults.maxBatchSize
  const history = provider.emptyHistory()
  const plan = script.make(strict ? undefined : (options?.outcome ?? accept))
  const transport = provider.make({ name: "fake", maxBatchSize }, plan, history)
  const cascade = yield* Effect.provideService(Cascade.make(options?.cascade), Transport.Transport, transport)
  const failIfUndeclared = Effect.suspend(() =>
    history.undeclared.length === 0 ? Effect.void : Effect.die(undeclared(history))
  )
  yield* Effect.addFinalizer(() => failIfUndeclared)

  return Context.make(FakeCascade, handle(history, plan)).pipe(
    Context.add(Transport.Transport, transport),
    Context.add(Cascade.Cascade, {
      send: (message, call) => Effect.tap(cascade.send(message, call), () => failIfUndeclared),
      sendAll: (messages, call) => Effect.tap(cascade.sendAll(messages, call), () => failIfUndeclared),
      sendStream: (messages, call) => Stream.tap(cascade.sendStream(messages, call), () => failIfUndeclared),
      status: cascade.status
    })
  )
})

const handle = (history: provider.History, plan: script.Script): FakeCascadeShape => {
  const sent = () => history.attempts.filter(({ delivery }) => delivery._tag !== "NotSent")
  const claimed = new Set<provider.SentMessage>()

  return {
    get sent() {
      return sent()
    },
    get attempts() {
      return [...history.attempts]
    },
    nextCalls: (...outcomes) => plan.nextCalls(outcomes),
    when: (matcher, ...outcomes) => plan.when(matcher, outcomes),
    assertSent: (matcher, times) => {
      const differencesOf = match.compile(matcher)
      const found = sent().filter((one) => differencesOf(one).length === 0)
      if (times === undefined ? found.length === 0 : found.length !== times) {
        throw failed(
          `expected ${expectation(times)} to match ${match.describe(matcher)}, found ${found.length}`,
          others(history, (one) => differencesOf(one))
        )
      }
      for (const one of found) claimed.add(one)
    },
    assertNotSent: (matcher) => {
      const differencesOf = match.compile(matcher)
      const found = sent().filter((one) => differencesOf(one).length === 0)
      if (found.length > 0) {
        throw failed(
          `expected no sent message to match ${match.describe(matcher)}, found ${found.length}`,
          report.listed(found)
        )
      }
    },
    assertNothingElse: () => {
      if (history.undeclared.length > 0) throw undeclared(history)
      const rest = sent().filter((one) => !claimed.has(one))
      if (rest.length > 0) {
        throw failed(`expected nothing else to be sent, found ${rest.length}`, report.listed(rest))
      }
    },
    reset: () => {
      // Ids go on, so that one never stands for two messages.
      Object.assign(history, { ...provider.emptyHistory(), messageIds: history.messageIds })
      claimed.clear()
      plan.clear()
    }
  }
}

const expectation = (times: number | undefined): string =>
  times === undefined ? "a sent message" : `exactly ${times} sent ${times === 1 ? "message" : "messages"}`

const others = (
  history: provider.History,
  differencesOf: (sent: provider.SentMessage) => ReadonlyArray<string>
): string =>
  history.attempts.length === 0 ? "  nothing was sent" : report.nearest(history.attempts, differencesOf)

const undeclared = (history: provider.History): AssertionFailed =>
  failed("messages were sent of which the test declares nothing", report.listed(history.undeclared))

const failed = (problem: string, details: string): AssertionFailed =>
  new AssertionFailed({ details: `${problem}\n${details}` })
