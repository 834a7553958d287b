import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Logger } from "effect"
import { attempt } from "../../src/internal/attempt.ts"
import type { TransportShape } from "../../src/Transport.ts"
import { envelopes, scripted } from "../support/scripted.ts"

const tags = (transport: TransportShape) =>
  Effect.gen(function* () {
    const deliveries = yield* attempt(transport, yield* envelopes(2))
    return deliveries.map((one) => (one._tag === "Accepted" ? one._tag : `${one._tag} ${one.reason._tag}`))
  }).pipe(Effect.provide(Logger.layer([])))

describe("attempt", () => {
  it.effect("answers for every envelope, whatever the transport does", () =>
    Effect.gen(function* () {
      const whole = (what: "none" | "timedOut" | "throttled" | "defect" | "throw" | "interrupt") =>
        tags(scripted(() => "accepted", { whole: () => what }))
      assert.deepStrictEqual(yield* whole("none"), ["Accepted", "Accepted"])
      assert.deepStrictEqual(yield* whole("timedOut"), ["Unknown TimedOut", "Unknown TimedOut"])
      assert.deepStrictEqual(yield* whole("throttled"), ["NotSent Throttled", "NotSent Throttled"])
      for (const broken of ["defect", "throw", "interrupt"] as const) {
        assert.deepStrictEqual(yield* whole(broken), ["Unknown CutShort", "Unknown CutShort"], broken)
      }
    })
  )

  it.effect("takes nonsense for a defect", () =>
    Effect.gen(function* () {
      for (const nonsense of [Effect.succeed(null), Effect.fail("no"), Effect.succeed([undefined])]) {
        // What a transport written without types may do.
        const transport = { ...scripted(() => "accepted"), send: () => nonsense } as unknown as TransportShape
        assert.deepStrictEqual(yield* tags(transport), ["Unknown CutShort", "Unknown CutShort"])
      }
    })
  )

  it.effect("does not outlive the interruption of its fiber", () =>
    Effect.gen(function* () {
      const transport = scripted(() => "accepted", { before: Effect.never })
      const fiber = yield* Effect.forkChild(attempt(transport, yield* envelopes(1)), {
        startImmediately: true
      })
      yield* Fiber.interrupt(fiber)
      const exit = yield* Fiber.await(fiber)
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    })
  )
})
