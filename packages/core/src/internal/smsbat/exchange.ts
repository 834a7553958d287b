/**
 * One request and its answer: no retry, no redirect, no longer than allowed, no more read than allowed.
 *
 * What comes out is an answer for the outcome table, or the reason why there is none. The errors of the HTTP client
 * end here: they hold the request, and with it the keys and the messages.
 */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Headers from "effect/http/Headers"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpTraceContext from "effect/http/HttpTraceContext"
import * as CauseSummary from "../../CauseSummary.ts"
import * as SmsBatOutcome from "../../SmsBatOutcome.ts"
import * as TransportReason from "../../TransportReason.ts"
import * as limitedText from "../limitedText.ts"
import type { Account } from "./config.ts"

/** Makes a request and waits for its answer. Interruption aborts it. */
export type Exchange = (
  request: HttpClientRequest.HttpClientRequest
) => Effect.Effect<SmsBatOutcome.Answer, TransportReason.TransportReason>

/** Exchanges of one account over one client. */
export const make = Effect.fnUntraced(function* (
  client: HttpClient.HttpClient,
  account: Account
): Effect.fn.Return<Exchange> {
  const ownInit = yield* requestInitOf(client)
  return (request) =>
    // A span of our own instead of the client's: that one keeps the whole request in the exit of a failure.
    Effect.useSpan("SmsBatTransport.request", { kind: "client" }, (span) => {
      span.attribute("http.request.method", request.method)
      span.attribute("url.full", request.url)
      const traced = account.propagateTrace
        ? HttpClientRequest.setHeaders(request, HttpTraceContext.toHeaders(span))
        : request
      return run(client, account, traced).pipe(
        // A client that dies would put its own words, and with them the request, into the spans around it.
        Effect.catchDefect((defect) =>
          Effect.andThen(
            Effect.logError("smsbat: the HTTP client died", CauseSummary.ofError(defect)),
            Effect.fail(new TransportReason.CutShort({ by: "defect" }))
          )
        ),
        Effect.map((answer) => {
          span.attribute("http.response.status_code", answer.status)
          // A span keeps what its effect came to, and an answer may repeat a message; a function does not show it.
          return () => answer
        }),
        discreetly(account, ownInit)
      )
    }).pipe(Effect.map((answer) => answer()))
})

const run = Effect.fnUntraced(function* (
  client: HttpClient.HttpClient,
  account: Account,
  request: HttpClientRequest.HttpClientRequest
): Effect.fn.Return<SmsBatOutcome.Answer, TransportReason.TransportReason> {
  const started = yield* Clock.monotonicTimeNanos
  const asked: { url?: string | undefined } = {}
  const noting = HttpClient.tapRequest(client, (request) =>
    Effect.sync(() => {
      asked.url = Option.getOrUndefined(Option.map(HttpClientRequest.toUrl(request), String))
    })
  )
  const response = yield* noting.execute(request).pipe(
    // A client that makes errors of statuses has an answer none the less.
    Effect.catch((error) =>
      error.response === undefined
        ? Effect.fail(SmsBatOutcome.fromClientError(error))
        : Effect.succeed(error.response)
    ),
    Effect.timeoutOrElse({
      duration: account.timeout,
      orElse: () => Effect.fail(new TransportReason.TimedOut({}))
    })
  )
  const at = yield* DateTime.now
  const elapsed = Duration.nanos((yield* Clock.monotonicTimeNanos) - started)
  const body = yield* readBody(response, account.maxReplyBytes).pipe(
    Effect.timeoutOrElse({
      duration: Duration.max(Duration.zero, Duration.subtract(account.timeout, elapsed)),
      orElse: () => Effect.succeed<SmsBatOutcome.Body>({ _tag: "Late" })
    })
  )
  return {
    status: response.status,
    body,
    retryAfter: response.headers["retry-after"],
    at,
    redirect: redirectOf(response, asked.url)
  }
})

/** Reads a body to its end, or stops at `limit` bytes, whichever comes first. */
const readBody = (
  response: HttpClientResponse.HttpClientResponse,
  limit: number
): Effect.Effect<SmsBatOutcome.Body> =>
  Effect.match(limitedText.read(response.stream, limit), {
    onSuccess: (text): SmsBatOutcome.Body => ({ _tag: "Text", text }),
    onFailure: (error): SmsBatOutcome.Body => {
      if (error._tag === "TooLong") return error
      return error.reason._tag === "EmptyBodyError" ? { _tag: "Text", text: "" } : { _tag: "Cut" }
    }
  })

/**
 * Whether the client hides a redirect that it stopped at (browsers), or followed one against our wish: then the answer
 * comes from another address than the one asked, which a client may have chosen by itself before it asked.
 */
const redirectOf = (
  response: HttpClientResponse.HttpClientResponse,
  asked: string | undefined
): SmsBatOutcome.Answer["redirect"] => {
  const web: { readonly type?: unknown; readonly redirected?: unknown } = Option.getOrElse(
    HttpClientResponse.toWeb(response),
    () => ({})
  )
  if (web.type === "opaqueredirect") return "stopped"
  const elsewhere = asked !== undefined && response.url !== "" && response.url !== asked
  return web.redirected === true || elsewhere ? "followed" : undefined
}

/**
 * Nothing of the request shows or goes elsewhere: fetch stops at redirects, the keys are redacted where the request is
 * inspected, and the client makes no span of its own.
 */
const discreetly =
  (account: Account, ownInit: typeof FetchHttpClient.RequestInit.Service) =>
  <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.gen(function* () {
      const init = Option.getOrElse(yield* Effect.serviceOption(FetchHttpClient.RequestInit), () => ownInit)
      const redacted = yield* Headers.CurrentRedactedNames
      return yield* effect.pipe(
        Effect.provideService(FetchHttpClient.RequestInit, { ...init, redirect: "manual" }),
        Effect.provideService(Headers.CurrentRedactedNames, [
          ...redacted,
          ...account.keys.map(([header]) => header.toLowerCase())
        ]),
        Effect.provideService(HttpClient.TracerDisabledWhen, () => true)
      )
    })

/**
 * The options with which a fetch client was built, such as its proxy. They have to be known to add to them: options
 * provided at a request replace those of the client.
 *
 * A client runs the effect that makes a request where its own services are in reach. This one looks, and is
 * interrupted before there is a request. Other clients have none, and do not mind.
 */
const requestInitOf = (
  client: HttpClient.HttpClient
): Effect.Effect<typeof FetchHttpClient.RequestInit.Service> =>
  Effect.suspend(() => {
    let found: typeof FetchHttpClient.RequestInit.Service = {}
    const look = Effect.andThen(
      Effect.map(Effect.serviceOption(FetchHttpClient.RequestInit), (init) => {
        if (Option.isSome(init)) found = init.value
      }),
      Effect.interrupt
    )
    return Effect.map(Effect.exit(client.postprocess(look)), () => found)
  })
