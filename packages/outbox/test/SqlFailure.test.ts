import * as SqlFailure from "@effect-cascade/outbox/SqlFailure"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { SqlError } from "effect/sql"

const failure = (cause: unknown) =>
  new SqlError.SqlError({ reason: new SqlError.UnknownError({ cause, message: "Query failed" }) })
const coded = (code: string) => failure(Object.assign(new Error("what the server said"), { code }))
const lost = new SqlError.SqlError({
  reason: new SqlError.ConnectionError({ cause: new Error("reset"), message: "Query failed" })
})

describe("code and detail", () => {
  it("are the server's own", () => {
    assert.strictEqual(SqlFailure.code(coded("57P01")), "57P01")
    assert.strictEqual(SqlFailure.detail(coded("57P01")), "what the server said")
  })

  it("leave out words that may quote a value", () => {
    const said = (code: string, more: object = {}) =>
      SqlFailure.detail(
        failure(Object.assign(new Error('invalid input: "+380501234567"'), { code, ...more }))
      )
    // Data exceptions quote what was wrong; triggers and functions say what their author liked.
    for (const code of ["22P02", "22003", "22021", "P0001", "P0004", "45000", "ZZ999"]) {
      assert.notInclude(said(code), "380", code)
    }
    assert.notInclude(said("23514", { routine: "exec_stmt_raise" }), "380")
    assert.include(said("23505"), "380")
    assert.include(said("ECONNREFUSED"), "380")
    assert.include(said("EPIPE"), "380")
  })

  it("do without a cause that says nothing", () => {
    for (const cause of [undefined, null, "text", 5, {}, { code: 5, message: 6 }]) {
      assert.strictEqual(SqlFailure.code(failure(cause)), undefined)
      assert.strictEqual(SqlFailure.detail(failure(cause)), "UnknownError")
    }
  })
})

describe("isTransient", () => {
  it("is what may go better later", () => {
    assert.isTrue(SqlFailure.isTransient(lost))
    for (const code of ["57P01", "57P02", "57P03", "53300", "53100", "53200", "53400", "25006"]) {
      assert.isTrue(SqlFailure.isTransient(coded(code)), code)
    }
    for (const code of ["42P01", "23505", "22P02", "0A000"]) {
      assert.isFalse(SqlFailure.isTransient(coded(code)), code)
    }
  })
})

describe("recover", () => {
  it.effect("makes a failure of a defect of the database", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Effect.flip(SqlFailure.recover(Effect.die(lost))), lost)
      // As a transaction dies whose ROLLBACK could not be sent.
      const twice = Effect.failCause(Cause.combine(Cause.die(lost), Cause.die(lost)))
      assert.strictEqual(yield* Effect.flip(SqlFailure.recover(twice)), lost)
    })
  )

  it.effect("leaves everything else as it is", () =>
    Effect.gen(function* () {
      const bug = new Error("bug")
      assert.strictEqual(yield* SqlFailure.recover(Effect.succeed(1)), 1)
      assert.strictEqual(yield* Effect.flip(SqlFailure.recover(Effect.fail("own"))), "own")
      assert.deepStrictEqual(yield* Effect.exit(SqlFailure.recover(Effect.die(bug))), Exit.die(bug))
    })
  )

  it.effect("an interruption stays one, though the connection was lost by it", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(
        SqlFailure.recover(Effect.failCause(Cause.combine(Cause.interrupt(1), Cause.die(lost))))
      )
      assert.isTrue(Exit.hasInterrupts(exit))
    })
  )
})
