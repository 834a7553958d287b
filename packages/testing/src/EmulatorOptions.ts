/**
 * How an emulator behaves: what it takes, what it refuses, and what the provider's pages leave open.
 *
 * The defaults are strict and follow https://smsbat.com/help/api/cascade/send/; where that page is silent, an option
 * names the ways there are.
 */
import * as Duration from "effect/Duration"
import type * as EmulatorFault from "./EmulatorFault.ts"
import type { Settings } from "./internal/emulator/emulation.ts"
import * as lifeCycle from "./internal/emulator/lifeCycle.ts"
import type * as reply from "./internal/emulator/reply.ts"
import type { WebhookSettings } from "./internal/emulator/webhooks.ts"

/** The form of an error reply; see {@link EmulatorOptions.errorShape}. */
export type ErrorShape = reply.ErrorShape

/** What becomes of messages to a phone number; see {@link magicNumbers}. */
export type Outcome = lifeCycle.Outcome

/** How the emulator behaves. Every option has a default; the defaults are strict. */
export interface EmulatorOptions {
  /** The port on 127.0.0.1; 0 takes any free one. Defaults to 0. */
  readonly port?: number | undefined
  /** Decides every fault, delay and id. The same seed and requests give the same run. Defaults to 1. */
  readonly seed?: number | undefined
  /** Known keys, each with the name of its account. Any of the three headers may carry one. Defaults to `{ "test-key": "default" }`. */
  readonly accounts?: Readonly<Record<string, string>> | undefined
  /** Names of accounts that are answered 403 from the start. Defaults to none. */
  readonly suspended?: ReadonlyArray<string> | undefined
  /** The faults to begin with. Defaults to none. */
  readonly faults?: EmulatorFault.PlanInput | undefined
  /** Also take `380…` and `0…` for a phone number. Defaults to `false`: E.164 with its `+`. */
  readonly lenientPhone?: boolean | undefined
  /**
   * The form of an error reply. `A` is the Cascade page's own, `B`, `C` and `D` are those of other pages, `problem`
   * is RFC 9457, `html` a proxy's, `empty` has no body. 429 has form `D` unless the form is not of JSON at all.
   * Defaults to `"A"`.
   */
  readonly errorShape?: ErrorShape | undefined
  /** The status of a message that breaks a rule; the pages name both. Defaults to 400. */
  readonly invalidStatus?: 400 | 422 | undefined
  /**
   * What one bad message does to its batch, which is not documented. `reject-batch`: the whole batch is refused, and
   * the error does not say which message it was. `drop`: 200, and that message is missing from the reply.
   * `accept-undeliverable`: 200, and that message reaches nobody. Defaults to `"reject-batch"`.
   */
  readonly badElement?: "reject-batch" | "drop" | "accept-undeliverable" | undefined
  /**
   * Answer the same tracking id of the same account with the first message id, and send it once. Defaults to
   * `false`: it is sent twice, since nothing else is documented.
   */
  readonly dedupe?: boolean | undefined
  /** Answer in another order than that of the request. Defaults to `false`. */
  readonly shuffle?: boolean | undefined
  /** How the caller's id is spelt in a reply. Defaults to `"trackinId"`, as on every page. */
  readonly trackingField?: "trackinId" | "trackingId" | undefined
  /** The most messages of a request; more is a 400. Defaults to 1,000, the upper end of the advised range. */
  readonly maxBatchSize?: number | undefined
  /** The largest body in bytes; more is a 413. Defaults to 16 MiB. */
  readonly maxBodyBytes?: number | undefined
  /**
   * Refuse requests over the limit with 429. `true` is the documented one: 100 a second with bursts to 150 for
   * sending, half of that for lookups and uploads; counted for each account. Defaults to `false`.
   */
  readonly rateLimit?: boolean | RateLimitOptions | undefined
  /** Whether `GET /bat/message/{id}` knows messages of the Cascade API; else 404. Defaults to `true`. */
  readonly statusForCascadeIds?: boolean | undefined
  /** Phone numbers with a fixed outcome, beside {@link magicNumbers}. Defaults to none. */
  readonly outcomes?: Readonly<Record<string, Outcome>> | undefined
  /** How long a message stays in each state. Defaults to 1 second and 2 seconds. */
  readonly lifeCycle?: LifeCycleOptions | undefined
  /** An address to call for what becomes of messages. Defaults to none. */
  readonly webhook?: WebhookOptions | undefined
  /** `ids`: keep a number for each tracking id and no message, for runs of a million. Defaults to `"all"`. */
  readonly keep?: "all" | "ids" | undefined
  /** How many requests are remembered. Defaults to 10,000. */
  readonly keepRequests?: number | undefined
  /** Log a line for each request, at level Info, without phone numbers, texts and keys. Defaults to `false`. */
  readonly log?: boolean | undefined
  /** Serve the control interface under `/__emulator/`. Defaults to `false`; the command sets it. */
  readonly control?: boolean | undefined
}

