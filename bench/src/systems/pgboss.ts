/**
 * pg-boss with batch workers: one request to the sink for each batch, woken by NOTIFY, without a pause while batches
 * come full.
 *
 * Variants: `no-key` adds jobs without a singleton key, and so without a check for duplicates; `fresh-queue` makes the
 * queue when the worker starts, after the last ANALYZE, as a new service would.
 */
import { Pool, type PoolClient } from "pg"
import { type Job, type JobInsert, PgBoss } from "pg-boss"
import { type Notice, notice, notices, parts } from "../support/messages.ts"
import { makePoster, type Poster } from "../support/post.ts"
import { inTransaction } from "./graphile.ts"
import { insertOrder, shopTable, type System, type SystemOptions, type Target } from "./System.ts"

const queue = "send"

/** Workers in the process, each with a batch of its own under way: as many as the others have requests. */
const concurrency = 4

export const make = (): System => {
  let pool: Pool
  let boss: PgBoss
  let options: SystemOptions = {}
  let poster: Poster | undefined
  let handled = 0

  const on = (client: PoolClient) => ({
    executeSql: (text: string, values?: Array<unknown>) => client.query(text, values)
  })

  const jobOf = (message: Notice): JobInsert => ({
    data: message,
    ...(options.variant === "no-key" ? {} : { singletonKey: message.id })
  })

  return {
    open: async (url, chosen) => {
      options = chosen
      pool = new Pool({ connectionString: url, max: options.connections ?? 10 })
      // The database is dropped as soon as the pool says that it has ended, which is before its last connections are gone.
      pool.on("error", () => {})
      await pool.query(shopTable)
      boss = new PgBoss({ connectionString: url, max: options.connections ?? 10, useListenNotify: true })
      boss.on("error", (error) => process.stderr.write(`pg-boss: ${error.message}\n`))
      await boss.start()
      // The policy under which a singleton key means: once among the jobs that are not done.
      await boss.createQueue(queue, {
        notify: true,
        ...(options.variant === "no-key" ? {} : { policy: "exclusive" })
      })
    },
    clear: async () => {
      await boss.deleteAllJobs(queue)
      await pool.query("TRUNCATE shop_order")
    },
    enqueueAll: async (range, size) => {
      for (const part of parts(range, size)) {
        await inTransaction(pool, (client) =>
          boss.insert(queue, notices(part).map(jobOf), { db: on(client) })
        )
      }
    },
    commitOne: (number) =>
      inTransaction(pool, async (client) => {
        const one = notice(number)
        await client.query({ name: "order", text: insertOrder, values: [number, one.toPhone] })
        await boss.send(queue, one, {
          db: on(client),
          ...(options.variant === "no-key" ? {} : { singletonKey: one.id })
        })
      }),
    start: async (target: Target) => {
      handled = 0
      poster = target.kind === "sink" ? makePoster(target.url) : undefined
      await boss.work<Notice>(
        queue,
        {
          batchSize: options.batchSize ?? 1_000,
          localConcurrency: concurrency,
          burstWhenBatchFull: true,
          pollingIntervalSeconds: 0.5
        },
        async (jobs: ReadonlyArray<Job<Notice>>) => {
          await poster?.post(jobs.map(({ data }) => data))
          handled += jobs.length
        }
      )
    },
    stop: async () => {
      await boss.offWork(queue, { wait: true })
      await poster?.close()
    },
    handled: () => handled,
    isSettled: async () => {
      const { rowCount } = await pool.query(
        "SELECT FROM pgboss.job WHERE name = $1 AND state = 'active' LIMIT 1",
        [queue]
      )
      return rowCount === 0
    },
    close: async () => {
      await boss.stop({ graceful: false, close: true })
      await pool.end()
    }
  }
}
