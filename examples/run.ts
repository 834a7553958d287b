/**
 * Runs the numbered examples, each as a process of its own, and compares what they print with what they should:
 * `pnpm examples`, `pnpm examples 02 07` to see what these print, `pnpm examples --update` to take it for right.
 *
 * Those that need Postgres share one server, which is started once, unless `CASCADE_TEST_DATABASE_URL` names another.
 */
import { PgTestServer } from "@effect-cascade/testing/PgTestServer"
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Clock, Console, Data, Effect, FileSystem, Path, Redacted, Result, Stream, TextDiff } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { ChildProcess } from "effect/process"

class ExamplesFailed extends Data.TaggedError("ExamplesFailed")<{ readonly message: string }> {}

const folder = import.meta.dirname

const run = Command.make(
  "examples",
  {
    numbers: Argument.String("number").pipe(
      Argument.withDescription("which ones: 02, 02-enqueue…; all without"),
      Argument.variadic()
    ),
    update: Flag.Boolean("update").pipe(
      Flag.withDescription("rewrite what they should print"),
      Flag.withDefault(false)
    )
  },
  Effect.fn(function* ({ numbers, update }) {
    const names = yield* select(numbers)
    const server = yield* PgTestServer
    const environment = { CASCADE_TEST_DATABASE_URL: Redacted.value(server.url), NO_COLOR: "1" }
    const results = yield* Effect.forEach(
      names,
      (name) =>
        check(name, environment, update).pipe(
          // Who asks for some of them wants to see them; of all of them a line each is enough.
          Effect.tap(({ output, seconds }) =>
            Console.log(
              `${numbers.length > 0 ? `${output}\n` : ""}${name.padEnd(32)} ${seconds.toFixed(1)} s`
            )
          ),
          Effect.result
        ),
      { concurrency: 2 }
    )
    const failures = results.filter(Result.isFailure)
    for (const { failure } of failures) yield* Console.error(`\n${failure.message}`)
    if (failures.length > 0) {
      return yield* new ExamplesFailed({ message: `${failures.length} of ${names.length} examples failed` })
    }
  })
)

/** The examples that begin with one of the numbers and have something to run. */
const select = Effect.fn("select")(function* (numbers: ReadonlyArray<string>) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const numbered = (yield* files.readDirectory(folder)).filter((name) => /^\d\d-/.test(name)).sort()
  const unknown = numbers.filter((number) => !numbered.some((name) => name.startsWith(number)))
  if (unknown.length > 0) {
    return yield* new ExamplesFailed({ message: `no example begins with ${unknown.join(", ")}` })
  }
  const chosen = numbered.filter(
    (name) => numbers.length === 0 || numbers.some((number) => name.startsWith(number))
  )
  return yield* Effect.filter(chosen, (name) => files.exists(path.join(folder, name, "main.ts")))
})

/** Runs one; answers with what it printed, or fails with what is wrong with that. */
const check = Effect.fn("check")(function* (
  name: string,
  environment: Readonly<Record<string, string>>,
  update: boolean
) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const started = yield* Clock.currentTimeMillis
  const failed = (message: string) => new ExamplesFailed({ message: `${name}: ${message}` })

  const { errors, exitCode, output } = yield* spawn(path.join(folder, name, "main.ts"), environment).pipe(
    Effect.timeoutOrElse({
      duration: "2 minutes",
      orElse: () => Effect.fail(failed("did not end within two minutes"))
    })
  )
  if (exitCode !== 0) return yield* failed(`ended with ${exitCode}\n${output}${errors}`)
  // Every number of an example is of this form; whole it must show nowhere, neither in the output nor in a log.
  if (/380\d{9}/.test(output + errors)) return yield* failed("prints a phone number that is not masked")
  const file = path.join(folder, name, "expected-output.txt")
  if (update) yield* files.writeFileString(file, output)
  const expected = (yield* files.exists(file)) ? yield* files.readFileString(file) : ""
  if (output !== expected) {
    const difference = TextDiff.unified(TextDiff.lines(expected, output))
    return yield* failed(`prints something else than ${path.relative(".", file)}\n${difference}${errors}`)
  }
  return { output, seconds: ((yield* Clock.currentTimeMillis) - started) / 1000 }
})

const spawn = (file: string, environment: Readonly<Record<string, string>>) =>
  Effect.scoped(
    Effect.gen(function* () {
      const child = yield* ChildProcess.make(process.execPath, [file], { env: environment, extendEnv: true })
      const text = (bytes: typeof child.stdout) => Stream.mkString(Stream.decodeText(bytes))
      const [output, errors, exitCode] = yield* Effect.all(
        [text(child.stdout), text(child.stderr), child.exitCode],
        { concurrency: "unbounded" }
      )
      return { output, errors, exitCode }
    })
  )

Command.run(run, { version: "1.0.0" }).pipe(
  Effect.provide([PgTestServer.layer(), NodeServices.layer]),
  Effect.catchTag(["ExamplesFailed", "PgTestServerError"], (error) =>
    Effect.andThen(
      Console.error(`\n${error.message}`),
      Effect.sync(() => (process.exitCode = 1))
    )
  ),
  NodeRuntime.runMain
)
