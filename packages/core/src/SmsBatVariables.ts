/**
 * The provider's own variables: values that are uploaded ahead, for gaps such as `%name=1%` in a text.
 *
 * Prefer `Template`, which fills the gaps here. These variables live in one space of numbers for the whole account, and
 * the last upload of a number wins. Messages are put together later, after the request that sent them was answered. So
 * when two parts of a program, or two batches, both number from 1, **the values of one message may land in the text of
 * another**, and one person reads what was meant for somebody else. The provider documents nothing that keeps them
 * apart, no way to delete a value, and no way to write `%name=1%` literally.
 *
 * See https://smsbat-help.pages.dev/api/cascade/variables/.
 */
import type { NonEmptyReadonlyArray } from "effect/Array"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import { wholeRule, wholeText } from "./internal/messageRules.ts"
import * as config from "./internal/smsbat/config.ts"
import * as exchange from "./internal/smsbat/exchange.ts"
import * as request from "./internal/smsbat/request.ts"
import * as utf8 from "./internal/utf8.ts"
import { isObject } from "./internal/unknown.ts"
import * as SmsBatOutcome from "./SmsBatOutcome.ts"
import * as SmsBatTransport from "./SmsBatTransport.ts"
import * as SmsBatWire from "./SmsBatWire.ts"
import { TransportError } from "./TransportError.ts"
import * as TransportReason from "./TransportReason.ts"

/** A value for the gap `%type=id%`. */
export interface SmsBatVariable {
  /** A whole number, shared by everything that sends from this account. */
  readonly id: number
  /** `name`: any text; `url`: a whole URL; `short_url`: a URL that the provider shortens. */
  readonly type: "name" | "url" | "short_url"
  readonly value: string
}

/**
 * Uploads values, in one request. Read the warning at the head of this module first.
 *
 * A success means that the provider answered 2xx; what it answers is not documented. Fails with `TransportError` as a
 * send does, `Unencodable` for a value that cannot be uploaded. The same upload again does no harm by itself.
 *
 * @example
 * ```ts
 * import { Redacted } from "effect"
 * import { SmsBatVariables } from "@effect-cascade/core"
 *
 * const upload = SmsBatVariables.uploadVariables([{ id: 7001, type: "name", value: "Олена" }], {
 *   keys: { apiKey: Redacted.make("…") }
 * })
 * ```
 */
export const uploadVariables = Effect.fn("SmsBatVariables.uploadVariables")(function* (
  variables: NonEmptyReadonlyArray<SmsBatVariable>,
  options: config.SmsBatOptions
): Effect.fn.Return<void, TransportError | config.SmsBatConfigError, HttpClient.HttpClient> {
  const account = yield* Effect.fromResult(config.check(options))
  const problem = problemOf(variables)
  if (problem !== undefined) return yield* unencodable(problem)
  yield* Effect.annotateCurrentSpan({ count: variables.length })
  const json = JSON.stringify({ variables: variables.map(({ id, type, value }) => ({ id, type, value })) })
  if (utf8.byteLength(json) > account.maxBodyBytes) {
    return yield* unencodable(
      `the variables are more than the ${account.maxBodyBytes} bytes that one request may have`
    )
  }
  const exchangeOnce = yield* exchange.make(yield* HttpClient.HttpClient, account)
  yield* exchangeOnce(request.post(account, SmsBatWire.variablesPath, json)).pipe(
    Effect.flatMap((answer) => Effect.fromResult(SmsBatOutcome.fromResponse(answer, account))),
    Effect.mapError(failed)
  )
})

const failed = (reason: TransportReason.TransportReason) =>
  new TransportError({ transport: SmsBatTransport.name, reason })

const unencodable = (problem: string) => failed(new TransportReason.Unencodable({ problem }))

/** The first problem, without any value of it. Nothing is taken on trust: values are what comes from outside. */
const problemOf = (variables: unknown): string | undefined => {
  if (!Array.isArray(variables) || variables.length === 0) return "variables is not a list of at least one"
  for (const [index, variable] of variables.entries()) {
    if (!isObject(variable)) return `variables[${index}] is not an object`
    const { id, type, value } = variable
    if (!Number.isSafeInteger(id)) return `variables[${index}].id is not a whole number`
    if (!types.has(type)) return `variables[${index}].type is not one of ${[...types].join(", ")}`
    if (typeof value !== "string") return `variables[${index}].value is not a string`
    if (!wholeText.test(value)) return `variables[${index}].value is not ${wholeRule}`
  }
  return undefined
}

const types: ReadonlySet<unknown> = new Set<SmsBatVariable["type"]>(["name", "url", "short_url"])
