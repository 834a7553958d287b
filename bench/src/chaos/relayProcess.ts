/** A relay in a process of its own, which notes each lease that it was given before it does anything with it. */
import * as SmsBatTransport from "@effect-cascade/core/SmsBatTransport"
import { OutboxStore, type OutboxStoreShape } from "@effect-cascade/outbox/OutboxStore"
import * as PgOutboxAdminStore from "@effect-cascade/outbox/PgOutboxAdminStore"
import * as PgOutboxStore from "@effect-cascade/outbox/PgOutboxStore"
import * as Relay from "@effect-cascade/outbox/Relay"
import * as RetentionPruner from "@effect-cascade/outbox/RetentionPruner"
import * as RetryPolicy from "@effect-cascade/outbox/RetryPolicy"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Schedule from "effect/Schedule"
import * as Child from "./childProcess.ts"
import * as Notes from "./notes.ts"

export interface RelaySettings {
  readonly name: string
  readonly databaseUrl: string
  readonly providerUrl: string
  readonly leaseMillis: number
  /** The file for its notes; without one it takes none. */
  readonly notes?: string | undefined
  /** How long a finished message is kept, by a pruner in this process; without it no pruner runs. */
  readonly keepMillis?: number | undefined
}

/** Of a lease: a heartbeat is a fifth of it and a send takes at most three. */
const options = ({ leaseMillis, name }: RelaySettings): Relay.RelayOptions => ({
  name,
  // Small, as for messages that matter: an unknown outcome and a kill cast doubt on whole batches.
  batchSize: { urgent: 10, high: 25, normal: 25, low: 25 },
  lease: leaseMillis,
  heartbeat: leaseMillis / 5,
  sendTimeout: leaseMillis * 0.6,
  gracePeriod: leaseMillis,
  // Ten attempts as by default, but soon after each other: a run has minutes, not hours.
  retry: RetryPolicy.fullJitter(
    Schedule.min([Schedule.exponential("250 millis"), Schedule.spaced("3 seconds")]).pipe(
      Schedule.upTo({ times: 9 })
    )
  ),
  pause: {
    backoff: Schedule.jittered(
      Schedule.min([Schedule.exponential("200 millis"), Schedule.spaced("2 seconds")])
    ),
    maximum: "3 seconds",
    unauthorized: "1 second"
  }
})

const noting = (store: OutboxStoreShape, notes: Notes.Notes): OutboxStoreShape => ({
  ...store,
  claim: (capacities, lease) =>
    Effect.tap(store.claim(capacities, lease), (rows) =>
      Effect.map(Clock.currentTimeMillis, (at) =>
        notes.add(rows.map((row) => `claimed ${row.id} ${row.lease} ${at}`))
      )
    )
})

const settings = Child.argument<RelaySettings>()

const pruner =
  settings.keepMillis === undefined
    ? Layer.empty
    : RetentionPruner.layer({
        scrubAfter: settings.keepMillis / 2,
        deleteAfter: settings.keepMillis,
        every: settings.keepMillis / 4,
        keepParked: false
      }).pipe(Layer.provide(PgOutboxAdminStore.layer()))

const services = Layer.mergeAll(
  PgOutboxStore.layer(),
  SmsBatTransport.layer({
    baseUrl: settings.providerUrl,
    keys: { apiKey: Redacted.make("test-key") }
  }).pipe(Layer.provide(NodeHttpClient.layerUndici)),
  pruner
).pipe(Layer.provide(PgClient.layer({ url: Redacted.make(settings.databaseUrl), maxConnections: 6 })))

Child.run(
  Effect.scoped(
    Effect.gen(function* () {
      const store = yield* OutboxStore
      const noted = settings.notes === undefined ? store : noting(store, Notes.open(settings.notes))
      yield* Effect.provideService(Relay.make(options(settings)), OutboxStore, noted)
      yield* Child.answering(() => {
        globalThis.gc?.()
        return { ...process.memoryUsage(), resources: process.getActiveResourcesInfo().length }
      })
      yield* Child.ready
      yield* Child.asked
    })
  ).pipe(Effect.provide(services), Effect.provideService(References.MinimumLogLevel, "Warn"))
)
