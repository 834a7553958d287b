import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { connect } from "node:net"
import * as SmsBatEmulator from "../../../src/SmsBatEmulator.ts"
import { keyed, message, send, standard } from "../../support/emulatorClient.ts"

/** How a raw connection ends after a whole request: by a reset, or in an orderly way. */
const endOf = (port: number): Effect.Effect<"reset" | "closed"> =>
  Effect.callback((resume) => {
    const body = JSON.stringify([message("a")])
    const headers = Object.entries({ host: "x", ...keyed, "content-length": String(body.length) })
    const head = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")
    const socket = connect(port, "127.0.0.1", () =>
      socket.write(`POST ${standard} HTTP/1.1\r\n${head}\r\n${body}`)
    )
    socket.resume()
    socket.on("error", () => resume(Effect.succeed("reset")))
    socket.on("end", () => resume(Effect.succeed("closed")))
  })

describe("a connection", () => {
  it.effect("is reset on the wire, not merely closed", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make()
      for (const fault of ["reset-reading", "reset", "reset-after"]) {
        yield* emulator.setFaults(fault)
        assert.strictEqual(yield* endOf(emulator.port), "reset", fault)
      }
      yield* emulator.setFaults("truncated")
      assert.strictEqual(yield* endOf(emulator.port), "closed")
    })
  )

  it.effect("that the client leaves in mid-reply has confirmed nothing", () =>
    Effect.gen(function* () {
      const emulator = yield* SmsBatEmulator.make({ faults: "slow-body:bytes=1:pause=1s" })
      const fiber = yield* Effect.forkChild(send(emulator.url, [message("a")]))
      yield* emulator.awaitRequests(1)
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.interrupt(fiber)
      const record = yield* emulator.awaitRequest(({ outcome }) => outcome === "gone")
      assert.deepInclude(record, { status: 200, accepted: 1, confirmed: 0 })
      assert.strictEqual((yield* emulator.requestCounts).confirmed, 0)
    })
  )
})
