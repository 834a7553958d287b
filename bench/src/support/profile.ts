/** A CPU profile of this process, told as shares of its busy time. */
import { Session } from "node:inspector/promises"

/** A share of the busy time, from 0 to 1. */
export interface Share {
  readonly name: string
  readonly share: number
}

export interface Profile {
  /** Time in which something ran, the garbage collector included. */
  readonly busyMillis: number
  /** Self time by package and file. */
  readonly files: ReadonlyArray<Share>
  /** Self time by function. */
  readonly functions: ReadonlyArray<Share>
  /** Time of each function with all that it calls. */
  readonly totals: ReadonlyArray<Share>
}

/** Runs an action under the profiler. */
export const profiled = async <A>(action: () => Promise<A>): Promise<readonly [A, Profile]> => {
  const session = new Session()
  session.connect()
  await session.post("Profiler.enable")
  await session.post("Profiler.setSamplingInterval", { interval: 200 })
  await session.post("Profiler.start")
  const result = await action()
  const { profile } = await session.post("Profiler.stop")
  session.disconnect()

  const frames = new Map(profile.nodes.map((node) => [node.id, frameOf(node.callFrame)]))
  const callers = new Map(
    profile.nodes.flatMap(({ children, id }) =>
      (children ?? []).map((child): [number, number] => [child, id])
    )
  )
  const files = new Map<string, number>()
  const functions = new Map<string, number>()
  const totals = new Map<string, number>()
  let busy = 0
  for (const [index, id] of (profile.samples ?? []).entries()) {
    const frame = frames.get(id)
    const micros = profile.timeDeltas?.[index] ?? 0
    if (frame === undefined || frame.name === "(idle)" || frame.file === "node:inspector") continue
    busy += micros
    add(files, frame.file, micros)
    add(functions, frame.place, micros)
    const places = new Set<string>()
    for (let at: number | undefined = id; at !== undefined; at = callers.get(at)) {
      places.add(frames.get(at)?.place ?? "")
    }
    for (const place of places) add(totals, place, micros)
  }
  return [
    result,
    {
      busyMillis: busy / 1_000,
      files: shares(files, busy),
      functions: shares(functions, busy),
      totals: shares(totals, busy)
    }
  ]
}

interface CallFrame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
}

interface Frame {
  readonly name: string
  readonly file: string
  /** The function with its file and line. */
  readonly place: string
}

const frameOf = (frame: CallFrame): Frame => {
  const name = frame.functionName || "(anonymous)"
  const file = fileOf(frame)
  return { name, file, place: frame.url === "" ? name : `${name} ${file}:${frame.lineNumber + 1}` }
}

/** `effect/Schema.js`, `packages/core/src/Message.ts`, `node:net`, or what V8 calls its own work. */
const fileOf = ({ functionName, url }: CallFrame): string => {
  if (url === "") return functionName.startsWith("(") ? functionName : "(builtin)"
  const path = url.replace(/^file:\/\//u, "")
  const installed = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\/(?:dist\/|src\/|lib\/)?(.*)$/u.exec(path)
  if (installed !== null) return `${installed[1]}/${installed[2]}`
  return path.replace(/^.*?\/(?=(?:packages|bench)\/)/u, "")
}

const add = (times: Map<string, number>, name: string, micros: number) =>
  times.set(name, (times.get(name) ?? 0) + micros)

const shares = (times: ReadonlyMap<string, number>, whole: number): ReadonlyArray<Share> =>
  Array.from(times, ([name, micros]) => ({ name, share: micros / whole })).sort((a, b) => b.share - a.share)
