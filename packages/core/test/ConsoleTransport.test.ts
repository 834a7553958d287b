import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock, TestConsole } from "effect/testing"
import * as ConsoleTransport from "../src/ConsoleTransport.ts"
import * as Envelope from "../src/Envelope.ts"
import * as Transport from "../src/Transport.ts"
import { envelope, flashCall } from "./support/scripted.ts"

describe("ConsoleTransport", () => {
  it.effect("prints each message masked, and accepts it", () =>
    Effect.gen(function* () {
      const transport = yield* Transport.Transport
      const deliveries = yield* Transport.deliver(transport, [
        yield* envelope("order-1"),
        yield* envelope(
          "poll-380671112233",
          { _tag: "ViberSurvey", fromName: "Б\u202e" },
          { route: "tg-viber" }
        ),
        yield* Effect.orDie(Envelope.seal(flashCall("call-1")))
      ])
      assert.deepStrictEqual(
        deliveries.map((one) => (one._tag === "Accepted" ? one.messageId : "")),
        ["console:order-1", "console:poll-380671112233", "console:call-1"]
      )
      assert.deepStrictEqual(yield* TestConsole.logLines, [
        "[cascade] transaction order-1 from Shop to +38067*****33: <16 characters>",
        "[cascade] viber_survey (tg-viber) poll-38067*****33 from Б\\u202e to +38067*****33: <16 characters>, 2 options",
        "[cascade] flashcall call-1 from Shop to +38067*****33"
      ])
    }).pipe(Effect.provide(ConsoleTransport.layer))
  )

  it.effect("does not print what is past its deadline", () =>
    Effect.gen(function* () {
      const late = yield* envelope("late", { ttl: "5 seconds" })
      yield* TestClock.adjust("4500 millis")
      const deliveries = yield* Transport.deliver(ConsoleTransport.transport, [late, yield* envelope("fine")])
      assert.deepStrictEqual(
        deliveries.map(({ _tag }) => _tag),
        ["NotSent", "Accepted"]
      )
      assert.strictEqual((yield* TestConsole.logLines).length, 1)
    })
  )
})
