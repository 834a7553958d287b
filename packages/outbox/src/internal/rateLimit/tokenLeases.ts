/**
 * Token buckets whose tokens are leased from a store in chunks and spent here.
 *
 * One lease at a time for each bucket: who waits for it is served from the same answer. A process that spends what it
 * leases at once gets twice as much the next time, up to a chunk; one that lets some run out gets no more than it asks
 * for.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import { type Grant, type Stretch, take, takeFirst } from "./stretches.ts"

/** What is asked of the store. Milliseconds of the bucket's line; see `stretches`. */
export interface LeaseRequest {
  readonly key: string
  readonly capacity: number
  /** How much to lease; in debt if `overflow`, otherwise as much of it as there is. */
  readonly wanted: number
  /** What the first in line needs: without overflow nothing is leased where there is less. */
  readonly needed: number
  /** Begin no earlier than this long after now, so that what is granted at once may be used that much later. */
  readonly slack: number
  readonly overflow: boolean
}

/** What the store answers: a stretch that begins `start` after its clock's reading. Empty: there was not enough. */
export interface Lease {
  readonly start: number
  readonly length: number
}

export interface TokenLeasesOptions<E> {
  readonly lease: (request: LeaseRequest) => Effect.Effect<Lease, E>
  /** The most that is leased ahead of need. */
  readonly chunk: Duration.Duration
  /** How late a grant may be used, at most. */
  readonly slack: Duration.Duration
}

export interface ConsumeOptions {
  readonly key: string
  readonly tokens: number
  readonly limit: number
  readonly refillRate: Duration.Duration
  readonly allowOverflow: boolean
}

/** `[remaining, elapsedMillis]`, as `RateLimiterStore.tokenBucket` answers. */
export type ConsumeResult = readonly [remaining: number, elapsedMillis: number]

interface Bucket {
  readonly key: string
  readonly limit: number
  readonly refill: number
  readonly capacity: number
  readonly overflow: boolean
  readonly turn: Semaphore.Semaphore
  stretches: ReadonlyArray<Stretch>
  /** How many wait for a lease, and how much those of them need who can be served from what another leases. */
  waiting: number
  needed: number
  /** Where the store's line is known to begin, at least: nothing before it is to be had. */
  frontier: number
  /** How much to lease ahead of need. */
  ahead: number
  wasted: boolean
  leasedAt: number
  roundTrip: number
}

/** The most that is kept of what did not fit so far. */
const mostStretches = 15

/** Beyond this many, buckets that hold nothing are dropped when another is made. */
const tidyAt = 1_000

