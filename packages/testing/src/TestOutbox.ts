/**
 * An outbox for the tests of a service: write side, store and relay in memory, on the time of a `TestClock`.
 *
 * The service runs as it does in production; the test says when the relay works, and moves the clock. Minutes of
 * retries and days of schedules pass in milliseconds, each message at the instant at which a relay would have sent it.
 * What is sent goes to the `Transport` of the context, such as that of `FakeCascade`.
 *
 * Random delays are drawn from a seed, so that a test takes the same course each time.
 *
 * @example
 * ```ts
 * import { Message } from "@effect-cascade/core"
 * import { Outbox } from "@effect-cascade/outbox"
 * import { FakeCascade, OutboxAssert, TestOutbox } from "@effect-cascade/testing"
 * import { Effect, Layer } from "effect"
 *
 * const test = Effect.gen(function* () {
 *   const outbox = yield* Outbox.Outbox
 *   const message = yield* Message.make({
 *     _tag: "Transaction",
 *     id: "order-1",
 *     fromName: "Shop",
 *     toPhone: "+380671112233",
 *     text: "Your order 1 is confirmed"
 *   })
 *   yield* outbox.transaction(outbox.enqueue(message))
 *   yield* OutboxAssert.assertEnqueued({ id: "order-1" })
 *
 *   yield* TestOutbox.drain
 *   const fake = yield* FakeCascade.FakeCascade
 *   fake.assertSent({ id: "order-1" }, 1)
 * }).pipe(Effect.provide(Layer.merge(TestOutbox.layer(), FakeCascade.layer())))
 * ```
 */
import * as CascadeEvents from "@effect-cascade/core/CascadeEvents"
import type { Transport } from "@effect-cascade/core/Transport"
import type { StoreError } from "@effect-cascade/outbox/OutboxError"
import * as Outbox from "@effect-cascade/outbox/Outbox"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import * as Relay from "@effect-cascade/outbox/Relay"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as TestClock from "effect/testing/TestClock"
import type { EnqueuedMessage, EnqueuedMessages, MessageState } from "./EnqueuedMessages.ts"
import * as MemoryOutboxStore from "./MemoryOutboxStore.ts"

/** How the outbox of a test works. */
export interface TestOutboxOptions {
  /** How the relay works. Defaults to what `Relay` does. */
  readonly relay?: Relay.RelayOptions | undefined
  /** Defaults to what `CascadeEvents.layer` does. */
  readonly events?: CascadeEvents.CascadeEventsOptions | undefined
  /** What random delays are drawn from. Defaults to `"cascade"`. */
  readonly seed?: string | number | undefined
}

const defaults = { seed: "cascade" }

/** What a drain can fail with: options that cannot work. The store in memory does not fail. */
export type DrainError = Relay.InvalidRelayOptions | StoreError

/** What a test can ask and do. */
export interface TestOutboxShape {
  /** Runs a relay until nothing is due; answers with what became of how many messages. The clock stands still. */
  readonly drain: Effect.Effect<Relay.RelayTally, DrainError, Transport>
  /**
   * Drains, then moves the `TestClock` by `duration`, stopping to drain at each instant at which something falls due: as
   * if a relay had run all the time. Answers with the sum of it.
   */
  readonly advance: (duration: Duration.Input) => Effect.Effect<Relay.RelayTally, DrainError, Transport>
  /** The messages that are to be sent still. */
  readonly pending: Effect.Effect<ReadonlyArray<EnqueuedMessage>>
  /** The messages that were given up. */
  readonly dead: Effect.Effect<ReadonlyArray<EnqueuedMessage>>
  /** The messages that may have been sent, and wait for a decision. */
  readonly uncertain: Effect.Effect<ReadonlyArray<EnqueuedMessage>>
  /** Every committed message, whatever became of it, the oldest first. */
  readonly allEnqueued: Effect.Effect<ReadonlyArray<EnqueuedMessage>>
}

