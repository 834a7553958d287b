/**
 * What the emulator answers: the documented success, and errors in every shape that the provider's pages show.
 */
import { STATUS_CODES } from "node:http"

/** One element of a success reply. */
export interface Pair {
  readonly messageId: string
  readonly trackinId: string | null
}

/** A reply before it goes on the wire. */
export interface Reply {
  readonly status: number
  /** The `Content-Type`, or `undefined` for none. */
  readonly type: string | undefined
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
  /** What a success reply to a send says, for faults to rewrite. */
  readonly pairs?: ReadonlyArray<Pair>
  /** How many messages of the request it names as accepted. Defaults to 0. */
  readonly confirmed?: number
}

/**
 * The shapes in which the provider's pages show an error: A https://smsbat.com/help/api/cascade/send/,
 * B https://smsbat.com/help/api/smsbat/send-message/, C https://smsbat.com/help/api/error-codes/,
 * D https://help.smsbat.com/api/rate-limits/; and what servers answer that no page shows.
 */
export type ErrorShape = "A" | "B" | "C" | "D" | "problem" | "html" | "empty"

/** What an error reply says. */
export interface Failure {
  readonly status: number
  /** The code word. Defaults to one made from the status. */
  readonly code?: string
  /** The code number of shape C. */
  readonly number?: number
  readonly message: string
  readonly field?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** JSON with a status. */
export const json = (status: number, value: unknown): Reply => ({
  status,
  type: "application/json; charset=utf-8",
  body: JSON.stringify(value)
})

/** An error in one of the shapes. */
export const failure = (shape: ErrorShape, failure: Failure): Reply => {
  const { field, headers = {}, message, number, status } = failure
  const title = STATUS_CODES[status] ?? "Error"
  const code = failure.code ?? title.toUpperCase().replace(/\W+/g, "_")
  switch (shape) {
    case "A":
      return {
        ...json(status, { error: { code, message, ...(field === undefined ? {} : { field }) } }),
        headers
      }
    case "B":
      return { ...json(status, { error: { code, message } }), headers }
    case "C":
      return {
        ...json(status, {
          status,
          error: title,
          message,
          ...(number === undefined ? {} : { code: number })
        }),
        headers
      }
    case "D":
      return { ...json(status, { error: title, message, status }), headers }
    case "problem": {
      const errors = field === undefined ? {} : { errors: { [field]: [message] } }
      const problem = { type: "about:blank", title, status, ...errors }
      return { ...json(status, problem), type: "application/problem+json; charset=utf-8", headers }
    }
    case "html":
      return { ...html(status), headers }
    case "empty":
      return { status, type: undefined, body: "", headers }
  }
}

/** 429 in its documented shape, or in none of JSON where that was asked for. */
export const tooManyRequests = (shape: ErrorShape, headers: Readonly<Record<string, string>> = {}): Reply =>
  failure(shape === "problem" || shape === "html" || shape === "empty" ? shape : "D", {
    status: 429,
    message: "Rate limit exceeded. Please wait before sending more requests.",
    headers
  })

/** A page of HTML, as a proxy before the provider would answer. */
export const html = (status: number): Reply => {
  const title = `${status} ${STATUS_CODES[status] ?? ""}`.trim()
  return {
    status,
    type: "text/html; charset=utf-8",
    body: `<!DOCTYPE html><html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>`
  }
}

/** 200 for a send: which message has which id. The id of the caller is spelt `trackinId`, as the page has it. */
export const accepted = (pairs: ReadonlyArray<Pair>, field: "trackinId" | "trackingId"): Reply => {
  // Written by hand, since this is what every message of a load run passes through. A UUID needs no escape.
  let body = "["
  for (const { messageId, trackinId } of pairs) {
    if (body.length > 1) body += ","
    body += `{"messageId":"${messageId}","${field}":${JSON.stringify(trackinId)}}`
  }
  const type = "application/json; charset=utf-8"
  return { status: 200, type, body: `${body}]`, pairs, confirmed: pairs.length }
}
