import { CascadeEvent, CascadeEvents, StatusLookup, Transport } from "@effect-cascade/core"
import {
  Explanation,
  MaskedContent,
  MessageHistory,
  Notifications,
  Outbox,
  OutboxAdmin,
  OutboxAdminStore,
  OutboxMigrations,
  OutboxMonitor,
  OutboxRow,
  OutboxStore,
  PgOutboxAdminStore,
  PgOutboxStore,
  PgRateLimiterStore,
  PgStatusStore,
  ReasonSummary,
  Relay,
  RetentionPruner,
  RetryPolicy,
  Settlement,
  SqlFailure,
  StatusStore,
  StatusTracker
} from "@effect-cascade/outbox"
import { PgTestDatabase } from "@effect-cascade/testing/PgTestDatabase"
import { PgClient } from "@effect/sql-pg"
import { DateTime, Duration, Effect, Layer, Redacted, Schedule, Schema, type Scope, Stream } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, SqlError } from "effect/sql"
import { canary } from "./canaries.ts"
import {
  calling,
  CarelessError,
  headers,
  messages,
  on,
  promo,
  reasons,
  sealed,
  spoilt,
  survey,
  transaction,
  transports
} from "./cases.ts"

const { phone, text } = canary

const stores = Layer.mergeAll(
  PgOutboxStore.layer({ trackStatus: true, firstStatusCheck: 0 }),
  PgOutboxAdminStore.layer(),
  PgStatusStore.layer()
)

/** The whole outbox on a database of its own. */
export const database = Layer.mergeAll(Outbox.layer, OutboxAdmin.layer).pipe(
  Layer.provideMerge(stores),
  Layer.provideMerge(CascadeEvents.layer()),
  Layer.provideMerge(
    PgTestDatabase.layer({ template: { name: "outbox-canary", setup: OutboxMigrations.run() }, poolSize: 10 })
  )
)

export type Services = Layer.Success<typeof database> | Scope.Scope

const c = (
  operations: string,
  name: string,
  run: Effect.Effect<unknown, unknown, Services>,
  unmasked?: string
) => on<Services>("outbox", operations, name, run, unmasked)

const reset = SqlClient.SqlClient.use(
  (sql) => sql`
    TRUNCATE cascade.message, cascade.work, cascade.outcome, cascade.lane, cascade.delivery_status, cascade.status_pause`
)

const enqueueAll = (options?: Outbox.EnqueueOptions) =>
  Outbox.Outbox.use((outbox) => outbox.transaction(outbox.enqueueAll(messages(), { headers, ...options })))

const exits = <A, E, R>(...effects: ReadonlyArray<Effect.Effect<A, E, R>>) =>
  Effect.forEach(effects, (one) => Effect.exit(one))

/** Ways to break the tables, each of which makes Postgres say what was in the row or in the statement. */
const breakages = {
  "a check refuses the row":
    "ALTER TABLE cascade.message ADD CONSTRAINT canary CHECK (tracking_id = 'nobody') NOT VALID",
  "a unique index refuses the row": "CREATE UNIQUE INDEX canary ON cascade.message ((left(payload, 1)))",
  "a trigger says what is in the row": `
    CREATE FUNCTION cascade.canary() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'not this: %', NEW.payload USING DETAIL = NEW.payload, HINT = NEW.payload; END $$
    --;
    CREATE TRIGGER canary BEFORE INSERT ON cascade.message FOR EACH ROW EXECUTE FUNCTION cascade.canary()`,
  "a trigger says it as a broken constraint": `
    CREATE FUNCTION cascade.canary() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'not this: %', NEW.payload USING ERRCODE = '23514'; END $$
    --;
    CREATE TRIGGER canary BEFORE INSERT ON cascade.message FOR EACH ROW EXECUTE FUNCTION cascade.canary()`,
  "a trigger fails on the value": `
    CREATE FUNCTION cascade.canary() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN PERFORM NEW.payload::int; RETURN NEW; END $$
    --;
    CREATE TRIGGER canary BEFORE INSERT ON cascade.message FOR EACH ROW EXECUTE FUNCTION cascade.canary()`,
  "the table is gone": "ALTER TABLE cascade.message RENAME TO gone",
  "a column is gone": "ALTER TABLE cascade.message RENAME COLUMN payload TO gone",
  "the type is another":
    "ALTER TABLE cascade.message ALTER COLUMN tracking_id TYPE varchar(3) USING left(tracking_id, 3)"
}

