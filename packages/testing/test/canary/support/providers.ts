import { Effect } from "effect"
import { HttpClient, HttpClientError, HttpClientResponse } from "effect/http"
import { canary } from "./canaries.ts"
import { CarelessError } from "./cases.ts"

const { phone, text } = canary

/** A provider that repeats what it was sent, in every field of every shape of error. */
export const echo = (body: string): string => {
  const said = `${body} ${phone} ${phone.slice(1)} ${text} ${canary.apiKey}`
  return JSON.stringify({
    error: { code: said, message: said, field: said },
    code: phone.slice(1),
    field: text,
    title: said,
    errors: { [phone]: [said], [`[0].${text}`]: [said] }
  })
}

/** A client whose provider answers so. */
export const answering = (respond: (body: string) => Response): HttpClient.HttpClient =>
  HttpClient.make((request) =>
    Effect.sync(() => {
      const body = request.body._tag === "Uint8Array" ? new TextDecoder().decode(request.body.body) : ""
      return HttpClientResponse.fromWeb(request, respond(body))
    })
  )

const idsOf = (body: string): ReadonlyArray<string> =>
  (JSON.parse(body) as ReadonlyArray<{ readonly id: string }>).map(({ id }) => id)

/** A client that gets no answer. */
const failing = (cause: unknown): HttpClient.HttpClient =>
  HttpClient.make((request) =>
    Effect.fail(
      new HttpClientError.HttpClientError({
        reason: new HttpClientError.TransportError({ request, cause, description: `${text} ${phone}` })
      })
    )
  )

/** Providers and networks of every kind. */
export const clients: Readonly<Record<string, HttpClient.HttpClient>> = {
  accepts: answering((body) =>
    Response.json(idsOf(body).map((id) => ({ trackinId: id, messageId: `provider-${id}`, text, phone })))
  ),
  ...Object.fromEntries(
    [200, 302, 400, 401, 409, 429, 500, 503].map((status) => [
      `answers ${status}`,
      answering(
        (body) =>
          new Response(echo(body), {
            status,
            headers: { "retry-after": phone, location: `https://x/${canary.apiKey}`, "set-cookie": phone }
          })
      )
    ])
  ),
  "answers HTML": answering(
    (body) => new Response(`<html>${body}${text}</html>`, { headers: { "content-type": text.slice(8, 12) } })
  ),
  "names others": answering(() => Response.json([{ trackinId: phone, messageId: text }, { [text]: phone }])),
  refused: failing(Object.assign(new CarelessError(), { code: "ECONNREFUSED", syscall: "connect" })),
  reset: failing(Object.assign(new CarelessError(), { code: "ECONNRESET" })),
  "fails with the request": failing({ code: text, message: phone, request: { headers: canary } }),
  "makes errors of statuses": HttpClient.filterStatusOk(
    answering((body) => new Response(echo(body), { status: 500 }))
  ),
  dies: HttpClient.make(() => Effect.die(new CarelessError())),
  "never answers": HttpClient.make(() => Effect.never)
}
