/**
 * The proxy between the library's own transport and the emulator: what the sender is told about a network that fails,
 * against what people have received.
 */
import { Envelope, Message, SmsBatTransport, Transport } from "@effect-cascade/core"
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import * as FaultProxy from "../src/FaultProxy.ts"
import * as SmsBatEmulator from "../src/SmsBatEmulator.ts"

const clients = { fetch: FetchHttpClient.layer, undici: NodeHttpClient.layerUndici } as const

const through = Effect.gen(function* () {
  const emulator = yield* SmsBatEmulator.make()
  const proxy = yield* FaultProxy.make({ target: emulator.url })
  const transport = yield* SmsBatTransport.make({
    baseUrl: proxy.url(emulator.url),
    keys: { apiKey: Redacted.make("test-key") }
  })
  const deliver = (id: string) =>
    Effect.gen(function* () {
      const message = Message.makeUnsafe({
        _tag: "Transaction",
        id,
        fromName: "Shop",
        toPhone: "+380671112233",
        text: "Your order is confirmed"
      })
      const [delivery] = yield* Transport.deliver(transport, [yield* Envelope.seal(message)])
      return delivery?._tag === "Accepted" ? "Accepted" : `${delivery?._tag} ${delivery?.reason._tag}`
    })
  const received = (id: string) => Effect.map(emulator.ledger.received(id), ({ length }) => length)
  return { deliver, emulator, proxy, received }
})

for (const [name, client] of Object.entries(clients)) {
  describe(`the transport over ${name} and a bad network`, () => {
    for (const [toxics, told, times] of [
      ["", "Accepted", 1],
      ["slicer:5:both", "Accepted", 1],
      ["reset_peer", "Unknown ConnectionLost", 1],
      ["reset_peer:upstream", "Unknown ConnectionLost", 0],
      ["limit_data:0", "Unknown ConnectionLost", 1],
      ["limit_data:30:upstream", "Unknown ConnectionLost", 0],
      ["down", "NotSent Unreachable", 0]
    ] as const) {
      it.effect(`is told "${told}" with "${toxics}", and people have ${times}`, () =>
        Effect.gen(function* () {
          const { deliver, proxy, received } = yield* through
          yield* proxy.setToxics(toxics)
          assert.strictEqual(yield* deliver("a"), told)
          assert.strictEqual(yield* received("a"), times)
          yield* proxy.setToxics("")
          assert.strictEqual(yield* deliver("b"), "Accepted")
          assert.strictEqual(yield* received("a"), times)
        }).pipe(Effect.provide(client))
      )
    }

    it.effect("does not know what became of a message when it is cut after the request", () =>
      Effect.gen(function* () {
        const { deliver, emulator, proxy, received } = yield* through
        yield* emulator.nextRequests("hang-after")
        const sending = yield* Effect.forkChild(deliver("a"))
        yield* emulator.awaitReceived(1)
        assert.strictEqual(yield* proxy.cut, 1)
        assert.strictEqual(yield* Fiber.join(sending), "Unknown ConnectionLost")
        assert.strictEqual(yield* received("a"), 1)
        assert.strictEqual(yield* deliver("b"), "Accepted")
      }).pipe(Effect.provide(client))
    )

    it.effect("does not know what became of a message when the network goes half-open", () =>
      Effect.gen(function* () {
        const { deliver, emulator, proxy, received } = yield* through
        yield* proxy.stall("downstream")
        const sending = yield* Effect.forkChild(deliver("a"))
        yield* emulator.awaitReceived(1)
        yield* proxy.awaitTraffic(({ downstream }) => downstream.received > 0)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* Fiber.join(sending), "Unknown TimedOut")
        assert.strictEqual(yield* received("a"), 1)
        yield* proxy.resume()
        assert.strictEqual(yield* deliver("b"), "Accepted")
      }).pipe(Effect.provide(client))
    )
  })
}
