/**
 * Level 2, an outbox in memory on the time of the `TestClock`: what is enqueued, and what becomes of it?
 */
import { assert, it } from "@effect/vitest"
import { FakeCascade, OutboxAssert, TestOutbox } from "@effect-cascade/testing"
import { Effect, Layer } from "effect"
import { confirmOrder } from "./shop.ts"

const services = Layer.merge(TestOutbox.layer(), FakeCascade.layer())

it.effect("tells the customer", () =>
  Effect.gen(function* () {
    yield* confirmOrder({ id: 1042, phone: "+380671112233" })
    yield* OutboxAssert.assertEnqueued({
      id: "order-confirmed:1042",
      toPhone: "+380671112233",
      text: /confirmed/
    })
    yield* OutboxAssert.refuteEnqueued({ _tag: "Promo" })
  }).pipe(Effect.provide(services))
)

it.effect("gives up on a number that the provider refuses", () =>
  Effect.gen(function* () {
    const fake = yield* FakeCascade.FakeCascade
    fake.when({ toPhone: "+380671112233" }, FakeCascade.reject("INVALID_PHONE", "toPhone"))

    yield* confirmOrder({ id: 1, phone: "+380671112233" })
    yield* confirmOrder({ id: 2, phone: "+380501112233" })
    yield* TestOutbox.drain

    fake.assertSent({ id: "order-confirmed:2" }, 1)
    fake.assertNothingElse()
    const [dead] = yield* TestOutbox.dead
    assert.strictEqual(dead?.trackingId, "order-confirmed:1")
  }).pipe(Effect.provide(services))
)

it.effect("loses nothing in an outage of the provider", () =>
  Effect.gen(function* () {
    const fake = yield* FakeCascade.FakeCascade
    fake.nextCalls(FakeCascade.down("1 hour"))
    yield* confirmOrder({ id: 1, phone: "+380671112233" })

    yield* TestOutbox.advance("59 minutes")
    fake.assertNotSent({ id: "order-confirmed:1" })
    yield* TestOutbox.advance("5 minutes")
    fake.assertSent({ id: "order-confirmed:1" }, 1)
  }).pipe(Effect.provide(services))
)
