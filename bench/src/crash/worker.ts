/**
 * A worker of one system, to be killed. It notes each message before it is sent and after its answer, and stops short
 * for ever at the place it is told to, so that the kill meets it there.
 */
import { Pool } from "undici"
import type { Notice } from "../support/messages.ts"
import { now } from "../support/time.ts"
import * as Notes from "../chaos/notes.ts"
import type { CrashSystem } from "./CrashSystem.ts"
import type { Place } from "./script.ts"

export interface WorkerSettings {
  readonly system: string
  readonly variant: string
  readonly databaseUrl: string
  readonly sinkUrl: string
  readonly notes: string
}

const settings = JSON.parse(process.argv[2] ?? "null") as WorkerSettings
const notes = Notes.open(settings.notes)
const pool = new Pool(settings.sinkUrl, { connections: 64 })
let armed: Place | undefined

process.once("disconnect", () => process.exit(3))
process.on("message", (place: Place) => {
  armed = place
})

const stopAt = async (place: Place) => {
  if (armed !== place) return
  process.send?.(`at ${place}`)
  await new Promise(() => {})
}

const post = async (messages: ReadonlyArray<Notice>): Promise<ReadonlyMap<string, string>> => {
  const { body } = await pool.request({
    path: "/",
    method: "POST",
    // So that the sink can hold back the answer to one worker.
    headers: { "content-type": "application/json", "x-worker": String(process.pid) },
    body: JSON.stringify(messages)
  })
  const receipts = (await body.json()) as ReadonlyArray<{ messageId: string; trackinId: string }>
  return new Map(receipts.map(({ messageId, trackinId }) => [trackinId, messageId]))
}

const { system } = (await import(new URL(`./${settings.system}.ts`, import.meta.url).href)) as {
  readonly system: CrashSystem
}

void system.work(
  settings.databaseUrl,
  settings.variant,
  async (messages) => {
    notes.add(messages.map(({ id }) => `begun ${id} ${now()}`))
    await stopAt("after the fetch")
    const receipts = await post(messages)
    await stopAt("before the completion")
    notes.add(messages.map(({ id }) => `answered ${id}`))
    return receipts
  },
  (word) => notes.add([`word ${word}`])
)
process.send?.("ready")
