import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Redacted, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as FaultProxy from "../src/FaultProxy.ts"
import { connect, serve } from "./support/sockets.ts"

const between = Effect.fnUntraced(function* (
  mode: "silent" | "echo",
  options: Omit<FaultProxy.FaultProxyOptions, "target"> = {}
) {
  const host = yield* serve(mode)
  const proxy = yield* FaultProxy.make({ target: host.address, ...options })
  return { host, proxy }
})

// A marker that goes the other way round the network: when it has come back, so has all that was on its way.
const roundTrip = Effect.fnUntraced(function* (proxy: FaultProxy.FaultProxyShape) {
  const probe = yield* connect(proxy.port)
  probe.send("!")
  yield* probe.awaitText(1)
})

// The system's part of a close takes a few turns of the loop.
const openHandles = Effect.gen(function* () {
  for (let turn = 0; turn < 10; turn++) {
    yield* Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))
  }
  return process
    .getActiveResourcesInfo()
    .filter((name) => name !== "Immediate")
    .sort()
})

describe("a proxy", () => {
  it.effect("passes bytes on in both directions, whole and in order", () =>
    Effect.gen(function* () {
      const { proxy } = yield* between("echo")
      const client = yield* connect(proxy.port)
      const sent = Array.from({ length: 2_000_000 }, (_, n) => String.fromCharCode(n % 251)).join("")
      client.send(sent)
      assert.isTrue((yield* client.awaitText(sent.length)) === sent)
      const traffic = { received: sent.length, passed: sent.length }
      const seen = yield* proxy.awaitTraffic(({ downstream }) => downstream.passed === sent.length)
      assert.deepStrictEqual(seen, { upstream: traffic, downstream: traffic })
    })
  )

  it.effect("passes the end of each direction on by itself", () =>
    Effect.gen(function* () {
      const { host, proxy } = yield* between("silent")
      const client = yield* connect(proxy.port)
      const server = yield* host.peer(0)
      client.send("question")
      client.end()
      assert.strictEqual(yield* server.awaitEnd, "end")
      assert.strictEqual(server.text(), "question")
      server.send("answer")
      assert.strictEqual(yield* client.awaitText(6), "answer")
      assert.strictEqual(client.state(), "open")
      server.end()
      yield* client.awaitEnd
      yield* proxy.awaitConnections(0)
    })
  )

  it.effect("passes a reset on as a reset, whichever side it comes from", () =>
    Effect.gen(function* () {
      const { host, proxy } = yield* between("silent")
      const first = yield* connect(proxy.port)
      const target = yield* host.peer(0)
      first.socket.resetAndDestroy()
      assert.strictEqual(yield* target.awaitEnd, "ECONNRESET")
      const second = yield* connect(proxy.port)
      const other = yield* host.peer(1)
      other.socket.resetAndDestroy()
      assert.strictEqual(yield* second.awaitEnd, "ECONNRESET")
      yield* proxy.awaitConnections(0)
    })
  )

  it.effect("resets a client whose target cannot be reached", () =>
    Effect.gen(function* () {
      const port = yield* Effect.scoped(Effect.map(serve("silent"), ({ address }) => address.port))
      const proxy = yield* FaultProxy.make({ target: { host: "127.0.0.1", port } })
      const client = yield* connect(proxy.port)
      assert.strictEqual(yield* client.awaitEnd, "ECONNRESET")
      yield* proxy.awaitConnections(0)
    })
  )

  it.effect("counts connections, and waits for them", () =>
    Effect.gen(function* () {
      const { proxy } = yield* between("echo")
      assert.strictEqual(yield* proxy.connections, 0)
      const both = yield* Effect.forkChild(proxy.awaitConnections(2), { startImmediately: true })
      const first = yield* connect(proxy.port)
      const second = yield* connect(proxy.port)
      yield* Fiber.join(both)
      assert.strictEqual(yield* proxy.connections, 2)
      first.end()
      second.end()
      yield* proxy.awaitConnections(0)
    })
  )

  it.effect("cuts every open connection on both sides, and takes new ones", () =>
    Effect.gen(function* () {
      const { host, proxy } = yield* between("echo")
      const clients = [yield* connect(proxy.port), yield* connect(proxy.port)]
      const servers = [yield* host.peer(0), yield* host.peer(1)]
      assert.strictEqual(yield* proxy.cut, 2)
      assert.strictEqual(yield* proxy.connections, 0)
      for (const peer of [...clients, ...servers]) assert.strictEqual(yield* peer.awaitEnd, "ECONNRESET")
      yield* roundTrip(proxy)
      assert.strictEqual(yield* proxy.cut, 1)
      assert.strictEqual(yield* proxy.cut, 0)
    })
  )

  it.effect("cuts a connection whose sender does not read", () =>
    Effect.gen(function* () {
      const { host, proxy } = yield* between("silent")
      const client = yield* connect(proxy.port)
      const server = yield* host.peer(0)
      server.socket.pause()
      const sent = "x".repeat(64 * 1024 * 1024)
      client.send(sent)
      client.end()
      yield* proxy.awaitTraffic(({ upstream }) => upstream.received > upstream.passed)
      const { upstream } = yield* proxy.traffic
      assert.isBelow(upstream.received, sent.length)
      assert.strictEqual(yield* proxy.cut, 1)
      assert.match(yield* client.awaitEnd, /ECONNRESET|EPIPE/)
    })
  )
})

