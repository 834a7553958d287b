/**
 * What each system under test is asked to do, in a process of its own, on a database of its own.
 *
 * All of them are given the same messages and the same transaction of a shop. What is measured around these methods
 * is in `systemProcess.ts`, once for all.
 */
import type { Range } from "../support/messages.ts"

/** Where messages go: the sink at an address, or nowhere, at once and without fail. */
export type Target = { readonly kind: "sink"; readonly url: string } | { readonly kind: "nothing" }

/** What can be chosen about a system. Each has its own meaning for them, said in its file; most have none. */
export interface SystemOptions {
  /** The most messages of one batch. Defaults to 1,000. */
  readonly batchSize?: number | undefined
  /** Whether a commit wakes workers of other processes. Defaults to `true`. */
  readonly wake?: boolean | undefined
  /** How many connections its pool has. Defaults to 10. */
  readonly connections?: number | undefined
  /** A way of using the system that its file describes. Defaults to the plain one. */
  readonly variant?: string | undefined
}

export interface System {
  /** Connects, and makes the tables: its own, and that of the shop. */
  readonly open: (url: string, options: SystemOptions) => Promise<void>
  /** Forgets all messages. */
  readonly clear: () => Promise<void>
  /** Writes messages by the quickest way it offers, `size` in each transaction. */
  readonly enqueueAll: (range: Range, size: number) => Promise<void>
  /** One transaction of the shop: inserts an order and enqueues its message. */
  readonly commitOne: (number: number) => Promise<void>
  /** Starts a worker, or a relay: as much as one process of it can do. */
  readonly start: (target: Target) => Promise<void>
  /** Lets the worker finish what it has begun. */
  readonly stop: () => Promise<void>
  /** How many messages were handled since the start. */
  readonly handled: () => number
  /** Whether everything handled is written down as done. Only asked at the end, when all is handled. */
  readonly isSettled: () => Promise<boolean>
  readonly close: () => Promise<void>
}

/** The table of the shop, written to in the same transaction as a message. */
export const shopTable =
  "CREATE TABLE IF NOT EXISTS shop_order (id bigint PRIMARY KEY, phone text NOT NULL, placed_at timestamptz NOT NULL)"

export const insertOrder = "INSERT INTO shop_order (id, phone, placed_at) VALUES ($1, $2, now())"
