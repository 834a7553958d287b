import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { call, keyed, message, send } from "../support/emulatorClient.ts"

const file = fileURLToPath(new URL("../../src/bin/testing.ts", import.meta.url))

const start = (...args: ReadonlyArray<string>): Effect.Effect<ChildProcess> =>
  Effect.sync(() =>
    spawn(process.execPath, [file, "emulator", ...args], { stdio: ["ignore", "pipe", "pipe"] })
  )

/** The output up to the first match, or all of it if there is none before the end. */
const until = (child: ChildProcess, pattern: RegExp): Effect.Effect<string> =>
  Effect.callback((resume) => {
    let output = ""
    const more = (chunk: Buffer) => {
      output += chunk.toString()
      if (pattern.test(output)) resume(Effect.succeed(output))
    }
    child.stdout?.on("data", more)
    child.stderr?.on("data", more)
    child.once("close", () => resume(Effect.succeed(output)))
  })

const exitCode = (child: ChildProcess): Effect.Effect<number | null> =>
  Effect.callback((resume) => {
    if (child.exitCode !== null) return resume(Effect.succeed(child.exitCode))
    child.once("exit", (code) => resume(Effect.succeed(code)))
  })

const running = (...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(start(...args), (child) => Effect.sync(() => void child.kill("SIGKILL")))

describe("the command", () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it.live(`says when it is ready, serves, and stops on ${signal}`, () =>
      Effect.gen(function* () {
        const child = yield* running(
          "--port",
          "0",
          "--key",
          "k1==shop",
          "--faults",
          "429:1x",
          "--next",
          "ok",
          "--log"
        )
        const ready = yield* until(child, /\n/)
        assert.match(ready, /^listening on http:\/\/127\.0\.0\.1:\d+\n$/)
        const url = ready.trim().replace("listening on ", "")
        const headers = { ...keyed, "x-authorization-key": "k1=" }
        const log = yield* Effect.forkChild(until(child, /429/))
        assert.strictEqual((yield* send(url, [message("a")], { headers })).status, 200)
        assert.strictEqual((yield* send(url, [message("a")], { headers })).status, 429)
        assert.strictEqual((yield* send(url, [message("a")])).status, 401)
        const counts = yield* call(url, { method: "GET", path: "/__emulator/counts", headers: {} })
        assert.deepInclude(JSON.parse(counts.text), { messages: 1, requests: 3 })
        const lines = yield* Fiber.join(log)
        assert.match(lines, /1 POST send standard account=shop messages=1 accepted=1 -> 200/)
        assert.notMatch(lines, /1112233|k1=/)
        child.kill(signal)
        assert.strictEqual(yield* exitCode(child), 0)
      })
    )
  }

  it.live("says what is wrong with its arguments, and fails", () =>
    Effect.gen(function* () {
      const child = yield* running("--port", "0", "--faults", "rest-after")
      const output = yield* until(child, /(?!)/)
      assert.match(output, /"rest-after" is no fault; did you mean reset-after\?/)
      assert.notMatch(output, / at /)
      assert.strictEqual(yield* exitCode(child), 1)
    })
  )
})
