/**
 * Laws of fibers: many at once, and any of them interrupted at any time.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as checks from "./checks.ts"
import { good } from "./samples.ts"
import { law, type Observation, type Trial } from "./trial.ts"

/** @see Law.title */
export const servesManyFibers = law(
  "it serves many fibers at once, each with its own answers",
  () => true,
  Effect.fnUntraced(function* ({ features, fitting, note, received, sendNew }: Trial) {
    const sizes = Array.from({ length: 24 }, (_, number) => 1 + (number % 4))
    const seen = yield* Effect.forEach(sizes, (size) => sendNew(fitting([...good(size), "expired"])), {
      concurrency: "unbounded"
    })
    const ledger = yield* received
    for (const observation of seen) {
      note("", [
        ...checks.answered(observation),
        ...checks.lateAreExpired(observation),
        ...(features.accepts === false ? [] : checks.goodAreAccepted(observation)),
        ...(ledger === undefined
          ? []
          : [...checks.acceptsTruly(observation, ledger), ...checks.receivedOnce(observation, ledger)])
      ])
    }
  })
)

/** @see Law.title */
export const survivesInterruption = law(
  "it can be interrupted at any time, and sends on as if nothing had been",
  () => true,
  Effect.fnUntraced(function* (trial: Trial) {
    const { faults, features, fitting, inTime, note, received, samples, send, sendNew } = trial
    const interrupted: Array<Observation> = []

    // One call, interrupted when `ready` is.
    const interrupt = Effect.fnUntraced(function* (where: string, ready: Effect.Effect<unknown>) {
      const batch = yield* samples(fitting(good(3)))
      // Detached, since a law that waits for its children would wait for ever for one that cannot be interrupted.
      const fiber = yield* Effect.forkDetach(send(batch), { startImmediately: true })
      if ((yield* inTime(ready)) === "too late") note(where, ["it has made no request"])
      const ended = yield* inTime(Effect.andThen(Fiber.interrupt(fiber), Fiber.await(fiber)))
      if (ended === "too late") return note(where, ["it does not end when it is interrupted"])
      if (Exit.isSuccess(ended)) {
        interrupted.push(ended.value)
        // It had ended before.
        if (!wasInterrupted(ended.value)) note(where, checks.answered(ended.value))
      } else interrupted.push({ batch, exit: Exit.interrupt(), verdict: () => undefined })
    })

    const turns = (count: number) => Effect.forEach(Array.from({ length: count }), () => Effect.yieldNow)
    for (const count of [0, 1, 2, 3, 5, 8, 13, 21, 34]) {
      yield* interrupt(`interrupted after ${count} turns`, turns(count))
    }
    if (faults.hanging !== undefined) {
      const { givenUp, underWay } = yield* faults.hanging
      yield* interrupt("interrupted while it waits for the reply", Effect.orDie(underWay))
      const noticed = yield* inTime(Effect.orDie(givenUp ?? Effect.void))
      if (noticed === "too late") note("", ["the request goes on after the interruption"])
      yield* faults.restored
    }
    const after = yield* inTime(sendNew(fitting(good(5))))
    if (after === "too late") return note("afterwards", ["it does not answer any more"])
    const ledger = yield* received
    note("afterwards", checks.answered(after))
    if (features.accepts !== false) note("afterwards", checks.goodAreAccepted(after))
    if (ledger === undefined) return
    for (const observation of [after, ...interrupted]) {
      note("", [...checks.receivedOnce(observation, ledger), ...checks.deniesTruly(observation, ledger)])
    }
  })
)

const wasInterrupted = ({ exit }: Observation): boolean =>
  Exit.isFailure(exit) && exit.cause.reasons.every(({ _tag }) => _tag === "Interrupt")
