/**
 * The library's own transport against the emulator: each fault must lead to the outcome that the library promises.
 */
import { Envelope, Message, SmsBatTransport, Transport } from "@effect-cascade/core"
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as SmsBatEmulator from "../src/SmsBatEmulator.ts"

const envelope = (id: string, toPhone = "+380671112233") =>
  Envelope.seal(
    Message.makeUnsafe({
      _tag: "Transaction",
      id,
      fromName: "Shop",
      toPhone,
      text: "Your order is confirmed"
    })
  )

const transportTo = (baseUrl: string) =>
  SmsBatTransport.make({ baseUrl, keys: { apiKey: Redacted.make("test-key") } })

describe("the transport of the library", () => {
  for (const [fault, outcome, reason, accepted] of [
    ["ok", "Accepted", undefined, 1],
    ["shuffled", "Accepted", undefined, 1],
    ["foreign-ids", "Accepted", undefined, 1],
    ["429:retry-after=1", "NotSent", "Throttled", 0],
    ["429:retry-after-date=1", "NotSent", "Throttled", 0],
    ["429", "NotSent", "Throttled", 0],
    ["503:retry-after=1", "NotSent", "Throttled", 0],
    ["401", "NotSent", "Unauthorized", 0],
    ["403", "NotSent", "Unauthorized", 0],
    ["302:to=/", "NotSent", "Redirected", 0],
    ["307:to=/", "NotSent", "Redirected", 0],
    ["poison:marker=confirmed", "NotSent", "Rejected", 0],
    ["500", "Unknown", "ServerError", 0],
    ["500-after", "Unknown", "ServerError", 1],
    ["reset-reading", "Unknown", "ConnectionLost", 0],
    ["reset", "Unknown", "ConnectionLost", 0],
    ["reset-after", "Unknown", "ConnectionLost", 1],
    ["truncated", "Unknown", "UnreadableReply", 1],
    ["missing-ids", "Unknown", "UnreadableReply", 1],
    ["wrong-shape", "Unknown", "UnreadableReply", 1],
    ["wrong-shape:shape=null", "Unknown", "UnreadableReply", 1],
    ["html", "Unknown", "UnreadableReply", 1],
    ["empty-before", "Unknown", "UnreadableReply", 0]
  ] as const) {
    it.effect(`calls ${fault} ${reason ?? outcome}`, () =>
      Effect.gen(function* () {
        const emulator = yield* SmsBatEmulator.make({ faults: fault })
        const transport = yield* transportTo(emulator.url)
        const [delivery] = yield* Transport.deliver(transport, [yield* envelope("a")])
        assert.strictEqual(delivery?._tag, outcome)
        if (delivery?._tag !== "Accepted") assert.strictEqual(delivery?.reason._tag, reason)
        assert.strictEqual((yield* emulator.ledger.counts).messages, accepted)
      }).pipe(Effect.provide(NodeHttpClient.layerUndici))
    )
  }

  it.effect("finds the one bad message of a batch", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make()
      const transport = yield* transportTo(emulator.url)
      const batch = [
        yield* envelope("a"),
        yield* envelope("b", "+380000000007"),
        yield* envelope("c"),
        yield* envelope("d")
      ] as const
      const deliveries = yield* Transport.deliver(transport, batch)
      assert.deepStrictEqual(
        deliveries.map(({ _tag, trackingId }) => [trackingId as string, _tag]),
        [
          ["a", "Accepted"],
          ["b", "NotSent"],
          ["c", "Accepted"],
          ["d", "Accepted"]
        ]
      )
      assert.deepStrictEqual(yield* emulator.ledger.duplicates, [])
      assert.deepStrictEqual(yield* emulator.ledger.unexpected(["a", "c", "d"]), [])
    }).pipe(Effect.provide(NodeHttpClient.layerUndici))
  )
})
