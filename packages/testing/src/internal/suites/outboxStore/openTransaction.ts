/**
 * A transaction that stays open while a test does other things, in a fiber of its own as another request would be.
 */
import type { StoreError } from "@effect-cascade/outbox/OutboxError"
import type { OutboxStoreShape } from "@effect-cascade/outbox/OutboxStore"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"

export interface OpenTransaction {
  /** Runs an effect in it, after those before. */
  readonly run: <A, E>(self: Effect.Effect<A, E>) => Effect.Effect<A, E>
  readonly commit: Effect.Effect<void, StoreError>
  readonly rollback: Effect.Effect<void>
}

/** One thing to do in the transaction; whether it goes on after that. */
type Step = Effect.Effect<boolean, Rollback>

class Rollback {
  readonly _tag = "Rollback"
}

/** Begins a transaction. With the scope it is rolled back, if it is open then. */
export const open = Effect.fnUntraced(function* (
  store: OutboxStoreShape
): Effect.fn.Return<OpenTransaction, never, Scope.Scope> {
  const steps = yield* Queue.unbounded<Step>()
  const began = yield* Deferred.make<void>()
  const goOn: Effect.Effect<void, Rollback> = Effect.flatMap(Effect.flatten(Queue.take(steps)), (goesOn) =>
    goesOn ? goOn : Effect.void
  )
  const fiber = yield* Effect.forkScoped(
    store.transaction(Effect.andThen(Deferred.succeed(began, undefined), goOn))
  )
  yield* Effect.raceFirst(Deferred.await(began), Effect.andThen(Fiber.await(fiber), Effect.die("not begun")))

  const outcome = Fiber.join(fiber).pipe(Effect.catchTag("Rollback", () => Effect.void))
  return {
    run: <A, E>(self: Effect.Effect<A, E>) =>
      Effect.gen(function* () {
        const done = yield* Deferred.make<A, E>()
        yield* Queue.offer(steps, Effect.as(Deferred.into(self, done), true))
        return yield* Deferred.await(done)
      }),
    commit: Effect.andThen(Queue.offer(steps, Effect.succeed(false)), outcome),
    rollback: Effect.andThen(Queue.offer(steps, Effect.fail(new Rollback())), Effect.orDie(outcome))
  }
})
