/**
 * The emulator's memory: accepted messages and the requests that brought them. Plain code, as every message passes.
 */
import * as Effect from "effect/Effect"
import {
  type Counts,
  type Duplicate,
  type EmulatorLedger,
  NotKept,
  type Received,
  type RequestCounts,
  type RequestRecord
} from "../../EmulatorLedger.ts"

/** A request record while the request is under way. */
export type OpenRecord = { -readonly [Key in keyof RequestRecord]: RequestRecord[Key] }

/** What is remembered. */
export interface Book {
  readonly accept: (received: Received) => void
  readonly ledger: EmulatorLedger
  readonly counts: () => Counts
  readonly duplicates: () => ReadonlyArray<Duplicate>
  /** Messages in order, or `undefined` where only ids are kept. */
  readonly messages: () => ReadonlyArray<Received> | undefined
  readonly byTrackingId: (trackingId: string) => ReadonlyArray<Received>
  readonly byMessageId: (messageId: string) => Received | undefined
  /** The message id of an earlier acceptance by the account, where duplicates are refused. */
  readonly known: (account: string, trackingId: string) => string | undefined
  /** Opens the record of a request that has just come. */
  readonly open: (method: string, path: string, at: number) => OpenRecord
  /** Counts a request whose fate is decided: answered, or not to be answered. Once for each request. */
  readonly settle: (record: OpenRecord) => void
  /** Takes back what a reply confirmed, since it was not handed over whole. */
  readonly unconfirm: (record: OpenRecord) => void
  /** The latest requests, oldest first. */
  readonly requests: () => ReadonlyArray<RequestRecord>
  /** The first of them of which `holds` is true. */
  readonly findRequest: (holds: (record: RequestRecord) => boolean) => RequestRecord | undefined
  readonly requestCounts: () => RequestCounts
  readonly clear: () => void
}

/** What the memory is to hold. */
export interface BookOptions {
  readonly keep: "all" | "ids"
  readonly dedupe: boolean
  /** How many requests are remembered. */
  readonly keepRequests: number
}

/** An empty memory. */
export const make = (options: BookOptions): Book => {
  const { dedupe, keep, keepRequests } = options
  let all: Array<Received> = []
  let requests: Array<OpenRecord> = []
  let messages = 0
  let undeliverable = 0
  let requestCount = 0
  let confirmed = 0
  // One of the two is in use, so that a million ids cost a number each and nothing more.
  const times = new Map<string, number>()
  const copies = new Map<string, Array<Received>>()
  const byMessageId = new Map<string, Received>()
  const known = new Map<string, string>()
  const statuses = new Map<string, number>()
  const faults = new Map<string, number>()

  const has = (id: string) => (keep === "all" ? copies.has(id) : times.has(id))
  const ids = (): Iterable<string> => (keep === "all" ? copies.keys() : times.keys())
  const timesOf = (): Iterable<readonly [string, number]> =>
    keep === "ids" ? times : Array.from(copies, ([id, list]) => [id, list.length] as const)

  const counts = (): Counts => {
    const size = keep === "all" ? copies.size : times.size
    return { messages, ids: size, extra: messages - size, undeliverable }
  }
  const duplicates = () =>
    Array.from(timesOf())
      .filter(([, count]) => count > 1)
      .map(([trackingId, count]) => ({ trackingId, times: count }))

  const kept = <A>(read: () => A): Effect.Effect<A> =>
    Effect.suspend(() => (keep === "all" ? Effect.succeed(read()) : Effect.die(new NotKept())))

  return {
    accept: (received) => {
      const { trackingId } = received
      messages++
      if (!received.deliverable) undeliverable++
      if (dedupe) known.set(`${received.account}\n${trackingId}`, received.messageId)
      if (keep === "ids") {
        times.set(trackingId, (times.get(trackingId) ?? 0) + 1)
        return
      }
      all.push(received)
      byMessageId.set(received.messageId, received)
      const earlier = copies.get(trackingId)
      if (earlier === undefined) copies.set(trackingId, [received])
      else earlier.push(received)
    },
    ledger: {
      received: (trackingId) => kept(() => [...(copies.get(trackingId) ?? [])]),
      all: kept(() => [...all]),
      counts: Effect.sync(counts),
      duplicates: Effect.sync(duplicates),
      lost: (expected) =>
        Effect.sync(() => Array.from(new Set(expected)).filter((trackingId) => !has(trackingId))),
      unexpected: (expected) =>
        Effect.sync(() => {
          const set = new Set(expected)
          return Array.from(ids()).filter((trackingId) => !set.has(trackingId))
        })
    },
    counts,
    duplicates,
    messages: () => (keep === "all" ? all : undefined),
    byTrackingId: (trackingId) => copies.get(trackingId) ?? [],
    byMessageId: (messageId) => byMessageId.get(messageId),
    known: (account, trackingId) => known.get(`${account}\n${trackingId}`),
    open: (method, path, at) => {
      const record: OpenRecord = {
        number: ++requestCount,
        method,
        path,
        endpoint: undefined,
        route: undefined,
        account: undefined,
        at,
        bytes: 0,
        messages: 0,
        accepted: 0,
        confirmed: 0,
        status: undefined,
        faults: [],
        outcome: "pending"
      }
      requests.push(record)
      // Cut rarely, so that the cost of it is spread over many requests.
      if (requests.length >= keepRequests * 2) requests = requests.slice(-keepRequests)
      return record
    },
    settle: (record) => {
      const status = record.status === undefined ? "none" : String(record.status)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      for (const fault of record.faults) faults.set(fault, (faults.get(fault) ?? 0) + 1)
      confirmed += record.confirmed
    },
    unconfirm: (record) => {
      confirmed -= record.confirmed
      record.confirmed = 0
    },
    requests: () => requests.slice(-keepRequests).map(copyOf),
    findRequest: (holds) => {
      const found = requests.find(holds)
      return found === undefined ? undefined : copyOf(found)
    },
    requestCounts: () => ({
      requests: requestCount,
      statuses: Object.fromEntries(statuses),
      faults: Object.fromEntries(faults),
      confirmed
    }),
    clear: () => {
      all = []
      requests = []
      messages = 0
      undeliverable = 0
      requestCount = 0
      confirmed = 0
      for (const map of [times, copies, byMessageId, known, statuses, faults]) map.clear()
    }
  }
}

// A record goes on changing while its request is under way.
const copyOf = (record: OpenRecord): RequestRecord => ({ ...record })
