/**
 * Times to live that the provider recommends, for `ttl` of a message.
 *
 * A message without a `ttl` has no deadline. See https://smsbat.com/help/api/cascade/send/ (TTL).
 */
import * as Duration from "effect/Duration"

/** One-time codes and flash calls: 5 minutes (the page: 300 to 600 seconds). */
export const verification: Duration.Duration = Duration.minutes(5)

/** Order confirmations, payments, account changes: 24 hours (the page: 3,600 to 86,400 seconds). */
export const transaction: Duration.Duration = Duration.hours(24)

/** Campaigns: 3 days (the page: 86,400 to 259,200 seconds). */
export const promo: Duration.Duration = Duration.days(3)

/** Surveys: 7 days (the page: 604,800 seconds). */
export const survey: Duration.Duration = Duration.days(7)
