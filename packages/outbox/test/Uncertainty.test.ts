import { Message } from "@effect-cascade/core/Message"
import * as Uncertainty from "@effect-cascade/outbox/Uncertainty"
import { assert, describe, it } from "@effect/vitest"

describe("Uncertainty", () => {
  it("sends again what somebody waits for, and holds what would annoy twice", () => {
    assert.deepStrictEqual(Uncertainty.defaults, {
      Transaction: "resend",
      FlashCall: "resend",
      Promo: "hold",
      ViberSurvey: "hold"
    })
    assert.sameMembers(Object.keys(Uncertainty.defaults), Object.keys(Message.cases))
  })
})
