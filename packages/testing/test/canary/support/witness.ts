/**
 * Hears everything that a program says while it runs, and everything that it comes to, in every way of printing it.
 */
import {
  Cause,
  Console,
  Effect,
  Exit,
  Formatter,
  Logger,
  Metric,
  Option,
  References,
  Schema,
  Tracer
} from "effect"
import { inspect } from "node:util"
import { type Leak, leaksIn } from "./canaries.ts"

/** What was said, and where. */
export interface Heard {
  readonly where: string
  readonly text: string
}

/** A witness of one run. */
export interface Witness {
  readonly heard: Array<Heard>
  /** Takes a value in every way in which it may be printed. */
  readonly see: (where: string, value: unknown) => void
  /** Runs an effect and hears all of it: console, both output streams, logs, spans, metrics; its end too. */
  readonly listen: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<Exit.Exit<A, E>, never, R>
  readonly leaks: () => ReadonlyArray<{ readonly where: string; readonly leak: Leak }>
}

/** How much is shown of what a run succeeds with. */
export interface WitnessOptions {
  /** A success is not looked at, as it is what was asked for. */
  readonly successUnseen?: boolean | undefined
}

export const make = (options: WitnessOptions = {}): Witness => {
  const heard: Array<Heard> = []
  const said = new Set<string>()
  const hear = (where: string, text: string) => {
    const known = `${where}\n${text}`
    if (text === "" || said.has(known)) return
    said.add(known)
    heard.push({ where, text })
  }
  const see = (where: string, value: unknown) => {
    for (const [how, text] of printings(value)) hear(`${where} (${how})`, text)
  }

  const logger = Logger.make((entry) => {
    see("a log's message", entry.message)
    see("a log's cause", entry.cause)
    see("a log's annotations", entry.fiber.getRef(References.CurrentLogAnnotations))
    see("a log's spans", entry.fiber.getRef(References.CurrentLogSpans))
    for (const [name, format] of Object.entries(formats))
      hear(
        `a log (${name})`,
        text(() => format.log(entry))
      )
  })
  const tracer = Tracer.make({ span: (spanOptions) => new HeardSpan(spanOptions, see) })

  const listen = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<Exit.Exit<A, E>, never, R> =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(self)
      if (Exit.isFailure(exit)) seeCause(see, exit.cause)
      else if (options.successUnseen !== true) see("what it came to", exit.value)
      const metrics = yield* Metric.snapshot
      see(
        "a metric",
        metrics.map(({ attributes, description, id }) => ({ attributes, description, id }))
      )
      return exit
    }).pipe(
      Effect.provideService(
        Console.Console,
        consoleTo((values) => see("the console", values))
      ),
      Effect.provideService(Tracer.Tracer, tracer),
      Effect.provideService(References.MinimumLogLevel, "All"),
      Effect.provide(Logger.layer([logger])),
      withOutput((stream, chunk) => hear(stream, chunk))
    )

  return {
    heard,
    see,
    listen,
    leaks: () => heard.flatMap(({ text, where }) => leaksIn(text).map((leak) => ({ leak, where })))
  }
}

const formats = {
  simple: Logger.formatSimple,
  logfmt: Logger.formatLogFmt,
  JSON: Logger.formatJson,
  structured: Logger.map(Logger.formatStructured, (entry) => inspect(entry, { depth: Infinity }))
}

/** Every way in which a value is printed, by accident or on purpose, short of reading its fields by name. */
const printings = (value: unknown): ReadonlyArray<readonly [string, string]> => {
  const deep = { depth: Infinity, maxArrayLength: Infinity, maxStringLength: Infinity, breakLength: 200 }
  return [
    ["inspect", text(() => inspect(value, deep))],
    ["inspect, hidden too", text(() => inspect(value, { ...deep, showHidden: true, depth: 6 }))],
    ["JSON", text(() => JSON.stringify(value))],
    ["String", text(() => String(value))],
    ["template", text(() => `${value as string}`)],
    ["Formatter", text(() => Formatter.format(value))],
    ["Formatter, JSON", text(() => Formatter.formatJson(value))]
  ]
}

