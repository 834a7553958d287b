/**
 * The kill script, the same for every system: jobs are written at a steady pace, two processes work on them, and again
 * and again one of the two is killed at a set place in the middle of a send and started anew. Then it is seen how long
 * the jobs that it held lie there, and what the provider's ledger says.
 */
import { fork, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import * as Notes from "../chaos/notes.ts"
import { spread, type Spread } from "../chaos/spread.ts"
import { notice, trackingId } from "../support/messages.ts"
import type { Server } from "../support/server.ts"
import { now } from "../support/time.ts"
import type { CrashSystem, Variant } from "./CrashSystem.ts"
import { openSink, type Sink } from "./sink.ts"
import type { WorkerSettings } from "./worker.ts"

/** Where in a send the kill comes. */
export type Place = "after the fetch" | "during HTTP" | "before the completion"

const places: ReadonlyArray<Place> = ["after the fetch", "during HTTP", "before the completion"]

export interface ScriptOptions {
  /** How many to write at least; it goes on until the last kill. */
  readonly jobs: number
  readonly kills: number
  /** How long to wait for stranded jobs, in seconds, after the last kill. */
  readonly wait: number
}

export interface ScriptResult {
  readonly system: string
  readonly variant: Variant
  readonly jobs: number
  readonly kills: number
  /** Jobs that the killed workers held and had not finished. */
  readonly stranded: number
  /** Of them, those that moved again within the time. */
  readonly moved: number
  /** From the kill to the moment when another process began with the job, in milliseconds; of those that moved. */
  readonly recovery: Spread
  /** Of the jobs that were written, those that nobody had received when the time was over. */
  readonly notReceived: number
  /** Copies on the ledger beyond the first of each job. */
  readonly duplicates: number
  /** Of the stranded, those that the provider had accepted before the kill: sent again, each is a duplicate. */
  readonly acceptedBeforeKill: number
  /** Jobs that their system does not count as done when the time is over. */
  readonly left: number
  readonly seconds: number
}

/** Jobs in a second: less than one of the two processes can do. */
const pace = 40

export const run = async (
  server: Server,
  system: CrashSystem,
  variant: Variant,
  options: ScriptOptions,
  signal: AbortSignal
): Promise<ScriptResult> => {
  const started = now()
  const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }))
  const folder = await mkdtemp(join(tmpdir(), "cascade-crash-"))
  const sink = await openSink()
  const database = await server.createDatabase("crash")
  const workers: Array<Worker> = []
  try {
    const writer = await system.open(database.url, variant.name)
    const start = async (slot: number): Promise<Worker> => {
      const worker = startWorker({
        system: fileOf(system),
        variant: variant.name,
        databaseUrl: database.url,
        sinkUrl: sink.url,
        notes: join(folder, `worker-${workers.length}.notes`)
      })
      workers[slot] = worker
      workers.push(worker)
      await worker.ready
      return worker
    }
    // The first two places are those of the processes that work; behind them all that ever worked.
    workers.length = 2
    await start(0)
    await start(1)

    const progress = { written: 0, allKilled: false }
    const writing = (async () => {
      const from = now()
      // A worker that is to be killed with a job in hand needs one.
      while ((progress.written < options.jobs || !progress.allKilled) && !signal.aborted) {
        const wait = from + (progress.written * 1_000) / pace - now()
        if (wait > 0) await sleep(wait)
        await writer.enqueue(notice(progress.written + 1))
        progress.written++
      }
    })()

    const killed: Array<{
      readonly worker: Worker
      readonly at: number
      readonly held: ReadonlySet<string>
    }> = []
    for (let kill = 0; kill < options.kills && !signal.aborted; kill++) {
      await sleep(500)
      const worker = workers[kill % 2]
      const place = places[kill % places.length]
      if (worker === undefined || place === undefined) continue
      await Promise.race([atPlace(worker, place, sink), aborted])
      const at = now()
      worker.child.kill("SIGKILL")
      await worker.ended
      const words = await wordsOf(worker)
      killed.push({ worker, at, held: heldBy(words) })
      await writer.afterDeath?.(words.filter(([kind]) => kind === "word").map(([, word = ""]) => word))
      sink.release()
      await start(kill % 2)
    }
    progress.allKilled = true
    await writing

    // Until nothing is left, or the time is over.
    const end = now() + options.wait * 1_000
    while (now() < end && !signal.aborted && (await writer.left()) > 0) await sleep(200)
    const left = await writer.left()
    await writer.close()
    const begun = await begunAfter(workers.slice(2))
    const times: Array<number> = []
    let stranded = 0
    let acceptedBeforeKill = 0
    for (const { at, held } of killed) {
      for (const id of held) {
        stranded++
        if ((sink.received(id)[0] ?? Infinity) <= at) acceptedBeforeKill++
        const again = begun.get(id)?.find((moment) => moment > at)
        if (again !== undefined) times.push(again - at)
      }
    }
    const jobs = Array.from({ length: progress.written }, (_, index) => sink.received(trackingId(index + 1)))
    return {
      system: system.name,
      variant,
      jobs: progress.written,
      kills: killed.length,
      stranded,
      moved: times.length,
      recovery: spread(times),
      notReceived: jobs.filter((times) => times.length === 0).length,
      duplicates: jobs.reduce((sum, times) => sum + Math.max(0, times.length - 1), 0),
      acceptedBeforeKill,
      left,
      seconds: (now() - started) / 1_000
    }
  } finally {
    for (const worker of new Set(workers)) worker?.child.kill("SIGKILL")
    await sink.close()
    await database.drop().catch(() => {})
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

interface Worker {
  readonly child: ChildProcess
  readonly notes: string
  readonly ready: Promise<unknown>
  readonly ended: Promise<unknown>
}

const startWorker = (settings: WorkerSettings): Worker => {
  const child = fork(fileURLToPath(new URL("worker.ts", import.meta.url)), [JSON.stringify(settings)], {
    // In a session of its own: a Ctrl-C is for this process, which then ends the others.
    detached: true,
    stdio: ["ignore", "ignore", "inherit", "ipc"]
  })
  child.on("error", () => {})
  return {
    child,
    notes: settings.notes,
    ready: once(child, "message"),
    ended: once(child, "exit")
  }
}

const fileOf = ({ name }: CrashSystem): string =>
  ({ cascade: "cascade", "graphile-worker": "graphile", "pg-boss": "pgboss" })[name] ?? name

/** Waits until a worker has come to the place with a job in hand. */
const atPlace = async ({ child }: Worker, place: Place, sink: Sink): Promise<void> => {
  if (place === "during HTTP") {
    // Whatever this worker sends next is accepted and not answered.
    const accepted = sink.hold(String(child.pid))
    await accepted
    return
  }
  const arrived = once(child, "message")
  child.send(place)
  await arrived
}

const wordsOf = async (worker: Worker): Promise<ReadonlyArray<ReadonlyArray<string>>> => {
  const folder = worker.notes.slice(0, worker.notes.lastIndexOf("/"))
  const name = worker.notes.slice(folder.length + 1, -".notes".length)
  const notes = await Notes.read(folder, `${name}.`)
  return notes.map(({ words }) => words)
}

/** What a worker had begun and not finished. */
const heldBy = (notes: ReadonlyArray<ReadonlyArray<string>>): ReadonlySet<string> => {
  const held = new Set<string>()
  for (const [kind, id = ""] of notes) {
    if (kind === "begun") held.add(id)
    if (kind === "answered") held.delete(id)
  }
  return held
}

/** When each job was begun with, by anybody, in order. */
const begunAfter = async (
  workers: ReadonlyArray<Worker>
): Promise<ReadonlyMap<string, ReadonlyArray<number>>> => {
  const begun = new Map<string, Array<number>>()
  for (const words of await Promise.all(workers.map(wordsOf))) {
    for (const [kind, id = "", at] of words) {
      if (kind !== "begun") continue
      const times = begun.get(id)
      if (times === undefined) begun.set(id, [Number(at)])
      else times.push(Number(at))
    }
  }
  for (const times of begun.values()) times.sort((a, b) => a - b)
  return begun
}
