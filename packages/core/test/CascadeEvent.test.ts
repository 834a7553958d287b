import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Result, Schema } from "effect"
import { inspect } from "node:util"
import * as CascadeEvent from "../src/CascadeEvent.ts"
import * as PhoneNumber from "../src/PhoneNumber.ts"
import * as TransportReason from "../src/TransportReason.ts"
import { assertSafe, phone, spoilt } from "./support/junk.ts"
import { variants } from "./support/mutate.ts"
import { envelope } from "./support/scripted.ts"

const at = DateTime.makeUnsafe("2026-01-25T10:00:00Z")

const one = Effect.map(envelope("order-1", { _tag: "Promo" }, { account: "shop" }), (envelope) => {
  const about = CascadeEvent.about(envelope, at)
  const reason = new TransportReason.Throttled({ status: 429, retryAfter: Duration.seconds(2) })
  const lane = "shop/transaction"
  return [
    new CascadeEvent.Enqueued(about),
    new CascadeEvent.Accepted({ ...about, messageId: "p-1" }),
    new CascadeEvent.RetryScheduled({ ...about, attempt: 2, nextAt: at, reason }),
    new CascadeEvent.Uncertain({ ...about, reason: new TransportReason.TimedOut({}) }),
    new CascadeEvent.Dead({
      ...about,
      reason: new TransportReason.Rejected({ status: 400, field: "toPhone" })
    }),
    new CascadeEvent.Expired(about),
    new CascadeEvent.Cancelled(about),
    new CascadeEvent.LanePaused({ lane, reason, until: at, at }),
    new CascadeEvent.LanePaused({ lane, at }),
    new CascadeEvent.LaneResumed({ lane, at }),
    new CascadeEvent.StatusChanged({ ...about, messageId: "p-1", status: "delivered", previous: "sent" }),
    new CascadeEvent.StatusChanged({ messageId: "p-1", status: "delivered", at })
  ] satisfies ReadonlyArray<CascadeEvent.CascadeEvent>
})

describe("CascadeEvent", () => {
  it.effect("goes to JSON and back, each of them", () =>
    Effect.gen(function* () {
      const events = yield* one
      const tags = new Set(events.map((event) => event._tag))
      assert.deepStrictEqual([...tags].sort(), Object.keys(CascadeEvent.CascadeEvent.cases).sort())
      for (const event of events) {
        const json = JSON.stringify(yield* Schema.encodeEffect(CascadeEvent.CascadeEventFromJson)(event))
        const back = yield* Schema.decodeUnknownEffect(CascadeEvent.CascadeEventFromJson)(JSON.parse(json))
        assert.deepStrictEqual(back, event)
      }
    })
  )

  it.effect("shows who and what, and neither the number nor the text", () =>
    Effect.gen(function* () {
      for (const event of yield* one) {
        const json = JSON.stringify(yield* Schema.encodeEffect(CascadeEvent.CascadeEventFromJson)(event))
        for (const shown of [json, JSON.stringify(event), inspect(event, { depth: null }), String(event)]) {
          assert.notInclude(shown, "671112233")
          assert.notInclude(shown, "canary")
        }
      }
      const [enqueued] = yield* one
      assert.deepInclude(enqueued, {
        trackingId: "order-1",
        messageType: "promo",
        account: "shop",
        toPhone: "+38067*****33",
        at
      })
    })
  )

  it.prop("takes every number masked, and none in full", [PhoneNumber.PhoneNumber], ([phone]) => {
    assert.isTrue(isMasked(PhoneNumber.mask(phone)))
    assert.isFalse(isMasked(phone))
  })

  it("refuses what is not quite masked", () => {
    for (const bare of ["380671112233", "+3806711122*3", "+380671*****33", ""])
      assert.isFalse(isMasked(bare), bare)
  })

  it.effect("reads 3,600 broken events, or fails with a SchemaError that shows nothing", () =>
    Effect.gen(function* () {
      const texts = yield* Effect.forEach(yield* one, (event) =>
        Effect.map(Schema.encodeEffect(CascadeEvent.CascadeEventFromJson)(event), (json) =>
          JSON.stringify(json)
        )
      )
      let read = 0
      for (const text of variants(
        texts.map((text) => text.replace("+38067*****33", `+${phone}`)),
        150,
        3
      ).concat(variants(texts, 150, 5))) {
        const json = Result.try((): unknown => JSON.parse(text))
        if (Result.isFailure(json)) continue
        const event = Schema.decodeUnknownResult(CascadeEvent.CascadeEventFromJson)(json.success)
        if (Result.isFailure(event)) {
          assertSafe(event.failure)
          continue
        }
        read++
        assert.isTrue(Schema.is(CascadeEvent.CascadeEvent)(event.success))
        if ("toPhone" in event.success) assert.include(event.success.toPhone, "*")
      }
      assert.isAbove(read, 50)
    })
  )

  it.prop(
    "takes nothing else for an event",
    [spoilt({ _tag: "StatusChanged", messageId: "1", status: "delivered", at: "2026-01-25T10:00:00.000Z" })],
    ([json]) => {
      const event = Schema.decodeUnknownResult(CascadeEvent.CascadeEventFromJson)(json)
      if (Result.isFailure(event)) return assertSafe(event.failure)
      assert.isTrue(Schema.is(CascadeEvent.CascadeEvent)(event.success))
    },
    { arbitrary: { runs: 2000 } }
  )
})

const isMasked = Schema.is(CascadeEvent.MaskedPhone)
