/**
 * The provider's rate limit: so many requests a second, with room for a burst, counted for each account.
 *
 * See https://help.smsbat.com/api/rate-limits/: 100 a second with bursts to 150 for sending, 50 and 75 for lookups.
 * Messages are not counted, requests are. The page does not say what the limit is counted by.
 */

/** One limit. */
export interface Limit {
  readonly perSecond: number
  readonly burst: number
}

/** Whether one more request may pass. */
export interface RateLimiter {
  readonly take: (key: string, limit: Limit, now: number) => boolean
  readonly clear: () => void
}

/** A token bucket for each key, full at the start. */
export const make = (): RateLimiter => {
  const buckets = new Map<string, { tokens: number; at: number }>()
  return {
    take: (key, limit, now) => {
      const bucket = buckets.get(key) ?? { tokens: limit.burst, at: now }
      const refill = (Math.max(0, now - bucket.at) * limit.perSecond) / 1000
      bucket.tokens = Math.min(limit.burst, bucket.tokens + refill)
      bucket.at = now
      buckets.set(key, bucket)
      if (bucket.tokens < 1) return false
      bucket.tokens--
      return true
    },
    clear: () => buckets.clear()
  }
}
