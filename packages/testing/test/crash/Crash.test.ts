import * as Message from "@effect-cascade/core/Message"
import * as SmsBatTransport from "@effect-cascade/core/SmsBatTransport"
import { Transport } from "@effect-cascade/core/Transport"
import * as Outbox from "@effect-cascade/outbox/Outbox"
import * as OutboxMigrations from "@effect-cascade/outbox/OutboxMigrations"
import * as PgOutboxStore from "@effect-cascade/outbox/PgOutboxStore"
import * as Relay from "@effect-cascade/outbox/Relay"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import * as SmsBatEmulator from "@effect-cascade/testing/SmsBatEmulator"
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it, layer } from "@effect/vitest"
import { Context, Effect, Layer, Redacted, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { type ChildProcess, spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { fates, type Point, points, type Policy, table } from "./points.ts"
import type { VictimOptions } from "./victim.ts"

const database = PgTestDatabase.layer({ template: { name: "crash", setup: OutboxMigrations.run() } })
const outbox = Outbox.layer.pipe(Layer.provideMerge(PgOutboxStore.layer()), Layer.provideMerge(database))

/** One message of each type under each policy, each in an account of its own, so that each has a relay of its own. */
const subjects = (["Transaction", "Promo", "ViberSurvey", "FlashCall"] as const).flatMap((type) =>
  (["resend", "hold"] as const).map((policy: Policy) => ({ type, policy, account: `${type}-${policy}` }))
)

const inputOf = ({ account, type }: (typeof subjects)[number]): Message.MessageInput => {
  const common = { id: account, fromName: "Shop", toPhone: "+380671112233" }
  switch (type) {
    case "Transaction":
    case "Promo":
      return { _tag: type, ...common, text: "Text" }
    case "ViberSurvey":
      return { _tag: type, ...common, text: "Text", surveyOptions: ["Yes", "No"] }
    case "FlashCall":
      return { _tag: type, ...common }
  }
}

const enqueueAll = Effect.gen(function* () {
  const { enqueue, transaction } = yield* Outbox.Outbox
  yield* transaction(
    Effect.forEach(subjects, (subject) =>
      Effect.flatMap(Message.make(inputOf(subject)), (message) =>
        enqueue(message, { account: subject.account, uncertainty: subject.policy })
      )
    )
  )
})

/** A process that stands still at a point, and is killed with the scope at the latest. */
const startVictim = (options: VictimOptions) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [new URL("victim.ts", import.meta.url).pathname, JSON.stringify(options)], {
        stdio: ["pipe", "pipe", "inherit"]
      })
    ),
    kill
  )

/** Ends a process as nothing but the operating system can, and waits until it is gone. */
const kill = (victim: ChildProcess): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (victim.exitCode !== null || victim.signalCode !== null) return resume(Effect.void)
    victim.once("exit", () => resume(Effect.void))
    victim.kill("SIGKILL")
  })

/** Done when the relay of each account has come to its point. */
const reached = (victim: ChildProcess, accounts: ReadonlyArray<string>) =>
  Effect.callback<void>((resume) => {
    let text = ""
    victim.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString("utf8")
      if (accounts.every((account) => text.includes(`reached ${account}\n`))) resume(Effect.void)
    })
    victim.once("exit", (code, signal) =>
      resume(Effect.die(`the victim ended by itself (${code ?? signal})`))
    )
  })

/** Done when Postgres has noticed that the process is gone, and rolled back what it had open. */
const forgotten = (application: string) =>
  SqlClient.SqlClient.use((sql) =>
    sql`
      SELECT pid FROM pg_stat_activity
      WHERE application_name = ${application} AND datname = current_database()`.pipe(
      Effect.flatMap((rows) => (rows.length === 0 ? Effect.void : Effect.fail("still there" as const))),
      Effect.retry({ while: (error) => error === "still there", schedule: Schedule.spaced("20 millis") })
    )
  )

const expireLeases = SqlClient.SqlClient.use(
  (sql) =>
    sql`UPDATE cascade.work SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL`
)

const storyOf = (trackingId: string) =>
  SqlClient.SqlClient.use((sql) =>
    Effect.map(
      sql<{ readonly line: string }>`
        SELECT outcome.kind || ' ' || outcome.attempt AS line
        FROM cascade.outcome AS outcome
        JOIN cascade.message AS message ON message.id = outcome.message_id
        WHERE message.tracking_id = ${trackingId}
        ORDER BY outcome.lease`,
      (rows) => rows.map(({ line }) => line)
    )
  )

const waiting = SqlClient.SqlClient.use((sql) =>
  Effect.map(sql`SELECT message_id FROM cascade.work`, (rows) => rows.length)
)

const accounts = subjects.map(({ account }) => account)

const crashAt = Effect.fnUntraced(function* (point: Point) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`TRUNCATE cascade.message, cascade.work, cascade.outcome, cascade.lane`
  const answersNever = point === "after the last byte of the request"
  const emulator = yield* SmsBatEmulator.make(answersNever ? { faults: "hang-after" } : {})
  const { url } = yield* PgTestDatabase
  const application = `victim ${points.indexOf(point)}`
  yield* enqueueAll

  const victim = yield* startVictim({
    point,
    accounts,
    application,
    database: Redacted.value(url),
    provider: emulator.url
  })
  yield* answersNever ? emulator.awaitReceived(subjects.length) : reached(victim, accounts)
  yield* kill(victim)
  yield* forgotten(application)

  yield* emulator.setFaults("")
  yield* expireLeases
  const services = yield* Layer.build(
    SmsBatTransport.layer({ baseUrl: emulator.url, keys: { apiKey: Redacted.make("test-key") } }).pipe(
      Layer.provide(NodeHttpClient.layerUndici)
    )
  )
  const transport = Context.get(services, Transport)
  yield* Relay.drain({
    name: "heir",
    accounts: Object.fromEntries(accounts.map((account) => [account, transport]))
  }).pipe(Effect.provideService(Transport, transport))

  for (const { account, policy } of subjects) {
    const fate = fates[point][policy]
    assert.deepStrictEqual(yield* storyOf(account), fate.outcomes, account)
    assert.lengthOf(yield* emulator.ledger.received(account), fate.received, account)
  }
  assert.strictEqual(yield* waiting, 0)
})

layer(outbox, { excludeTestServices: true })("a relay whose process is killed", (it) => {
  for (const point of points) {
    it.effect(`${point}`, () => crashAt(point), 180_000)
  }
})

describe("docs/reliability.md", () => {
  it("has the table of crashes", () => {
    const text = readFileSync(new URL("../../../../docs/reliability.md", import.meta.url), "utf8")
    assert.include(text, table.join("\n"))
  })
})
