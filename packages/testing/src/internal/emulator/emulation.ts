/**
 * The state of a running emulator, shared by its endpoints.
 */
import type { Book } from "./book.ts"
import type { Dice } from "./dice.ts"
import type { After, Exchange } from "./exchange.ts"
import type { FaultBook } from "./faultBook.ts"
import type { Items } from "./items.ts"
import type { Outcome, Pace } from "./lifeCycle.ts"
import type { Limit, RateLimiter } from "./rateLimit.ts"
import type { ErrorShape } from "./reply.ts"
import type { Received } from "../../EmulatorLedger.ts"

/** The options of an emulator with nothing left open. Times in milliseconds. */
export interface Settings {
  /** Key to account name. */
  readonly accounts: ReadonlyMap<string, string>
  readonly lenientPhone: boolean
  readonly errorShape: ErrorShape
  readonly invalidStatus: 400 | 422
  readonly badElement: "reject-batch" | "drop" | "accept-undeliverable"
  readonly dedupe: boolean
  readonly shuffle: boolean
  readonly trackingField: "trackinId" | "trackingId"
  readonly maxBatchSize: number
  readonly maxBodyBytes: number
  readonly rateLimit: { readonly send: Limit; readonly data: Limit } | undefined
  readonly statusForCascadeIds: boolean
  readonly outcomes: ReadonlyMap<string, Outcome>
  readonly pace: Pace
}

/** What every endpoint works with. */
export interface Emulation {
  readonly settings: Settings
  /** Milliseconds since the epoch, on the emulator's clock. */
  readonly now: () => number
  readonly after: After
  readonly book: Book
  readonly faults: FaultBook
  readonly limiter: RateLimiter
  readonly items: Items
  /** Accounts that are answered 403. */
  readonly suspended: Set<string>
  /** For the ids of messages. */
  readonly chance: Dice
  /** Told of messages that were accepted. */
  readonly onAccepted: (messages: ReadonlyArray<Received>) => void
}

/** A request that has passed the door: it is for a known endpoint and has a known account. */
export interface Call {
  readonly exchange: Exchange
  readonly endpoint: "send" | "status" | "items"
  readonly route: "standard" | "tg-viber" | undefined
  readonly account: string
  /** The last part of the path, where the endpoint takes one. */
  readonly parameter: string
}
