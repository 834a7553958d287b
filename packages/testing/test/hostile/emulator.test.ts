/**
 * The emulator and its control interface refuse garbage with clear answers, and go on.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as net from "node:net"
import * as EmulatorFault from "../../src/EmulatorFault.ts"
import * as SmsBatEmulator from "../../src/SmsBatEmulator.ts"

const path = "/api/CascadeMessage/send_message/async"
const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`

const bodies: Readonly<Record<string, string>> = {
  nothing: "",
  "no JSON": "{",
  "deep JSON": deep,
  "a deep field": `[{"id":"a","fromName":"Shop","toPhone":${deep},"messageType":"transaction","text":"x"}]`,
  "keys of the prototype": '[{"__proto__":{"id":"a"},"constructor":{"prototype":{"id":1}}}]',
  "no array": '{"id":"a"}',
  nulls: '[null,1,"a",[]]',
  "huge numbers": '[{"id":1e999,"ttl":-1e999}]',
  "control characters": JSON.stringify([
    { id: "a\r\nb", fromName: "\u001b[2J", toPhone: "+380\u202e671112233", messageType: "\0", text: "x" }
  ])
}

const alive = (url: string) =>
  Effect.promise(async () => {
    const response = await fetch(`${url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-authorization-key": "test-key" },
      body: JSON.stringify([
        { id: "fine", fromName: "Shop", toPhone: "+380671112233", messageType: "transaction", text: "x" }
      ])
    })
    return response.status
  })

/** The first line of what comes back for raw bytes, or "closed". */
const lineFor = (port: number, bytes: string | Buffer) =>
  Effect.callback<string>((resume) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write(bytes))
    socket.once("data", (chunk) => {
      resume(Effect.succeed(chunk.toString("latin1").split("\r\n")[0] ?? ""))
      socket.destroy()
    })
    socket.once("error", () => resume(Effect.succeed("closed")))
    socket.once("close", () => resume(Effect.succeed("closed")))
    return Effect.sync(() => socket.destroy())
  })

describe("the emulator", () => {
  for (const [name, body] of Object.entries(bodies)) {
    it.live(`refuses ${name} with 400, and goes on`, () =>
      Effect.gen(function* () {
        const { url } = yield* SmsBatEmulator.make({ accounts: { "test-key": "default" } })
        const response = yield* Effect.promise(() =>
          fetch(`${url}${path}`, {
            method: "POST",
            headers: { "content-type": "application/json", "x-authorization-key": "test-key" },
            body
          })
        )
        assert.strictEqual(response.status, 400)
        assert.isObject(yield* Effect.promise(() => response.json()))
        assert.strictEqual(yield* alive(url), 200)
      })
    )
  }

  it.live("answers requests that are hardly any, and goes on", () =>
    Effect.gen(function* () {
      const { port, url } = yield* SmsBatEmulator.make({ accounts: { "test-key": "default" }, control: true })
      for (const [bytes, expected] of [
        ["GET // HTTP/1.1\r\nhost: x\r\n\r\n", /404/u],
        ["GET /__emulator//[ HTTP/1.1\r\nhost: x\r\n\r\n", /404/u],
        ["GET http://[ HTTP/1.1\r\nhost: x\r\n\r\n", /40\d|closed/u],
        ["GET /bat/message/%zz HTTP/1.1\r\nhost: x\r\n\r\n", /40\d/u],
        ["NONSENSE\r\n\r\n", /400|closed/u],
        [Buffer.from([0x16, 0x03, 0x01, 0x00, 0xff]), /400|closed/u],
        [`GET / HTTP/1.1\r\nx: ${"a".repeat(100_000)}\r\n\r\n`, /431|closed/u]
      ] as const) {
        assert.match(yield* lineFor(port, bytes), expected, String(bytes).slice(0, 60))
      }
      assert.strictEqual(yield* alive(url), 200)
    })
  )
})

describe("its control interface", () => {
  it.live("says what it cannot read", () =>
    Effect.gen(function* () {
      const { url } = yield* SmsBatEmulator.make({ accounts: { "test-key": "default" }, control: true })
      const post = (name: string, body: string, type = "application/json") =>
        Effect.promise(async () => {
          const response = await fetch(`${url}/__emulator/${name}`, {
            method: "POST",
            headers: { "content-type": type },
            body
          })
          return [response.status, await response.json()] as const
        })
      for (const body of ["", "{", deep, '{"__proto__":[]}', "[1,null]", '[{"_tag":"Nothing"}]']) {
        for (const name of ["faults", "next"]) {
          const [status, answer] = yield* post(name, body)
          assert.strictEqual(status, 400, `${name} ${body.slice(0, 20)}`)
          assert.include(JSON.stringify(answer), "cannot be read")
        }
      }
      assert.strictEqual((yield* post("faults", "garbage:::9", "text/plain"))[0], 400)
      assert.strictEqual((yield* post("faults", "x".repeat(2 * 1024 * 1024), "text/plain"))[0], 413)
      assert.strictEqual((yield* post("nothing", "x"))[0], 404)
      assert.strictEqual(yield* alive(url), 200)
    })
  )

  it.effect("reads plans from JSON of any shape, or says why not", () =>
    Effect.gen(function* () {
      for (const json of [
        null,
        1,
        "x",
        [[]],
        { __proto__: null },
        [{ _tag: "Latency", min: Number.NaN }],
        [deep]
      ]) {
        const exits = [
          yield* Effect.exit(EmulatorFault.planFromJson(json)),
          yield* Effect.exit(EmulatorFault.scriptFromJson(json))
        ]
        for (const exit of exits) {
          if (exit._tag === "Success") continue
          for (const reason of exit.cause.reasons) assert.strictEqual(reason._tag, "Fail")
        }
      }
    })
  )
})
