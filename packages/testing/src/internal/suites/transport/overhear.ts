/**
 * Everything that a program says while it runs: logs, spans, console output. To look for what must not be said, or to
 * keep it quiet.
 */
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import { inspect } from "node:util"

/** Runs an effect without showing what it logs or prints. */
export const quietly = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  self.pipe(
    Effect.provideService(
      Console.Console,
      consoleTo(() => undefined)
    ),
    Effect.provide(Logger.layer([]))
  )

/** Runs an effect and hands everything that it says to `hear`, as text, at every level. */
export const overhear =
  (hear: (where: string, text: string) => void) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
    const hearAll = (where: string, ...values: ReadonlyArray<unknown>) => {
      for (const value of values) for (const text of render(value)) hear(where, text)
    }
    const logger = Logger.make(({ cause, fiber, message }) => {
      hearAll(
        "a log",
        message,
        cause,
        Object.fromEntries(Object.entries(fiber.getRef(References.CurrentLogAnnotations)))
      )
      hearAll(
        "a log",
        fiber.getRef(References.CurrentLogSpans).map(([label]) => label)
      )
    })
    const tracer = Tracer.make({
      span: (options) =>
        new ListeningSpan(options, (...values) => hearAll(`the span ${options.name}`, ...values))
    })
    return self.pipe(
      Effect.provideService(
        Console.Console,
        consoleTo((...values) => hearAll("the console", ...values))
      ),
      Effect.provideService(Tracer.Tracer, tracer),
      Effect.provideService(References.MinimumLogLevel, "All"),
      Effect.provide(Logger.layer([logger]))
    )
  }

/** A value in every way in which it may be printed. */
export const render = (value: unknown): ReadonlyArray<string> => {
  const texts = [
    inspect(value, { depth: Infinity, maxStringLength: Infinity, maxArrayLength: Infinity }),
    text(value)
  ]
  if (Cause.isCause(value)) texts.push(Cause.pretty(value), ...value.reasons.flatMap(renderReason))
  if (value instanceof Error) texts.push(value.message, value.stack ?? "")
  return texts
}

const renderReason = (reason: Cause.Reason<unknown>): ReadonlyArray<string> =>
  reason._tag === "Fail" ? render(reason.error) : reason._tag === "Die" ? render(reason.defect) : []

// JSON where there is some; a value that refuses to become text says nothing.
const text = (value: unknown): string => {
  try {
    return `${String(value)} ${JSON.stringify(value)}`
  } catch {
    return ""
  }
}

class ListeningSpan extends Tracer.NativeSpan {
  private readonly hear: (...values: ReadonlyArray<unknown>) => void

  constructor(
    options: ConstructorParameters<typeof Tracer.NativeSpan>[0],
    hear: (...values: ReadonlyArray<unknown>) => void
  ) {
    super(options)
    this.hear = hear
    hear(options.name)
  }

  override attribute(key: string, value: unknown): void {
    this.hear(key, value)
    super.attribute(key, value)
  }

  override event(name: string, startTime: bigint, attributes?: Record<string, unknown>): void {
    this.hear(name, attributes)
    super.event(name, startTime, attributes)
  }

  override end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    // What a span succeeds with is not exported; how it fails is.
    if (Exit.isFailure(exit)) this.hear(exit.cause)
    super.end(endTime, exit)
  }
}

const consoleTo = (print: (...values: ReadonlyArray<unknown>) => void): Console.Console => {
  const nothing = () => undefined
  return {
    assert: (condition, ...values) => (condition ? undefined : print(...values)),
    clear: nothing,
    count: print,
    countReset: nothing,
    debug: print,
    dir: print,
    dirxml: print,
    error: print,
    group: print,
    groupCollapsed: print,
    groupEnd: nothing,
    info: print,
    log: print,
    table: print,
    time: nothing,
    timeEnd: print,
    timeLog: print,
    trace: print,
    warn: print
  }
}