/** The outbox of a test. */
export class TestOutbox extends Context.Service<TestOutbox, TestOutboxShape>()(
  "@effect-cascade/testing/TestOutbox"
) {}

/** What {@link layer} provides. */
export type TestOutboxServices =
  | TestOutbox
  | Outbox.Outbox
  | OutboxStore
  | MemoryOutboxStore.MemoryOutbox
  | EnqueuedMessages
  | CascadeEvents.CascadeEvents

/** An outbox in memory with its relay at hand. Each build is an outbox of its own. */
export const layer = (options?: TestOutboxOptions): Layer.Layer<TestOutboxServices> =>
  Layer.merge(Layer.effect(TestOutbox, make(options)), Outbox.layer).pipe(
    Layer.provideMerge(Layer.merge(MemoryOutboxStore.layer, CascadeEvents.layer(options?.events)))
  )

const make = Effect.fnUntraced(function* (
  options: TestOutboxOptions | undefined
): Effect.fn.Return<
  TestOutboxShape,
  never,
  OutboxStore | MemoryOutboxStore.MemoryOutbox | CascadeEvents.CascadeEvents
> {
  const store = yield* OutboxStore
  const events = yield* CascadeEvents.CascadeEvents
  const memory = yield* MemoryOutboxStore.MemoryOutbox

  const drain = Relay.drain({ name: "test-relay", ...options?.relay }).pipe(
    Effect.provideService(OutboxStore, store),
    Effect.provideService(CascadeEvents.CascadeEvents, events),
    Random.withSeed(options?.seed ?? defaults.seed)
  )

  const advance = Effect.fnUntraced(function* (duration: Duration.Input) {
    const clock = yield* Clock.Clock
    if (!("setTime" in clock)) return yield* Effect.die(noTestClock)
    const now = clock.currentTimeMillisUnsafe()
    const end = now + Duration.toMillis(Duration.fromInputUnsafe(duration))
    let tally = yield* drain
    while (true) {
      const next = yield* memory.nextChange
      const at = next === undefined ? end : Math.min(DateTime.toEpochMillis(next), end)
      yield* TestClock.setTime(at)
      tally = sum(tally, yield* drain)
      if (at >= end) return tally
    }
  })

  const inState = (...states: ReadonlyArray<MessageState>) =>
    Effect.map(memory.messages, (all) => all.filter(({ state }) => states.includes(state)))

  return {
    drain,
    advance,
    pending: inState("waiting", "leased"),
    dead: inState("dead"),
    uncertain: inState("uncertain"),
    allEnqueued: memory.messages
  }
})

const noTestClock =
  "TestOutbox.advance moves a TestClock, and there is none: run the test with it.effect, or provide TestClock.layer()"

const sum = (a: Relay.RelayTally, b: Relay.RelayTally): Relay.RelayTally => ({
  sent: a.sent + b.sent,
  retry: a.retry + b.retry,
  deferred: a.deferred + b.deferred,
  released: a.released + b.released,
  uncertain: a.uncertain + b.uncertain,
  dead: a.dead + b.dead,
  expired: a.expired + b.expired,
  lost: a.lost + b.lost
})

/** @see TestOutboxShape.drain */
export const drain = TestOutbox.use((outbox) => outbox.drain)

/** @see TestOutboxShape.advance */
export const advance = (duration: Duration.Input) => TestOutbox.use((outbox) => outbox.advance(duration))

/** @see TestOutboxShape.pending */
export const pending = TestOutbox.use((outbox) => outbox.pending)

/** @see TestOutboxShape.dead */
export const dead = TestOutbox.use((outbox) => outbox.dead)

/** @see TestOutboxShape.uncertain */
export const uncertain = TestOutbox.use((outbox) => outbox.uncertain)

/** @see TestOutboxShape.allEnqueued */
export const allEnqueued = TestOutbox.use((outbox) => outbox.allEnqueued)
