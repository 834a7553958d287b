/**
 * Where the provider's API is: the rules of its address.
 */
import * as Result from "effect/Result"
import * as Url from "effect/http/Url"

/** The parts of a parsed URL that are looked at. */
interface Parts {
  readonly protocol: string
  readonly hostname: string
  readonly origin: string
  readonly pathname: string
  readonly username: string
  readonly password: string
}

/** The address without a slash at its end, or what is wrong with it. The answer never repeats the address. */
export const parse = (input: string): Result.Result<string, string> => {
  const parsed = Url.fromString(input)
  if (Result.isFailure(parsed)) return Result.fail("it is not an absolute URL, such as https://example.com")
  const url: Parts = parsed.success
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    return Result.fail("it must begin with https:// (or http://127.0.0.1:… for an emulator)")
  }
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    return Result.fail(
      "it must begin with https://, as keys and phone numbers go there (http: loopback only)"
    )
  }
  if (url.username !== "" || url.password !== "") {
    return Result.fail("it must hold no user name or password; keys have options of their own")
  }
  // The bare `?` and `#` leave no trace in the parsed URL.
  if (/[?#]/u.test(input)) return Result.fail("it must hold no query (?) and no fragment (#)")
  return Result.succeed(`${url.origin}${url.pathname}`.replace(/\/+$/u, ""))
}

// The parser has already written every spelling of an address in its usual form (`127.1` as `127.0.0.1`).
const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/u.test(hostname)
