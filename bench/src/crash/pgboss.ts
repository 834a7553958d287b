/**
 * pg-boss. An active job is failed, and so tried again, when it is older than `expireInSeconds` (15 minutes), or when
 * its worker misses its heartbeats where a queue has them; a supervisor looks every `superviseIntervalSeconds`.
 */
import { Pool } from "pg"
import { PgBoss, type ConstructorOptions, type Job, type Queue } from "pg-boss"
import type { Notice } from "../support/messages.ts"
import type { CrashSystem } from "./CrashSystem.ts"

const queue = "send"

interface Settings {
  readonly boss: Omit<ConstructorOptions, "connectionString">
  readonly queue: Omit<Queue, "name">
}

const often = { superviseIntervalSeconds: 1, monitorIntervalSeconds: 1 }

const settings: Readonly<Record<string, Settings>> = {
  defaults: { boss: {}, queue: {} },
  heartbeats: { boss: often, queue: { heartbeatSeconds: 10, retryLimit: 10 } },
  "short expiry": { boss: often, queue: { expireInSeconds: 5, retryLimit: 10 } }
}

export const system: CrashSystem = {
  name: "pg-boss",
  variants: [
    {
      name: "defaults",
      settings: "none",
      promised: "15 min, then at the next look (60 s)",
      source:
        "pg-boss 12.38.0: FIFTEEN_MINUTES in QUEUE_DEFAULTS of dist/plans.js; superviseIntervalSeconds and monitorIntervalSeconds in dist/attorney.js"
    },
    {
      name: "heartbeats",
      settings: "heartbeatSeconds 10 (the least it takes), supervised each second",
      promised: "10 s, then within 1 s",
      source: "pg-boss 12.38.0: heartbeatSeconds in dist/types.d.ts"
    },
    {
      name: "short expiry",
      settings: "expireInSeconds 5 (no job may take longer), supervised each second",
      promised: "5 s, then within 1 s",
      source: "pg-boss 12.38.0: expireInSeconds in dist/types.d.ts"
    }
  ],
  open: async (url, variant) => {
    // It looks after nothing itself: that is for the workers, as it is in the other systems.
    const boss = await start(url, { supervise: false, schedule: false })
    await boss.createQueue(queue, settings[variant]?.queue ?? {})
    const pool = new Pool({ connectionString: url, max: 2 })
    return {
      enqueue: async (message) => {
        await boss.send(queue, message)
      },
      left: async () => {
        const { rows } = await pool.query<{ readonly count: number }>(
          "SELECT count(*)::int AS count FROM pgboss.job WHERE name = $1 AND state <> 'completed'",
          [queue]
        )
        return rows[0]?.count ?? Number.NaN
      },
      close: async () => {
        await boss.stop({ graceful: false, close: true })
        await pool.end()
      }
    }
  },
  work: async (url, variant, handle) => {
    const boss = await start(url, settings[variant]?.boss ?? {})
    await boss.work<Notice>(
      queue,
      { localConcurrency: 10, pollingIntervalSeconds: 0.5 },
      async (jobs: ReadonlyArray<Job<Notice>>) => {
        await handle(jobs.map(({ data }) => data))
      }
    )
  }
}

const start = async (url: string, options: Omit<ConstructorOptions, "connectionString">) => {
  const boss = new PgBoss({ connectionString: url, max: 8, ...options })
  boss.on("error", () => {})
  await boss.start()
  return boss
}