// A message of the protocol holds one statement.
const all = (statements: string) =>
  SqlClient.SqlClient.use((sql) =>
    Effect.forEach(statements.split("--;"), (statement) => sql.unsafe(statement))
  )

const mended = [
  "ALTER TABLE IF EXISTS cascade.gone RENAME TO message",
  "DROP TRIGGER IF EXISTS canary ON cascade.message",
  "DROP FUNCTION IF EXISTS cascade.canary()",
  "ALTER TABLE cascade.message DROP CONSTRAINT IF EXISTS canary",
  "DROP INDEX IF EXISTS cascade.canary",
  "ALTER TABLE cascade.message ALTER COLUMN tracking_id TYPE text",
  "ALTER TABLE cascade.message RENAME COLUMN gone TO payload"
].map((statement) => Effect.ignore(all(statement)))

const broken = Object.entries(breakages).map(([name, statement]) =>
  c(
    "Outbox.Outbox#enqueue Outbox.Outbox#enqueueAll Outbox.Outbox#transaction PgOutboxStore.layer Outbox.layer",
    name,
    Effect.gen(function* () {
      const outbox = yield* Outbox.Outbox
      const admin = yield* OutboxAdmin.OutboxAdmin
      yield* reset
      return yield* Effect.acquireUseRelease(
        all(statement),
        () =>
          Effect.all([
            Effect.exit(enqueueAll()),
            Effect.exit(outbox.transaction(outbox.enqueue(transaction()))),
            Effect.exit(admin.read("default", "canary-1")),
            Effect.exit(admin.list({ state: "dead" })),
            Effect.exit(admin.explain("default", "canary-1"))
          ]),
        () => Effect.all(mended)
      )
    })
  )
)

const relays = Object.entries(transports).map(([name, transport]) =>
  c(
    "Relay.drain Relay.make Relay.layer Relay.Relay#tally",
    `over a transport that ${name}`,
    Effect.gen(function* () {
      yield* reset
      const events = yield* CascadeEvents.CascadeEvents
      const heard: Array<CascadeEvent.CascadeEvent> = []
      const stream = yield* events.subscribe
      yield* Effect.forkScoped(Stream.runForEach(stream, (event) => Effect.sync(() => heard.push(event))))
      yield* enqueueAll()
      const options: Relay.RelayOptions = {
        sendTimeout: "100 millis",
        retry: Schedule.spaced("1 millis").pipe(Schedule.upTo({ times: 1 })),
        gracePeriod: "10 millis",
        heartbeat: "50 millis"
      }
      const provided = Effect.provideService(Transport.Transport, transport)
      const drained = yield* Effect.exit(Effect.timeoutOption(Relay.drain(options), "1 second")).pipe(
        provided
      )
      const relay = yield* Effect.scoped(Effect.flatMap(Relay.make(options), ({ tally }) => tally)).pipe(
        provided
      )
      const wrong = yield* Effect.exit(Effect.scoped(Relay.make({ lease: "1 millis", name: "canary" }))).pipe(
        provided
      )
      const layered = yield* Effect.exit(
        Effect.scoped(Layer.build(Relay.layer({ ...options, slots: { high: 0 } })))
      ).pipe(provided)
      const sql = yield* SqlClient.SqlClient
      const outcomes = yield* sql`SELECT kind, reason, provider_message_id, relay FROM cascade.outcome`
      const lanes = yield* sql`SELECT * FROM cascade.lane`
      const encode = Schema.encodeSync(CascadeEvent.CascadeEventFromJson)
      return {
        drained,
        relay,
        wrong,
        layered,
        outcomes,
        lanes,
        heard,
        encoded: heard.map((event) => encode(event))
      }
    })
  )
)

/** Ends every message as dead. */
const killAll = Effect.gen(function* () {
  const dead = transports["Rejected"]
  if (dead !== undefined) yield* Effect.provideService(Relay.drain(), Transport.Transport, dead)
})

