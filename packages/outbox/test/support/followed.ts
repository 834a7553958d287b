/**
 * A database with delivery status, and stores that follow what they settle as sent.
 */
import type { CascadeEvent, StatusChanged } from "@effect-cascade/core/CascadeEvent"
import * as CascadeEvents from "@effect-cascade/core/CascadeEvents"
import * as DeliveryStatus from "@effect-cascade/core/DeliveryStatus"
import {
  StatusError,
  StatusLookup,
  type StatusLookupShape,
  type StatusReason
} from "@effect-cascade/core/StatusLookup"
import * as Outbox from "@effect-cascade/outbox/Outbox"
import * as OutboxMigrations from "@effect-cascade/outbox/OutboxMigrations"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import * as PgOutboxStore from "@effect-cascade/outbox/PgOutboxStore"
import * as PgStatusStore from "@effect-cascade/outbox/PgStatusStore"
import { StatusStore } from "@effect-cascade/outbox/StatusStore"
import * as StatusTracker from "@effect-cascade/outbox/StatusTracker"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import { PgClient } from "@effect/sql-pg"
import { assert, layer } from "@effect/vitest"
import { Duration, Effect, Layer, Schedule, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { connect } from "./database.ts"
import { transaction } from "./messages.ts"
import { makeSignal } from "./signal.ts"

const firstAtOnce = { trackStatus: true, firstStatusCheck: 0 }

/** A store that follows what it settles as sent, on a client. */
export const storeOn = (client: PgClient.PgClient) =>
  Effect.provideService(PgOutboxStore.make(firstAtOnce), PgClient.PgClient, client)

/** A database with the outbox's tables and those of delivery status. */
export const database = PgTestDatabase.layer({
  template: { name: "outbox-followed", setup: OutboxMigrations.run() },
  poolSize: 20
})

const outboxStore = Layer.effect(OutboxStore, Effect.flatMap(PgClient.PgClient, storeOn))

/** The write side and both stores. */
const followed = Outbox.layer.pipe(
  Layer.provideMerge(Layer.mergeAll(outboxStore, PgStatusStore.layer())),
  Layer.provideMerge(database)
)

export type Services = Layer.Success<typeof followed>

const reset = SqlClient.SqlClient.use(
  (sql) => sql`
    TRUNCATE cascade.message, cascade.work, cascade.outcome, cascade.lane, cascade.delivery_status,
      cascade.status_pause`
)

/** A test in real time that finds the tables of its file's database empty. */
export type Test = <E>(name: string, body: () => Effect.Effect<void, E, Services | Scope.Scope>) => void

/** The tests of a file, one after another on one database. */
export const onFollowed = (name: string, define: (test: Test) => void): void =>
  layer(followed, { excludeTestServices: true })(name, (it) =>
    define((title, body) => it.effect(title, () => Effect.andThen(reset, body())))
  )

/** Another store of delivery status, with a client of its own, as another process would have. */
export const anotherStatusStore = Effect.flatMap(connect(), (client) =>
  Effect.provideService(PgStatusStore.make(), PgClient.PgClient, client)
)

/** Enqueues messages, and settles them as sent; the provider calls them `provider-…`. Answers with the outbox's ids. */
export const accepted = Effect.fnUntraced(function* (
  trackingIds: ReadonlyArray<string>,
  {
    providerId = (id) => `provider-${id}`,
    ttl,
    ...options
  }: Outbox.EnqueueOptions & {
    readonly ttl?: Duration.Input
    readonly providerId?: (id: string) => string
  } = {}
) {
  const outbox = yield* Outbox.Outbox
  const store = yield* OutboxStore
  yield* outbox.transaction(
    outbox.enqueueAll(
      trackingIds.map((id) =>
        transaction(id, ttl === undefined ? {} : { ttl: Duration.fromInputUnsafe(ttl) })
      ),
      options
    )
  )
  const lane = `${options.account ?? "default"}/high`
  const [first, ...rest] = yield* store.claim([{ lane, limit: trackingIds.length }], {
    lease: Duration.seconds(30),
    relay: "test"
  })
  if (first === undefined) return new Map<string, string>()
  const rows = [first, ...rest] as const
  const [firstSent, ...restSent] = rows.map((row) => ({
    id: row.id,
    lease: row.lease,
    kind: "sent" as const,
    delayMillis: 0,
    counted: true,
    reason: undefined,
    providerMessageId: providerId(row.trackingId)
  }))
  if (firstSent !== undefined) yield* store.settle([firstSent, ...restSent], { relay: "test" })
  return new Map(rows.map((row) => [row.trackingId, row.id]))
})

/** A row of `delivery_status`, with times as distances from now in milliseconds. */
export interface StatusRow {
  readonly account: string
  readonly providerId: string
  readonly status: string | null
  readonly confirmed: boolean | null
  readonly dueIn: number | null
  readonly lease: number
  readonly leased: boolean
  readonly checks: number
  readonly misses: number
}

export const statusRow = (trackingId: string) =>
  SqlClient.SqlClient.use((sql) =>
    Effect.map(
      sql<StatusRow>`
        SELECT
          tracked.account, tracked.provider_message_id AS "providerId", tracked.status, tracked.confirmed,
          extract(epoch FROM tracked.next_check_at - now())::float8 * 1000 AS "dueIn",
          tracked.lease::int AS lease, tracked.lease_until IS NOT NULL AS leased, tracked.checks, tracked.misses
        FROM cascade.delivery_status AS tracked
        JOIN cascade.message AS message ON message.id = tracked.message_id
        WHERE message.tracking_id = ${trackingId}`,
      ([row]) => row
    )
  )

/** Done when an assertion holds. For what is told by nothing that could be waited for. */
export const eventually = <R>(assertion: Effect.Effect<void, unknown, R>) =>
  Effect.catchDefect(assertion, Effect.fail).pipe(
    Effect.retry(Schedule.spaced("50 millis").pipe(Schedule.upTo({ duration: "40 seconds" })))
  )

/** Done when the rows are as they should be. */
export const settledAs = (ids: ReadonlyArray<string>, expected: (id: string) => Partial<StatusRow>) =>
  eventually(
    Effect.gen(function* () {
      for (const id of ids) assert.include(yield* statusRow(id), expected(id), id)
    })
  )

/** Makes every message that is still followed due. */
export const makeDue = SqlClient.SqlClient.use(
  (sql) => sql`
    UPDATE cascade.delivery_status
    SET next_check_at = now() - interval '1 second', checked_at = checked_at - interval '1 minute'
    WHERE next_check_at IS NOT NULL`
)

/** Lets every lease of a check run out. */
export const runOutLeases = SqlClient.SqlClient.use(
  (sql) => sql`
    UPDATE cascade.delivery_status SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL`
)

/** Ends every pause of look-ups. */
export const endPauses = SqlClient.SqlClient.use(
  (sql) => sql`UPDATE cascade.status_pause SET paused_until = now()`
)

/** A report of a status, confirmed unless told otherwise. */
export const report = (
  trackingId: string,
  status: DeliveryStatus.DeliveryStatus,
  more?: Partial<ConstructorParameters<typeof DeliveryStatus.StatusReport>[0]>
) =>
  new DeliveryStatus.StatusReport({
    messageId: `provider-${trackingId}`,
    status,
    source: "poll",
    confirmed: true,
    ...more
  })

/** A report as a webhook makes it: not confirmed. */
export const hint = (trackingId: string, status: DeliveryStatus.DeliveryStatus) =>
  report(trackingId, status, { source: "webhook", confirmed: false })

/** How a look-up answers: to a message, of which it is the `call`th, from 1. */
export type LookupScript = (
  messageId: string,
  call: number
) => Effect.Effect<DeliveryStatus.StatusReport, StatusError>

export const says =
  (status: DeliveryStatus.DeliveryStatus): LookupScript =>
  (messageId) =>
    Effect.succeed(new DeliveryStatus.StatusReport({ messageId, status, source: "poll", confirmed: true }))

export const refuses =
  (reason: StatusReason): LookupScript =>
  () =>
    Effect.fail(new StatusError({ reason }))

/** One answer after another for each message; the last one goes on. */
export const inTurn =
  (...scripts: readonly [LookupScript, ...ReadonlyArray<LookupScript>]): LookupScript =>
  (messageId, call) =>
    (scripts[Math.min(call, scripts.length) - 1] ?? scripts[0])(messageId, call)

/** A look-up that writes down what it is asked for, and answers by a script. */
export const scripted = (script: LookupScript) => {
  const asked: Array<string> = []
  const signal = makeSignal()
  const shape: StatusLookupShape = {
    lookup: (messageId) =>
      Effect.suspend(() => {
        asked.push(messageId)
        signal.tick()
        return script(messageId, asked.filter((id) => id === messageId).length)
      })
  }
  return {
    asked,
    shape,
    /** Done when it was asked so often. */
    called: (times: number) => signal.until(() => asked.length >= times)
  }
}

export type Scripted = ReturnType<typeof scripted>

/** Asks every five seconds, and in other ways as usual. */
export const steady: StatusTracker.StatusTrackerOptions = {
  schedule: Schedule.spaced("5 seconds"),
  poll: "20 millis",
  rate: 10_000
}

interface Surroundings {
  readonly lookup: Scripted
  readonly store?: StatusStore["Service"] | undefined
  readonly events?: CascadeEvents.CascadeEventsShape | undefined
}

const inSurroundings =
  ({ events, lookup, store }: Surroundings) =>
  <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const own = yield* StatusStore
      const quiet = yield* CascadeEvents.make()
      return yield* self.pipe(
        Effect.provideService(StatusStore, store ?? own),
        Effect.provideService(StatusLookup, lookup.shape),
        Effect.provideService(CascadeEvents.CascadeEvents, events ?? quiet)
      )
    })

/** Asks about what is due. */
export const runOnce = (surroundings: Surroundings, options?: StatusTracker.StatusTrackerOptions) =>
  StatusTracker.runOnce({ ...steady, ...options }).pipe(inSurroundings(surroundings))

/** A tracker that runs until the scope closes. */
export const startTracker = (surroundings: Surroundings, options?: StatusTracker.StatusTrackerOptions) =>
  StatusTracker.make({ ...steady, ...options }).pipe(inSurroundings(surroundings))

/** A tracker that only takes reports in, over a store. */
export const intake = (store: StatusStore["Service"], events?: CascadeEvents.CascadeEventsShape) =>
  startTracker({
    lookup: scripted(() => Effect.never),
    store: { ...store, claim: () => Effect.succeed([]) },
    events
  })

/** `a: scheduled -> delivered`, for each change of status that was told. */
export const changes = (events: ReadonlyArray<CascadeEvent>): ReadonlyArray<string> =>
  events
    .filter((event): event is StatusChanged => event._tag === "StatusChanged")
    .map((event) => `${event.trackingId}: ${event.previous ?? "nothing"} -> ${event.status}`)
