import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { SqlError } from "effect/sql"
import * as CauseSummary from "../src/CauseSummary.ts"
import * as TransportError from "../src/TransportError.ts"
import * as TransportReason from "../src/TransportReason.ts"

const secret = "hush-3f81"

describe("a summary of a cause", () => {
  it("names what failed and where, without its words", () => {
    class Odd extends Error {}
    const lines = CauseSummary.of(
      Cause.combine(
        Cause.combine(Cause.die(new Odd(`${secret}\n    at ${secret}:1:1`)), Cause.fail(secret)),
        Cause.interrupt(1)
      )
    )
    assert.match(lines[0] ?? "", /^Odd at .*CauseSummary\.test\.ts:\d+:\d+/u)
    assert.deepStrictEqual(lines.slice(1), ["a string", "Interrupt"])
    assert.notInclude(lines.join(), secret)
  })

  it("repeats the errors of these packages, which hold nothing personal", () => {
    const reason = new TransportReason.Throttled({ status: 429 })
    const error = new TransportError.TransportError({ transport: "smsbat", reason })
    assert.strictEqual(
      CauseSummary.ofError(error),
      "TransportError: smsbat: the provider asks to slow down (429)"
    )
  })

  it("has the code of the system or of the database, however deep, and nothing beside it", () => {
    const cause = Object.assign(new Error(secret), { code: "23505", detail: secret })
    const error = new SqlError.SqlError({ reason: new SqlError.UnknownError({ cause, message: secret }) })
    const line = CauseSummary.ofError(error)
    assert.match(line, /^SqlError \(23505\)/u)
    assert.notInclude(line, secret)
    assert.notInclude(CauseSummary.ofError(Object.assign(new Error("x"), { code: secret })), secret)
  })

  it("survives what does not want to be looked at", () => {
    const trap = new Proxy(new Error(secret), {
      get: () => {
        throw new Error(secret)
      }
    })
    const odd = [trap, null, undefined, Symbol(secret), Object.create(null), { _tag: secret }, [secret]]
    for (const error of odd) assert.notInclude(CauseSummary.ofError(error), secret)
    assert.strictEqual(CauseSummary.ofError({ _tag: "NoDatabase", message: secret }), "NoDatabase")
  })
})