const operating = [
  c(
    "OutboxAdmin.layer OutboxAdmin.make OutboxAdmin.OutboxAdmin#counts OutboxAdmin.OutboxAdmin#list OutboxAdmin.OutboxAdmin#read OutboxAdmin.OutboxAdmin#explain OutboxAdmin.OutboxAdmin#requeue OutboxAdmin.OutboxAdmin#discard OutboxAdmin.OutboxAdmin#resolve OutboxAdmin.OutboxAdmin#cancel OutboxAdmin.OutboxAdmin#pause OutboxAdmin.OutboxAdmin#resume PgOutboxAdminStore.layer",
    "everything that an operator does",
    Effect.gen(function* () {
      yield* reset
      yield* enqueueAll()
      yield* killAll
      const admin = yield* OutboxAdmin.OutboxAdmin
      const { messages: dead } = yield* admin.list({ state: "dead" })
      const id = dead[0]?.id ?? ""
      yield* Outbox.Outbox.use((outbox) => outbox.transaction(outbox.enqueue(promo("waiting"))))
      const shown = yield* Effect.all([
        admin.counts,
        admin.read("default", "canary-1"),
        admin.explain("default", "waiting"),
        admin.explain("default", "canary-3")
      ])
      const moves = yield* exits<unknown, unknown, never>(
        admin.requeue({ ids: [id] }),
        admin.requeue({ ids: [id, phone, text] }),
        admin.requeue({ state: "dead", limit: 10, reasonTag: text }),
        admin.discard({ ids: [text] }),
        admin.resolve(id, "sent"),
        admin.resolve(phone, "sent"),
        admin.cancel("default", "waiting"),
        admin.cancel("default", "nobody"),
        admin.pause({ account: "default" }, "a note"),
        admin.pause({ lane: `${text}/high` }),
        admin.resume({ account: "default" }),
        admin.list({ state: "dead", after: text }),
        admin.list({ state: "dead", account: text }),
        admin.read("default", "nobody")
      )
      return { dead, shown, moves }
    })
  ),
  c(
    "OutboxAdminStore.OutboxAdminStore#list OutboxAdminStore.OutboxAdminStore#read OutboxAdminStore.OutboxAdminStore#explain PgOutboxAdminStore.make OutboxAdminStore.OutboxAdminStore#countLanes OutboxAdminStore.OutboxAdminStore#countParked OutboxAdminStore.OutboxAdminStore#heldLanes OutboxAdminStore.OutboxAdminStore#states OutboxAdminStore.OutboxAdminStore#requeue OutboxAdminStore.OutboxAdminStore#conclude OutboxAdminStore.OutboxAdminStore#cancel OutboxAdminStore.OutboxAdminStore#holdLanes OutboxAdminStore.OutboxAdminStore#openLanes OutboxAdminStore.OutboxAdminStore#transaction OutboxAdminStore.OutboxAdminStore#afterCommit MaskedContent.of MessageHistory.of MessageHistory.ofParked MessageHistory.entryOf Explanation.of",
    "rows as the store gives them",
    Effect.gen(function* () {
      yield* reset
      yield* enqueueAll()
      yield* killAll
      const store = yield* OutboxAdminStore.OutboxAdminStore
      const rows = yield* store.list({ state: "dead", filter: {}, limit: 10, after: undefined })
      const read = yield* store.read("default", "canary-3")
      const explained = yield* store.explain("default", "canary-1", { aheadLimit: 10 })
      const [row] = rows
      const ids = row === undefined ? undefined : ([row.id] as const)
      const moved =
        ids === undefined
          ? []
          : yield* exits<unknown, unknown, never>(
              store.states(ids, undefined),
              store.requeue(
                { ids, states: ["dead"] },
                { by: "x", resetAttempts: true, newDeadline: undefined, resolves: false }
              ),
              store.conclude({ ids, states: ["dead"] }, { by: "x", kind: "discarded" }),
              store.cancel("default", "canary-1", "x"),
              store.holdLanes(["default/high"], "note"),
              store.openLanes(["default/high"]),
              store.transaction(store.afterCommit(Effect.void)),
              store.countLanes,
              store.countParked,
              store.heldLanes
            )
      return {
        rows,
        read,
        explained,
        moved,
        masked: [
          MaskedContent.of(Redacted.make(text), DateTime.makeUnsafe(0)),
          MaskedContent.of(null, DateTime.makeUnsafe(0)),
          row === undefined ? undefined : MessageHistory.ofParked(row),
          row === undefined ? undefined : MessageHistory.entryOf(row.outcome),
          read === undefined ? undefined : MessageHistory.of(read),
          Explanation.of({ account: "default", trackingId: "canary-1" }, explained)
        ]
      }
    })
  ),
  c(
    "OutboxMonitor.make OutboxMonitor.run OutboxMonitor.layer RetentionPruner.runOnce RetentionPruner.make RetentionPruner.layer RetentionPruner.RetentionPruner#runOnce OutboxAdminStore.OutboxAdminStore#scrub OutboxAdminStore.OutboxAdminStore#prune",
    "scrubs",
    Effect.gen(function* () {
      yield* reset
      yield* enqueueAll()
      yield* killAll
      const pruner = yield* RetentionPruner.make({ scrubAfter: 0, deleteAfter: 0, keepParked: false })
      const layered = Layer.build(RetentionPruner.layer({ scrubAfter: 0 }))
      yield* Effect.flatten(OutboxMonitor.make)
      yield* Effect.scoped(OutboxMonitor.run())
      yield* Effect.scoped(Layer.build(OutboxMonitor.layer()))
      return [
        yield* pruner.runOnce,
        yield* RetentionPruner.runOnce({ scrubAfter: 0 }),
        yield* Effect.asVoid(layered)
      ]
    })
  )
]

