import * as OutboxAdmin from "@effect-cascade/outbox/OutboxAdmin"
import { OutboxAdminStore } from "@effect-cascade/outbox/OutboxAdminStore"
import * as PgOutboxAdminStore from "@effect-cascade/outbox/PgOutboxAdminStore"
import * as PgOutboxStore from "@effect-cascade/outbox/PgOutboxStore"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import { PgClient } from "@effect/sql-pg"
import { assert } from "@effect/vitest"
import { Duration, Effect, Redacted, Schedule } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect, onDatabase, outboxOn } from "./support/database.ts"
import { ids, promo, transaction } from "./support/messages.ts"
import { listening, startRelay } from "./support/relay.ts"
import { counts, kinds, storyOf } from "./support/rows.ts"
import { recording } from "./support/transport.ts"

/** As behind a pooler in transaction mode: nothing that a session remembers is there at the next statement. */
const settings = { prepare: false, maxConnections: 8 } as const

/** All that a writer, a relay and an operator do, over one client. */
const everything = Effect.fnUntraced(function* (client: PgClient.PgClient) {
  const heard = yield* listening
  const sent = recording()
  const store = yield* PgOutboxStore.make({ wake: "poll" }).pipe(
    Effect.provideService(PgClient.PgClient, client)
  )
  const adminStore = yield* PgOutboxAdminStore.make({ wake: "poll" }).pipe(
    Effect.provideService(PgClient.PgClient, client)
  )
  const admin = yield* Effect.provideService(OutboxAdmin.make, OutboxAdminStore, adminStore)
  const outbox = yield* outboxOn(store)

  yield* admin.pause({ lane: "default/low" })
  yield* outbox.transaction(
    Effect.all([
      outbox.enqueueAll(ids("m", 20).map((id) => transaction(id))),
      outbox.enqueue(promo("late", { ttl: Duration.seconds(1) })),
      outbox.enqueue(promo("held"))
    ])
  )
  assert.strictEqual((yield* outbox.transaction(outbox.enqueue(transaction("m-0"))))._tag, "AlreadyEnqueued")
  yield* startRelay(
    { sent, heard, store },
    { batchSize: { high: 5 }, heartbeat: "200 millis", poll: { busy: "20 millis", idle: "100 millis" } }
  )
  yield* heard.heard("Accepted", 20)
  yield* heard.heard("Expired", 1, "late")
  yield* admin.cancel("default", "held")
  const [ended] = (yield* admin.list({ state: "expired" })).messages
  yield* admin.requeue({ ids: [ended?.id ?? ""] }, { newDeadline: new Date(Date.now() + 3_600_000) })
  yield* admin.resume({ lane: "default/low" })
  yield* heard.heard("Accepted", 1, "late")
  assert.deepStrictEqual(yield* storyOf("late"), ["expired 0", "requeued 0", "sent 1"])
  assert.deepStrictEqual(yield* kinds, { cancelled: 1, expired: 1, requeued: 1, sent: 21 })
  assert.strictEqual((yield* counts)?.work, 0)
})

const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen({ port: 0, host: "127.0.0.1" }, () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

/** A PgBouncer before a database, in transaction mode, with two connections to it for all. */
const pooled = Effect.fnUntraced(function* (url: Redacted.Redacted) {
  const { hostname, password, pathname, port, username } = new URL(Redacted.value(url))
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "pgbouncer-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true }))
  )
  const ownPort = yield* freePort
  const file = join(folder, "pgbouncer.ini")
  const database = pathname.slice(1)
  // A server that trusts its callers has no password, and PgBouncer takes no empty one.
  const secret = password === "" ? "" : ` password='${decodeURIComponent(password)}'`
  const login = `user=${decodeURIComponent(username)}${secret}`
  writeFileSync(
    file,
    `[databases]
${database} = host=${hostname} port=${port} dbname=${database} ${login}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${ownPort}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
`
  )
  chmodSync(folder, 0o755)
  // It refuses to run as root.
  const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
  yield* Effect.acquireRelease(
    Effect.sync(() => spawn("pgbouncer", [file], { stdio: "ignore", ...nobody })),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const through = new URL(Redacted.value(url))
  through.port = String(ownPort)
  through.hostname = "127.0.0.1"
  return Redacted.make(through.href)
})

onDatabase("without a session of its own", (test) => {
  test("an outbox does all it does when each statement and transaction has another connection", () =>
    Effect.gen(function* () {
      const client = yield* connect({ ...settings, connectionTTL: 0 })
      const pids = yield* Effect.forEach(
        [1, 2, 3],
        () => client<{ readonly pid: number }>`SELECT pg_backend_pid() AS pid`
      )
      assert.strictEqual(new Set(pids.flat().map(({ pid }) => pid)).size, 3)
      yield* everything(client)
    }))

  // Where it is installed; the test above is what no machine leaves out.
  if (spawnSync("pgbouncer", ["--version"]).status === 0) {
    test("an outbox does all it does behind PgBouncer in transaction mode", () =>
      Effect.gen(function* () {
        const { url } = yield* PgTestDatabase
        const client = yield* connect({ ...settings, url: yield* pooled(url) })
        const ready = Effect.retry(client`SELECT 1`, { times: 100, schedule: Schedule.spaced("50 millis") })
        yield* ready
        yield* everything(client)
      }))
  }
})
