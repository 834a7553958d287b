import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, DateTime, Duration, Equal, Result } from "effect"
import { HttpClientError, HttpClientRequest, HttpClientResponse } from "effect/http"
import { inspect } from "node:util"
import * as SmsBatOutcome from "../src/SmsBatOutcome.ts"
import * as TransportReason from "../src/TransportReason.ts"
import { assertSafe, oneOf, pick, secret, spoilt } from "./support/junk.ts"
import { variants } from "./support/mutate.ts"

const at = DateTime.makeUnsafe("2026-01-25T10:00:00Z")
const maxRetryAfter = Duration.minutes(15)
const text = (body: string): SmsBatOutcome.Body => ({ _tag: "Text", text: body })

const outcome = (status: number, others: Partial<SmsBatOutcome.Answer> = {}) =>
  SmsBatOutcome.fromResponse({ status, body: text(""), at, ...others }, { maxRetryAfter })

const reason = (
  status: number,
  others: Partial<SmsBatOutcome.Answer> = {}
): TransportReason.TransportReason => {
  const result = outcome(status, others)
  return Result.isFailure(result) ? result.failure : assert.fail(`${status} is a success`)
}

const same = (actual: unknown, expected: unknown) =>
  assert.isTrue(Equal.equals(actual, expected), `${inspect(actual)} is not ${inspect(expected)}`)

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

// The table, row by row. Statuses that no row names are those of `others`.
const rejected = [400, 404, 405, 406, 410, 411, 413, 414, 415, 422, 431]
const unauthorized = [401, 402, 403, 407]
const unexpected4xx = range(400, 499).filter((s) => ![...rejected, ...unauthorized, 429].includes(s))