describe("a stall", () => {
  it.effect("holds up bytes, ends and resets, and passes them on when it is over", () =>
    Effect.gen(function* () {
      const { host, proxy } = yield* between("silent")
      const ending = yield* connect(proxy.port)
      const reset = yield* connect(proxy.port)
      const [one, two] = [yield* host.peer(0), yield* host.peer(1)]
      yield* proxy.stall()
      ending.send("late")
      ending.end()
      reset.send("gone")
      yield* proxy.awaitTraffic(({ upstream }) => upstream.received === 8)
      reset.socket.resetAndDestroy()
      assert.strictEqual((yield* proxy.traffic).upstream.passed, 0)
      assert.deepStrictEqual([one.text(), one.state(), two.state()], ["", "open", "open"])
      assert.strictEqual(yield* proxy.connections, 2)
      yield* proxy.resume()
      assert.strictEqual(yield* one.awaitEnd, "end")
      assert.strictEqual(one.text(), "late")
      assert.strictEqual(yield* two.awaitEnd, "ECONNRESET")
    })
  )

  it.effect("can be of one direction", () =>
    Effect.gen(function* () {
      const { host, proxy } = yield* between("echo")
      const client = yield* connect(proxy.port)
      yield* proxy.stall("downstream")
      client.send("ping")
      assert.strictEqual(yield* (yield* host.peer(0)).awaitText(4), "ping")
      yield* proxy.awaitTraffic(({ downstream }) => downstream.received === 4)
      assert.strictEqual(client.text(), "")
      yield* proxy.resume("upstream")
      assert.strictEqual((yield* proxy.traffic).downstream.passed, 0)
      yield* proxy.resume("downstream")
      assert.strictEqual(yield* client.awaitText(4), "ping")
    })
  )

  it.effect("lets nobody through who comes meanwhile, until it is over", () =>
    Effect.gen(function* () {
      const { host, proxy } = yield* between("echo")
      yield* proxy.stall()
      const client = yield* connect(proxy.port)
      client.send("ping")
      yield* proxy.awaitTraffic(({ upstream }) => upstream.received === 4)
      assert.strictEqual(host.count(), 0)
      yield* proxy.resume()
      assert.strictEqual(yield* client.awaitText(4), "ping")
    })
  )

  it.effect("can be cut", () =>
    Effect.gen(function* () {
      const { host, proxy } = yield* between("echo")
      const client = yield* connect(proxy.port)
      const server = yield* host.peer(0)
      yield* proxy.stall()
      const late = yield* connect(proxy.port)
      yield* proxy.awaitConnections(2)
      assert.strictEqual(yield* proxy.cut, 2)
      for (const peer of [client, server, late]) assert.strictEqual(yield* peer.awaitEnd, "ECONNRESET")
    })
  )
})

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