const seeCause = (see: Witness["see"], cause: Cause.Cause<unknown>) => {
  see("a cause", cause)
  see("a cause, pretty", Cause.pretty(cause))
  for (const reason of cause.reasons) {
    if (Cause.isInterruptReason(reason)) continue
    seeError(see, Cause.isDieReason(reason) ? reason.defect : reason.error, 0)
  }
}

const seeError = (see: Witness["see"], error: unknown, depth: number): void => {
  see("an error", error)
  if (!(error instanceof Error) || depth > 5) return
  see("an error's words", [error.name, error.message, error.stack])
  const encoded = encodedOf(error)
  if (encoded !== undefined) see("an error's encoded form", encoded)
  if (error.cause !== undefined) seeError(see, error.cause, depth + 1)
}

/** The JSON that the schema of an error, or of any other class of values, makes of it. */
const encodedOf = (value: object): unknown => {
  const constructor: unknown = value.constructor
  if (!Schema.isSchema(constructor)) return undefined
  // A schema class has no services of its own here; one that cannot encode says nothing.
  const codec = Schema.toCodecJson(constructor as Schema.Codec<unknown>)
  return Option.getOrUndefined(Schema.encodeUnknownOption(codec)(value))
}

const text = (print: () => unknown): string => {
  try {
    const printed = print()
    return typeof printed === "string" ? printed : ""
  } catch {
    return ""
  }
}

class HeardSpan extends Tracer.NativeSpan {
  readonly #see: Witness["see"]

  constructor(options: ConstructorParameters<typeof Tracer.NativeSpan>[0], see: Witness["see"]) {
    super(options)
    this.#see = see
    see("a span's name", options.name)
    see("a span's links", options.links)
  }

  override attribute(key: string, value: unknown): void {
    this.#see(`the span ${this.name}`, { [key]: value })
    super.attribute(key, value)
  }

  override event(name: string, startTime: bigint, attributes?: Record<string, unknown>): void {
    this.#see(`the span ${this.name}`, { name, attributes })
    super.event(name, startTime, attributes)
  }

  override end(endTime: bigint, exit: Exit.Exit<unknown, unknown>): void {
    // What a span succeeds with is not exported by anything; how it fails is.
    if (Exit.isFailure(exit)) seeCause(this.#see, exit.cause)
    super.end(endTime, exit)
  }
}

const consoleTo = (print: (values: ReadonlyArray<unknown>) => void): Console.Console => {
  const nothing = () => undefined
  const say = (...values: ReadonlyArray<unknown>) => print(values)
  return {
    assert: (condition, ...values) => (condition ? undefined : say(...values)),
    clear: nothing,
    count: say,
    countReset: nothing,
    debug: say,
    dir: say,
    dirxml: say,
    error: say,
    group: say,
    groupCollapsed: say,
    groupEnd: nothing,
    info: say,
    log: say,
    table: say,
    time: nothing,
    timeEnd: say,
    timeLog: say,
    trace: say,
    warn: say
  }
}

type Write = typeof process.stdout.write

/** Hears what is written to the process's own streams meanwhile. */
const withOutput =
  (hear: (stream: string, chunk: string) => void) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const streams = { stdout: process.stdout, stderr: process.stderr }
        return Object.entries(streams).map(([name, stream]) => {
          const write = stream.write.bind(stream)
          const heard = (chunk: Uint8Array | string, ...rest: ReadonlyArray<unknown>) => {
            hear(name, typeof chunk === "string" ? chunk : Buffer.from(chunk).toString())
            // The overloads of `write` agree in what they do with the rest.
            return (write as (chunk: unknown, ...rest: ReadonlyArray<unknown>) => boolean)(chunk, ...rest)
          }
          stream.write = heard as Write
          return () => {
            stream.write = write as Write
          }
        })
      }),
      () => self,
      (restores) => Effect.sync(() => restores.forEach((restore) => restore()))
    )
