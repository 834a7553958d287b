/**
 * The control interface of the emulator, for programs in other processes: faults, ledger, counts, reset.
 *
 * It is served on the loopback interface alone, as everything of the emulator is, and not to web pages: a request
 * with an `Origin` is refused, so that no page in a browser on this machine can read the ledger.
 */
import * as Effect from "effect/Effect"
import type { IncomingMessage, ServerResponse } from "node:http"
import * as EmulatorFault from "../../EmulatorFault.ts"
import type { Emulation } from "./emulation.ts"

/** Where the control interface begins. */
export const prefix = "/__emulator/"

/** The most bytes of a body that are read; a plan of faults takes a few hundred. */
const bodyLimit = 1024 * 1024

interface Answer {
  readonly status: number
  readonly value: unknown
}

interface Question {
  readonly query: URLSearchParams
  readonly type: string
  readonly body: string
}

type Operation = (question: Question) => Effect.Effect<Answer>

/** Answers requests to the control interface. */
export const make = (
  emulation: Emulation,
  reset: Effect.Effect<void>,
  run: (effect: Effect.Effect<void>) => void
): ((request: IncomingMessage, response: ServerResponse) => void) => {
  const operations = operationsOf(emulation, reset)
  return (request, response) => {
    const chunks: Array<Buffer> = []
    let size = 0
    request.on("data", (chunk: Buffer) => {
      size += chunk.length
      if (size <= bodyLimit) chunks.push(chunk)
    })
    request.on("end", () => {
      if (size > bodyLimit)
        return run(Effect.sync(() => write(response, 413, { error: "the body is too large" })))
      const [path = "", query = ""] = (request.url ?? "").split("?", 2)
      const operation = operations.get(`${request.method} ${path.slice(prefix.length)}`)
      const question = {
        query: new URLSearchParams(query),
        type: request.headers["content-type"] ?? "",
        body: Buffer.concat(chunks).toString()
      }
      const answer =
        request.headers.origin !== undefined
          ? fail(403, "not for web pages")
          : (operation?.(question) ?? fail(404, `one of: ${Array.from(operations.keys()).join(", ")}`))
      run(Effect.map(answer, ({ status, value }) => write(response, status, value)))
    })
  }
}

const operationsOf = (emulation: Emulation, reset: Effect.Effect<void>): ReadonlyMap<string, Operation> => {
  const { book, faults } = emulation
  const showFaults = Effect.sync(() =>
    ok({ faults: EmulatorFault.format(faults.plan()), scripted: faults.scripted() })
  )
  return new Map<string, Operation>([
    ["GET faults", () => showFaults],
    [
      "POST faults",
      (question) =>
        read(question, EmulatorFault.plan, EmulatorFault.planFromJson, (plan) => {
          faults.setPlan(plan)
          return showFaults
        })
    ],
    [
      "POST next",
      (question) =>
        read(question, EmulatorFault.script, EmulatorFault.scriptFromJson, (entries) => {
          faults.addScript(entries)
          return showFaults
        })
    ],
    ["GET ledger", ({ query }) => showLedger(emulation, query)],
    ["GET counts", () => Effect.sync(() => ok({ ...book.counts(), ...book.requestCounts() }))],
    ["GET duplicates", () => Effect.sync(() => ok(book.duplicates()))],
    ["GET requests", () => Effect.sync(() => ok(book.requests()))],
    ["POST reset", () => Effect.as(reset, ok({ reset: true }))]
  ])
}

const showLedger = (emulation: Emulation, query: URLSearchParams): Effect.Effect<Answer> =>
  Effect.sync(() => {
    const messages = emulation.book.messages()
    if (messages === undefined) {
      return { status: 409, value: { error: "only ids are kept", ...emulation.book.counts() } }
    }
    const id = query.get("id")
    const found = id === null ? messages : emulation.book.byTrackingId(id)
    const limit = Number(query.get("limit") ?? 1000)
    const shown = limit > 0 ? found.slice(-limit) : []
    return ok({
      total: found.length,
      messages: query.get("full") === "1" ? shown.map((received) => received.whole()) : shown
    })
  })

const read = <A>(
  { body, type }: Question,
  fromText: (text: string) => Effect.Effect<A, EmulatorFault.InvalidFaults>,
  fromJson: (json: unknown) => Effect.Effect<A, EmulatorFault.InvalidFaults>,
  use: (faults: A) => Effect.Effect<Answer>
): Effect.Effect<Answer> => {
  const faults = type.startsWith("application/json")
    ? Effect.flatMap(parseJson(body), fromJson)
    : fromText(body)
  return faults.pipe(
    Effect.flatMap(use),
    Effect.catchTag("InvalidFaults", ({ problems }) =>
      Effect.succeed({ status: 400, value: { error: "these faults cannot be read", problems } })
    )
  )
}

const parseJson = (body: string): Effect.Effect<unknown, EmulatorFault.InvalidFaults> =>
  Effect.try({
    try: (): unknown => JSON.parse(body),
    catch: () => new EmulatorFault.InvalidFaults({ problems: ["the body is not JSON"] })
  })

const ok = (value: unknown): Answer => ({ status: 200, value })

const fail = (status: number, error: string): Effect.Effect<Answer> =>
  Effect.succeed({ status, value: { error } })

const write = (response: ServerResponse, status: number, value: unknown): void => {
  const body = `${JSON.stringify(value, undefined, 2)}\n`
  response.writeHead(status, { "content-type": "application/json; charset=utf-8" }).end(body)
}
