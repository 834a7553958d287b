/**
 * What the emulator has taken on: the messages that a person would have received, and the requests that came.
 *
 * The ledger is the truth that lost and duplicate sends are counted against. A message is in it once for each time
 * that it was accepted, whatever the sender was told: a reply that was reset or never came changes nothing here.
 *
 * Entries hold phone numbers and texts, since that is their purpose. Printing one in any way (log, `inspect`,
 * `JSON.stringify`) masks the number and shows only the length of the text.
 */
import * as PhoneNumber from "@effect-cascade/core/PhoneNumber"
import type * as Effect from "effect/Effect"
import * as Redactable from "effect/Redactable"
import * as Schema from "effect/Schema"

/** The five states of the provider's status lookup, in its own words. */
export type DeliveryStatus = "scheduled" | "processing" | "delivered" | "undeliverable" | "permanenterror"

const nodeInspect: unique symbol = Symbol.for("nodejs.util.inspect.custom")

/** A message that was accepted, as it came in. */
export class Received {
  /** The caller's id: `id` of the message. Empty where a bad message without one was let through. */
  readonly trackingId: string
  /** The emulator's own id, a UUID. */
  readonly messageId: string
  /** The account whose key the request had. */
  readonly account: string
  readonly route: "standard" | "tg-viber"
  /** The JSON of the message, whole. */
  readonly message: Readonly<Record<string, unknown>>
  /** What the person reads: `text` of the message with uploaded variables put in. `undefined` for a flash call. */
  readonly text: string | undefined
  /** Seconds. */
  readonly ttl: number | undefined
  /** Milliseconds since the epoch, on the emulator's clock. */
  readonly acceptedAt: number
  /** The number of the request that brought it; see {@link RequestRecord}. */
  readonly request: number
  /** When it enters which state; see `EmulatorOptions.LifeCycleOptions`. */
  readonly course: Course

  constructor(fields: {
    readonly trackingId: string
    readonly messageId: string
    readonly account: string
    readonly route: "standard" | "tg-viber"
    readonly message: Readonly<Record<string, unknown>>
    readonly text: string | undefined
    readonly ttl: number | undefined
    readonly acceptedAt: number
    readonly request: number
    readonly course: Course
  }) {
    this.trackingId = fields.trackingId
    this.messageId = fields.messageId
    this.account = fields.account
    this.route = fields.route
    this.message = fields.message
    this.text = fields.text
    this.ttl = fields.ttl
    this.acceptedAt = fields.acceptedAt
    this.request = fields.request
    this.course = fields.course
  }

  /** Whether it reaches the person in the end. `false` for a bad message let through, a dead number, a ttl too short. */
  get deliverable(): boolean {
    return this.course.end === "delivered"
  }

  /** `messageType` of the message, or `""`. */
  get messageType(): string {
    return textOf(this.message["messageType"]) ?? ""
  }

  /** `toPhone` of the message, or `""`. */
  get toPhone(): string {
    return textOf(this.message["toPhone"]) ?? ""
  }

  /** Everything, unmasked, for those who ask for it. */
  whole(): Readonly<Record<string, unknown>> {
    return { ...this.outline(), message: this.message, text: this.text }
  }

  /** Everything, with the phone number and the text masked. */
  toJSON(): unknown {
    return {
      ...this.outline(),
      message: {
        ...maskFields(this.message),
        toPhone: PhoneNumber.mask(this.toPhone)
      },
      text: maskText(this.text)
    }
  }

  /** As {@link toJSON}, in one line. */
  toString(): string {
    return JSON.stringify(this.toJSON())
  }

  /** As {@link toJSON}. */
  [nodeInspect](): unknown {
    return this.toJSON()
  }

  /** As {@link toJSON}. */
  [Redactable.symbolRedactable](): unknown {
    return this.toJSON()
  }

  private outline() {
    return {
      trackingId: this.trackingId,
      messageId: this.messageId,
      account: this.account,
      route: this.route,
      ttl: this.ttl,
      acceptedAt: this.acceptedAt,
      request: this.request,
      deliverable: this.deliverable
    }
  }
}

/** When a message enters which state, in milliseconds since the epoch. `Infinity`: never. */
export interface Course {
  readonly processingAt: number
  readonly endAt: number
  /** The state it ends in, or stays in where `endAt` is never. */
  readonly end: DeliveryStatus
  /** Whether the status lookup does not know it. */
  readonly hidden: boolean
}

