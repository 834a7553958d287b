/**
 * What an SMSBAT account is told by its owner, checked once, before anything is sent.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SmsBatWire from "../../SmsBatWire.ts"
import * as redactedText from "../redactedText.ts"
import { kindOf } from "../unknown.ts"
import * as baseUrl from "./baseUrl.ts"

/**
 * The keys of an account: at least one, or it does not compile. They are sent as they are, so a blank at either end
 * and any character but printable ASCII is refused.
 *
 * See https://smsbat.com/help/api/cascade/send/ (Authentication).
 */
export type SmsBatKeys =
  | (AnyKeys & { readonly apiKey: Redacted.Redacted })
  | (AnyKeys & { readonly viberToken: Redacted.Redacted })
  | (AnyKeys & { readonly telegramKey: Redacted.Redacted })

interface AnyKeys {
  /** The SMSBAT API key, sent as `X-Authorization-Key`. The provider recommends it. Defaults to none. */
  readonly apiKey?: Redacted.Redacted | undefined
  /** The token of a Viber bot, sent as `X-Viber-Auth-Token`. Defaults to none. */
  readonly viberToken?: Redacted.Redacted | undefined
  /** The key of a Telegram bot, sent as `X-Tg-Bot-Key`. Defaults to none. */
  readonly telegramKey?: Redacted.Redacted | undefined
}

/** How the transport behaves, apart from where it sends and as whom. */
export interface SmsBatSettings {
  /**
   * The name of the transport in errors, logs and events, and the key of its rate limit unless that is given: tell
   * several accounts apart by it. 1 to 100 characters of `A-Z a-z 0-9 . _ : -`. Defaults to `"smsbat"`.
   */
  readonly name?: string | undefined
  /**
   * The most messages in one request, 1 to 1,000. After a request of unknown outcome each message in it is in
   * doubt, so a smaller number means less doubt and more requests. Defaults to 1,000.
   */
  readonly maxBatchSize?: number | undefined
  /**
   * The most bytes in the body of one request, counted in UTF-8. A batch that needs more is sent as several
   * requests; a message that needs more by itself is `NotSent` (`Unencodable`). Defaults to 1 MiB.
   */
  readonly maxBodyBytes?: number | undefined
  /**
   * How long one request may take, from connecting to the last byte of the reply. Beyond it the outcome is
   * `Unknown` (`TimedOut`). Halving a refused batch makes several requests, each with its own limit. Defaults to
   * 30 seconds.
   */
  readonly timeout?: Duration.Input | undefined
  /**
   * The longest `Retry-After` that is believed; a longer one counts as this. It keeps a mistake of the provider
   * from pausing an account for a day. Defaults to 15 minutes.
   */
  readonly maxRetryAfter?: Duration.Input | undefined
  /**
   * The most requests that one call of `send` makes beyond those that carry the batch, in order to find the
   * messages for which a request was refused. What it cannot settle is `NotSent` (`Throttled`) and left for another
   * call. One bad message among 1,000 takes 20. Below 2 nothing is ever halved. Defaults to 64.
   */
  readonly isolationBudget?: number | undefined
  /**
   * The most bytes of a reply that are read; a longer success reply is `Unknown` (`UnreadableReply`). Defaults to
   * 8 MiB.
   */
  readonly maxReplyBytes?: number | undefined
  /**
   * Whether requests carry the trace they belong to (`traceparent`, `b3`). It tells a third party the ids of your
   * traces. Defaults to `false`.
   */
  readonly propagateTrace?: boolean | undefined
}

/** Everything there is to say about an account. */
export interface SmsBatOptions extends SmsBatSettings {
  readonly keys: SmsBatKeys
  /**
   * Where the provider's API is: `https`, or `http` on a loopback host; a path in front is kept; no credentials,
   * query or fragment. The provider gives some accounts an address of their own. Defaults to
   * `https://restapi.smsbat.com`.
   */
  readonly baseUrl?: string | undefined
}

/** The defaults of {@link SmsBatOptions}. */
export const defaults = {
  name: "smsbat",
  baseUrl: "https://restapi.smsbat.com",
  maxBatchSize: SmsBatWire.requestLimit,
  maxBodyBytes: 1024 * 1024,
  timeout: "30 seconds",
  maxRetryAfter: "15 minutes",
  isolationBudget: 64,
  maxReplyBytes: 8 * 1024 * 1024,
  propagateTrace: false
} as const satisfies Required<Omit<SmsBatOptions, "keys">>

/** An option that cannot be used. It names the option and the rule, never the value. */
export class SmsBatConfigError extends Schema.TaggedError<SmsBatConfigError>(
  "@effect-cascade/core/SmsBatConfigError"
)("SmsBatConfigError", {
  /** Which option: `keys.apiKey`, `baseUrl`. */
  option: Schema.String,
  /** What is wrong with it and what would be right. */
  problem: Schema.String
}) {
  override get message(): string {
    return `SMSBAT ${this.option}: ${this.problem}`
  }
}

