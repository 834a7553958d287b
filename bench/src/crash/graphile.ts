/**
 * graphile-worker. A job that is locked belongs to its worker for four hours; the interval is written into its SQL.
 * What can be set is only how often somebody looks for locks that are older. Whoever knows that a worker is dead can
 * unlock its jobs by `forceUnlockWorkers`.
 */
import { EventEmitter } from "node:events"
import { Logger, makeWorkerUtils, run, type WorkerEvents } from "graphile-worker"
import { Pool } from "pg"
import type { Notice } from "../support/messages.ts"
import type { CrashSystem } from "./CrashSystem.ts"

const silent = new Logger(() => () => {})

const lockTime = "4 h, then at the next look (8 to 10 min by default)"
const lockSource =
  "graphile-worker 0.18.0: interval '4 hours' in dist/sql/resetLockedAt.js; minResetLockedInterval and maxResetLockedInterval in dist/config.js"

export const system: CrashSystem = {
  name: "graphile-worker",
  variants: [
    { name: "defaults", settings: "none", promised: lockTime, source: lockSource },
    {
      name: "frequent looks",
      settings: "minResetLockedInterval and maxResetLockedInterval 1 s",
      promised: "4 h, then within 1 s",
      source: lockSource
    },
    {
      name: "unlocked by hand",
      settings: "whoever sees the death calls forceUnlockWorkers",
      promised: "at once",
      source: "graphile-worker 0.18.0: forceUnlockWorkers in dist/workerUtils.js"
    }
  ],
  open: async (url, variant) => {
    const utils = await makeWorkerUtils({ connectionString: url, logger: silent })
    await utils.migrate()
    const pool = new Pool({ connectionString: url, max: 4 })
    return {
      enqueue: async (message) => {
        await utils.addJob("send", message, { jobKey: message.id })
      },
      left: async () => {
        const { rows } = await pool.query<{ readonly count: number }>(
          "SELECT count(*)::int AS count FROM graphile_worker._private_jobs"
        )
        return rows[0]?.count ?? Number.NaN
      },
      afterDeath:
        variant === "unlocked by hand" ? (workers) => utils.forceUnlockWorkers([...workers]) : undefined,
      close: async () => {
        await utils.release()
        await pool.end()
      }
    }
  },
  work: async (url, variant, handle, note) => {
    // An emitter of its own, so that no worker is missed that is there before `run` answers.
    const events: WorkerEvents = new EventEmitter()
    // It is the pool, of all workers of the process, that locks.
    events.on("pool:create", ({ workerPool }) => note(workerPool.id))
    await run({
      connectionString: url,
      logger: silent,
      noHandleSignals: true,
      events,
      taskList: { send: (payload) => handle([payload as Notice]).then(() => undefined) },
      preset: {
        worker: {
          concurrentJobs: 10,
          ...(variant === "frequent looks"
            ? { minResetLockedInterval: 1_000, maxResetLockedInterval: 1_000 }
            : {})
        }
      }
    })
  }
}