const lookups: Readonly<Record<string, StatusLookup.StatusLookupShape["lookup"]>> = {
  dies: () => Effect.die(new CarelessError()),
  "is refused": () => Effect.fail(new StatusLookup.StatusError({ reason: new StatusLookup.NotFound() })),
  throws: () => {
    throw new CarelessError()
  }
}

const ShopEvent = Schema.Union([
  Schema.TaggedStruct("Placed", { order: Schema.Int, phone: Schema.String, text: Schema.String })
])

const notifications = (draft: (phone: string, text: string) => Notifications.Draft) =>
  Notifications.make(ShopEvent, {
    id: ({ order }) => order,
    table: { Placed: (event) => draft(event.phone, event.text) }
  })

const careful = notifications((toPhone, text) => ({ _tag: "Transaction", fromName: "Shop", toPhone, text }))

/** A database that cannot be reached, at an address with a password. */
const unreachable = Effect.gen(function* () {
  const client = yield* PgClient.make({
    url: Redacted.make(`postgres://app:${canary.databasePassword}@127.0.0.1:1/app`),
    connectTimeout: "1 second"
  }).pipe(Effect.provide(Reactivity.layer))
  const store = yield* Effect.provideService(PgOutboxStore.make(), PgClient.PgClient, client)
  const outbox = yield* Effect.provideService(Outbox.make, OutboxStore.OutboxStore, store)
  const admin = yield* Effect.provideService(PgOutboxAdminStore.make(), PgClient.PgClient, client)
  return { client, outbox, store, admin }
})

