import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Redacted, Scope } from "effect"
import * as FaultProxy from "../src/FaultProxy.ts"
import { between, roundTrip } from "./support/proxies.ts"
import { connect, serve } from "./support/sockets.ts"

const turns = Effect.fnUntraced(function* (count: number) {
  for (let turn = 0; turn < count; turn++) {
    yield* Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))
  }
})

// The system's part of a close takes a few turns of the loop.
const openHandles = Effect.gen(function* () {
  yield* turns(10)
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

  it.effect("lets a sender wait for a receiver that does not read, and can be cut then", () =>
    Effect.gen(function* () {
      const { host, proxy } = yield* between("silent")
      const client = yield* connect(proxy.port)
      const server = yield* host.peer(0)
      server.socket.pause()
      client.send("x".repeat(64 * 1024 * 1024))
      client.end()
      yield* proxy.awaitTraffic(({ upstream }) => upstream.received > upstream.passed)
      yield* turns(500)
      const { upstream } = yield* proxy.traffic
      assert.isBelow(upstream.received - upstream.passed, 1024 * 1024)
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

  it.effect("can hold up more than the proxy keeps", () =>
    Effect.gen(function* () {
      const { proxy } = yield* between("echo")
      const client = yield* connect(proxy.port)
      const sent = "0123456789".repeat(300_000)
      yield* proxy.stall()
      client.send(sent)
      yield* proxy.awaitTraffic(({ upstream }) => upstream.received > 200_000)
      yield* turns(100)
      assert.isBelow((yield* proxy.traffic).upstream.received, 1024 * 1024)
      yield* proxy.resume()
      assert.isTrue((yield* client.awaitText(sent.length)) === sent)
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
          yield* proxy.setToxics("")
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
