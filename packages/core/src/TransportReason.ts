/**
 * Why an attempt did not end in an acceptance: a closed set, each with what is certain about it.
 *
 * The two questions that decide everything after an attempt are answered here and nowhere else. `certainty`: was the
 * message surely not sent, or is it not known? `scope`: is this message (or this request) wrong, or the whole lane?
 * A reason holds no personal data and no key: status codes and the provider's own code words only.
 */
import type * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"

/** `NotSent`: nobody has received it because of this attempt. `Unknown`: somebody may have. */
export type Certainty = "NotSent" | "Unknown"

/**
 * What is wrong: the `message` itself; this `attempt`, so that another may do better; or the `lane` (the account,
 * the address, the network), so that every other message would meet the same.
 */
export type Scope = "message" | "attempt" | "lane"

const id = (name: string) => `@effect-cascade/core/TransportReason/${name}`

/**
 * The provider refused this request as wrong (400, 404, 405, 406, 410, 411, 413, 414, 415, 422, 431). Nothing of it was
 * sent.
 */
export class Rejected extends Schema.TaggedError<Rejected>(id("Rejected"))("Rejected", {
  status: Schema.Int,
  /** The provider's code word or number, such as `INVALID_PHONE`. */
  code: Schema.optionalKey(Schema.String),
  /** The field that the provider names, such as `toPhone`. */
  field: Schema.optionalKey(Schema.String)
}) {
  readonly certainty = "NotSent"
  readonly scope = "message"
  override get message(): string {
    const field = this.field === undefined ? "" : ` in ${this.field}`
    return `the provider refused the request (${this.status}${this.code === undefined ? "" : ` ${this.code}`}${field})`
  }
}

/** The message cannot be put on the wire as it is; no request was made. */
export class Unencodable extends Schema.TaggedError<Unencodable>(id("Unencodable"))("Unencodable", {
  /** What is wrong with it, without any value of it. */
  problem: Schema.String
}) {
  readonly certainty = "NotSent"
  readonly scope = "message"
  override get message(): string {
    return `the message cannot be put on the wire: ${this.problem}`
  }
}

/** Its deadline passed before it was sent; no request was made. */
export class Expired extends Schema.TaggedError<Expired>(id("Expired"))("Expired", {}) {
  readonly certainty = "NotSent"
  readonly scope = "message"
  override get message(): string {
    return "its deadline passed before it was sent"
  }
}

/** The mode of this program does not let the message out (dry run, or a recipient who is not on the allow list). */
export class Withheld extends Schema.TaggedError<Withheld>(id("Withheld"))("Withheld", {
  mode: Schema.String
}) {
  readonly certainty = "NotSent"
  readonly scope = "message"
  override get message(): string {
    return `withheld: this program runs in ${this.mode} mode`
  }
}

/**
 * This lane was refused: its keys or its permissions (401, 403), its balance (402), or the credentials for a proxy on
 * the way (407).
 */
export class Unauthorized extends Schema.TaggedError<Unauthorized>(id("Unauthorized"))("Unauthorized", {
  status: Schema.Int,
  code: Schema.optionalKey(Schema.String)
}) {
  readonly certainty = "NotSent"
  readonly scope = "lane"
  override get message(): string {
    const what = this.status === 402 || this.status === 407 ? "this account" : "the keys of this account"
    return `the provider refused ${what} (${this.status}${this.code === undefined ? "" : ` ${this.code}`})`
  }
}

/** The provider answered with a redirect (3xx). It was not followed, so that no key or number goes elsewhere. */
export class Redirected extends Schema.TaggedError<Redirected>(id("Redirected"))("Redirected", {
  status: Schema.Int
}) {
  readonly certainty = "NotSent"
  readonly scope = "lane"
  override get message(): string {
    return `the provider's address answers with a redirect (${this.status}); check the base URL`
  }
}

/**
 * Too fast (429, or 503 with `Retry-After`). With another status it is our own limit: too many requests of the batch were
 * refused with that status to find out for which messages.
 */
export class Throttled extends Schema.TaggedError<Throttled>(id("Throttled"))("Throttled", {
  status: Schema.Int,
  /** How long the provider asked to wait, if it did. */
  retryAfter: Schema.optionalKey(Schema.DurationFromMillis)
}) {
  readonly certainty = "NotSent"
  readonly scope = "lane"
  override get message(): string {
    return this.status === 429 || this.status === 503
      ? `the provider asks to slow down (${this.status})`
      : `too many requests for now (${this.status})`
  }
}

