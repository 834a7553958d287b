import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Schema } from "effect"
import * as StatusLookup from "../src/StatusLookup.ts"
import * as TransportReason from "../src/TransportReason.ts"
import { report, statusError } from "./support/status.ts"

const retryAfter = Duration.seconds(7)

/** Every reason there is, and whether to ask again. */
const reasons: ReadonlyArray<readonly [StatusLookup.StatusReason, boolean]> = [
  [new StatusLookup.NotFound({}), false],
  [new TransportReason.Rejected({ status: 400 }), false],
  [new TransportReason.Unencodable({ problem: "no such id" }), false],
  [new TransportReason.Unauthorized({ status: 401 }), false],
  [new TransportReason.Redirected({ status: 302 }), false],
  [new TransportReason.Throttled({ status: 429, retryAfter }), true],
  [new TransportReason.Unreachable({ code: "ECONNREFUSED" }), true],
  [new TransportReason.ServerError({ status: 500 }), true],
  [new TransportReason.UnexpectedStatus({ status: 408 }), true],
  [new TransportReason.TimedOut({}), true],
  [new TransportReason.ConnectionLost({ code: "ECONNRESET" }), true],
  [new TransportReason.UnreadableReply({ problem: "it is not JSON" }), true]
]

describe("StatusError", () => {
  it("answers for every reason whether to ask again", () => {
    assert.strictEqual(
      new Set(reasons.map(([{ _tag }]) => _tag)).size,
      StatusLookup.StatusReason.members.length
    )
    for (const [reason, expected] of reasons) {
      assert.strictEqual(statusError(reason).isRetryable, expected, reason._tag)
    }
  })

  it("passes on how long to wait", () => {
    for (const [reason] of reasons) {
      const expected = reason._tag === "Throttled" ? retryAfter : undefined
      assert.deepStrictEqual(statusError(reason).retryAfter, expected)
    }
  })

  it("says what is wrong, and nothing about requests that may have been carried out", () => {
    for (const [reason] of reasons) {
      const { message } = statusError(reason)
      assert.match(message, /^status look-up: .{5,}/u)
      assert.notInclude(message, "carried out")
    }
  })

  it.effect("goes to JSON and back", () =>
    Effect.gen(function* () {
      const codec = Schema.toCodecJson(StatusLookup.StatusError)
      for (const [reason] of reasons) {
        const json = JSON.stringify(yield* Schema.encodeEffect(codec)(statusError(reason)))
        const back = yield* Schema.decodeUnknownEffect(codec)(JSON.parse(json))
        assert.strictEqual(back.reason._tag, reason._tag)
      }
    })
  )

  it.effect("can be caught by its reason", () =>
    Effect.gen(function* () {
      const found = yield* StatusLookup.lookup("m-1").pipe(
        Effect.catchReason("StatusError", "NotFound", () => Effect.succeed("none" as const)),
        Effect.provide(
          Layer.succeed(StatusLookup.StatusLookup, {
            lookup: () => Effect.fail(statusError(new StatusLookup.NotFound({})))
          })
        )
      )
      assert.strictEqual(found, "none")
    })
  )
})

describe("lookup", () => {
  it.effect("asks the service", () =>
    Effect.gen(function* () {
      const found = yield* StatusLookup.lookup("m-7")
      assert.deepStrictEqual(found, report("processing", { messageId: "m-7" }))
    }).pipe(
      Effect.provide(
        Layer.succeed(StatusLookup.StatusLookup, {
          lookup: (messageId) => Effect.succeed(report("processing", { messageId }))
        })
      )
    )
  )
})
