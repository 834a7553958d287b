import { Message } from "@effect-cascade/core/Message"
import * as Lane from "@effect-cascade/outbox/Lane"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"

const isAccount = Schema.is(Lane.Account)

describe("Lane", () => {
  it.prop(
    "gives back the account and the priority that it was made of",
    [Lane.Account, Lane.Priority],
    ([account, priority]) => {
      const lane = Lane.of(account, priority)
      assert.strictEqual(Lane.accountOf(lane), account)
      assert.strictEqual(Lane.priorityOf(lane), priority)
    }
  )

  it("is written as account and priority", () => {
    assert.strictEqual(Lane.of("default", "high"), "default/high")
  })

  it("lists the lanes of an account, the most pressing first", () => {
    assert.deepStrictEqual(Lane.ofAccount("a"), ["a/urgent", "a/high", "a/normal", "a/low"])
  })

  it("does not know other priorities", () => {
    assert.strictEqual(Lane.priorityOf("a/soon"), undefined)
    assert.strictEqual(Lane.priorityOf(""), undefined)
  })

  it("takes 1 to 100 plain characters for an account", () => {
    for (const account of ["a", "tenant-1:eu_west.2", "x".repeat(100)])
      assert.isTrue(isAccount(account), account)
    for (const account of ["", "x".repeat(101), "a/b", "a b", "a\n", "ä", "a'b"]) {
      assert.isFalse(isAccount(account), account)
    }
  })

  it("has a priority for every kind of message", () => {
    assert.deepStrictEqual(Lane.defaultPriority, {
      FlashCall: "urgent",
      Transaction: "high",
      ViberSurvey: "normal",
      Promo: "low"
    })
    assert.sameMembers(Object.keys(Lane.defaultPriority), Object.keys(Message.cases))
  })
})