describe("fromResponse", () => {
  for (const status of range(200, 299)) {
    it(`${status}: the body decides`, () => {
      assert.deepStrictEqual(outcome(status, { body: text("[]") }), Result.succeed("[]"))
    })
  }

  for (const status of [200, 202]) {
    it(`${status} whose body did not come whole`, () => {
      assert.strictEqual(reason(status, { body: { _tag: "Cut" } })._tag, "UnreadableReply")
      assert.strictEqual(reason(status, { body: { _tag: "TooLong" } })._tag, "UnreadableReply")
      assert.strictEqual(reason(status, { body: { _tag: "Late" } })._tag, "TimedOut")
    })
  }

  for (const status of rejected) {
    it(`${status}: Rejected`, () => {
      same(reason(status), new TransportReason.Rejected({ status }))
      same(
        reason(status, { body: text('{"error":{"code":"INVALID_PHONE","message":"x","field":"toPhone"}}') }),
        new TransportReason.Rejected({ status, code: "INVALID_PHONE", field: "toPhone" })
      )
    })
  }

  for (const status of unauthorized) {
    it(`${status}: Unauthorized`, () => {
      same(reason(status), new TransportReason.Unauthorized({ status }))
      same(
        reason(status, { body: text('{"code":1010}') }),
        new TransportReason.Unauthorized({ status, code: "1010" })
      )
    })
  }

  for (const status of range(300, 399)) {
    it(`${status}: Redirected`, () => same(reason(status), new TransportReason.Redirected({ status })))
  }

  it("a redirect whose status the client hides: Redirected", () => {
    same(reason(0, { redirect: "stopped" }), new TransportReason.Redirected({ status: 0 }))
  })

  it("whatever comes from the end of a redirect: UnreadableReply", () => {
    for (const status of [200, 302, 400, 401, 429, 500]) {
      const { _tag, certainty } = reason(status, { redirect: "followed", body: text("[]") })
      assert.deepStrictEqual([_tag, certainty], ["UnreadableReply", "Unknown"])
    }
  })

  it("429: Throttled, for as long as it says", () => {
    same(reason(429), new TransportReason.Throttled({ status: 429 }))
    same(
      reason(429, { retryAfter: "7" }),
      new TransportReason.Throttled({ status: 429, retryAfter: Duration.seconds(7) })
    )
    same(
      reason(429, { retryAfter: "Sun, 25 Jan 2026 10:01:30 GMT" }),
      new TransportReason.Throttled({ status: 429, retryAfter: Duration.seconds(90) })
    )
    same(
      reason(429, { retryAfter: "86400" }),
      new TransportReason.Throttled({ status: 429, retryAfter: Duration.minutes(15) })
    )
    same(reason(429, { retryAfter: "soon" }), new TransportReason.Throttled({ status: 429 }))
    same(reason(429, { retryAfter: "" }), new TransportReason.Throttled({ status: 429 }))
  })

  it("503 with Retry-After: Throttled", () => {
    same(
      reason(503, { retryAfter: "-5" }),
      new TransportReason.Throttled({ status: 503, retryAfter: Duration.zero })
    )
    // It asks for patience in words we cannot read: patience it is, by backoff.
    same(reason(503, { retryAfter: "tomorrow" }), new TransportReason.Throttled({ status: 503 }))
  })

  it("503 without Retry-After: ServerError", () => {
    same(reason(503), new TransportReason.ServerError({ status: 503 }))
    same(reason(503, { retryAfter: "" }), new TransportReason.ServerError({ status: 503 }))
    same(reason(503, { retryAfter: "  " }), new TransportReason.ServerError({ status: 503 }))
  })

  for (const status of range(500, 599).filter((s) => s !== 503)) {
    it(`${status}: ServerError`, () => {
      same(reason(status), new TransportReason.ServerError({ status }))
      same(
        reason(status, { body: text('{"error":{"code":"INTERNAL"}}'), retryAfter: "5" }),
        new TransportReason.ServerError({ status, code: "INTERNAL" })
      )
    })
  }

  for (const status of [...unexpected4xx, ...range(100, 199), 0, 1, 99, 600, 999, -1]) {
    it(`${status}: UnexpectedStatus`, () =>
      same(reason(status), new TransportReason.UnexpectedStatus({ status })))
  }

  it("what is no status: UnexpectedStatus", () => {
    for (const status of [Number.NaN, Number.POSITIVE_INFINITY, 200.5 + 400]) {
      same(reason(status), new TransportReason.UnexpectedStatus({ status: 0 }))
    }
  })

  it("an error whose body did not come whole: the status decides", () => {
    for (const body of [{ _tag: "Cut" }, { _tag: "TooLong" }, { _tag: "Late" }] as const) {
      same(reason(400, { body }), new TransportReason.Rejected({ status: 400 }))
      same(reason(401, { body }), new TransportReason.Unauthorized({ status: 401 }))
      same(reason(302, { body }), new TransportReason.Redirected({ status: 302 }))
      same(reason(500, { body }), new TransportReason.ServerError({ status: 500 }))
      same(reason(409, { body }), new TransportReason.UnexpectedStatus({ status: 409 }))
      same(
        reason(429, { body, retryAfter: "1" }),
        new TransportReason.Throttled({ status: 429, retryAfter: Duration.seconds(1) })
      )
    }
  })

  it("claims that nothing was sent for no other status than those of the table", () => {
    const certain = range(0, 999).filter(
      (status) => !(status >= 200 && status < 300) && reason(status).certainty === "NotSent"
    )
    assert.deepStrictEqual(
      certain,
      [...range(300, 399), ...rejected, ...unauthorized, 429].sort((a, b) => a - b)
    )
  })

  it("gives a reason for 4,000 mutated error bodies, and repeats no sentence of them", () => {
    const seeds = [
      '{"error":{"code":"INVALID_PHONE","message":"Invalid phone number +380671112233","field":"toPhone"}}',
      '{"status":400,"error":"Bad Request","message":"Missing required field: \'messages\'","code":1001}',
      '{"type":"x","title":"One or more errors","status":400,"errors":{"[0].toPhone":["+380671112233 is not valid"]}}',
      "<html><body>400 Bad Request +380671112233</body></html>"
    ]
    for (const body of variants(seeds, 1000, 4)) {
      const { _tag, ...detail } = reason(400, { body: text(body) })
      assert.strictEqual(_tag, "Rejected")
      assert.notInclude(JSON.stringify(detail), "380671112233")
      assert.notInclude(JSON.stringify(detail), " ")
    }
  })
})

