/**
 * graphile-worker as its documentation sets it up for throughput: a local queue, and completions written in batches.
 *
 * A job has one message. Jobs that run at the same time share a request to the sink. Variants: `no-key` adds jobs
 * without a job key, and so without a check for duplicates; `defaults` has no local queue and no batches.
 */
import { Logger, type Runner, run, runMigrations } from "graphile-worker"
import { Pool, type PoolClient } from "pg"
import { collect } from "../support/collector.ts"
import { type Notice, notice, notices, parts } from "../support/messages.ts"
import { makePoster, type Poster } from "../support/post.ts"
import { insertOrder, shopTable, type System, type SystemOptions, type Target } from "./System.ts"

const task = "send"

/** Jobs at a time. With fewer, requests to the sink carry fewer messages; with more, it was not faster. */
const concurrency = 500

const silent = new Logger(() => () => {})

export const make = (): System => {
  let pool: Pool
  let options: SystemOptions = {}
  let runner: Runner | undefined
  let poster: Poster | undefined
  let handled = 0

  const addJobs = (on: PoolClient, messages: ReadonlyArray<Notice>) =>
    on.query({
      name: "add-jobs",
      text: `
        SELECT id FROM graphile_worker.add_jobs(
          array(SELECT json_populate_recordset(null::graphile_worker.job_spec, $1::json))
        )`,
      values: [
        JSON.stringify(
          messages.map((message) => ({
            identifier: task,
            payload: message,
            ...(options.variant === "no-key" ? {} : { job_key: message.id })
          }))
        )
      ]
    })

  return {
    open: async (url, chosen) => {
      options = chosen
      pool = new Pool({ connectionString: url, max: options.connections ?? 10 })
      // What graphile-worker asks of a pool that is given to it.
      pool.on("error", () => {})
      pool.on("connect", (client) => client.on("error", () => {}))
      await pool.query(shopTable)
      await runMigrations({ pgPool: pool, logger: silent })
    },
    clear: async () => {
      await pool.query("TRUNCATE graphile_worker._private_jobs, shop_order")
    },
    enqueueAll: async (range, size) => {
      for (const part of parts(range, size)) {
        await inTransaction(pool, (client) => addJobs(client, notices(part)))
      }
    },
    commitOne: (number) =>
      inTransaction(pool, async (client) => {
        const one = notice(number)
        await client.query({ name: "order", text: insertOrder, values: [number, one.toPhone] })
        await client.query({
          name: "add-job",
          text: "SELECT id FROM graphile_worker.add_job($1::text, payload => $2::json, job_key => $3::text)",
          values: [task, JSON.stringify(one), options.variant === "no-key" ? null : one.id]
        })
      }),
    start: async (target: Target) => {
      const size = options.batchSize ?? 1_000
      const tuned = options.variant !== "defaults"
      poster = target.kind === "sink" ? makePoster(target.url) : undefined
      const posting = poster
      const send =
        posting === undefined ? undefined : collect<Notice>(size, (messages) => posting.post(messages))
      handled = 0
      runner = await run({
        pgPool: pool,
        logger: silent,
        noHandleSignals: true,
        taskList: {
          [task]: async (payload) => {
            // The payload is what `addJobs` wrote.
            if (send !== undefined) await send(payload as Notice)
            handled++
          }
        },
        preset: {
          worker: tuned
            ? {
                concurrentJobs: concurrency,
                localQueue: { size: 500 },
                completeJobBatchDelay: 0,
                failJobBatchDelay: 0
              }
            : { concurrentJobs: 24 }
        }
      })
    },
    stop: async () => {
      await runner?.stop()
      await poster?.close()
    },
    handled: () => handled,
    isSettled: async () => {
      const { rowCount } = await pool.query(
        "SELECT FROM graphile_worker._private_jobs WHERE locked_at IS NOT NULL LIMIT 1"
      )
      return rowCount === 0
    },
    close: () => pool.end()
  }
}

/** A transaction on `pg`, as an application without a library writes it. */
export const inTransaction = async (pool: Pool, action: (client: PoolClient) => Promise<unknown>) => {
  const client = await pool.connect()
  try {
    await client.query("BEGIN")
    await action(client)
    await client.query("COMMIT")
  } finally {
    client.release()
  }
}
