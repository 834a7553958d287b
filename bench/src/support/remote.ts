/**
 * An object in a process of its own: every method becomes a call over the channel to that process.
 *
 * Each system under test has one, so that none of them sees another's heap, and the processor time that is counted
 * is its own. The process ends with this one, however that ends.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

type Method = (...args: Array<never>) => unknown

/** What can be called from outside: the methods, each with a promise for its answer. */
export type Remote<A> = {
  readonly [Name in keyof A]: A[Name] extends (...args: infer Args) => infer Answer
    ? (...args: Args) => Promise<Awaited<Answer>>
    : never
}

export interface RemoteProcess<A> {
  readonly methods: Remote<A>
  readonly pid: number
  readonly end: () => Promise<void>
}

interface Call {
  readonly id: number
  readonly method: string
  readonly args: ReadonlyArray<unknown>
}

type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string }

/** Starts a module that calls {@link serve}. */
export const startProcess = async <A>(
  module: string,
  options?: { readonly args?: ReadonlyArray<string>; readonly nodeArgs?: ReadonlyArray<string> }
): Promise<RemoteProcess<A>> => {
  const child = fork(fileURLToPath(new URL(module, import.meta.url)), [...(options?.args ?? [])], {
    execArgv: [...(options?.nodeArgs ?? [])],
    serialization: "advanced",
    stdio: ["ignore", "inherit", "inherit", "ipc"]
  })
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  const failAll = (problem: string) => {
    for (const { reject } of waiting.values()) reject(new Error(`${module}: ${problem}`))
    waiting.clear()
  }
  let exited = false
  child.once("exit", (code, signal) => {
    exited = true
    failAll(`the process ended (${signal ?? code})`)
  })
  child.on("message", (answer: Answer) => {
    const call = waiting.get(answer.id)
    waiting.delete(answer.id)
    if ("error" in answer) call?.reject(new Error(`${module}: ${answer.error}`))
    else call?.resolve(answer.value)
  })
  await once(child, "message")

  let calls = 0
  const call = (method: string, args: ReadonlyArray<unknown>) =>
    new Promise<unknown>((resolve, reject) => {
      if (exited) return reject(new Error(`${module}: the process has ended`))
      const id = ++calls
      waiting.set(id, { resolve, reject })
      child.send({ id, method, args } satisfies Call)
    })
  return {
    // Every name answers with a call; which names there are is what the type says.
    methods: new Proxy(
      {},
      {
        get: (_, name) =>
          name === "then" ? undefined : (...args: Array<unknown>) => call(String(name), args)
      }
    ) as Remote<A>,
    pid: child.pid ?? 0,
    end: async () => {
      if (exited) return
      const gone = once(child, "exit")
      child.disconnect()
      await gone
    }
  }
}

/** Answers the calls of the process that started this one, until it is gone. */
export const serve = (methods: object): void => {
  const send = (answer: Answer) => process.send?.(answer)
  process.on("message", async ({ args, id, method }: Call) => {
    try {
      const found = Reflect.get(methods, method) as Method
      send({ id, value: await Reflect.apply(found, methods, args) })
    } catch (error) {
      send({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
  process.once("disconnect", () => process.exit(0))
  send({ id: 0, value: "ready" })
}
