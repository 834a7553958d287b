/**
 * Everything of a run: a Postgres of its own with its default durability, the emulated provider, a proxy before each
 * of them for every process that uses it, and the processes. All of it is gone when the scope closes.
 */
import * as OutboxMigrations from "@effect-cascade/outbox/OutboxMigrations"
import * as EmulatorModule from "@effect-cascade/testing/SmsBatEmulator"
import * as FaultProxy from "@effect-cascade/testing/FaultProxy"
import { PgTestServer } from "@effect-cascade/testing/PgTestServer"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import { existsSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Notes from "./notes.ts"
import * as Orders from "./orders.ts"
import type { ProducerSettings } from "./producerProcess.ts"
import type { RelaySettings } from "./relayProcess.ts"
import * as Supervisor from "./supervisor.ts"

export type Database = Effect.Success<ReturnType<typeof PgTestServer.makeOwned>>

export interface World {
  readonly database: Database
  readonly postgres: string
  /** A client that no proxy stands before, for looking. */
  readonly sql: PgClient.PgClient
  readonly emulator: EmulatorModule.SmsBatEmulatorShape
  /** Between all relays and the provider. */
  readonly provider: FaultProxy.FaultProxyShape
  /** Between each relay and the database, and after them between each producer and the database. */
  readonly links: ReadonlyArray<FaultProxy.FaultProxyShape>
  /** Where the processes keep their notes and logs. */
  readonly folder: string
}

export interface WorldOptions {
  readonly seed: number
  readonly links: number
  /** Keep only the ids of what the provider took, in runs that are too long for more. Defaults to `"all"`. */
  readonly keep?: "all" | "ids" | undefined
  /** How many requests to the provider are remembered. Defaults to all of them. */
  readonly keepRequests?: number | undefined
  /** Leave the notes and logs where they are. Defaults to `false`. */
  readonly keepFolder?: boolean | undefined
}

export const make = Effect.fnUntraced(function* (options: WorldOptions) {
  const { seed } = options
  const folder = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "cascade-chaos-"))),
    (folder) =>
      options.keepFolder === true
        ? Effect.void
        : Effect.promise(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  )
  const database = yield* PgTestServer.makeOwned({ durability: "durable", maxConnections: 200 })
  const sql = yield* PgClient.make({ url: database.url, maxConnections: 3 }).pipe(
    Effect.provide(Reactivity.layer)
  )
  yield* OutboxMigrations.run().pipe(Effect.provideService(SqlClient, sql))
  yield* sql.unsafe(Orders.table)
  const emulator = yield* EmulatorModule.make({
    seed,
    keepRequests: options.keepRequests ?? 2_000_000,
    keep: options.keep ?? "all"
  })
  const provider = yield* FaultProxy.make({ target: emulator.url, seed })
  const links = yield* Effect.forEach(Array.from({ length: options.links }), (_, index) =>
    FaultProxy.make({ target: database.url, seed: seed * 1_000 + index })
  )
  const world: World = { database, postgres: database.version, sql, emulator, provider, links, folder }
  return world
})

/** A relay behind its own link to the database. */
export const relay = (
  world: World,
  index: number,
  options: Pick<RelaySettings, "leaseMillis" | "keepMillis"> & {
    readonly noting: boolean
    readonly nodeArguments?: ReadonlyArray<string>
  }
): Effect.Effect<Supervisor.Supervised, never, Scope.Scope> => {
  const { nodeArguments, noting, ...settings } = options
  return Supervisor.make({
    module: "relayProcess.ts",
    slot: `relay-${index + 1}`,
    compileCache: join(world.folder, "compiled"),
    logFile: join(world.folder, `relay-${index + 1}.log`),
    nodeArguments,
    argumentOf: (name) =>
      Effect.succeed<RelaySettings>({
        ...settings,
        name,
        databaseUrl: databaseUrl(world, index),
        providerUrl: world.provider.url(world.emulator.url),
        ...(noting ? { notes: join(world.folder, `${name}.notes`) } : {})
      })
  })
}

/** A producer behind its own link to the database, which goes on where the one before was killed. */
export const producer = (
  world: World,
  index: number,
  options: Pick<ProducerSettings, "seed" | "quota" | "perSecond" | "startedAt"> & { readonly link: number }
): Effect.Effect<Supervisor.Supervised, never, Scope.Scope> => {
  const { link, ...settings } = options
  const slot = `producer-${index + 1}`
  return Supervisor.make({
    module: "producerProcess.ts",
    slot,
    compileCache: join(world.folder, "compiled"),
    logFile: join(world.folder, `${slot}.log`),
    argumentOf: () =>
      Effect.map(
        Effect.promise(() => Notes.read(world.folder, slot)),
        (notes): ProducerSettings => ({
          ...settings,
          producer: index + 1,
          databaseUrl: databaseUrl(world, link),
          notes: join(world.folder, `${slot}.notes`),
          finished: finishedFile(world, index),
          next: 1 + notes.filter(({ words }) => words[0] === "begun").length,
          before: notes.reduce((sum, { words }) => sum + (words[0] === "committed" ? Number(words[2]) : 0), 0)
        })
      )
  })
}

/** Whether a producer has committed all that it was to. */
export const isFinished = (world: World, index: number): Effect.Effect<boolean> =>
  Effect.sync(() => existsSync(finishedFile(world, index)))

const finishedFile = ({ folder }: World, index: number): string =>
  join(folder, `producer-${index + 1}.finished`)

const databaseUrl = ({ database, links }: World, link: number): string => {
  const url = Redacted.value(database.url)
  return links[link]?.url(url) ?? url
}
