/**
 * A transport that keeps to a rate: each batch waits for its turn before its request begins.
 *
 * It delays and never refuses. The wait can be interrupted, and then nothing has been sent. Whoever shares the
 * `RateLimiter` and the key shares the rate: the fibers of a process with `RateLimiter.layerStoreMemory`, many machines
 * with `RateLimiter.layerStoreRedis`.
 *
 * A batch is one turn. What a transport sends beyond one request for it (`SmsBatTransport`: another route, a body that
 * is too large, the halves of what was refused) goes on the same turn; should the provider find that too fast, it says so,
 * and that is `Throttled`: nothing is lost by it.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as RateLimiter from "effect/persistence/RateLimiter"
import type { TransportShape } from "./Transport.ts"
import { TransportError } from "./TransportError.ts"
import * as TransportReason from "./TransportReason.ts"

/** How fast. */
export interface RateLimitOptions {
  /** How many requests for each `window`, in the long run: a finite number of at least 1. */
  readonly limit: number
  /** A finite time above 0. Defaults to 1 second. */
  readonly window?: Duration.Input | undefined
  /** How many requests may go at once after a rest. Within any window at most `limit + burst` go. Defaults to `limit`. */
  readonly burst?: number | undefined
  /** Whom the rate is shared with. Defaults to the name of the transport. */
  readonly key?: string | undefined
}

const defaults = { window: "1 second" } as const

/**
 * Keeps `transport` to a rate of requests, such as `SmsBatTransport.rateLimit`.
 *
 * Where the store of the limiter fails nothing is sent: `Unreachable`, with the code `RATE_LIMIT_STORE`. An option that
 * cannot be used never means "no limit": it is named in the log, and its place is taken by a limit of 1, a burst as large
 * as the limit, or a window of 1 second.
 *
 * @example
 * ```ts
 * import { RateLimit, SmsBatTransport, type Transport } from "@effect-cascade/core"
 * import { Effect, Layer } from "effect"
 * import { RateLimiter } from "effect/persistence"
 *
 * const limited = (transport: Transport.TransportShape) =>
 *   RateLimit.withRateLimit(transport, SmsBatTransport.rateLimit).pipe(
 *     Effect.provide(RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory)))
 *   )
 * ```
 */
export const withRateLimit = Effect.fnUntraced(function* (
  transport: TransportShape,
  options: RateLimitOptions
): Effect.fn.Return<TransportShape, never, RateLimiter.RateLimiter> {
  const limiter = yield* RateLimiter.RateLimiter
  const { burst, limit, unusable, window } = usableOf(options)
  if (unusable.length > 0) {
    yield* Effect.annotateLogs(Effect.logWarning("a rate limit cannot be used as it was given"), {
      transport: transport.name,
      unusable,
      kept: `${limit} for each ${Duration.format(window)}, ${burst} at once`
    })
  }
  const turn = RateLimiter.sleep(limiter, {
    algorithm: "token-bucket",
    key: options.key ?? transport.name,
    // A bucket as large as the burst, filled at the rate: one token each `window / limit`.
    limit: burst,
    window: Duration.times(window, burst / limit)
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

/** The options as they are kept to, and the names of those that were given and cannot be. */
const usableOf = (options: RateLimitOptions) => {
  const limit = isCount(options.limit) ? options.limit : 1
  const burst = Math.floor(isCount(options.burst) ? options.burst : limit)
  const given = Option.filter(
    Duration.fromInput(options.window ?? defaults.window),
    (window) => Duration.isFinite(window) && Duration.isGreaterThan(window, Duration.zero)
  )
  const unusable = [
    ...(isCount(options.limit) ? [] : ["limit"]),
    ...(options.burst === undefined || isCount(options.burst) ? [] : ["burst"]),
    ...(Option.isSome(given) ? [] : ["window"])
  ]
  const window = Option.getOrElse(given, () => Duration.fromInputUnsafe(defaults.window))
  return { limit, burst, window, unusable }
}

const isCount = (value: number | undefined): value is number => Number.isFinite(value) && Number(value) >= 1
