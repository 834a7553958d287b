/**
 * The process of one system under test: what is measured around its methods is the same for all.
 */
import { setImmediate, setTimeout as sleep } from "node:timers/promises"
import type { System, Target } from "../systems/System.ts"
import type { Range } from "./messages.ts"
import { serve } from "./remote.ts"
import { type Profile, profiled } from "./profile.ts"
import { now } from "./time.ts"

/** How a backlog was worked off. */
export interface Drained {
  /** From the start of the worker until the last message was written down as done. */
  readonly millis: number
  /** Processor time of this process, user and system together. */
  readonly cpuMillis: number
  /** The resident memory at the start and after each quarter of the messages, in MiB. */
  readonly rss: ReadonlyArray<number>
}

/** When the transaction of a message was committed. */
export type Committed = readonly [number: number, at: number]

const { make } = (await import(new URL(`../systems/${process.argv[2]}.ts`, import.meta.url).href)) as {
  readonly make: () => System
}
const system = make()

const cpuMillis = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1_000
}

const residentMebibytes = (): number => process.memoryUsage.rss() / 2 ** 20

const drain = async (target: Target, count: number): Promise<Drained> => {
  const rss = [residentMebibytes()]
  const started = now()
  const cpu = cpuMillis()
  await system.start(target)
  while (system.handled() < count) {
    await sleep(2)
    if (system.handled() >= (count * rss.length) / 4) rss.push(residentMebibytes())
  }
  while (!(await system.isSettled())) await sleep(2)
  const drained = { millis: now() - started, cpuMillis: cpuMillis() - cpu, rss }
  await system.stop()
  return drained
}

const measured = {
  drain,

  /** As `drain`, and says where the processor time went. */
  profileDrain: (target: Target, count: number): Promise<readonly [Drained, Profile]> =>
    profiled(() => drain(target, count)),

  /** Enqueues messages, `size` in each transaction. Answers with the milliseconds it took. */
  enqueue: async (range: Range, size: number): Promise<number> => {
    const started = now()
    await system.enqueueAll(range, size)
    return now() - started
  },

  /** Commits that many transactions, `clients` at a time. Answers with the milliseconds it took. */
  transact: async (range: Range, clients: number): Promise<number> => {
    let next = range.first
    const end = range.first + range.count
    const started = now()
    await Promise.all(
      Array.from({ length: clients }, async () => {
        while (next < end) await system.commitOne(next++)
      })
    )
    return now() - started
  },

  /** Commits transactions at a steady rate, late ones at once. */
  offer: async (range: Range, perSecond: number): Promise<ReadonlyArray<Committed>> => {
    const committed: Array<Committed> = []
    const pending: Array<Promise<unknown>> = []
    const started = now()
    for (let index = 0; index < range.count; index++) {
      const wait = started + (index * 1_000) / perSecond - now()
      if (wait > 0) await (wait < 1 ? setImmediate() : sleep(wait))
      const number = range.first + index
      pending.push(system.commitOne(number).then(() => committed.push([number, now()])))
    }
    await Promise.all(pending)
    return committed
  },

  cpuMillis,
  residentMebibytes
}

/** Everything that can be asked of the process of a system. */
export type Measured<S extends System = System> = S & typeof measured

serve({ ...system, ...measured })