describe("fromClientError", () => {
  const request = HttpClientRequest.post("https://restapi.smsbat.com/secret-path").pipe(
    HttpClientRequest.setHeader("x-authorization-key", "canary-key"),
    HttpClientRequest.bodyText("canary-body")
  )
  const failed = (cause?: unknown) =>
    new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause }) })
  const system = (code: string, syscall?: string) =>
    Object.assign(new Error(`${syscall ?? ""} ${code} canary`), {
      code,
      ...(syscall === undefined ? {} : { syscall })
    })

  const unreachable: ReadonlyArray<readonly [string, string?]> = [
    ["ECONNREFUSED", "connect"],
    ["ECONNREFUSED"],
    ["ENOTFOUND", "getaddrinfo"],
    ["ENOTFOUND"],
    ["EAI_AGAIN", "getaddrinfo"],
    ["EAI_AGAIN"],
    ["EHOSTUNREACH", "connect"],
    ["EHOSTUNREACH"],
    ["ENETUNREACH", "connect"],
    ["ENETUNREACH"],
    ["ETIMEDOUT", "connect"],
    ["ECONNRESET", "connect"],
    ["EADDRNOTAVAIL", "connect"],
    ["UND_ERR_CONNECT_TIMEOUT"],
    ["ERR_SOCKET_CONNECTION_TIMEOUT"],
    ["CERT_HAS_EXPIRED"],
    ["CERT_NOT_YET_VALID"],
    ["CERT_REVOKED"],
    ["ERR_TLS_CERT_ALTNAME_INVALID"],
    ["ERR_TLS_HANDSHAKE_TIMEOUT"],
    ["DEPTH_ZERO_SELF_SIGNED_CERT"],
    ["SELF_SIGNED_CERT_IN_CHAIN"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
    ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY"],
    ["HOSTNAME_MISMATCH"],
    ["INVALID_CA"],
    ["ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE"],
    ["ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE"],
    ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION"],
    ["ERR_SSL_UNSUPPORTED_PROTOCOL"],
    ["ERR_SSL_CERTIFICATE_VERIFY_FAILED"],
    ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED"],
    ["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA"]
  ]
  for (const [code, syscall] of unreachable) {
    it(`${code} ${syscall ?? ""}: Unreachable`, () => {
      same(
        SmsBatOutcome.fromClientError(failed(system(code, syscall))),
        new TransportReason.Unreachable({ code })
      )
    })
  }

  const lost: ReadonlyArray<readonly [string, string?]> = [
    ["ECONNRESET", "read"],
    ["ECONNRESET"],
    ["EPIPE", "write"],
    ["UND_ERR_SOCKET"],
    ["UND_ERR_ABORTED"],
    ["HPE_INVALID_CONSTANT"],
    // A connection that was made can end like this too.
    ["ETIMEDOUT", "read"],
    ["ETIMEDOUT"],
    ["ECONNREFUSED", "read"],
    ["EHOSTUNREACH", "read"],
    ["ENETUNREACH", "write"],
    ["ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC"],
    ["ERR_SSL_WRONG_VERSION_NUMBER"],
    ["ERR_TLS_RENEGOTIATION_DISABLED"],
    ["EPROTO", "write"]
  ]
  for (const [code, syscall] of lost) {
    it(`${code} ${syscall ?? ""}: ConnectionLost`, () => {
      same(
        SmsBatOutcome.fromClientError(failed(system(code, syscall))),
        new TransportReason.ConnectionLost({ code })
      )
    })
  }

  for (const code of ["UND_ERR_HEADERS_TIMEOUT", "UND_ERR_BODY_TIMEOUT"]) {
    it(`${code}: TimedOut`, () => {
      same(SmsBatOutcome.fromClientError(failed(system(code))), new TransportReason.TimedOut({}))
    })
  }

  it("a TLS connection that ended within the handshake: Unreachable", () => {
    const message = "Client network socket disconnected before secure TLS connection was established"
    const error = Object.assign(new Error(message), { code: "ECONNRESET" })
    same(
      SmsBatOutcome.fromClientError(failed(error)),
      new TransportReason.Unreachable({ code: "ECONNRESET" })
    )
  })

  it("a first record that is not TLS: Unreachable; a later one: ConnectionLost", () => {
    const error = (where: string) =>
      Object.assign(new Error(`error:0A00010B:SSL routines:${where}:wrong version number:x.c:77:`), {
        code: "ERR_SSL_WRONG_VERSION_NUMBER"
      })
    const outcomes = ["tls_validate_record_header", "tls13_validate_record_header", "ssl3_get_record"].map(
      (where) => SmsBatOutcome.fromClientError(failed(error(where)))._tag
    )
    assert.deepStrictEqual(outcomes, ["Unreachable", "ConnectionLost", "ConnectionLost"])
  })

  it("what a write ran into, in words alone", () => {
    const error = (words: string) =>
      Object.assign(
        new Error(`write EPROTO 401D:error:0A000410:SSL routines:ssl3_read_bytes:${words}:../rec.c:912:`),
        {
          code: "EPROTO",
          syscall: "write"
        }
      )
    const outcomes = [
      "ssl/tls alert handshake failure",
      "unsupported protocol",
      "decryption failed or bad record mac"
    ].map((words) => SmsBatOutcome.fromClientError(failed(error(words)))._tag)
    assert.deepStrictEqual(outcomes, ["Unreachable", "Unreachable", "ConnectionLost"])
  })

  it("causes within causes", () => {
    const fetchFailed = new TypeError("fetch failed", { cause: system("ECONNREFUSED", "connect") })
    assert.strictEqual(SmsBatOutcome.fromClientError(failed(fetchFailed))._tag, "Unreachable")
    const deeper = new Error("x", { cause: new Error("y", { cause: fetchFailed }) })
    assert.strictEqual(SmsBatOutcome.fromClientError(failed(deeper))._tag, "Unreachable")
    // The outermost error that says what happened is believed.
    const reset = Object.assign(new Error("x", { cause: fetchFailed }), { code: "ECONNRESET" })
    assert.strictEqual(SmsBatOutcome.fromClientError(failed(reset))._tag, "ConnectionLost")
  })

  it("several addresses: Unreachable only if none of them was reached", () => {
    const refused = system("ECONNREFUSED", "connect")
    const late = system("ETIMEDOUT", "connect")
    const reset = system("ECONNRESET", "read")
    const all = (...errors: ReadonlyArray<Error>) =>
      SmsBatOutcome.fromClientError(
        // Node gives the whole the code of its first error.
        failed(
          new TypeError("fetch failed", {
            cause: Object.assign(new AggregateError(errors), { code: "ECONNREFUSED" })
          })
        )
      )._tag
    assert.strictEqual(all(refused, late), "Unreachable")
    assert.strictEqual(all(refused, reset), "ConnectionLost")
    assert.strictEqual(all(reset, refused), "ConnectionLost")
    assert.strictEqual(all(refused, new Error("?")), "ConnectionLost")
    assert.strictEqual(all(refused, new AggregateError([refused])), "ConnectionLost")
  })

  it("a request that could not be made: Unencodable", () => {
    for (const Reason of [HttpClientError.InvalidUrlError, HttpClientError.EncodeError]) {
      const error = new HttpClientError.HttpClientError({ reason: new Reason({ request }) })
      assert.strictEqual(SmsBatOutcome.fromClientError(error)._tag, "Unencodable")
    }
  })

  it("an answer that the client keeps to itself: UnreadableReply", () => {
    const response = HttpClientResponse.fromWeb(request, new Response("canary"))
    for (const Reason of [
      HttpClientError.DecodeError,
      HttpClientError.EmptyBodyError,
      HttpClientError.StatusCodeError
    ]) {
      const error = new HttpClientError.HttpClientError({ reason: new Reason({ request, response }) })
      assert.strictEqual(SmsBatOutcome.fromClientError(error)._tag, "UnreadableReply")
    }
  })

  it("anything else: ConnectionLost, and never a defect", () => {
    const cyclic = new Error("x")
    cyclic.cause = cyclic
    const many = Object.assign(new Error("x"), { errors: [] as Array<unknown> })
    many.errors.push(many, many, many)
    const hostile = new Proxy(new Error("x"), {
      get: () => {
        throw new Error("no")
      },
      has: () => {
        throw new Error("no")
      }
    })
    const broken = Object.create(failed(), { reason: { value: undefined } })
    for (const error of [
      undefined,
      null,
      "x",
      7,
      Symbol("x"),
      {},
      [],
      new Error("x"),
      new TypeError("fetch failed"),
      new DOMException("aborted", "AbortError"),
      { code: 42 },
      { code: "not a code" },
      { code: "X".repeat(500) },
      { errors: [] },
      { errors: "x" },
      cyclic,
      many,
      hostile,
      broken,
      failed(hostile)
    ]) {
      same(SmsBatOutcome.fromClientError(error), new TransportReason.ConnectionLost({}))
    }
  })

  const later = Arbitrary.all({
    code: pick([
      "ECONNRESET",
      "EPIPE",
      "ECONNREFUSED",
      "EHOSTUNREACH",
      "ETIMEDOUT",
      "UND_ERR_SOCKET",
      "EPROTO"
    ]),
    syscall: pick(["read", "write", "shutdown"]),
    message: pick(["socket hang up", "other side closed", "fetch failed", secret])
  })
  const client = oneOf<unknown>(
    spoilt({ code: "ECONNRESET", syscall: "read", message: secret }, [
      "code",
      "message",
      "cause",
      "errors",
      "reason"
    ]),
    later,
    later.pipe(Arbitrary.map((cause) => ({ message: "fetch failed", cause }))),
    Arbitrary.array(later, { maxLength: 3 }).pipe(Arbitrary.map((errors) => ({ errors })))
  )
  it.prop(
    "claims of no error that comes after the connection that nothing was sent",
    [client],
    ([error]) => {
      for (const given of [error, failed(error)]) {
        const reason = SmsBatOutcome.fromClientError(given)
        assert.strictEqual(reason.certainty, "Unknown")
        assertSafe(reason)
      }
    },
    { arbitrary: { runs: 4000 } }
  )

  it("keeps nothing of the request or of the error's words", () => {
    for (const code of ["ECONNREFUSED", "ECONNRESET", "CERT_HAS_EXPIRED"]) {
      const shown = inspect(SmsBatOutcome.fromClientError(failed(system(code, "read"))), {
        depth: null,
        showHidden: true
      })
      assert.notInclude(shown, "canary")
      assert.notInclude(shown, "secret-path")
    }
  })
})
