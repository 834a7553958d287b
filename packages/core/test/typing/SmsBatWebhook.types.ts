/**
 * What the compiler knows about the routes of webhooks. Nothing here runs: the file holds if it compiles, and each
 * `@ts-expect-error` is a line that must not.
 */
import { Context, Effect, type Layer } from "effect"
import type { HttpRouter, HttpServerError } from "effect/http"
import * as SmsBatInbound from "../../src/SmsBatInbound.ts"
import type { SmsBatConfigError } from "../../src/SmsBatTransport.ts"
import * as SmsBatWebhook from "../../src/SmsBatWebhook.ts"
import type { StatusLookup } from "../../src/StatusLookup.ts"

class Store extends Context.Service<Store, { readonly save: Effect.Effect<void, "full"> }>()("test/Store") {}

type Route<R> = Layer.Layer<
  never,
  SmsBatConfigError,
  HttpRouter.HttpRouter | HttpRouter.Request.From<"Error", HttpServerError.HttpServerError> | R
>

const onReport = () => Effect.void
const save = () => Store.use((store) => store.save)

// Confirming needs somebody to ask; the services of the handler are those of the layer; its errors stay inside.
export const confirmed: Route<StatusLookup> = SmsBatWebhook.route({ path: "/a", onReport })
export const said: Route<StatusLookup> = SmsBatWebhook.route({ path: "/a", confirm: true, onReport })
export const hints: Route<never> = SmsBatWebhook.route({ path: "/a", confirm: false, onReport })
export const saved: Route<StatusLookup | Store> = SmsBatWebhook.route({ path: "/a", onReport: save })
export const inbound: Route<Store> = SmsBatInbound.route({ path: "/a", onMessage: save })

// @ts-expect-error -- a look-up is needed
export const noLookup: Route<never> = SmsBatWebhook.route({ path: "/a", onReport })
const maybe: boolean = Math.random() > 1
// @ts-expect-error -- and where it is only known at run time whether ends are confirmed
export const unsure: Route<never> = SmsBatWebhook.route({ path: "/a", confirm: maybe, onReport })
// @ts-expect-error -- the store is needed
export const noStore: Route<never> = SmsBatInbound.route({ path: "/a", onMessage: save })
// @ts-expect-error -- a path begins with a slash
export const noSlash = SmsBatInbound.route({ path: "a", onMessage: onReport })
// @ts-expect-error -- a secret is redacted
export const bare = SmsBatInbound.route({ path: "/a", secret: "k3mJ8cV0w1ZxQ7rT5yB2nA", onMessage: onReport })
