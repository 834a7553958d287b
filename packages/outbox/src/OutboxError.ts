/**
 * What can go wrong with the outbox itself.
 */
import * as Schema from "effect/Schema"

/**
 * `enqueue` was called outside a transaction.
 *
 * A message that is written by itself can be lost or sent for nothing when the change it tells of fails; so the
 * outbox writes only together with that change. Wrap both in `Outbox.transaction` or `sql.withTransaction`.
 */
export class NotInTransaction extends Schema.TaggedError<NotInTransaction>(
  "@effect-cascade/outbox/NotInTransaction"
)("NotInTransaction", {}) {
  override get message(): string {
    return "enqueue must run inside a transaction of the outbox's own SqlClient; wrap it in Outbox.transaction"
  }
}

/** A tracking id that already stands for another message. */
export class TrackingIdReused extends Schema.TaggedError<TrackingIdReused>(
  "@effect-cascade/outbox/TrackingIdReused"
)("TrackingIdReused", {
  account: Schema.String,
  trackingIds: Schema.NonEmptyArray(Schema.String),
  /** The outbox's ids of the messages that have them, in the same order. */
  existingIds: Schema.NonEmptyArray(Schema.String)
}) {
  override get message(): string {
    const [first, ...rest] = this.trackingIds
    const more = rest.length === 0 ? "" : ` and ${rest.length} more`
    return `tracking id ${JSON.stringify(first)}${more} of account ${this.account} already belongs to a message with other content; make the id from what tells the messages apart`
  }
}

/** The name of an account or of a schema that cannot be used. */
export class InvalidName extends Schema.TaggedError<InvalidName>("@effect-cascade/outbox/InvalidName")(
  "InvalidName",
  { what: Schema.String, rule: Schema.String }
) {
  override get message(): string {
    return `the ${this.what} must be ${this.rule}`
  }
}

/**
 * The store failed: the database is away, refuses the statement, or lacks a migration.
 *
 * Holds the database's own code and message, never a parameter of the statement.
 */
export class StoreError extends Schema.TaggedError<StoreError>("@effect-cascade/outbox/StoreError")(
  "StoreError",
  {
    /** What the store was doing: `insert`, `claim`, `settle`. */
    operation: Schema.String,
    /** The SQLSTATE, where the database gave one. */
    code: Schema.optionalKey(Schema.String),
    /** What the database said. */
    detail: Schema.String,
    /** Whether the same may succeed later. */
    isRetryable: Schema.Boolean
  }
) {
  override get message(): string {
    return `the outbox store failed to ${this.operation}: ${this.detail}${this.code === undefined ? "" : ` (${this.code})`}`
  }
}
