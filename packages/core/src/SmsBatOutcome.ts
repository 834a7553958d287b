/**
 * What became of a request to SMSBAT: the outcome table, as two pure functions.
 *
 * {@link fromResponse} judges an answer, {@link fromClientError} the lack of one. What is not certainly "not sent" is
 * `Unknown`. `docs/outcomes.md` tells the table in words, and what each row means for a caller.
 *
 * See https://smsbat.com/help/api/cascade/send/ (HTTP Status Codes), https://smsbat.com/help/api/error-codes/ and
 * https://help.smsbat.com/api/rate-limits/.
 */
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Result from "effect/Result"
import * as HttpClientError from "effect/http/HttpClientError"
import * as connectFailure from "./internal/smsbat/connectFailure.ts"
import * as errorBody from "./internal/smsbat/errorBody.ts"
import * as retryAfter from "./internal/smsbat/retryAfter.ts"
import * as TransportReason from "./TransportReason.ts"

/** The body of an answer: its text, or why there is none. */
export type Body =
  | { readonly _tag: "Text"; readonly text: string }
  /** The connection ended before the body did. */
  | { readonly _tag: "Cut" }
  /** It is longer than what is read of a body. */
  | { readonly _tag: "TooLong" }
  /** Its end did not come in time. */
  | { readonly _tag: "Late" }

/** An answer to a request, as far as it matters. */
export interface Answer {
  /** The HTTP status; 0 where the client does not tell. */
  readonly status: number
  readonly body: Body
  /** The `Retry-After` header as it came. */
  readonly retryAfter?: string | undefined
  /** When it came: the instant from which a date in `Retry-After` is counted. */
  readonly at: DateTime.Utc
  /**
   * `stopped`: the client hides the status of a redirect that it did not follow. `followed`: the answer is that of
   * another address, to which the client took the request without being asked. Defaults to neither.
   */
  readonly redirect?: "stopped" | "followed" | undefined
}

/** What a reading of the table depends on besides the answer. */
export interface OutcomeOptions {
  /** The longest `Retry-After` that is believed. */
  readonly maxRetryAfter: Duration.Duration
}

/**
 * The text of a success reply, in which each message still has to be looked up (`SmsBatWire.decodeReply`), or what is
 * true of every message of the request.
 */
export const fromResponse = (
  answer: Answer,
  options: OutcomeOptions
): Result.Result<string, TransportReason.TransportReason> => {
  const { body, status } = answer
  if (answer.redirect === "stopped") return Result.fail(new TransportReason.Redirected({ status: 0 }))
  if (answer.redirect === "followed") return Result.fail(fromElsewhere)
  if (isWithin(200, status))
    return body._tag === "Text" ? Result.succeed(body.text) : Result.fail(unread[body._tag])
  return Result.fail(fromStatus(answer, options))
}

const fromStatus = (answer: Answer, options: OutcomeOptions): TransportReason.TransportReason => {
  const status = Number.isInteger(answer.status) ? answer.status : 0
  switch (status) {
    // This request is wrong, or this address for it. Nothing of it was done.
    case 400:
    case 404:
    case 405:
    case 406:
    case 410:
    case 411:
    case 413:
    case 414:
    case 415:
    case 422:
    case 431:
      return new TransportReason.Rejected({ status, ...detailOf(answer) })
    // The account is wrong: its keys, its permissions, its money, or those of a proxy before it.
    case 401:
    case 402:
    case 403:
    case 407:
      return new TransportReason.Unauthorized({ status, ...codeOf(answer) })
    case 429:
      return throttled(status, answer, options)
    case 503:
      // Who says when to come back has not begun. A plain 503 may come from a server that gave up half-way.
      return (answer.retryAfter ?? "").trim() === ""
        ? new TransportReason.ServerError({ status, ...codeOf(answer) })
        : throttled(status, answer, options)
  }
  if (isWithin(300, status)) return new TransportReason.Redirected({ status })
  if (isWithin(500, status)) return new TransportReason.ServerError({ status, ...codeOf(answer) })
  // 408, 409, 425, every other 4xx, 1xx, 0 and what is no status at all.
  return new TransportReason.UnexpectedStatus({ status })
}

/**
 * What the error of an HTTP client means for every message of the request. It takes anything at all, and keeps
 * nothing of it but the system's code: an error of a client may hold the request, with its keys and its messages.
 */
export const fromClientError = (error: unknown): TransportReason.TransportReason =>
  // An error from outside may do anything when it is looked at; then it says nothing.
  Result.getOrElse(
    Result.try(() => judge(error)),
    () => new TransportReason.ConnectionLost({})
  )

const judge = (error: unknown): TransportReason.TransportReason => {
  if (HttpClientError.isHttpClientError(error)) {
    switch (error.reason._tag) {
      case "InvalidUrlError":
      case "EncodeError":
        return new TransportReason.Unencodable({ problem: "the HTTP client could not make a request of it" })
      case "DecodeError":
      case "EmptyBodyError":
      case "StatusCodeError":
        // A client that judges answers by itself, and keeps the answer to itself.
        return new TransportReason.UnreadableReply({ problem: "the HTTP client did not pass it on" })
    }
  }
  const failure = connectFailure.classify(error)
  if (failure.kind === "late") return new TransportReason.TimedOut({})
  const code = failure.code === undefined ? {} : { code: failure.code }
  return failure.kind === "unconnected"
    ? new TransportReason.Unreachable(code)
    : new TransportReason.ConnectionLost(code)
}

const isWithin = (hundred: number, status: number): boolean => status >= hundred && status < hundred + 100

const unread = {
  Cut: new TransportReason.UnreadableReply({ problem: "it was cut short" }),
  TooLong: new TransportReason.UnreadableReply({ problem: "it is longer than what is read of a reply" }),
  Late: new TransportReason.TimedOut({})
}

const fromElsewhere = new TransportReason.UnreadableReply({
  problem: "it came from another address, to which the HTTP client followed a redirect"
})

const detailOf = (answer: Answer): errorBody.ErrorBody =>
  answer.body._tag === "Text" ? errorBody.parse(answer.body.text) : {}

const codeOf = (answer: Answer): Pick<errorBody.ErrorBody, "code"> => {
  const { code } = detailOf(answer)
  return code === undefined ? {} : { code }
}

const throttled = (status: number, answer: Answer, options: OutcomeOptions): TransportReason.Throttled => {
  const wait = retryAfter.parse(answer.retryAfter ?? "", answer.at, options.maxRetryAfter)
  return new TransportReason.Throttled({ status, ...(wait === undefined ? {} : { retryAfter: wait }) })
}