export const outboxCases = [
  c(
    "Outbox.make Outbox.Outbox#enqueue Outbox.Outbox#enqueueAll Outbox.Outbox#transaction OutboxStore.OutboxStore#insert OutboxStore.OutboxStore#transaction PgOutboxStore.make",
    "every end of it",
    Effect.gen(function* () {
      yield* reset
      const outbox = yield* Outbox.Outbox
      const inside = (message: Parameters<typeof outbox.enqueue>[0], options?: Outbox.EnqueueOptions) =>
        outbox.transaction(outbox.enqueue(message, options))
      return yield* exits<unknown, unknown, never>(
        inside(transaction()),
        inside(transaction()),
        inside({ ...survey("canary-1") } as never),
        inside(promo("canary-1")),
        outbox.enqueue(transaction("outside")),
        inside(spoilt as never),
        inside({ ...transaction("copy"), text: "" } as never),
        inside(transaction("x"), { account: text, headers }),
        inside(transaction("x"), { headers: { note: 5 } as never }),
        inside(transaction("x"), { availableAt: new Date(Number.NaN) }),
        outbox.transaction(Effect.andThen(outbox.enqueue(transaction("rolled-back")), Effect.die("undone"))),
        outbox.transaction(Effect.andThen(outbox.enqueue(transaction("rolled-back")), Effect.interrupt))
      )
    })
  ),
  ...broken,
  ...relays,
  ...operating,
  c(
    "PgOutboxStore.make PgOutboxAdminStore.make OutboxStore.OutboxStore#claim OutboxStore.OutboxStore#settle OutboxStore.OutboxStore#renew OutboxStore.OutboxStore#lanes OutboxStore.OutboxStore#pauseLanes OutboxStore.OutboxStore#probeLane OutboxStore.OutboxStore#reopenLanes OutboxStore.OutboxStore#resumeLanes OutboxStore.OutboxStore#wakes PgRateLimiterStore.make PgRateLimiterStore.layer PgStatusStore.make OutboxMigrations.run OutboxMigrations.verify OutboxMigrations.layer OutboxMigrations.applyGrants",
    "a database that cannot be reached",
    Effect.gen(function* () {
      const away = yield* Effect.exit(unreachable)
      if (away._tag === "Failure") return away
      const { admin, client, outbox, store } = away.value
      const provided = Effect.provideService(PgClient.PgClient, client)
      const limits = Layer.provide(PgRateLimiterStore.layer(), Layer.succeed(PgClient.PgClient, client))
      return yield* exits<unknown, unknown, Scope.Scope>(
        Layer.build(limits),
        Effect.scoped(provided(PgRateLimiterStore.make() as never)),
        outbox.transaction(outbox.enqueue(transaction())),
        outbox.enqueue(transaction()),
        store.claim([{ lane: "default/high", limit: 1 }], { lease: Duration.seconds(30), relay: "canary" }),
        store.settle(
          [
            {
              id: "x",
              lease: 1n,
              kind: "sent",
              delayMillis: 0,
              counted: true,
              reason: undefined,
              providerMessageId: "p"
            }
          ],
          { relay: "canary" }
        ),
        store.lanes,
        store.renew([{ id: "x", lease: 1n }], { lease: Duration.seconds(30) } as never),
        admin.countLanes,
        OutboxMigrations.run().pipe(provided, Effect.provideService(SqlClient.SqlClient, client)),
        OutboxMigrations.verify().pipe(Effect.provideService(SqlClient.SqlClient, client)),
        OutboxMigrations.applyGrants({ writer: text } as never).pipe(
          Effect.provideService(SqlClient.SqlClient, client)
        ),
        Effect.timeoutOption(
          Relay.drain().pipe(
            Effect.provideService(OutboxStore.OutboxStore, store),
            Effect.provideService(
              Transport.Transport,
              transports["accepts"] ?? { name: "", maxBatchSize: 1, send: () => Effect.succeed([]) }
            )
          ),
          "500 millis"
        )
      )
    })
  ),
  c(
    "OutboxMigrations.run OutboxMigrations.sql OutboxMigrations.grants OutboxMigrations.layer",
    "names that cannot be used",
    exits<unknown, unknown, SqlClient.SqlClient | Scope.Scope>(
      OutboxMigrations.sql({ schema: `${canary.notes}"; DROP TABLE x; --` }) as never,
      OutboxMigrations.run({ schema: text }) as never,
      OutboxMigrations.grants({ writer: text }) as never,
      Layer.build(OutboxMigrations.layer({ schema: text }) as never)
    )
  ),
  ...Object.entries(lookups).map(([name, lookup]) =>
    c(
      "StatusTracker.runOnce StatusTracker.make StatusTracker.layer StatusTracker.layerNoPolling StatusTracker.StatusTracker#report StatusTracker.StatusTracker#status StatusTracker.StatusTracker#tally StatusStore.StatusStore#claim StatusStore.StatusStore#settle StatusStore.StatusStore#record StatusStore.StatusStore#pause StatusStore.StatusStore#read PgStatusStore.layer",
      `a look-up that ${name}`,
      Effect.gen(function* () {
        yield* reset
        yield* enqueueAll()
        const accepting = transports["accepts"]
        if (accepting !== undefined)
          yield* Effect.provideService(Relay.drain(), Transport.Transport, accepting)
        const provided = Effect.provideService(StatusLookup.StatusLookup, { lookup })
        const once = yield* Effect.exit(
          Effect.timeoutOption(StatusTracker.runOnce({ rate: 1_000 }), "2 seconds")
        ).pipe(provided)
        const tracker = yield* StatusTracker.make().pipe(provided)
        const store = yield* StatusStore.StatusStore
        return [
          once,
          yield* tracker.tally,
          yield* tracker.status("default", "canary-1"),
          yield* store.read("default", "canary-1")
        ]
      })
    )
  ),
  c(
    "Notifications.make",
    "events of every kind",
    Effect.gen(function* () {
      yield* reset
      const event = { _tag: "Placed" as const, order: 1, phone, text }
      const bad = notifications(() => ({ ...spoilt, _tag: "Transaction" }) as never)
      return yield* exits<unknown, unknown, Outbox.Outbox>(
        careful.publish(event),
        Stream.runCollect(careful.consume(Stream.make(event, event, { ...event, text: "another" }))),
        Stream.runCollect(careful.consumeEncoded(Stream.make({ ...event, order: text }))),
        Stream.runCollect(careful.consumeEncoded(Stream.make({ ...event, phone: Number(phone) }))),
        Stream.runCollect(careful.consumeEncoded(Stream.make(text))),
        Stream.runCollect(bad.consume(Stream.make(event))),
        Stream.runCollect(careful.consume(Stream.make({ ...event, order: 2, phone: phone.slice(1) })))
      )
    })
  ),
  c(
    "OutboxRow.toEnvelope OutboxRow.encodePayload OutboxRow.isClaimedRow OutboxRow.claimedRow",
    "rows that cannot be read",
    Effect.gen(function* () {
      const [first] = yield* sealed
      const payload = OutboxRow.encodePayload(first)
      const row: OutboxRow.ClaimedRow = {
        id: "x",
        lane: "default/high",
        lease: 1n,
        attempts: 0,
        lapses: 0,
        lapsed: false,
        account: "default",
        trackingId: "canary-1",
        messageType: "transaction",
        uncertainty: "resend",
        payload,
        ageMillis: 0,
        remainingMillis: null,
        traceparent: null
      }
      const damaged = [
        payload,
        payload.slice(0, -1),
        payload.replace('"toPhone":"+', '"toPhone":"'),
        JSON.stringify({ v: text }),
        text,
        null
      ]
      const told = [OutboxRow.isClaimedRow(row), Object.keys(OutboxRow.claimedRow(row))]
      return [
        told,
        damaged.map((payload) => OutboxRow.toEnvelope({ ...row, payload }, DateTime.makeUnsafe(0)))
      ]
    })
  ),
  c(
    "ReasonSummary.of ReasonSummary.isDoubtful Settlement.decide Settlement.unreadable RetryPolicy.delayAfter",
    "reasons that nobody knows",
    Effect.gen(function* () {
      const [reason] = reasons
      return [
        ReasonSummary.of({ _tag: "New", text, phone }),
        ReasonSummary.isDoubtful({ text }),
        Settlement.unreadable("the payload is not JSON"),
        reason === undefined
          ? undefined
          : yield* RetryPolicy.delayAfter(RetryPolicy.defaultSchedule, {
              attempt: 1,
              reason: reason as never
            })
      ]
    })
  ),
  c(
    "SqlFailure.code SqlFailure.detail SqlFailure.isTransient SqlFailure.recover",
    "an error that quotes the row",
    calling(() => {
      const cause = Object.assign(new Error(`invalid input syntax for type integer: "${text}"`), {
        code: "22P02",
        detail: `Failing row contains (${phone}, ${text}).`,
        where: text
      })
      const error = new SqlError.SqlError({ reason: new SqlError.UnknownError({ cause, message: "Failed" }) })
      return [SqlFailure.code(error), SqlFailure.detail(error), SqlFailure.isTransient(error)]
    })
  )
]

