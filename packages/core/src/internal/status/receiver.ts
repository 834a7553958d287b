/**
 * The route of a webhook: who may call it, what it takes, and what it answers.
 *
 * Its answer never waits for the handler and never depends on it. Every request has one of these answers: 200 taken in,
 * 400 not what the provider sends, 404 wrong secret, 408 the body did not come in time, 413 too long, 415 not JSON,
 * 503 no room. None of them repeats anything of the request.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerError from "effect/http/HttpServerError"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { SmsBatConfigError } from "../smsbat/config.ts"
import * as limitedText from "../limitedText.ts"
import * as intake from "./intake.ts"
import type { InvalidWebhook } from "./invalidWebhook.ts"
import * as secrets from "./secret.ts"

/** Where a webhook is received, and how much of it. */
export interface ReceiverOptions {
  /** The path, or with a `secret` the part before it, such as `/hooks/smsbat`. */
  readonly path: `/${string}`
  /**
   * The last segment of the path: 22 to 100 characters of `A-Z a-z 0-9 - _`, drawn at random. Webhooks are not signed,
   * so this is what keeps strangers out. It is compared in constant time, and a wrong one is answered as a path that
   * does not exist. Defaults to none: then anybody who finds the path may call it.
   */
  readonly secret?: Redacted.Redacted | undefined
  /** The most bytes of a body; a longer one is answered 413. Defaults to 65,536. */
  readonly bodyLimit?: number | undefined
  /** How long a body may take to arrive before it is answered 408. Defaults to 10 seconds. */
  readonly bodyTimeout?: Duration.Input | undefined
  /** How many may wait for the handler, those it is busy with among them; beyond it 503. Defaults to 1,000. */
  readonly queueSize?: number | undefined
  /** How many are handled at a time, 1 to 1,000. Those about one message are handled one after another. Defaults to 4. */
  readonly concurrency?: number | undefined
  /** How long those that wait when the program ends have to be handled. Defaults to 5 seconds. */
  readonly grace?: Duration.Input | undefined
}

/** The defaults of {@link ReceiverOptions}. */
export const defaults = {
  bodyLimit: 64 * 1024,
  bodyTimeout: "10 seconds",
  queueSize: 1000,
  concurrency: 4,
  grace: "5 seconds"
} as const satisfies Required<Omit<ReceiverOptions, "path" | "secret">>

/** What is received. */
export interface Reception<A, E, R> {
  /** Stands before what is logged. */
  readonly name: string
  readonly decode: (json: unknown) => Result.Result<A, InvalidWebhook>
  /** Of two with the same key the second waits for the first. */
  readonly keyOf: (item: A) => string
  readonly handle: (item: A) => Effect.Effect<void, E, R>
}

/** Registers the route and starts what is behind it. Both last as long as the scope. */
export const register = Effect.fnUntraced(function* <A, E, R>(
  options: ReceiverOptions,
  reception: Reception<A, E, R>
): Effect.fn.Return<
  void,
  SmsBatConfigError,
  HttpRouter.HttpRouter | HttpRouter.Request.From<"Error", HttpServerError.HttpServerError> | R | Scope.Scope
> {
  const { bodyLimit, bodyTimeout, prefix, secret, ...rest } = yield* Effect.fromResult(check(options))
  const router = yield* HttpRouter.HttpRouter
  const offer = yield* intake.make({ ...rest, ...reception })

  const receive = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
    if (!isJson(request.headers)) return answers.notJson
    const body = yield* readBody(request, bodyLimit).pipe(
      Effect.timeoutOrElse({ duration: bodyTimeout, orElse: () => Effect.succeed(Result.fail(answers.late)) })
    )
    const item = Result.flatMap(body, (text) => read(text, reception.decode))
    if (Result.isFailure(item)) return item.failure
    return (yield* offer(item.success)) ? answers.taken : answers.full
  })

  if (secret === undefined) return yield* router.add("POST", prefix === "" ? "/" : prefix, receive)
  const isSecret = yield* secrets.matcher(secret)
  // Every method, or the secret would be logged with the path of a request that is no POST, as that of a browser is.
  yield* router.add("*", `${prefix}/:secret`, (request) =>
    Effect.gen(function* () {
      const { secret: given = "" } = yield* HttpRouter.params
      // As the router does with a path that it does not know, whatever else the program makes of that.
      if (request.method !== "POST" || !(yield* isSecret(given))) return yield* unknownPath(request)
      return yield* receive(request)
      // The log of requests names their paths.
    }).pipe(HttpMiddleware.withLoggerDisabled)
  )
})

const unknownPath = (request: HttpServerRequest.HttpServerRequest) =>
  Effect.fail(new HttpServerError.HttpServerError({ reason: new HttpServerError.RouteNotFound({ request }) }))