/** How many messages were accepted. */
export interface Counts {
  /** Acceptances, each copy counted. */
  readonly messages: number
  /** Different tracking ids. */
  readonly ids: number
  /** Copies beyond the first of each tracking id: `messages - ids`. */
  readonly extra: number
  /** Acceptances of what reaches nobody. */
  readonly undeliverable: number
}

/** A tracking id that was accepted more than once. */
export interface Duplicate {
  readonly trackingId: string
  /** How often, 2 or more. */
  readonly times: number
}

/** Questions to the ledger. */
export interface EmulatorLedger {
  /** Every acceptance of one tracking id, in order. Dies with {@link NotKept} where only ids are kept. */
  readonly received: (trackingId: string) => Effect.Effect<ReadonlyArray<Received>>
  /** Every acceptance, in order. Dies with {@link NotKept} where only ids are kept. */
  readonly all: Effect.Effect<ReadonlyArray<Received>>
  readonly counts: Effect.Effect<Counts>
  /** The tracking ids that were accepted more than once. */
  readonly duplicates: Effect.Effect<ReadonlyArray<Duplicate>>
  /** Which of these tracking ids were never accepted. */
  readonly lost: (expected: Iterable<string>) => Effect.Effect<ReadonlyArray<string>>
  /** Which tracking ids were accepted that are none of these. */
  readonly unexpected: (expected: Iterable<string>) => Effect.Effect<ReadonlyArray<string>>
}

/** One request, without its body. */
export interface RequestRecord {
  /** 1 for the first. */
  readonly number: number
  readonly method: string
  readonly path: string
  /** `undefined` where the path is none of the provider's. */
  readonly endpoint: "send" | "status" | "items" | undefined
  readonly route: "standard" | "tg-viber" | undefined
  /** `undefined` without a known key. */
  readonly account: string | undefined
  /** Milliseconds since the epoch, on the emulator's clock. */
  readonly at: number
  /** The size of the request's body. */
  readonly bytes: number
  /** How many messages the request held. */
  readonly messages: number
  /** How many of them were accepted. */
  readonly accepted: number
  /** How many messages the reply named as accepted, where the reply was handed over whole; else 0. */
  readonly confirmed: number
  /** The status that was answered, or `undefined` without an answer. */
  readonly status: number | undefined
  /** The faults that fired, by name. */
  readonly faults: ReadonlyArray<string>
  /**
   * `pending`: no answer yet. `answered`: the whole reply was handed to the network. `truncated`, `reset`, `hung`:
   * by a fault. `gone`: the client closed the connection before the whole reply was handed over.
   */
  readonly outcome: "pending" | "answered" | "truncated" | "reset" | "hung" | "gone"
}

/** A webhook call that was made. */
export interface WebhookRecord {
  readonly messageId: string
  readonly status: DeliveryStatus
  /** Milliseconds since the epoch, on the emulator's clock. */
  readonly at: number
  /** The status of the answer, or `failed` where there was none. */
  readonly answer: number | "failed"
}

/** How many requests came, and what became of them. */
export interface RequestCounts {
  readonly requests: number
  /** By the status answered. */
  readonly statuses: Readonly<Record<string, number>>
  /** How often each fault fired, by name. */
  readonly faults: Readonly<Record<string, number>>
  /** Messages named as accepted in replies that were handed over whole. */
  readonly confirmed: number
}

/** What was asked for is not in memory, since the ledger was told to keep only ids. */
export class NotKept extends Schema.TaggedError<NotKept>("@effect-cascade/testing/EmulatorLedger/NotKept")(
  "NotKept",
  {}
) {
  override get message(): string {
    return `the ledger keeps only ids (keep: "ids"); whole messages need keep: "all"`
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined)

const maskText = (text: string | undefined): string | undefined =>
  text === undefined ? undefined : `<${text.length} characters>`

// Every text but the few that hold nothing personal; a message may carry fields that nobody has heard of.
const maskFields = (message: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(message).map(([key, value]) => [key, plain.has(key) ? value : maskValue(value)])
  )

const plain = new Set(["id", "fromName", "messageType", "ttl", "scheduledSent"])

const maskValue = (value: unknown): unknown =>
  typeof value === "string"
    ? maskText(value)
    : Array.isArray(value)
      ? value.map(maskValue)
      : typeof value === "object" && value !== null
        ? maskFields(value)
        : typeof value === "number"
          ? "<number>"
          : value