/** A rate limit in requests a second. */
export interface RateLimitOptions {
  /** Defaults to 100. */
  readonly perSecond?: number | undefined
  /** Defaults to one and a half times `perSecond`. */
  readonly burst?: number | undefined
}

/** How long a message stays in the states of its life. */
export interface LifeCycleOptions {
  /** In `scheduled`, from its acceptance or its `scheduledSent`. Defaults to 1 second. */
  readonly scheduled?: Duration.Input | undefined
  /** In `processing`. Defaults to 2 seconds. */
  readonly processing?: Duration.Input | undefined
}

/** Calls to an address for what becomes of messages. */
export interface WebhookOptions {
  /** `http` or `https`. It is never logged. */
  readonly url: string
  /** `final`: one call, when it ends. `all`: for `processing` too. Defaults to `"final"`. */
  readonly events?: "final" | "all" | undefined
  /** How long after the fact. Defaults to 0. */
  readonly late?: Duration.Input | undefined
  /** How many times more each call is made. Defaults to 0. */
  readonly repeat?: number | undefined
  /** Calls of the same time in reverse order, and `processing` only after the final state. Defaults to `false`. */
  readonly reorder?: boolean | undefined
}

/** What is used where an option is left out. */
export const defaults = {
  port: 0,
  seed: 1,
  accounts: { "test-key": "default" },
  maxBatchSize: 1000,
  maxBodyBytes: 16 * 1024 * 1024,
  perSecond: 100,
  scheduled: Duration.seconds(1),
  processing: Duration.seconds(2),
  keepRequests: 10_000
} as const

/**
 * Phone numbers with a fixed outcome. `…01` undeliverable, `…02` permanenterror, `…03` scheduled for ever, `…04`
 * processing for ever, `…05` ten times slower, `…06` unknown to the status lookup, `…07` refused as invalid. All are
 * well-formed, and none can belong to a person.
 */
export const magicNumbers: ReadonlyMap<string, Outcome> = lifeCycle.magicNumbers

/** The options with every default in its place, as the endpoints read them. */
export const settings = (options: EmulatorOptions): Settings => ({
  accounts: new Map(Object.entries(options.accounts ?? defaults.accounts)),
  lenientPhone: options.lenientPhone ?? false,
  errorShape: options.errorShape ?? "A",
  invalidStatus: options.invalidStatus ?? 400,
  badElement: options.badElement ?? "reject-batch",
  dedupe: options.dedupe ?? false,
  shuffle: options.shuffle ?? false,
  trackingField: options.trackingField ?? "trackinId",
  maxBatchSize: options.maxBatchSize ?? defaults.maxBatchSize,
  maxBodyBytes: options.maxBodyBytes ?? defaults.maxBodyBytes,
  rateLimit: limits(options.rateLimit ?? false),
  statusForCascadeIds: options.statusForCascadeIds ?? true,
  outcomes: new Map([...magicNumbers, ...Object.entries(options.outcomes ?? {})]),
  pace: {
    scheduled: Duration.toMillis(options.lifeCycle?.scheduled ?? defaults.scheduled),
    processing: Duration.toMillis(options.lifeCycle?.processing ?? defaults.processing)
  }
})

/** As {@link settings}, for webhooks. */
export const webhookSettings = (options: WebhookOptions): WebhookSettings => ({
  url: options.url,
  events: options.events ?? "final",
  late: Duration.toMillis(options.late ?? 0),
  repeat: options.repeat ?? 0,
  reorder: options.reorder ?? false
})

const limits = (option: boolean | RateLimitOptions): Settings["rateLimit"] => {
  if (option === false) return undefined
  const perSecond = (option === true ? undefined : option.perSecond) ?? defaults.perSecond
  const burst = (option === true ? undefined : option.burst) ?? perSecond * 1.5
  return { send: { perSecond, burst }, data: { perSecond: perSecond / 2, burst: burst / 2 } }
}
