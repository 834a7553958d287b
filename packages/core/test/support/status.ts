/**
 * Reports, and servers and clients for the tests of delivery status.
 */
import { Effect, type Layer, type Scope } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as DeliveryStatus from "../../src/DeliveryStatus.ts"
import { StatusError, type StatusReason } from "../../src/StatusLookup.ts"

/** The examples of https://smsbat.com/help/api/smsbat/status/, as printed there. */
export const page = {
  reply:
    '{"messagelistId":123456,"messageId":"abc123def456","deliverystatus":"delivered","partscount":1,"cost":0.05}',
  fallback:
    '{"messagelistId":123456,"messageId":"abc123def456","deliverystatus":"delivered","partscount":1,"cost":0.05,"fallbacks":[{"type":"sms","status":"not_used"}],"extendedStatuses":{"viber":"delivered","sms":"not_used"},"rate":0.05,"rateAmount":0.05,"rateCurrency":"USD","billAmount":0.05,"billCurrency":"USD"}',
  webhook:
    '{"messageId":"abc123def456","deliverystatus":"delivered","timestamp":"2025-01-23T10:30:00Z","cost":0.05}'
} as const

/** The example of https://smsbat.com/help/api/smsbat/incoming-messages/, as printed there. */
export const inboundPage =
  '{"idUuid":"123e4567-e89b-12d3-a456-426614174000","alphaName":"ViberBotName","phoneNumber":"380936670003","text":"Hello, I need help with my order","dt":"2025-01-20T14:30:00.000Z"}'

/** A report of a status. */
export const report = (
  status: DeliveryStatus.DeliveryStatus,
  others: Partial<ConstructorParameters<typeof DeliveryStatus.StatusReport>[0]> = {}
): DeliveryStatus.StatusReport =>
  new DeliveryStatus.StatusReport({ messageId: "m-1", status, source: "poll", confirmed: true, ...others })

export const statusError = (reason: StatusReason) => new StatusError({ reason })

/** What came back: never an exception. */
export interface Reply {
  readonly status: number
  readonly body: string
  readonly headers: Headers
}

/** A caller of routes that runs them in the fiber of the test, and so on its clock. */
export const caller = <A, E, R>(
  routes: Layer.Layer<A, E, R>
): Effect.Effect<
  (request: Request) => Effect.Effect<Reply>,
  HttpRouter.Request.Without<E>,
  Exclude<HttpRouter.Request.Without<R>, HttpRouter.HttpRouter> | Scope.Scope
> =>
  Effect.map(
    HttpRouter.toHttpEffect(routes),
    (app) => (request: Request) =>
      Effect.gen(function* () {
        // A path that is not known is the only failure that a router knows.
        const response = yield* (app as Effect.Effect<HttpServerResponse.HttpServerResponse, unknown>).pipe(
          Effect.provideService(HttpServerRequest.HttpServerRequest, HttpServerRequest.fromWeb(request)),
          Effect.catch((error) =>
            typeof error === "object" && error !== null && "reason" in error
              ? Effect.succeed(HttpServerResponse.empty({ status: 404 }))
              : Effect.die(error)
          ),
          Effect.scoped
        )
        const web = HttpServerResponse.toWeb(response)
        return { status: web.status, headers: web.headers, body: yield* Effect.promise(() => web.text()) }
      })
  )

/** A webhook call. */
export const post = (
  path: string,
  body: string | Uint8Array<ArrayBuffer> | ReadableStream,
  headers: Readonly<Record<string, string>> = {}
): Request =>
  new Request(`http://127.0.0.1${path}`, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
    ...(body instanceof ReadableStream ? { duplex: "half" } : {})
  } as RequestInit)
