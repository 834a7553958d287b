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

  const frames = new Map(profile.nodes.map(({ callFrame, id }) => [id, callFrame]))
  const files = new Map<string, number>()
  const functions = new Map<string, number>()
  let busy = 0
  for (const [index, id] of (profile.samples ?? []).entries()) {
    const frame = frames.get(id)
    const micros = profile.timeDeltas?.[index] ?? 0
    if (frame === undefined || frame.functionName === "(idle)") continue
    busy += micros
    const file = fileOf(frame)
    add(files, file, micros)
    const line = frame.url === "" ? "" : `:${frame.lineNumber + 1}`
    add(functions, `${frame.functionName || "(anonymous)"} ${file}${line}`, micros)
  }
  return [
    result,
    { busyMillis: busy / 1_000, files: shares(files, busy), functions: shares(functions, busy) }
  ]
}

const add = (times: Map<string, number>, name: string, micros: number) =>
  times.set(name, (times.get(name) ?? 0) + micros)

const shares = (times: ReadonlyMap<string, number>, whole: number): ReadonlyArray<Share> =>
  Array.from(times, ([name, micros]) => ({ name, share: micros / whole })).sort((a, b) => b.share - a.share)

/** `effect/Schema.ts`, `packages/core/src/Message.ts`, `node:net`, or what V8 calls its own work. */
const fileOf = ({ functionName, url }: { readonly functionName: string; readonly url: string }): string => {
  if (url === "") return functionName.startsWith("(") ? functionName : "(builtin)"
  const path = url.replace(/^file:\/\//u, "")
  const installed = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\/(?:dist|src|lib)?\/?(.*)$/u.exec(path)
  if (installed !== null) return `${installed[1]}/${installed[2]}`
  return path.replace(/^.*?\/(?=(?:packages|bench)\/)/u, "")
}