/** No connection was made: refused, no such host, TLS failed, connecting timed out. No byte of the request left. */
export class Unreachable extends Schema.TaggedError<Unreachable>(id("Unreachable"))("Unreachable", {
  /** The system's code, such as `ECONNREFUSED`. */
  code: Schema.optionalKey(Schema.String)
}) {
  readonly certainty = "NotSent"
  readonly scope = "lane"
  override get message(): string {
    return `the provider could not be reached${this.code === undefined ? "" : ` (${this.code})`}`
  }
}

/** The provider failed while it handled the request (503 without `Retry-After`, and every other 5xx). */
export class ServerError extends Schema.TaggedError<ServerError>(id("ServerError"))("ServerError", {
  status: Schema.Int,
  code: Schema.optionalKey(Schema.String)
}) {
  readonly certainty = "Unknown"
  readonly scope = "attempt"
  override get message(): string {
    return `the provider failed while it handled the request (${this.status})`
  }
}

/**
 * A status that does not say whether the request was carried out (408, 409, 425, every 4xx not named above, 1xx, none at
 * all).
 */
export class UnexpectedStatus extends Schema.TaggedError<UnexpectedStatus>(id("UnexpectedStatus"))(
  "UnexpectedStatus",
  { status: Schema.Int }
) {
  readonly certainty = "Unknown"
  readonly scope = "attempt"
  override get message(): string {
    return `the provider answered with a status that says neither yes nor no (${this.status})`
  }
}

/** No answer in time; the request may have been carried out. */
export class TimedOut extends Schema.TaggedError<TimedOut>(id("TimedOut"))("TimedOut", {}) {
  readonly certainty = "Unknown"
  readonly scope = "attempt"
  override get message(): string {
    return "no answer in time; the request may have been carried out"
  }
}

/** The connection was lost after the request began; it may have been carried out. */
export class ConnectionLost extends Schema.TaggedError<ConnectionLost>(id("ConnectionLost"))(
  "ConnectionLost",
  {
    code: Schema.optionalKey(Schema.String)
  }
) {
  readonly certainty = "Unknown"
  readonly scope = "attempt"
  override get message(): string {
    return `the connection was lost after the request began${this.code === undefined ? "" : ` (${this.code})`}`
  }
}

/** The provider answered 2xx in words that cannot be read, or did not name this message in its reply. */
export class UnreadableReply extends Schema.TaggedError<UnreadableReply>(id("UnreadableReply"))(
  "UnreadableReply",
  {
    problem: Schema.String
  }
) {
  readonly certainty = "Unknown"
  readonly scope = "attempt"
  override get message(): string {
    return `the provider's reply does not say what became of the message: ${this.problem}`
  }
}

/** The attempt was cut short by our own side (interruption, a defect, a lost lease) after it may have begun. */
export class CutShort extends Schema.TaggedError<CutShort>(id("CutShort"))("CutShort", {
  by: Schema.Literals(["interruption", "defect", "lease"])
}) {
  readonly certainty = "Unknown"
  readonly scope = "attempt"
  override get message(): string {
    return `the attempt was cut short (${this.by}) after it may have begun`
  }
}

/** The reasons after which nobody has received the message. */
export const NotSentReason = Schema.Union([
  Rejected,
  Unencodable,
  Expired,
  Withheld,
  Unauthorized,
  Redirected,
  Throttled,
  Unreachable
])

/** @see NotSentReason */
export type NotSentReason = typeof NotSentReason.Type

/** The reasons after which somebody may have received the message. */
export const UnknownReason = Schema.Union([
  ServerError,
  UnexpectedStatus,
  TimedOut,
  ConnectionLost,
  UnreadableReply,
  CutShort
])

/** @see UnknownReason */
export type UnknownReason = typeof UnknownReason.Type

/** Every reason, as a schema. */
export const TransportReason = Schema.Union([NotSentReason, UnknownReason])

/** @see TransportReason */
export type TransportReason = NotSentReason | UnknownReason

/** Tells which of the two a reason is. */
export const isNotSent = (reason: TransportReason): reason is NotSentReason => reason.certainty === "NotSent"

/** How long the other side asked to wait, if it did. */
export const retryAfter = (reason: TransportReason): Duration.Duration | undefined =>
  reason._tag === "Throttled" ? reason.retryAfter : undefined