describe("a proxy's address", () => {
  it.effect("takes the place of the target's in a URL", () =>
    Effect.gen(function* () {
      const { proxy } = yield* between("silent")
      const at = `127.0.0.1:${proxy.port}`
      assert.strictEqual(
        proxy.url("postgres://app:p%40ss@db.example:6432/orders?sslmode=disable"),
        `postgres://app:p%40ss@${at}/orders?sslmode=disable`
      )
      assert.strictEqual(proxy.url("http://[::1]:8080/base/"), `http://${at}/base/`)
      assert.strictEqual(proxy.url("https://example.com"), `https://${at}/`)
      const secret = proxy.url(Redacted.make("postgresql://u:canary@h/d", { label: "database" }))
      assert.strictEqual(Redacted.value(secret), `postgresql://u:canary@${at}/d`)
      assert.notInclude(String(secret), "canary")
    })
  )

  it.effect("is read from a URL, with the usual port where it names none", () =>
    Effect.gen(function* () {
      const { address } = yield* serve("echo")
      const proxy = yield* FaultProxy.make({
        target: Redacted.make(`postgres://u:p@127.0.0.1:${address.port}/d`)
      })
      yield* roundTrip(proxy)
      for (const target of ["nonsense", "postgres:///d", "redis://h/", Redacted.make("canary")]) {
        const error = yield* Effect.flip(FaultProxy.make({ target }))
        assert.strictEqual(error._tag, "InvalidTarget")
        assert.notInclude(String(error), "canary")
      }
    })
  )

  it.effect("is refused where the port is taken", () =>
    Effect.gen(function* () {
      const { address } = yield* serve("echo")
      const error = yield* Effect.flip(FaultProxy.make({ target: address, port: address.port }))
      assert.strictEqual(error.message, `cannot listen on 127.0.0.1:${address.port} (EADDRINUSE)`)
    })
  )
})

describe("the end of a proxy", () => {
  it.effect("closes everything it opened, whatever it was doing", () =>
    Effect.gen(function* () {
      const before = yield* openHandles
      yield* Effect.scoped(
        Effect.gen(function* () {
          const host = yield* serve("silent")
          const scope = yield* Scope.make()
          const proxy = yield* Scope.provide(FaultProxy.make({ target: host.address }), scope)
          const quiet = yield* connect(proxy.port)
          const half = yield* connect(proxy.port)
          const [one, two] = [yield* host.peer(0), yield* host.peer(1)]
          half.end()
          assert.strictEqual(yield* two.awaitEnd, "end")
          yield* proxy.setToxics("latency:1h:both")
          quiet.send("held")
          yield* proxy.awaitTraffic(({ upstream }) => upstream.received === 4)
          yield* proxy.stall()
          const late = yield* connect(proxy.port)
          yield* proxy.awaitConnections(3)
          yield* Scope.close(scope, Exit.void)
          for (const peer of [quiet, half, late, one]) assert.strictEqual(yield* peer.awaitEnd, "ECONNRESET")
          assert.strictEqual(yield* proxy.connections, 0)
          assert.strictEqual(yield* Effect.flip(connect(proxy.port)), "ECONNREFUSED")
        })
      )
      assert.deepStrictEqual(yield* openHandles, before)
    })
  )

  it.effect("is that of the layer", () =>
    Effect.gen(function* () {
      const host = yield* serve("echo")
      const port = yield* FaultProxy.FaultProxy.use((proxy) => Effect.as(roundTrip(proxy), proxy.port)).pipe(
        Effect.provide(Layer.fresh(FaultProxy.layer({ target: host.address })))
      )
      assert.strictEqual(yield* Effect.flip(connect(port)), "ECONNREFUSED")
    })
  )
})
