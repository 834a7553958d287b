/**
 * The Postgres of a run: the one from npm with its default durability, and a database for each system.
 */
import { PgTestServer } from "@effect-cascade/testing/PgTestServer"
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import { Client } from "pg"
import { readdir, readFile } from "node:fs/promises"

/** Counters of one database, and the position in the log of all. */
export interface Usage {
  readonly walBytes: number
  /** Row versions that vacuum has to remove: of updates and deletes. */
  readonly deadTuples: number
  readonly updates: number
  /** Updates that touched no index. */
  readonly hotUpdates: number
  /** Processor time of the whole server. `NaN` where /proc does not tell. */
  readonly cpuMillis: number
}

export interface Database {
  readonly url: string
  readonly query: (text: string, values?: ReadonlyArray<unknown>) => Promise<ReadonlyArray<unknown>>
  /** Clean tables, known statistics, nothing left for the background writer: the same start for everybody. */
  readonly settle: (options?: { readonly analyze?: boolean }) => Promise<void>
  readonly usage: () => Promise<Usage>
  /** Runs while another session has a snapshot that is older. */
  readonly holdingSnapshot: <A>(action: () => Promise<A>) => Promise<A>
  readonly drop: () => Promise<void>
}

export interface Server {
  readonly version: string
  readonly createDatabase: (name: string) => Promise<Database>
  /** A copy of a database that nobody is connected to: tables, indexes and statistics as they lie there. */
  readonly copyDatabase: (template: string, name: string) => Promise<Database>
  readonly stop: () => Promise<void>
}

/**
 * More memory and a larger log than the defaults of 1996, as anybody would set who runs a queue on it. `fsync`,
 * `synchronous_commit` and `full_page_writes` are left on.
 */
const settings = {
  shared_buffers: "1GB",
  max_wal_size: "8GB",
  checkpoint_timeout: "15min",
  shared_preload_libraries: "pg_stat_statements",
  // Off but where a figure asks for it: it costs a little.
  "pg_stat_statements.track": "none"
}

export const startServer = async (): Promise<Server> => {
  const runtime = ManagedRuntime.make(
    PgTestServer.layerOwned({ durability: "durable", maxConnections: 400, settings })
  )
  const server = await runtime.runPromise(PgTestServer.use((server) => Effect.succeed(server)))
  const url = Redacted.value(server.url)
  return {
    version: server.version,
    createDatabase: async (name) => {
      await withClient(url, async (client) => {
        await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
        await client.query(`CREATE DATABASE ${name}`)
      })
      return openDatabase(url, name)
    },
    copyDatabase: async (template, name) => {
      await withClient(url, async (client) => {
        await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
        // As files, which also writes a checkpoint: everybody begins with none of the log to be written yet.
        await client.query(`CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY file_copy`)
      })
      return openDatabase(url, name)
    },
    stop: () => runtime.dispose()
  }
}

const openDatabase = (serverUrl: string, name: string): Database => {
  const url = Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href
  const query = (text: string, values: ReadonlyArray<unknown> = []) =>
    withClient(url, async (client) => (await client.query(text, [...values])).rows as ReadonlyArray<unknown>)
  return {
    url,
    query,
    settle: async (options) => {
      await query(options?.analyze === false ? "VACUUM" : "VACUUM (ANALYZE)")
      await query("CHECKPOINT")
    },
    usage: async () => {
      await query("SELECT pg_stat_force_next_flush()")
      const [usage] = await query(`
        SELECT
          split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int AS postmaster,
          (pg_current_wal_insert_lsn() - '0/0')::float8 AS "walBytes",
          coalesce(sum(n_tup_upd + n_tup_del), 0)::float8 AS "deadTuples",
          coalesce(sum(n_tup_upd), 0)::float8 AS updates,
          coalesce(sum(n_tup_hot_upd), 0)::float8 AS "hotUpdates"
        FROM pg_stat_user_tables`)
      // What the statement above selects.
      const { postmaster, ...counted } = usage as Omit<Usage, "cpuMillis"> & { readonly postmaster: number }
      return { ...counted, cpuMillis: await serverCpuMillis(postmaster) }
    },
    holdingSnapshot: (action) =>
      withClient(url, async (client) => {
        await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await client.query("SELECT 1")
        const result = await action()
        await client.query("ROLLBACK")
        return result
      }),
    drop: () =>
      withClient(serverUrl, async (client) => {
        await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
      })
  }
}

const withClient = async <A>(url: string, use: (client: Client) => Promise<A>): Promise<A> => {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end()
  }
}

/** Of a process, its children, and those of them that have ended. */
const serverCpuMillis = async (postmaster: number): Promise<number> => {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/u.test(name))
  const main = await processOf(postmaster)
  if (main === undefined) return Number.NaN
  let sum = main.own + main.ended
  for (const pid of pids) {
    const process = await processOf(pid)
    if (process?.parent === postmaster) sum += process.own
  }
  return sum
}

const processOf = async (pid: number | string) => {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined)
  if (stat === undefined) return undefined
  // The name may hold blanks; what follows its bracket does not. Times are in hundredths of a second.
  const fields = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number)
  const millis = (first: number) => ((fields[first] ?? 0) + (fields[first + 1] ?? 0)) * 10
  return { parent: fields[1] ?? 0, own: millis(11), ended: millis(13) }
}
