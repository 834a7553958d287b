/**
 * Level 1, a fake provider: what does the service send, and what does it make of the answer?
 */
import { assert, it } from "@effect/vitest"
import { FakeCascade } from "@effect-cascade/testing"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { verifyLogin } from "./shop.ts"

it.effect("calls the number that logs in", () =>
  Effect.gen(function* () {
    const fake = yield* FakeCascade.FakeCascade
    assert.isTrue(yield* verifyLogin({ id: 7, phone: "+380671112233" }))

    fake.assertSent({ _tag: "FlashCall", id: "login:7", toPhone: "+380671112233" }, 1)
    fake.assertNothingElse()
  }).pipe(Effect.provide(FakeCascade.layer()))
)

it.effect("says that no call will come to a number that the provider refuses", () =>
  Effect.gen(function* () {
    const fake = yield* FakeCascade.FakeCascade
    fake.when({ toPhone: "+380671112233" }, FakeCascade.reject("INVALID_PHONE", "toPhone"))
    assert.isFalse(yield* verifyLogin({ id: 7, phone: "+380671112233" }))
  }).pipe(Effect.provide(FakeCascade.layer()))
)

it.effect("calls again when the provider is too busy", () =>
  Effect.gen(function* () {
    const fake = yield* FakeCascade.FakeCascade
    fake.nextCalls(FakeCascade.throttle("2 seconds"))
    const waiting = yield* Effect.forkChild(verifyLogin({ id: 7, phone: "+380671112233" }))

    yield* TestClock.adjust("3 seconds")
    assert.isTrue(yield* Fiber.join(waiting))
    fake.assertSent({ id: "login:7" }, 1)
  }).pipe(Effect.provide(FakeCascade.layer()))
)
