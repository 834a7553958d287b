/**
 * The HTTP requests to SMSBAT, built so that nothing shows what is in them.
 */
import * as Redacted from "effect/Redacted"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type { Account } from "./config.ts"
import * as utf8 from "../utf8.ts"

/** A POST of JSON. */
export const post = (account: Account, path: string, json: string): HttpClientRequest.HttpClientRequest =>
  withKeys(account, HttpClientRequest.post(`${account.baseUrl}${path}`)).pipe(
    // As plain bytes, since a body that knows itself to be text shows it to whoever inspects the request.
    HttpClientRequest.setBody(HttpBody.uint8Array(utf8.encode(json))),
    HttpClientRequest.setHeader("Content-Type", "application/json")
  )

/** A GET of JSON. */
export const get = (account: Account, path: string): HttpClientRequest.HttpClientRequest =>
  withKeys(account, HttpClientRequest.get(`${account.baseUrl}${path}`))

const withKeys = (account: Account, request: HttpClientRequest.HttpClientRequest) =>
  HttpClientRequest.setHeaders(
    HttpClientRequest.acceptJson(request),
    account.keys.map(([header, key]): [string, string] => [header, Redacted.value(key)])
  )
