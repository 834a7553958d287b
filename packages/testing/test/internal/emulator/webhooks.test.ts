import { assert, describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { WebhookOptions } from "../../../src/EmulatorOptions.ts"
import * as signals from "../../../src/internal/emulator/signals.ts"
import * as SmsBatEmulator from "../../../src/SmsBatEmulator.ts"
import { message, send } from "../../support/emulatorClient.ts"

interface Told {
  readonly messageId: string
  readonly deliverystatus: string
  readonly timestamp: string
  readonly cost?: number
}

/** Somebody's service, which is told of deliveries. */
const receiver = Effect.gen(function* () {
  const told: Array<Told> = []
  const changes = signals.make()
  const server = createServer((request, response) => {
    let body = ""
    request.setEncoding("utf8")
    request.on("data", (chunk: string) => {
      body += chunk
    })
    request.on("end", () => {
      told.push(JSON.parse(body))
      response.end()
      changes.changed()
    })
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )
  // A listening server has an address with a port.
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/told/secret-path`,
    told,
    await: (count: number) => changes.until(() => told.length >= count || undefined)
  }
})

const run = Effect.fnUntraced(function* (options: Omit<WebhookOptions, "url">): Effect.fn.Return<
  {
    readonly emulator: SmsBatEmulator.SmsBatEmulatorShape
    readonly told: Array<Told>
    readonly await: (count: number) => Effect.Effect<unknown>
    readonly idOf: (index: number) => string
  },
  unknown,
  Scope.Scope
> {
  yield* TestClock.setTime(Date.parse("2025-01-23T10:30:00Z"))
  const service = yield* receiver
  const emulator = yield* SmsBatEmulator.make({ webhook: { url: service.url, ...options } })
  const reply = yield* send(emulator.url, [message("a"), message("b", { toPhone: "+380000000001" })])
  const pairs = JSON.parse(reply.text)
  return { ...service, emulator, idOf: (index) => pairs[index].messageId }
})

describe("webhooks", () => {
  it.effect("tell of the end, as the page documents it", () =>
    Effect.gen(function* () {
      const { await: until, emulator, idOf, told } = yield* run({})
      yield* TestClock.adjust("2999 millis")
      assert.deepStrictEqual(told, [])
      yield* TestClock.adjust("1 millis")
      yield* until(2)
      assert.deepStrictEqual(told, [
        { messageId: idOf(0), deliverystatus: "delivered", timestamp: "2025-01-23T10:30:03Z", cost: 0.05 },
        { messageId: idOf(1), deliverystatus: "undeliverable", timestamp: "2025-01-23T10:30:03Z", cost: 0 }
      ])
      const calls = yield* emulator.awaitWebhooks(2)
      assert.deepStrictEqual(
        calls.map(({ answer, messageId, status }) => [messageId, status, answer]),
        [
          [idOf(0), "delivered", 200],
          [idOf(1), "undeliverable", 200]
        ]
      )
    })
  )

  it.effect("come late, repeated and for every state", () =>
    Effect.gen(function* () {
      const { await: until, told } = yield* run({ events: "all", late: "10 seconds", repeat: 1 })
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(told, [])
      yield* TestClock.adjust("1 second")
      yield* until(4)
      assert.deepStrictEqual(
        told.map(({ deliverystatus }) => deliverystatus),
        ["processing", "processing", "processing", "processing"]
      )
      assert.strictEqual(told[0]?.timestamp, "2025-01-23T10:30:01Z")
      yield* TestClock.adjust("2 seconds")
      yield* until(8)
      assert.deepStrictEqual(
        told.slice(4).map(({ deliverystatus }) => deliverystatus),
        ["delivered", "undeliverable", "delivered", "undeliverable"]
      )
    })
  )

  it.effect("come in the wrong order", () =>
    Effect.gen(function* () {
      const { await: until, idOf, told } = yield* run({ events: "all", reorder: true })
      yield* TestClock.adjust("3 seconds")
      yield* until(4)
      assert.deepStrictEqual(
        told.map(({ deliverystatus, messageId }) => [messageId, deliverystatus]),
        [
          [idOf(1), "undeliverable"],
          [idOf(1), "processing"],
          [idOf(0), "delivered"],
          [idOf(0), "processing"]
        ]
      )
    })
  )

  it.effect("are remembered as failed when nobody answers", () =>
    Effect.gen(function* () {
      const { port } = yield* Effect.scoped(SmsBatEmulator.make())
      const emulator = yield* SmsBatEmulator.make({ webhook: { url: `http://127.0.0.1:${port}/` } })
      yield* send(emulator.url, [message("a")])
      yield* TestClock.adjust("3 seconds")
      const [only] = yield* emulator.awaitWebhooks(1)
      assert.strictEqual(only?.answer, "failed")
    })
  )

  it.effect("still due are forgotten at a reset", () =>
    Effect.gen(function* () {
      const { emulator, told } = yield* run({})
      yield* emulator.reset
      yield* send(emulator.url, [message("c")])
      yield* TestClock.adjust("1 hour")
      yield* emulator.awaitWebhooks(1)
      assert.strictEqual(told.length, 1)
    })
  )
})
