import { Outbox } from "@effect-cascade/outbox/Outbox"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import { assert } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { onDatabase } from "./support/database.ts"
import { promo, transaction } from "./support/messages.ts"
import { listening, startRelay } from "./support/relay.ts"
import { outcomesOf, storyOf, workOf } from "./support/rows.ts"
import { recording } from "./support/transport.ts"

const program = fileURLToPath(new URL("support/relayProcess.ts", import.meta.url))

/** Runs a relay in a process of its own until it ends; answers with the signal that ended it, and what it complained of. */
const runProcess = (url: Redacted.Redacted) =>
  Effect.callback<{ readonly signal: string | null; readonly errors: string }>((resume) => {
    const env = { ...process.env, OUTBOX_URL: Redacted.value(url) }
    const child = spawn(process.execPath, [program], { env, stdio: ["ignore", "ignore", "pipe"] })
    let errors = ""
    child.stderr.on("data", (chunk: Buffer) => {
      errors += chunk.toString()
    })
    child.on("close", (_, signal) => resume(Effect.succeed({ signal, errors })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

onDatabase("a relay in another process that is killed in the midst of a send", (test) => {
  test("leaves its messages to the next one when their leases are over, each by its policy", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox
      const { url } = yield* PgTestDatabase
      const heard = yield* listening
      yield* outbox.transaction(outbox.enqueueAll([transaction("resend"), promo("hold")]))
      const { errors, signal } = yield* runProcess(url)
      assert.strictEqual(signal, "SIGKILL", errors)
      // What it held is still held in its name, and may have been sent.
      for (const id of ["resend", "hold"]) {
        assert.deepInclude((yield* workOf(id))[0], { leased: true, started: 1, finished: 0 })
        assert.deepStrictEqual(yield* storyOf(id), [])
      }
      const sent = recording()
      yield* startRelay({ sent, heard }, { name: "heir" })
      yield* heard.heard("Accepted", 1, "resend")
      yield* heard.heard("Uncertain", 1, "hold")
      assert.deepStrictEqual(sent.sentIds(), ["resend"])
      assert.deepStrictEqual(yield* storyOf("resend"), ["lapsed 0", "sent 1"])
      assert.deepInclude((yield* outcomesOf("resend"))[0], { reason: "CutShort", by: "lease", relay: "heir" })
      assert.deepInclude((yield* outcomesOf("hold")).at(-1), { kind: "uncertain", relay: "heir" })
      assert.deepStrictEqual(yield* workOf("hold"), [])
    }))
})
