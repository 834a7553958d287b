import { SmsBatInbound, SmsBatWebhook, StatusLookup } from "@effect-cascade/core"
import { Deferred, Effect, Layer, Redacted } from "effect"
import { HttpRouter } from "effect/http"
import { canary } from "./canaries.ts"
import { CarelessError, on, spoilt } from "./cases.ts"

const { phone, text } = canary

export const webhookPage = {
  messageId: "provider-1",
  deliverystatus: "delivered",
  timestamp: "2026-11-23T12:00:00Z",
  note: text,
  phone
}
export const inboundPage = {
  idUuid: "in-1",
  alphaName: "Shop",
  phoneNumber: phone.slice(1),
  text: canary.inbound,
  dt: "2026-11-23T12:00:00Z"
}

/** What people call a webhook with. */
const calls = (path: string): ReadonlyArray<Request> => {
  const url = `http://127.0.0.1${path}`
  const post = (body: string, more: RequestInit = {}) =>
    new Request(url, { method: "POST", body, headers: { "content-type": "application/json" }, ...more })
  return [
    post(JSON.stringify(webhookPage)),
    post(JSON.stringify(inboundPage)),
    post(JSON.stringify({ ...spoilt, phoneNumber: text, idUuid: [phone] })),
    post(JSON.stringify([phone, text])),
    post(`{"${text}`),
    post(text.repeat(2000)),
    post(text, { headers: { "content-type": `text/${canary.apiKey}`, authorization: canary.apiKey } }),
    new Request(url),
    new Request(url, { method: "PUT", body: text }),
    new Request(`${url}/more`.replace(canary.webhookSecret, "wrong"), {
      method: "POST",
      body: text
    })
  ]
}

const routes = (handler: () => Effect.Effect<void, unknown>) => {
  const secret = Redacted.make(canary.webhookSecret)
  const lookup = Layer.succeed(StatusLookup.StatusLookup, { lookup: () => Effect.die(new CarelessError()) })
  return Layer.mergeAll(
    SmsBatWebhook.route({ path: "/hooks/status", secret, onReport: handler }).pipe(Layer.provide(lookup)),
    SmsBatInbound.route({ path: "/hooks/inbound", secret, onMessage: handler })
  )
}

const handlers: ReadonlyArray<readonly [string, () => Effect.Effect<void, unknown>]> = [
  ["takes it", () => Effect.void],
  ["fails", () => Effect.fail(new CarelessError())],
  ["fails with a value", () => Effect.fail({ _tag: "Lost", phone, text })],
  ["dies", () => Effect.die(new CarelessError())],
  ["interrupts itself", () => Effect.interrupt]
]

/** Webhooks of status and of inbound messages, whatever their handler does. */
export const webhooks = handlers.map(([name, handler]) =>
  on(
    "core",
    "SmsBatWebhook.route SmsBatInbound.route SmsBatWebhook.layerUntraced SmsBatWebhook.pathWithSecret",
    `a handler that ${name}`,
    Effect.gen(function* () {
      const done = yield* Deferred.make<void>()
      let handled = 0
      const counting = () =>
        Effect.ensuring(
          handler(),
          Effect.suspend(() => (++handled === 2 ? Deferred.succeed(done, undefined) : Effect.void))
        )
      // In the fiber of the case, so that its loggers and tracer are those of the witness.
      const context = yield* Effect.context<never>()
      const web = HttpRouter.toWebHandler(
        routes(counting).pipe(
          Layer.provideMerge(SmsBatWebhook.layerUntraced("/hooks/status")),
          Layer.provideMerge(SmsBatWebhook.layerUntraced("/hooks/inbound")),
          Layer.provideMerge(Layer.succeedContext(context))
        )
      )
      yield* Effect.addFinalizer(() => Effect.promise(() => web.dispose()))
      const paths = ["/hooks/status", "/hooks/inbound"] as const
      const answers: Array<unknown> = []
      for (const prefix of paths) {
        const path = Redacted.value(SmsBatWebhook.pathWithSecret(prefix, Redacted.make(canary.webhookSecret)))
        for (const request of calls(path)) {
          const response = yield* Effect.promise(() => web.handler(request))
          answers.push([response.status, yield* Effect.promise(() => response.text())])
        }
      }
      yield* Deferred.await(done)
      return answers
    })
  )
)
