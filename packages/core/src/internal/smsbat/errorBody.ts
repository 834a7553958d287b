/**
 * What is kept of the body of an error reply: the provider's code and the field it names, and nothing else.
 *
 * The rest is free text, which may repeat the phone number or the text of a message. Code and field are kept only
 * where they look like identifiers, so that no sentence and no number of a person hides in them.
 *
 * Shapes: https://smsbat.com/help/api/cascade/send/ (Error Response), https://smsbat.com/help/api/error-codes/,
 * https://help.smsbat.com/api/rate-limits/, and RFC 9457 with ASP.NET's `errors`.
 */
import * as Result from "effect/Result"
import { isObject, own } from "../unknown.ts"

/** What an error reply says that may be repeated. */
export interface ErrorBody {
  readonly code?: string
  readonly field?: string
}

/**
 * Reads any text; what is not understood is passed over.
 *
 * - `{"error":{"code":"INVALID_PHONE","message":"…","field":"toPhone"}}`, also without `field`
 * - `{"status":400,"error":"Bad Request","message":"…","code":1001}`, also without `code`
 * - `{"title":"…","status":400,"errors":{"[0].toPhone":["…"]}}`
 */
export const parse = (text: string): ErrorBody => {
  const parsed = Result.try((): unknown => JSON.parse(text))
  if (Result.isFailure(parsed)) return {}
  const body = parsed.success
  const error = own(body, "error")
  const code = identifier(own(error, "code")) ?? identifier(own(body, "code"))
  const field = identifier(own(error, "field")) ?? identifier(own(body, "field")) ?? problemField(body)
  return { ...(code === undefined ? {} : { code }), ...(field === undefined ? {} : { field }) }
}

/** The first field of ASP.NET's `errors` that has a name: `toPhone` of `[0].toPhone` or `$[0].toPhone`. */
const problemField = (body: unknown): string | undefined => {
  const errors = own(body, "errors")
  if (!isObject(errors)) return undefined
  for (const path of Object.keys(errors)) {
    const field = identifier(/^(?:[^.]{0,80}\.){0,8}([^.]{1,64})$/u.exec(path)?.[1])
    if (field !== undefined) return field
  }
  return undefined
}

/** A word or a short number. Seven digits in a row may be a phone number, whatever stands around them. */
const identifier = (value: unknown): string | undefined => {
  const text = typeof value === "number" ? String(value) : value
  if (typeof text !== "string" || /\d{7}/u.test(text)) return undefined
  return /^(?:[A-Za-z][A-Za-z0-9_.-]{0,63}|\d{1,6})$/u.test(text) ? text : undefined
}
