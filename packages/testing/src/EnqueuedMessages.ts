/**
 * What a program has put into its outbox, for tests to read: in memory and on Postgres alike.
 *
 * It sees what has been committed, also what has been sent or has ended since. `OutboxAssert` asks it; tests of one's
 * own may too. `MemoryOutboxStore` and `TestOutbox` bring one with them, {@link layerPg} reads the tables.
 */
import { PgClient } from "@effect/sql-pg/PgClient"
import type { Envelope } from "@effect-cascade/core/Envelope"
import type { Message } from "@effect-cascade/core/Message"
import type { TransportReason } from "@effect-cascade/core/TransportReason"
import { InvalidName, type StoreError } from "@effect-cascade/outbox/OutboxError"
import * as OutboxMigrations from "@effect-cascade/outbox/OutboxMigrations"
import { toEnvelope } from "@effect-cascade/outbox/OutboxRow"
import type { Uncertainty } from "@effect-cascade/outbox/Uncertainty"
import * as Context from "effect/Context"
import type * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { readEnqueued } from "./internal/enqueued/readEnqueued.ts"

/**
 * Where a message stands: `waiting` until it is due and claimed, `leased` while a relay holds it, then how it ended.
 * `lost`: it neither waits nor has ended, which no store may let happen.
 */
export type MessageState =
  | "waiting"
  | "leased"
  | "sent"
  | "dead"
  | "expired"
  | "uncertain"
  | "cancelled"
  | "discarded"
  | "resolved"
  | "lost"

/** What was recorded of one attempt, of the end, or of what an operator did. */
export interface RecordedOutcome {
  readonly lease: bigint
  /** `sent`, `retry`, `deferred`, `lapsed`, `uncertain`, `dead`, `expired`, …. */
  readonly kind: string
  /** How many attempts counted by then. */
  readonly attempt: number
  readonly reason: TransportReason | undefined
  readonly providerMessageId: string | undefined
  /** The relay or the operator who wrote it. */
  readonly by: string
  readonly at: DateTime.Utc
}

/** A message as the outbox has it, but for its payload. */
export interface EnqueuedMessageFields {
  readonly id: string
  readonly account: string
  readonly trackingId: string
  /** Such as `default/high`. */
  readonly lane: string
  readonly messageType: string
  readonly uncertainty: Uncertainty
  readonly state: MessageState
  /** How many attempts counted so far. */
  readonly attempts: number
  readonly createdAt: DateTime.Utc
  /** After which it is not sent any more; none without a ttl. */
  readonly deadline: DateTime.Utc | undefined
  /** When it is due; none once it has ended. */
  readonly dueAt: DateTime.Utc | undefined
  readonly traceparent: string | undefined
  /** The oldest first. */
  readonly outcomes: ReadonlyArray<RecordedOutcome>
}

/** A message as the outbox has it. Printing one shows neither its text nor its phone number. */
export interface EnqueuedMessage extends EnqueuedMessageFields {
  /** The versioned JSON text that is stored; none once retention has scrubbed it. */
  readonly payload: string | null
  /** What a transport would get; none where the payload is missing or cannot be read. */
  readonly envelope: Envelope | undefined
  readonly message: Message | undefined
}

// What a getter gives is neither inspected nor turned into JSON.
class Enqueued {
  readonly #payload: string | null
  readonly #fields: EnqueuedMessageFields
  #envelope: Envelope | undefined

  constructor(fields: EnqueuedMessageFields, payload: string | null) {
    Object.assign(this, fields)
    this.#fields = fields
    this.#payload = payload
  }

  get payload(): string | null {
    return this.#payload
  }

  get envelope(): Envelope | undefined {
    return (this.#envelope ??= decode(this.#fields, this.#payload))
  }

  get message(): Message | undefined {
    return this.envelope?.message
  }
}

/** Makes one from what a store holds. */
export const make = (fields: EnqueuedMessageFields, payload: string | null): EnqueuedMessage =>
  // The constructor assigns all the fields, which the compiler does not see.
  new Enqueued(fields, payload) as Enqueued & EnqueuedMessageFields

const decode = (fields: EnqueuedMessageFields, payload: string | null): Envelope | undefined => {
  const { account, attempts, createdAt, deadline, id, lane, messageType, trackingId, uncertainty } = fields
  const row = { id, lane, attempts, account, trackingId, messageType, uncertainty, payload }
  return Result.getOrUndefined(
    toEnvelope(
      {
        ...row,
        lease: 0n,
        lapses: 0,
        lapsed: false,
        ageMillis: 0,
        remainingMillis:
          deadline === undefined ? null : deadline.epochMilliseconds - createdAt.epochMilliseconds,
        traceparent: fields.traceparent ?? null
      },
      createdAt
    )
  )
}

/** What a test can ask. */
export interface EnqueuedMessagesShape {
  /** Every committed message, the oldest first. */
  readonly all: Effect.Effect<ReadonlyArray<EnqueuedMessage>, StoreError>
}

/** The messages in a program's outbox. */
export class EnqueuedMessages extends Context.Service<EnqueuedMessages, EnqueuedMessagesShape>()(
  "@effect-cascade/testing/EnqueuedMessages"
) {}

/** Where the outbox's tables are. */
export interface PgEnqueuedMessagesOptions {
  /** Their schema. Defaults to `"cascade"`. */
  readonly schema?: string | undefined
}

/** Reads the tables of an outbox on Postgres; in a transaction that is open, also what that has written. */
export const layerPg = (
  options?: PgEnqueuedMessagesOptions
): Layer.Layer<EnqueuedMessages, InvalidName, PgClient> =>
  Layer.effect(
    EnqueuedMessages,
    Effect.gen(function* () {
      const client = yield* PgClient
      const schema = options?.schema ?? OutboxMigrations.defaultSchema
      if (!/^[a-z_][a-z0-9_]{0,39}$/u.test(schema)) {
        return yield* new InvalidName({
          what: "schema name",
          rule: "1 to 40 characters of a-z 0-9 _, the first no digit"
        })
      }
      const read = readEnqueued(client.withoutTransforms(), schema)
      return { all: Effect.map(read, (rows) => rows.map(({ payload, ...fields }) => make(fields, payload))) }
    })
  )
