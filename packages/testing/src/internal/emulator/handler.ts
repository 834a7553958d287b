/**
 * The emulator's front door: which endpoint a request is for, whose key it has, what its body holds.
 *
 * Plain code over plain state, as every request of a load run passes through it. See
 * https://smsbat.com/help/api/cascade/send/ for the endpoints, the headers and the statuses.
 */
import type { IncomingMessage } from "node:http"
import type { Call, Emulation } from "./emulation.ts"
import type { Exchange } from "./exchange.ts"
import { perform, refusals } from "./perform.ts"
import * as reply from "./reply.ts"
import * as sendMessages from "./sendMessages.ts"
import * as statusLookup from "./statusLookup.ts"

/** Handles one request. `onHandled` is called as soon as its faults have fired and nothing but time is awaited. */
export const handle = (emulation: Emulation, exchange: Exchange, onHandled: () => void): void => {
  const call = admit(emulation, exchange)
  if (call === undefined) {
    // Read to its end, so that the connection can be used again.
    exchange.request.resume()
    return
  }
  const reading = emulation.faults.whileReading({ ...call, messages: [] })
  if (reading !== undefined) {
    exchange.record.faults = [reading]
    return exchange.reset()
  }
  if (call.endpoint === "status") {
    lookUp(emulation, call)
    return onHandled()
  }
  readBody(emulation, call, (body) => {
    if (call.endpoint === "send") send(emulation, call, body)
    else upload(emulation, call, body)
    onHandled()
  })
}

const send = (emulation: Emulation, call: Call, body: unknown): void => {
  const batch = sendMessages.readBatch(emulation, body)
  if (!("length" in batch)) return call.exchange.answer(batch)
  call.exchange.record.messages = batch.length
  const fired = emulation.faults.fire({ ...call, messages: batch })
  call.exchange.record.faults = fired.names
  perform(emulation, call, fired, () => sendMessages.accept(emulation, call, batch))
}

const lookUp = (emulation: Emulation, call: Call): void => {
  const fired = emulation.faults.fire({ ...call, messages: [] })
  call.exchange.record.faults = fired.names
  perform(emulation, call, fired, () => statusLookup.lookUp(emulation, call))
}

const upload = (emulation: Emulation, call: Call, body: unknown): void => {
  const fired = emulation.faults.fire({ ...call, messages: [] })
  call.exchange.record.faults = fired.names
  perform(emulation, call, fired, () =>
    emulation.items.upload(call.account, body)
      ? // What a success looks like is not documented.
        reply.json(200, {})
      : reply.failure(emulation.settings.errorShape, {
          status: 400,
          code: "INVALID_REQUEST",
          number: 1001,
          message: "The body must hold an array of variables",
          field: "variables"
        })
  )
}

interface Endpoint {
  readonly endpoint: Call["endpoint"]
  readonly method: "GET" | "POST"
  readonly route?: Call["route"]
}

const endpoints: ReadonlyMap<string, Endpoint> = new Map<string, Endpoint>([
  ["/api/CascadeMessage/send_message/async", { endpoint: "send", method: "POST", route: "standard" }],
  [
    "/api/CascadeMessage/send_message/tg-viber/async",
    { endpoint: "send", method: "POST", route: "tg-viber" }
  ],
  ["/api/items", { endpoint: "items", method: "POST" }]
])

const statusPath = "/bat/message/"
const statusEndpoint: Endpoint = { endpoint: "status", method: "GET" }

/** Answers what the front door refuses, and says nothing of it; else the call. */
const admit = (emulation: Emulation, exchange: Exchange): Call | undefined => {
  const { record, request } = exchange
  const { errorShape } = emulation.settings
  const fail = (failure: reply.Failure) => void exchange.answer(reply.failure(errorShape, failure))
  const isStatus = record.path.startsWith(statusPath) && record.path.length > statusPath.length
  const found = isStatus ? statusEndpoint : endpoints.get(record.path)
  if (found === undefined) return fail({ status: 404, message: "No such endpoint" })
  record.endpoint = found.endpoint
  record.route = found.route
  if (record.method !== found.method) {
    return fail({ status: 405, message: `Use ${found.method}`, headers: { allow: found.method } })
  }
  const account = accountOf(emulation.settings.accounts, request, found.endpoint)
  if (account === undefined) return fail(refusals[401])
  record.account = account
  if (emulation.suspended.has(account)) return fail(refusals[403])
  if (!withinLimit(emulation, account, found.endpoint)) {
    return void exchange.answer(reply.tooManyRequests(errorShape))
  }
  if (found.method === "POST" && !isJson(request.headers["content-type"])) {
    return fail({ status: 415, message: "Content-Type must be application/json" })
  }
  const parameter = isStatus ? record.path.slice(statusPath.length) : ""
  return { exchange, endpoint: found.endpoint, route: found.route, account, parameter }
}

/** The account of the first known key; the page asks for at least one of three headers. */
const accountOf = (
  accounts: ReadonlyMap<string, string>,
  request: IncomingMessage,
  endpoint: Call["endpoint"]
): string | undefined => {
  for (const name of ["x-authorization-key", "x-viber-auth-token", "x-tg-bot-key"]) {
    const key = request.headers[name]
    const account = typeof key === "string" ? accounts.get(key) : undefined
    if (account !== undefined) return account
  }
  // The status lookup also takes the key as the password of the user @.
  const basic = endpoint === "status" ? /^Basic (\S+)$/i.exec(request.headers.authorization ?? "") : null
  const [user, ...password] = Buffer.from(basic?.[1] ?? "", "base64")
    .toString()
    .split(":")
  return user === "@" ? accounts.get(password.join(":")) : undefined
}

const withinLimit = (emulation: Emulation, account: string, endpoint: Call["endpoint"]): boolean => {
  const { rateLimit } = emulation.settings
  if (rateLimit === undefined) return true
  return endpoint === "send"
    ? emulation.limiter.take(`send ${account}`, rateLimit.send, emulation.now())
    : emulation.limiter.take(`data ${account}`, rateLimit.data, emulation.now())
}

const isJson = (contentType: string | undefined): boolean =>
  contentType !== undefined && /^application\/json\s*(?:;|$)/i.test(contentType)

const readBody = (emulation: Emulation, call: Call, onBody: (body: unknown) => void): void => {
  const { exchange } = call
  const { errorShape, maxBodyBytes } = emulation.settings
  const chunks: Array<Buffer> = []
  let tooLarge = false
  exchange.request.on("data", (chunk: Buffer) => {
    exchange.record.bytes += chunk.length
    if (exchange.record.bytes > maxBodyBytes) tooLarge = true
    if (!tooLarge) chunks.push(chunk)
  })
  exchange.request.on("end", () => {
    if (tooLarge) {
      return exchange.answer(reply.failure(errorShape, { status: 413, message: "The body is too large" }))
    }
    const body = parse(chunks)
    if (body._tag === "Parsed") return onBody(body.value)
    const message = "The body is not JSON"
    exchange.answer(
      reply.failure(errorShape, { status: 400, code: "INVALID_REQUEST", number: 1001, message })
    )
  })
}

type Body = { readonly _tag: "Parsed"; readonly value: unknown } | { readonly _tag: "Malformed" }

const parse = (chunks: ReadonlyArray<Buffer>): Body => {
  const [first] = chunks
  const bytes = chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)
  try {
    return { _tag: "Parsed", value: JSON.parse(bytes.toString("utf8")) }
  } catch {
    return { _tag: "Malformed" }
  }
}