export const make = <E>(options: TokenLeasesOptions<E>) => {
  const chunk = Duration.toMillis(options.chunk)
  const maxSlack = Duration.toMillis(options.slack)
  const buckets = new Map<string, Bucket>()

  const bucketOf = (consumed: ConsumeOptions, now: number): Bucket => {
    const refill = Duration.toMillis(consumed.refillRate)
    const id = JSON.stringify([consumed.key, consumed.limit, refill, consumed.allowOverflow])
    const known = buckets.get(id)
    if (known !== undefined) return known
    if (buckets.size >= tidyAt) tidy(buckets, now)
    const bucket: Bucket = {
      key: consumed.key,
      limit: consumed.limit,
      refill,
      capacity: consumed.limit * refill,
      overflow: consumed.allowOverflow,
      turn: Semaphore.makeUnsafe(1),
      stretches: [],
      waiting: 0,
      needed: 0,
      frontier: Number.NEGATIVE_INFINITY,
      ahead: 0,
      wasted: false,
      leasedAt: Number.NEGATIVE_INFINITY,
      roundTrip: 1
    }
    buckets.set(id, bucket)
    return bucket
  }

  const lease = Effect.fnUntraced(function* (bucket: Bucket, need: number) {
    const before = yield* monotonicMillis
    bucket.ahead = nextAhead(bucket, need, before)
    const request: LeaseRequest = {
      key: bucket.key,
      capacity: bucket.capacity,
      wanted: isShared(bucket, need) ? Math.max(need, bucket.needed, bucket.ahead) : need,
      needed: need,
      // A tenth of the bucket, so that a small one still lets a burst through; never what the first token needs.
      slack: bucket.overflow
        ? Math.max(0, Math.min(maxSlack, bucket.capacity / 10, bucket.capacity - bucket.refill))
        : 0,
      overflow: bucket.overflow
    }
    const { length, start } = yield* options.lease(request)
    const after = yield* monotonicMillis
    bucket.leasedAt = before
    bucket.wasted = false
    bucket.roundTrip = after - before
    // The database read its clock somewhere between: the earliest it may have been bounds the use of a stretch, the
    // latest its beginning.
    const at = before + start
    const isRefused = !bucket.overflow && length <= 0 && need > 0
    bucket.frontier = isRefused ? at : Number.NEGATIVE_INFINITY
    return {
      stretch: isRefused ? undefined : { start: at, end: at + length, doubt: after - before },
      now: after
    }
  })

  // Only as much of the chunk as a bucket can use in time.
  const nextAhead = (bucket: Bucket, need: number, now: number): number => {
    if (bucket.wasted) return 0
    const most = Math.min(chunk, bucket.capacity / 2)
    return now - bucket.leasedAt < chunk ? Math.min(most, 2 * Math.max(bucket.ahead, need)) : bucket.ahead
  }

  const spend = (bucket: Bucket, need: number, now: number): Grant | undefined => {
    const taken = take(bucket.stretches, need, { now, capacity: bucket.capacity })
    bucket.stretches = taken.rest
    bucket.wasted ||= taken.wasted
    return taken.grant
  }

  const obtain = Effect.fnUntraced(function* (bucket: Bucket, need: number) {
    const now = yield* monotonicMillis
    const spent = spend(bucket, need, now)
    if (spent !== undefined) return granted(bucket, spent, now)
    if (!bucket.overflow && now < bucket.frontier + need - bucket.capacity) return refused(bucket, need, now)
    const leased = yield* lease(bucket, need)
    if (leased.stretch === undefined) return refused(bucket, need, leased.now)
    const { grant, rest } = takeFirst(leased.stretch, need)
    bucket.stretches = [...bucket.stretches.slice(-mostStretches), ...rest]
    return granted(bucket, grant, leased.now)
  })

  return {
    consume: Effect.fnUntraced(function* (consumed: ConsumeOptions) {
      const now = yield* monotonicMillis
      const bucket = bucketOf(consumed, now)
      const need = consumed.tokens * bucket.refill
      // Whoever comes while others wait takes a place behind them.
      if (bucket.waiting === 0) {
        const spent = spend(bucket, need, now)
        if (spent !== undefined) return granted(bucket, spent, now)
      }
      const shared = isShared(bucket, need) ? need : 0
      return yield* Effect.acquireUseRelease(
        Effect.sync(() => {
          bucket.waiting += 1
          bucket.needed += shared
        }),
        () => bucket.turn.withPermit(obtain(bucket, need)),
        () =>
          Effect.sync(() => {
            bucket.waiting -= 1
            // Sums of fractions do not come back to nothing by themselves.
            bucket.needed = bucket.waiting === 0 ? 0 : bucket.needed - shared
          })
      )
    })
  }
}

const monotonicMillis = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

/** Whether a part of what another leases would still be usable when it has come: the bucket is deeper than its way. */
const isShared = (bucket: Bucket, need: number): boolean => need + 2 * bucket.roundTrip <= bucket.capacity

const granted = (bucket: Bucket, { end, length }: Grant, now: number): ConsumeResult => {
  const ahead = Math.max(end - now, length)
  const wait = ahead - bucket.capacity
  if (bucket.overflow && wait > 1e-4) {
    // Timers count whole milliseconds and may be one early.
    return answer(bucket, bucket.capacity + Math.ceil(wait) + 1)
  }
  const [remaining, elapsed] = answer(bucket, Math.min(ahead, bucket.capacity))
  return [Math.max(0, remaining), elapsed]
}

// Never "nothing left", which would mean that it was granted.
const refused = (bucket: Bucket, need: number, now: number): ConsumeResult => {
  const [remaining, elapsed] = answer(bucket, Math.max(bucket.frontier + need - now, bucket.capacity))
  return [Math.min(-1, remaining), elapsed]
}

/** Says how long it takes until the bucket is full, in the terms of a bucket that is filled token by token. */
const answer = ({ limit, refill }: Bucket, ahead: number): ConsumeResult => {
  const tokens = Math.ceil(ahead / refill - 1e-6)
  return [limit - tokens, Math.max(0, tokens * refill - ahead)]
}

const tidy = (buckets: Map<string, Bucket>, now: number): void => {
  for (const [id, { stretches, waiting }] of buckets) {
    if (waiting === 0 && stretches.every(({ end }) => end <= now)) buckets.delete(id)
  }
}
