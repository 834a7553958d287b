/**
 * A process of its own that is started again whenever it ends, as a service manager would, until it is told to stop.
 *
 * Each start is a new generation with a name of its own. The process ends with this one, however that ends: its
 * channel to us closes then, and it takes that for an order.
 */
import { fork, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { closeSync, openSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"

/** One start of a process, and how it ended. */
export interface Generation {
  readonly name: string
  readonly startedAt: number
  /** When it said that it works; it may end before. */
  readyAt: number | undefined
  endedAt: number | undefined
  /** `killed` by us, `stopped` as it was asked to, or `died` by itself. */
  end: "killed" | "stopped" | "died" | undefined
}

export interface Supervised {
  readonly slot: string
  readonly generations: ReadonlyArray<Generation>
  /** Whether it says that it works. */
  readonly isReady: () => boolean
  /** Sends SIGKILL to a process that works; answers with what was killed, or `undefined` if none works. */
  readonly kill: Effect.Effect<Generation | undefined>
  /** Asks it to end in order and waits for that, for so long; answers whether it did. It is not started again. */
  readonly stop: (millis: number) => Effect.Effect<boolean>
  /** Asks the process something; answers with what it says next, or `undefined` if it is not there. */
  readonly ask: (question: string) => Effect.Effect<unknown>
}

export interface SupervisorOptions {
  /** Relative to this folder. */
  readonly module: string
  readonly slot: string
  /** What a generation is given on its command line, as JSON. */
  readonly argumentOf: (name: string) => Effect.Effect<unknown>
  /** The file that its output goes to. */
  readonly logFile: string
  readonly nodeArguments?: ReadonlyArray<string> | undefined
  /** Where Node keeps what it has compiled, so that the next generation starts sooner. */
  readonly compileCache: string
}

export const make = Effect.fnUntraced(function* (
  options: SupervisorOptions
): Effect.fn.Return<Supervised, never, Scope.Scope> {
  const generations: Array<Generation> = []
  let child: ChildProcess | undefined
  let current: Generation | undefined
  let wanted: "running" | "stopped" = "running"

  const launch = Effect.fnUntraced(function* () {
    const name = `${options.slot}.${generations.length + 1}`
    const argument = JSON.stringify(yield* options.argumentOf(name))
    const startedAt = yield* Clock.currentTimeMillis
    const log = openSync(options.logFile, "a")
    const started = fork(fileURLToPath(new URL(options.module, import.meta.url)), [argument], {
      execArgv: [...(options.nodeArguments ?? [])],
      // In a session of its own: a Ctrl-C is for this process, which then ends the others in order.
      detached: true,
      env: { ...process.env, NODE_COMPILE_CACHE: options.compileCache },
      stdio: ["ignore", log, log, "ipc"]
    })
    closeSync(log)
    const generation: Generation = {
      name,
      startedAt,
      readyAt: undefined,
      endedAt: undefined,
      end: undefined
    }
    generations.push(generation)
    started.on("message", (message) => {
      if (message === "ready") generation.readyAt = Date.now()
    })
    // An order that crosses with its end; the end is what is dealt with.
    started.on("error", () => {})
    child = started
    current = generation
    return { started, generation }
  })

  const oneLife = Effect.gen(function* () {
    const { generation, started } = yield* launch()
    if (started.exitCode === null && started.signalCode === null) {
      yield* Effect.promise(() => once(started, "exit"))
    }
    generation.endedAt = yield* Clock.currentTimeMillis
    generation.end ??= wanted === "stopped" ? "stopped" : "died"
    child = undefined
    // One that cannot start yet, because the database is away, is not to keep a processor busy with trying.
    if (generation.end === "died") yield* Effect.sleep("300 millis")
  })
  const lives = yield* Effect.forkScoped(
    Effect.whileLoop({ while: () => wanted === "running", body: () => oneLife, step: () => {} })
  )
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      wanted = "stopped"
      child?.kill("SIGKILL")
    })
  )

  const isReady = () => child !== undefined && current?.readyAt !== undefined && current.end === undefined

  return {
    slot: options.slot,
    generations,
    isReady,
    kill: Effect.sync(() => {
      if (!isReady() || current === undefined) return undefined
      current.end = "killed"
      child?.kill("SIGKILL")
      return current
    }),
    stop: (millis) =>
      Effect.suspend(() => {
        wanted = "stopped"
        if (child?.connected === true) child.send("stop")
        return Effect.map(Effect.timeoutOption(Fiber.await(lives), millis), ({ _tag }) => _tag === "Some")
      }),
    ask: (question) =>
      Effect.suspend(() => {
        const asked = child
        if (asked === undefined || !isReady()) return Effect.undefined
        return Effect.promise(async () => {
          const answer = once(asked, "message")
          asked.send(question)
          const [said] = await answer
          return said as unknown
        }).pipe(Effect.timeoutOrElse({ duration: "10 seconds", orElse: () => Effect.undefined }))
      })
  }
})
