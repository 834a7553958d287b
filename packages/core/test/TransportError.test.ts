import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Schema } from "effect"
import * as TransportReason from "../src/TransportReason.ts"
import { TransportError } from "../src/TransportError.ts"

const throttled = new TransportError({
  transport: "smsbat",
  reason: new TransportReason.Throttled({ status: 429, retryAfter: Duration.seconds(7) })
})

describe("TransportError", () => {
  it("answers for its reason", () => {
    assert.strictEqual(throttled.certainty, "NotSent")
    assert.deepStrictEqual(throttled.retryAfter, Duration.seconds(7))
    assert.strictEqual(throttled.message, "smsbat: the provider asks to slow down (429)")
    const timedOut = new TransportError({ transport: "smsbat", reason: new TransportReason.TimedOut() })
    assert.strictEqual(timedOut.certainty, "Unknown")
    assert.isUndefined(timedOut.retryAfter)
  })

  it.prop("has the certainty of every reason", [TransportReason.TransportReason], ([reason]) => {
    const error = new TransportError({ transport: "a", reason })
    assert.strictEqual(error.certainty, reason.certainty)
    assert.strictEqual(error.message, `a: ${reason.message}`)
  })

  it.effect("can be caught by its reason", () =>
    Effect.gen(function* () {
      const failing: Effect.Effect<string, TransportError> = Effect.fail(throttled)
      const caught = yield* failing.pipe(
        Effect.catchReason("TransportError", "Throttled", (reason) =>
          Effect.succeed(`wait (${reason.status})`)
        )
      )
      assert.strictEqual(caught, "wait (429)")
      const missed = yield* failing.pipe(
        Effect.catchReason("TransportError", "TimedOut", () => Effect.succeed("timed out")),
        Effect.flip
      )
      assert.strictEqual<unknown>(missed, throttled)
    })
  )

  it.prop("round-trips through JSON", [TransportError], ([error]) => {
    const codec = Schema.toCodecJson(TransportError)
    const again = Schema.decodeUnknownSync(codec)(JSON.parse(JSON.stringify(Schema.encodeSync(codec)(error))))
    assert.deepStrictEqual(again, error)
    assert.strictEqual(again.message, error.message)
  })
})
