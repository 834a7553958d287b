/**
 * How long the provider asks to wait: the `Retry-After` header, in seconds or as an HTTP date.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import * as Headers from "effect/http/Headers"

/**
 * The time to wait from `now` on, at least nothing and at most `cap`; `undefined` where the header cannot be read.
 *
 * Seconds are read with a sign and a fraction too, since some servers write them: -1 is 0, 1.5 is 1.5 seconds.
 */
export const parse = (
  header: string,
  now: DateTime.Utc,
  cap: Duration.Duration
): Duration.Duration | undefined => {
  const millis = millisOf(header.trim(), now)
  if (millis === undefined) return undefined
  return Duration.min(Duration.millis(Math.max(0, millis)), cap)
}

const millisOf = (header: string, now: DateTime.Utc): number | undefined => {
  if (/^[+-]?\d+(?:\.\d+)?$/u.test(header)) return Math.ceil(Number(header) * 1000)
  const date = Headers.parseHttpDate(header)
  return Result.isSuccess(date)
    ? DateTime.toEpochMillis(date.success) - DateTime.toEpochMillis(now)
    : undefined
}
