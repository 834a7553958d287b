/** What a supervised process needs of its surroundings: its argument, and when it is to end. */
import * as Effect from "effect/Effect"

/** The argument that the supervisor gave. */
export const argument = <A>(): A => JSON.parse(process.argv[2] ?? "null") as A

/** Says that this process works. */
export const ready = Effect.sync(() => process.send?.("ready"))

/** Answers questions of the supervisor. */
export const answering = (answer: (question: string) => unknown) =>
  Effect.sync(() => {
    process.on("message", (question) => {
      if (question !== "stop") process.send?.(answer(String(question)))
    })
  })

/** Done when this process is asked to end. If the one that started it is gone, it ends at once. */
export const asked = Effect.callback<void>((resume) => {
  process.on("message", (message) => {
    if (message === "stop") resume(Effect.void)
  })
})

/** Runs the program of a process to its end. */
export const run = (program: Effect.Effect<void, unknown>): void => {
  const orphaned = () => process.exit(3)
  process.once("disconnect", orphaned)
  Effect.runPromise(program).then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
      process.exit(1)
    }
  )
}