const answer = (status: number, error: string, headers?: Readonly<Record<string, string>>) =>
  HttpServerResponse.jsonUnsafe({ error }, { status, ...(headers === undefined ? {} : { headers }) })

const answers = {
  taken: HttpServerResponse.empty({ status: 200 }),
  malformed: answer(400, "the body is not JSON"),
  unread: answer(400, "the body did not come whole"),
  late: answer(408, "the body did not come in time"),
  tooLong: answer(413, "the body is too long"),
  notJson: answer(415, "the body has to be JSON in UTF-8, not compressed"),
  full: answer(503, "too many are waiting; try again later", { "retry-after": "5" })
}

/** Whether the body claims to be JSON that can be read here. A body that claims nothing is given a try. */
const isJson = (headers: Readonly<Record<string, string | undefined>>): boolean => {
  const encoding = headers["content-encoding"]?.trim().toLowerCase() ?? ""
  if (encoding !== "" && encoding !== "identity") return false
  const [type = "", ...parameters] = (headers["content-type"] ?? "").toLowerCase().split(";")
  if (!/^(?:(?:application|text)\/json|[^\s/]+\/[^\s/]+\+json|)$/u.test(type.trim())) return false
  return parameters.every((parameter) => {
    const [name = "", value = ""] = parameter.split("=")
    return name.trim() !== "charset" || /^"?(?:utf-?8|us-ascii)"?$/u.test(value.trim())
  })
}

type Read<A> = Result.Result<A, HttpServerResponse.HttpServerResponse>

/**
 * The text of a body, of which no more than `limit` bytes are read.
 *
 * As a stream, since stopping in the middle of one leaves a Node server its connection for the answer.
 */
const readBody = (request: HttpServerRequest.HttpServerRequest, limit: number): Effect.Effect<Read<string>> =>
  Number(request.headers["content-length"] ?? 0) > limit
    ? Effect.succeed(Result.fail(answers.tooLong))
    : Effect.match(limitedText.read(request.stream, limit), {
        onSuccess: (text): Read<string> => Result.succeed(text),
        onFailure: (error): Read<string> =>
          Result.fail(error._tag === "TooLong" ? answers.tooLong : answers.unread)
      })

const read = <A>(text: string, decode: Reception<A, never, never>["decode"]): Read<A> => {
  const json = Result.try((): unknown => JSON.parse(text))
  if (Result.isFailure(json)) return Result.fail(answers.malformed)
  return Result.mapError(decode(json.success), (error) => answer(400, error.message))
}

const check = (options: ReceiverOptions) =>
  Result.gen(function* () {
    const { path, secret } = options
    if (typeof path !== "string" || !/^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9\-._~]+)*\/?$/u.test(path)) {
      return yield* wrong("path", "it must be segments of A-Z a-z 0-9 - . _ ~, each with one / before it")
    }
    if (secret !== undefined && !secrets.isUsable(secret)) {
      return yield* wrong("secret", `it must be ${secrets.rule}`)
    }
    return {
      prefix: prefixOf(path),
      secret,
      bodyLimit: yield* wholeNumber("bodyLimit", options.bodyLimit ?? defaults.bodyLimit),
      queueSize: yield* wholeNumber("queueSize", options.queueSize ?? defaults.queueSize),
      concurrency: yield* wholeNumber("concurrency", options.concurrency ?? defaults.concurrency, 1000),
      bodyTimeout: yield* time("bodyTimeout", options.bodyTimeout ?? defaults.bodyTimeout),
      grace: yield* time("grace", options.grace ?? defaults.grace)
    }
  })

/** What stands before another segment: a path without a slash at its end. */
export const prefixOf = (path: `/${string}`): "" | `/${string}` => {
  const bare = path.replace(/^\/+|\/+$/gu, "")
  return bare === "" ? "" : `/${bare}`
}

/** A finite time of 0 or more. */
export const time = (option: string, input: Duration.Input) =>
  Result.fromOption(
    Option.filter(Duration.fromInput(input), Duration.isFinite),
    () => new SmsBatConfigError({ option, problem: "it must be a finite time of 0 or more" })
  )

const wholeNumber = (option: string, value: number, maximum = Number.MAX_SAFE_INTEGER) =>
  Number.isSafeInteger(value) && value >= 1 && value <= maximum
    ? Result.succeed(value)
    : wrong(
        option,
        `it must be a whole number ${maximum === Number.MAX_SAFE_INTEGER ? "of 1 or more" : `from 1 to ${maximum}`}`
      )

const wrong = (option: string, problem: string): Result.Result<never, SmsBatConfigError> =>
  Result.fail(new SmsBatConfigError({ option, problem }))
