import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { between, roundTrip } from "./support/proxies.ts"
import { connect } from "./support/sockets.ts"

describe("toxics", () => {
  it.effect("delay by latency, on the clock, without changing the order", () =>
    Effect.gen(function* () {
      const { proxy } = yield* between("echo", { toxics: "latency:100ms:jitter=50ms" })
      const client = yield* connect(proxy.port)
      client.send("a")
      yield* proxy.awaitTraffic(({ downstream }) => downstream.received === 1)
      client.send("b")
      yield* proxy.awaitTraffic(({ downstream }) => downstream.received === 2)
      yield* TestClock.adjust("49 millis")
      assert.strictEqual((yield* proxy.traffic).downstream.passed, 0)
      yield* TestClock.adjust("101 millis")
      assert.strictEqual(yield* client.awaitText(2), "ab")
    })
  )

  it.effect("work on their own direction only", () =>
    Effect.gen(function* () {
      const { host, proxy } = yield* between("echo", { toxics: "latency:1s" })
      const client = yield* connect(proxy.port)
      client.send("ping")
      assert.strictEqual(yield* (yield* host.peer(0)).awaitText(4), "ping")
      yield* proxy.awaitTraffic(({ downstream }) => downstream.received === 4)
      assert.strictEqual(client.text(), "")
      yield* proxy.setToxics("")
      assert.strictEqual(yield* client.awaitText(4), "ping")
    })
  )

  it.effect("let bytes trickle by bandwidth", () =>
    Effect.gen(function* () {
      const { proxy } = yield* between("echo", { toxics: "bandwidth:1" })
      const client = yield* connect(proxy.port)
      client.send("x".repeat(1000))
      yield* proxy.awaitTraffic(({ downstream }) => downstream.received === 1000)
      yield* TestClock.adjust("500 millis")
      yield* client.awaitText(500)
      assert.strictEqual((yield* proxy.traffic).downstream.passed, 500)
      yield* TestClock.adjust("500 millis")
      yield* client.awaitText(1000)
    })
  )

  it.effect("delay the end by slow_close, and nothing else", () =>
    Effect.gen(function* () {
      const { host, proxy } = yield* between("silent", { toxics: "slow_close:1s:upstream" })
      const client = yield* connect(proxy.port)
      const server = yield* host.peer(0)
      client.send("last")
      client.end()
      assert.strictEqual(yield* server.awaitText(4), "last")
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(server.state(), "open")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* server.awaitEnd, "end")
    })
  )

  it.effect("hold up everything by timeout, and close then", () =>
    Effect.gen(function* () {
      const { proxy } = yield* between("echo", { toxics: "timeout:5s" })
      const client = yield* connect(proxy.port)
      client.send("ping")
      yield* proxy.awaitTraffic(({ downstream }) => downstream.received === 4)
      yield* TestClock.adjust("4999 millis")
      assert.strictEqual(client.state(), "open")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* client.awaitEnd, "end")
      assert.strictEqual(client.text(), "")
      yield* proxy.awaitConnections(0)
    })
  )

  it.effect("hold up for ever by a timeout of 0, and give back when it is taken away", () =>
    Effect.gen(function* () {
      const { proxy } = yield* between("echo", { toxics: "timeout" })
      const client = yield* connect(proxy.port)
      client.send("ping")
      yield* proxy.awaitTraffic(({ downstream }) => downstream.received === 4)
      yield* TestClock.adjust("1 day")
      assert.deepStrictEqual([client.text(), client.state()], ["", "open"])
      yield* proxy.setToxics("")
      assert.strictEqual(yield* client.awaitText(4), "ping")
    })
  )

  it.effect("reset in place of the reply, or of the request", () =>
    Effect.gen(function* () {
      const { host, proxy } = yield* between("echo", { toxics: "reset_peer" })
      const first = yield* connect(proxy.port)
      first.send("ping")
      assert.strictEqual(yield* first.awaitEnd, "ECONNRESET")
      assert.strictEqual((yield* host.peer(0)).text(), "ping")
      yield* proxy.setToxics("reset_peer:1s:upstream")
      const second = yield* connect(proxy.port)
      const server = yield* host.peer(1)
      second.send("ping")
      yield* proxy.awaitTraffic(({ upstream }) => upstream.received === 8)
      assert.strictEqual(second.state(), "open")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* second.awaitEnd, "ECONNRESET")
      assert.strictEqual(yield* server.awaitEnd, "ECONNRESET")
      assert.strictEqual(server.text(), "")
    })
  )

  it.effect("cut the stream into slices at the same places, however it comes", () =>
    Effect.gen(function* () {
      const text = "0123456789".repeat(10)
      const cutsOf = (pieces: ReadonlyArray<string>) =>
        Effect.scoped(
          Effect.gen(function* () {
            const toxics = "slicer:20:size_variation=10:delay=1s:upstream"
            const { proxy } = yield* between("silent", { seed: 7, toxics })
            const client = yield* connect(proxy.port)
            const cuts: Array<number> = []
            const all = yield* Effect.forkChild(
              proxy.awaitTraffic(({ upstream }) => {
                if (upstream.passed > (cuts.at(-1) ?? 0)) cuts.push(upstream.passed)
                return upstream.passed === text.length
              }),
              { startImmediately: true }
            )
            let sent = 0
            for (const piece of pieces) {
              client.send(piece)
              sent += piece.length
              const until = sent
              yield* proxy.awaitTraffic(({ upstream }) => upstream.received === until)
            }
            yield* TestClock.adjust("1 minute")
            yield* Fiber.join(all)
            return cuts
          })
        )
      const cuts = yield* cutsOf([text])
      assert.isAbove(cuts.length, 4)
      const sizes = cuts.map((cut, n) => cut - (cuts[n - 1] ?? 0)).slice(0, -1)
      for (const size of sizes) assert.isTrue(size >= 10 && size <= 30)
      assert.isAbove(new Set(sizes).size, 1)
      // A piece that ends within a slice passes at once, so there are cuts of its own as well.
      const inPieces = yield* cutsOf([text.slice(0, 35), text.slice(35)])
      assert.deepStrictEqual(
        inPieces.filter((cut) => cut !== 35),
        cuts.filter((cut) => cut !== 35)
      )
    })
  )

  it.effect("close after so many bytes by limit_data", () =>
    Effect.gen(function* () {
      const { host, proxy } = yield* between("silent", { toxics: "limit_data:6:upstream" })
      const client = yield* connect(proxy.port)
      const server = yield* host.peer(0)
      client.send("four")
      assert.strictEqual(yield* server.awaitText(4), "four")
      assert.strictEqual(server.state(), "open")
      client.send("more")
      assert.strictEqual(yield* server.awaitEnd, "end")
      assert.strictEqual(server.text(), "fourmo")
      yield* client.awaitEnd
      yield* proxy.awaitConnections(0)
    })
  )

  it.effect("close at the limit, and not only beyond it", () =>
    Effect.gen(function* () {
      const { host, proxy } = yield* between("silent", { toxics: "limit_data:4:upstream" })
      const client = yield* connect(proxy.port)
      const server = yield* host.peer(0)
      client.send("four")
      assert.strictEqual(yield* server.awaitEnd, "end")
      assert.strictEqual(server.text(), "four")
    })
  )

  it.effect("refuse connections while down, on the same port afterwards", () =>
    Effect.gen(function* () {
      const { host, proxy } = yield* between("echo")
      const client = yield* connect(proxy.port)
      yield* host.peer(0)
      yield* proxy.setToxics("down")
      assert.strictEqual(yield* client.awaitEnd, "ECONNRESET")
      assert.strictEqual(yield* Effect.flip(connect(proxy.port)), "ECONNREFUSED")
      assert.deepStrictEqual(yield* proxy.toxics, [{ _tag: "Down" }])
      yield* proxy.setToxics("")
      yield* roundTrip(proxy)
    })
  )

  it.effect("work on the share of connections that the seed chooses, the same each time", () =>
    Effect.gen(function* () {
      const outcomes = (seed: number) =>
        Effect.scoped(
          Effect.gen(function* () {
            const { proxy } = yield* between("echo", { seed, toxics: "reset_peer:50%" })
            return yield* Effect.forEach(Array.from({ length: 20 }), () =>
              Effect.scoped(
                Effect.gen(function* () {
                  const client = yield* connect(proxy.port)
                  client.send("ping")
                  return yield* Effect.raceFirst(client.awaitText(4), client.awaitEnd)
                })
              )
            )
          })
        )
      const first = yield* outcomes(1)
      assert.deepStrictEqual(yield* outcomes(1), first)
      assert.deepStrictEqual([...new Set(first)].sort(), ["ECONNRESET", "ping"])
      assert.notDeepEqual(yield* outcomes(2), first)
    })
  )
})
