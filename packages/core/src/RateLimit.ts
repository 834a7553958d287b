/**
 * A transport that keeps to a rate: each batch waits for its turn before its request begins.
 *
 * It delays and never refuses. The wait can be interrupted, and then nothing has been sent. Whoever shares the
 * `RateLimiter` and the key shares the rate: the fibers of a process with `RateLimiter.layerStoreMemory`, many machines
 * with `RateLimiter.layerStoreRedis`.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as RateLimiter from "effect/persistence/RateLimiter"
import type { TransportShape } from "./Transport.ts"
import { TransportError } from "./TransportError.ts"
import * as TransportReason from "./TransportReason.ts"

/** How fast. */
export interface RateLimitOptions {
  /** How many requests for each `window`, in the long run. At least 1. */
  readonly limit: number
  /** Defaults to 1 second. */
  readonly window?: Duration.Input | undefined
  /** How many requests may go at once after a rest. Within any window at most `limit + burst` go. Defaults to `limit`. */
  readonly burst?: number | undefined
  /** Whom the rate is shared with. Defaults to the name of the transport. */
  readonly key?: string | undefined
}

const defaults = { window: "1 second" } as const

/**
 * Keeps `transport` to a rate of requests. SMSBAT counts requests, not messages: 100 a second, and 150 at once
 * (https://help.smsbat.com/api/rate-limits/), unless the contract says otherwise.
 *
 * Where the store of the limiter fails nothing is sent: `Unreachable`, with the code `RATE_LIMIT_STORE`.
 *
 * @example
 * ```ts
 * import { RateLimit, type Transport } from "@effect-cascade/core"
 * import { Effect, Layer } from "effect"
 * import { RateLimiter } from "effect/persistence"
 *
 * const limited = (transport: Transport.TransportShape) =>
 *   RateLimit.withRateLimit(transport, { limit: 100, window: "1 second", burst: 150 }).pipe(
 *     Effect.provide(RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory)))
 *   )
 * ```
 */
export const withRateLimit = Effect.fnUntraced(function* (
  transport: TransportShape,
  options: RateLimitOptions
): Effect.fn.Return<TransportShape, never, RateLimiter.RateLimiter> {
  const limiter = yield* RateLimiter.RateLimiter
  const burst = options.burst ?? options.limit
  const turn = RateLimiter.sleep(limiter, {
    algorithm: "token-bucket",
    key: options.key ?? transport.name,
    // A bucket as large as the burst, filled at the rate: one token each `window / limit`.
    limit: burst,
    window: Duration.times(Duration.fromInputUnsafe(options.window ?? defaults.window), burst / options.limit)
  }).pipe(
    Effect.tapError((error) =>
      Effect.annotateLogs(Effect.logWarning("the rate limiter failed, so nothing is sent"), {
        transport: transport.name,
        reason: error.reason._tag
      })
    ),
    Effect.mapError(
      () =>
        new TransportError({
          transport: transport.name,
          reason: new TransportReason.Unreachable({ code: "RATE_LIMIT_STORE" })
        })
    )
  )
  return {
    name: transport.name,
    maxBatchSize: transport.maxBatchSize,
    send: (batch) =>
      Effect.andThen(
        turn,
        Effect.suspend(() => transport.send(batch))
      )
  }
})
