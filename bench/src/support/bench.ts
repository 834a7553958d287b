/** What all figures run on: one server, one sink, a process for each system, and databases to copy. */
import type { System, SystemOptions } from "../systems/System.ts"
import { type RemoteProcess, startProcess } from "./remote.ts"
import { type Database, type Server, startServer } from "./server.ts"
import type { Sink } from "./sinkProcess.ts"
import type { Measured } from "./systemProcess.ts"

/** A way of using one of the systems. */
export interface Contender {
  readonly label: string
  /** Its file in `systems`. */
  readonly module: string
  readonly options?: SystemOptions | undefined
}

export interface Bench {
  readonly server: Server
  readonly sink: RemoteProcess<Sink>
  readonly sinkUrl: string
  /** How many messages the figures are about; what is said as 100,000 is this many. */
  readonly size: number
  readonly rounds: number
  /** The process of a system: the same one for the same name, unless it has been ended. */
  readonly process: <S extends System = System>(
    module: string,
    name?: string
  ) => Promise<RemoteProcess<Measured<S>>>
  /** A database that is filled once and then copied; `fill` closes what it opens. */
  readonly template: (name: string, fill: (database: Database) => Promise<void>) => Promise<string>
  /** Runs on a copy of a template, which is dropped afterwards. */
  readonly onCopy: <A>(template: string, use: (database: Database) => Promise<A>) => Promise<A>
  readonly stop: () => Promise<void>
}

export const startBench = async (options: {
  readonly size: number
  readonly rounds: number
}): Promise<Bench> => {
  const server = await startServer()
  const sink = await startProcess<Sink>("./sinkProcess.ts")
  const sinkUrl = await sink.methods.listen()
  const processes = new Map<string, Promise<RemoteProcess<Measured>>>()
  const templates = new Set<string>()
  let copies = 0

  return {
    server,
    sink,
    sinkUrl,
    ...options,
    process: <S extends System = System>(module: string, name = module) => {
      const process = processes.get(name) ?? startProcess<Measured>("./systemProcess.ts", { args: [module] })
      processes.set(name, process)
      // Which methods it has is what its module says.
      return process as Promise<RemoteProcess<unknown>> as Promise<RemoteProcess<Measured<S>>>
    },
    template: async (name, fill) => {
      if (!templates.has(name)) {
        const database = await server.createDatabase(name)
        templates.add(name)
        await fill(database)
      }
      return name
    },
    onCopy: async (template, use) => {
      const database = await server.copyDatabase(template, `copy_${++copies}`)
      try {
        return await use(database)
      } finally {
        await database.drop()
      }
    },
    stop: async () => {
      for (const process of processes.values()) await (await process).end()
      await sink.end()
      await server.stop()
    }
  }
}
