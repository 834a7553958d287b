/**
 * Runs a case under a witness: to its end, and until it is interrupted.
 */
import { assert } from "@effect/vitest"
import { Cause, Effect, Fiber, type Scope } from "effect"
import type { Case } from "./cases.ts"
import * as Witness from "./witness.ts"

/** Runs a case in both ways; answers with what was seen, a line for each canary in each place. */
export const leaksOf = <R>(
  one: Case<R>
): Effect.Effect<ReadonlyArray<string>, never, Exclude<R, Scope.Scope>> =>
  Effect.gen(function* () {
    const witness = Witness.make({ successUnseen: one.unmasked !== undefined })
    const exit = yield* witness.listen(
      Effect.withSpan(Effect.scoped(one.run), "canary", { attributes: { case: one.name } })
    )
    yield* witness.listen(
      Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(Effect.scoped(one.run), { startImmediately: true })
        yield* Effect.yieldNow
        yield* Effect.yieldNow
        yield* Fiber.interrupt(fiber)
        return yield* Fiber.join(fiber)
      })
    )
    // A case that breaks off has not shown what it would say.
    const ended = exit._tag === "Success" || one.fails === true
    assert.isTrue(ended, exit._tag === "Failure" ? Cause.pretty(exit.cause) : "")
    assert.isAbove(witness.heard.length, 0)
    return witness
      .leaks()
      .map(
        ({ leak: { canary, excerpt, form }, where }) =>
          `${canary} in ${where}, ${form}: ${JSON.stringify(excerpt)}`
      )
  })

/** Fails where a case shows a canary. */
export const sweep = <R>(one: Case<R>): Effect.Effect<void, never, Exclude<R, Scope.Scope>> =>
  Effect.map(leaksOf(one), (leaks) => assert.deepStrictEqual(leaks.slice(0, 5), []))
