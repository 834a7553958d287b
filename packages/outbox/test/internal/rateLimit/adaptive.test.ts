import { assert, it } from "@effect/vitest"
import { Duration, Effect, Schema } from "effect"
import { RateLimiter } from "effect/persistence"
import { TestClock } from "effect/testing"
import * as Adaptive from "../../../src/internal/rateLimit/adaptive.ts"

const Step = Schema.Union([
  Schema.Struct({
    _tag: Schema.tag("Wait"),
    millis: Schema.Literals([1, 50, 999, 1000, 5000, 61_000, 3_700_000])
  }),
  Schema.Struct({ _tag: Schema.tag("Consume"), tokens: Schema.Literals([1, 2, 7]) }),
  Schema.Struct({
    _tag: Schema.tag("Answer"),
    status: Schema.Literals([200, 429, 503]),
    /** In milliseconds; -1 for an answer that does not say. */
    retryAfter: Schema.Literals([-1, 0, 1, 1000, 30_000, 10_000_000]),
    /** How many epochs ago the request was made. */
    age: Schema.Literals([0, 0, 0, 1]),
    tokens: Schema.Literals([1, 2, 7])
  })
])

const key = "provider"
const fallbackWindow = Duration.seconds(10)

it.effect.prop(
  "learns what effect's own store learns",
  [Schema.Array(Step)],
  ([steps]) =>
    Effect.gen(function* () {
      const store = yield* RateLimiter.RateLimiterStore
      let now = 0
      let state: Adaptive.AdaptiveState | undefined
      let epoch = 0
      for (const step of steps) {
        if (step._tag === "Wait") {
          yield* TestClock.adjust(step.millis)
          now += step.millis
          if (state !== undefined && state.expiresAt <= now) state = undefined
        } else if (step._tag === "Consume") {
          const options = { key, tokens: step.tokens, fallbackLimit: 10, fallbackWindow }
          const expected = yield* store.adaptiveConsume(options)
          const consumed = Adaptive.consume(state, {
            now,
            tokens: step.tokens,
            fallbackWindow: Duration.toMillis(fallbackWindow)
          })
          state = consumed.next ?? state
          epoch = consumed.epoch
          assert.deepStrictEqual([consumed.epoch, consumed.phase], [expected.epoch, expected.phase])
          assert.approximately(consumed.delay, Duration.toMillis(expected.delay), 1e-6)
        } else {
          const { retryAfter, status, tokens } = step
          const answered = Math.max(0, epoch - step.age)
          yield* store.adaptiveFeedback({
            key,
            epoch: answered,
            tokens,
            status,
            retryAfter: retryAfter === -1 ? undefined : Duration.millis(retryAfter)
          })
          if (status === 429 && retryAfter !== -1) {
            state = Adaptive.throttled(state, { now, epoch: answered, tokens, retryAfter }) ?? state
          }
        }
      }
    }).pipe(Effect.provide(RateLimiter.layerStoreMemory, { local: true }), Effect.provide(TestClock.layer())),
  { arbitrary: { runs: 500 } }
)

it.effect("keeps to what went through before the provider said it was too much", () =>
  Effect.sync(() => {
    const cooling = Adaptive.throttled(undefined, { now: 0, epoch: 0, tokens: 1, retryAfter: 1000 })
    const first = Adaptive.consume(cooling, { now: 1000, tokens: 1, fallbackWindow: 10_000 })
    const second = Adaptive.consume(first.next, { now: 1100, tokens: 1, fallbackWindow: 10_000 })
    const third = Adaptive.consume(second.next, { now: 1200, tokens: 1, fallbackWindow: 10_000 })
    const learned = Adaptive.throttled(third.next, { now: 1500, epoch: 1, tokens: 1, retryAfter: 500 })
    assert.deepInclude(learned, { phase: "learned", epoch: 2, limit: 2, window: 1000 })
    assert.deepInclude(Adaptive.consume(learned, { now: 1500, tokens: 1, fallbackWindow: 0 }), {
      phase: "learned",
      delay: 500
    })
  })
)
