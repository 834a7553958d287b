/**
 * A client that trusts nothing: plain node:http, which says exactly what came back over the connection.
 */
import { Effect } from "effect"
import { type Agent, request as open } from "node:http"

/** What came back: a reply, whole or not, or the code of what happened to the connection. */
export interface Outcome {
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly text: string
  /** `ECONNRESET` and the like. */
  readonly code: string | undefined
}

export interface CallOptions {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly agent?: Agent
}

export const standard = "/api/CascadeMessage/send_message/async"
export const tgViber = "/api/CascadeMessage/send_message/tg-viber/async"

export const keyed = { "x-authorization-key": "test-key", "content-type": "application/json" }

/** One request; never fails. Interruption destroys the connection. */
export const call = (url: string, options: CallOptions = {}): Effect.Effect<Outcome> =>
  Effect.callback((resume) => {
    const { body, headers = keyed, method = "POST", path = standard } = options
    const request = open(`${url}${path}`, { agent: options.agent ?? false, method, headers }, (response) => {
      let text = ""
      const end = (code: string | undefined) =>
        resume(Effect.succeed({ status: response.statusCode, headers: response.headers, text, code }))
      response.setEncoding("utf8")
      response.on("data", (chunk: string) => {
        text += chunk
      })
      response.on("end", () => end(undefined))
      response.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
    })
    request.on("error", (error: NodeJS.ErrnoException) =>
      resume(Effect.succeed({ status: undefined, headers: {}, text: "", code: error.code ?? error.message }))
    )
    request.end(body)
    return Effect.sync(() => void request.destroy())
  })

/** A message that every rule accepts. */
export const message = (id: string, fields: Readonly<Record<string, unknown>> = {}) => ({
  id,
  fromName: "Shop",
  toPhone: "+380671112233",
  messageType: "transaction",
  text: "Your order is confirmed",
  ...fields
})

/** Sends messages with the known key. */
export const send = (
  url: string,
  messages: unknown,
  options: Omit<CallOptions, "body"> = {}
): Effect.Effect<Outcome> => call(url, { ...options, body: JSON.stringify(messages) })

/** The tracking ids of a reply to a send, in its order. */
export const idsOf = (outcome: Outcome): ReadonlyArray<unknown> =>
  JSON.parse(outcome.text).map((pair: { readonly trackinId: unknown }) => pair.trackinId)