/** Operations that are given nothing personal, or whose answer is what was asked for; and which of the two. */
export const outboxExcused: Readonly<Record<string, string>> = {
  "outbox/Lane.accountOf": "a lane",
  "outbox/Lane.of": "names of accounts and priorities",
  "outbox/Lane.ofAccount": "the name of an account",
  "outbox/Lane.priorityOf": "a lane",
  "outbox/MessageHistory.doubts": "entries of a history, which hold nothing personal",
  "outbox/MessageHistory.stateOf": "the name of a state",
  "outbox/OutboxAdmin.Operator": "the operator's own name",
  "outbox/OutboxCounts.of": "counts",
  "outbox/OutboxCounts.pausedLaneOf": "lanes",
  "outbox/OutboxTelemetry.countDuplicates": "accounts, types and outcomes",
  "outbox/OutboxTelemetry.countEnqueued": "accounts, types and outcomes",
  "outbox/OutboxTelemetry.countLost": "accounts, types and outcomes",
  "outbox/OutboxTelemetry.countSettled": "accounts, types and outcomes",
  "outbox/SqlFailure.isSqlError": "answers yes or no",
  "outbox/RetryPolicy.fullJitter": "a schedule",
  "outbox/Settlement.counts": "a settlement, which holds nothing personal",
  "outbox/Settlement.decideBefore": "counters of a row"
}