/** The options once they are known to be usable. */
export interface Account {
  readonly name: string
  /** Without a slash at its end. */
  readonly baseUrl: string
  /** The key headers by their names on the wire. */
  readonly keys: ReadonlyArray<readonly [header: string, value: Redacted.Redacted]>
  readonly maxBatchSize: number
  readonly maxBodyBytes: number
  readonly timeout: Duration.Duration
  readonly maxRetryAfter: Duration.Duration
  readonly isolationBudget: number
  readonly maxReplyBytes: number
  readonly propagateTrace: boolean
}

/** Checks the options. Nothing is taken on trust: a caller without types gets the same error. */
export const check = (options: SmsBatOptions): Result.Result<Account, SmsBatConfigError> =>
  Result.gen(function* () {
    if (typeof options !== "object" || options === null) {
      return yield* Result.fail(wrong("options", `they must be an object, not ${kindOf(options)}`))
    }
    return {
      name: yield* nameOf(options.name ?? defaults.name),
      baseUrl: yield* address(options.baseUrl ?? defaults.baseUrl),
      keys: yield* checkKeys(options.keys),
      maxBatchSize: yield* wholeNumber("maxBatchSize", options, 1, SmsBatWire.requestLimit),
      maxBodyBytes: yield* wholeNumber("maxBodyBytes", options, 1),
      timeout: yield* time("timeout", options, 1),
      maxRetryAfter: yield* time("maxRetryAfter", options, 0),
      isolationBudget: yield* wholeNumber("isolationBudget", options, 0),
      maxReplyBytes: yield* wholeNumber("maxReplyBytes", options, 1),
      // Only a clear yes hands the ids of traces to a third party.
      propagateTrace: (options.propagateTrace ?? defaults.propagateTrace) === true
    }
  })

const wrong = (option: string, problem: string) => new SmsBatConfigError({ option, problem })

const nameOf = (input: unknown) =>
  typeof input === "string" && /^[A-Za-z0-9._:-]{1,100}$/u.test(input)
    ? Result.succeed(input)
    : Result.fail(wrong("name", "it must be 1 to 100 characters of A-Z a-z 0-9 . _ : -"))

const address = (input: unknown) =>
  Result.mapError(
    typeof input === "string" ? baseUrl.parse(input) : Result.fail(`it must be a text, not ${kindOf(input)}`),
    (problem) => wrong("baseUrl", problem)
  )

/** Each key with its header, and the environment variable that it may come from. */
const keyNames = [
  ["apiKey", "X-Authorization-Key", "SMSBAT_API_KEY"],
  ["viberToken", "X-Viber-Auth-Token", "SMSBAT_VIBER_TOKEN"],
  ["telegramKey", "X-Tg-Bot-Key", "SMSBAT_TELEGRAM_KEY"]
] as const

const checkKeys = (keys: SmsBatKeys): Result.Result<Account["keys"], SmsBatConfigError> =>
  Result.gen(function* () {
    const found: Array<readonly [string, Redacted.Redacted]> = []
    const given: Partial<AnyKeys> = typeof keys === "object" && keys !== null ? keys : {}
    for (const [name, header] of keyNames) {
      const key = given[name]
      if (key === undefined) continue
      const value = redactedText.read(key)
      if (value === undefined)
        return yield* Result.fail(wrong(`keys.${name}`, "it must be a Redacted text that has not been wiped"))
      if (value === "")
        return yield* Result.fail(wrong(`keys.${name}`, "it is empty; leave it out or give it"))
      if (!/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/u.test(value)) {
        const rule = "it may hold only printable ASCII characters, with no blank or line break at either end"
        return yield* Result.fail(wrong(`keys.${name}`, rule))
      }
      found.push([header, key])
    }
    if (found.length > 0) return found
    const names = keyNames.map(([name, , variable]) => `${name} (${variable})`).join(", ")
    return yield* Result.fail(wrong("keys", `at least one of ${names} is needed`))
  })

const wholeNumber = (
  option: "maxBatchSize" | "maxBodyBytes" | "isolationBudget" | "maxReplyBytes",
  options: SmsBatSettings,
  minimum: number,
  maximum = Number.MAX_SAFE_INTEGER
) => {
  const value = options[option] ?? defaults[option]
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return Result.succeed(value)
  const range =
    maximum === Number.MAX_SAFE_INTEGER ? `of ${minimum} or more` : `from ${minimum} to ${maximum}`
  return Result.fail(wrong(option, `it must be a whole number ${range}`))
}

const time = (option: "timeout" | "maxRetryAfter", options: SmsBatSettings, minimumMillis: number) => {
  const usable = Option.filter(
    Duration.fromInput(options[option] ?? defaults[option]),
    (duration) => Duration.isFinite(duration) && Duration.toMillis(duration) >= minimumMillis
  )
  return Result.fromOption(usable, () =>
    wrong(option, `it must be a finite time ${minimumMillis === 0 ? "of 0 or more" : "above 0"}`)
  )
}
