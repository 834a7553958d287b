import { SmsBatStatus, SmsBatTransport, SmsBatWebhook } from "@effect-cascade/core"
import * as CascadeEvents from "@effect-cascade/core/CascadeEvents"
import { StatusLookup, type StatusLookupShape } from "@effect-cascade/core/StatusLookup"
import { Transport } from "@effect-cascade/core/Transport"
import { Outbox } from "@effect-cascade/outbox/Outbox"
import * as Relay from "@effect-cascade/outbox/Relay"
import * as StatusTracker from "@effect-cascade/outbox/StatusTracker"
import * as SmsBatEmulator from "@effect-cascade/testing/SmsBatEmulator"
import type { WebhookOptions } from "@effect-cascade/testing/EmulatorOptions"
import { NodeHttpClient, NodeHttpServer } from "@effect/platform-node"
import { assert } from "@effect/vitest"
import { Context, Deferred, Effect, Layer, Redacted, Schedule } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { SqlClient } from "effect/sql"
import { createServer } from "node:http"
import { changes, eventually, onFollowed, settledAs, statusRow } from "./support/followed.ts"
import { transaction } from "./support/messages.ts"
import { listening } from "./support/relay.ts"

const secret = Redacted.make("k3mJ8cV0w1ZxQ7rT5yB2nA")
const path = "/hooks/smsbat"
const keys = { apiKey: Redacted.make("test-key") }

/** Numbers by what becomes of messages to them, and how that is told in the end. */
const numbers = {
  plain: "+380671112233",
  undeliverable: "+380000000001",
  permanenterror: "+380000000002",
  scheduled: "+380000000003",
  processing: "+380000000004",
  slow: "+380000000005",
  hidden: "+380000000006"
} as const

const kinds = Object.keys(numbers) as ReadonlyArray<keyof typeof numbers>
const ended = new Set(["plain", "undeliverable", "permanenterror", "slow"])

/** A shop's server for webhooks, a relay and a tracker, all of them against one emulator. */
const running = Effect.fnUntraced(function* (options: {
  readonly webhook?: Omit<WebhookOptions, "url">
  readonly asks: boolean
  readonly faults?: string
}) {
  const heard = yield* listening
  const found = yield* Deferred.make<StatusLookupShape>()
  const later: StatusLookupShape = {
    lookup: (id) => Effect.flatMap(Deferred.await(found), ({ lookup }) => lookup(id))
  }
  const tracker = yield* (
    options.asks
      ? StatusTracker.make({
          schedule: Schedule.spaced("1 second"),
          poll: "50 millis",
          notFoundLimit: 2,
          rate: 1_000,
          pause: { backoff: Schedule.spaced("1 second") }
        })
      : Effect.map(Layer.build(StatusTracker.layerNoPolling), (context) =>
          Context.get(context, StatusTracker.StatusTracker)
        )
  ).pipe(
    Effect.provideService(StatusLookup, later),
    Effect.provideService(CascadeEvents.CascadeEvents, heard.events)
  )
  const server = yield* HttpRouter.serve(
    SmsBatWebhook.route({ path, secret, confirmWithin: "100 millis", onReport: tracker.report }).pipe(
      Layer.provide(Layer.succeed(StatusLookup, later))
    ),
    { disableListenLog: true, disableLogger: true }
  ).pipe(
    Layer.provideMerge(NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1" })),
    Layer.build
  )
  const address = HttpServer.formatAddress(Context.get(server, HttpServer.HttpServer).address)
  const url = `${address}${Redacted.value(SmsBatWebhook.pathWithSecret(path, secret))}`
  const emulator = yield* SmsBatEmulator.make({
    lifeCycle: { scheduled: "100 millis", processing: "200 millis" },
    ...(options.faults === undefined ? {} : { faults: options.faults }),
    ...(options.webhook === undefined ? {} : { webhook: { ...options.webhook, url } })
  })
  const client = yield* Layer.build(NodeHttpClient.layerUndici)
  const connected = { keys, baseUrl: emulator.url }
  yield* Deferred.succeed(found, yield* Effect.provide(SmsBatStatus.make(connected), client))
  const transport = yield* Effect.provide(SmsBatTransport.make(connected), client)

  /** Enqueues as many messages of each kind, and sends them. */
  const send = Effect.fnUntraced(function* (each: number) {
    const outbox = yield* Outbox
    const messages = Array.from({ length: each }, (_, index) =>
      kinds.map((kind) => transaction(`${kind}-${index}`, { toPhone: numbers[kind] }))
    ).flat()
    yield* outbox.transaction(outbox.enqueueAll(messages))
    const tally = yield* Relay.drain().pipe(Effect.provideService(Transport, transport))
    assert.strictEqual(tally.sent, messages.length)
    return messages.map(({ id }) => String(id))
  })

  const told = (id: string) => changes(heard.all).filter((line) => line.startsWith(`${id}: `))
  /** The row is written before its event is told. */
  const toldOnce = (id: string, status: string) =>
    eventually(
      Effect.sync(() =>
        assert.strictEqual(told(id).filter((line) => line.endsWith(`-> ${status}`)).length, 1, id)
      )
    )
  return { emulator, send, told, toldOnce, tracker }
})

/** Makes every look-up due, for as long as the effect runs: nobody waits for schedules here. */
const hurried = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.raceFirst(
    self,
    SqlClient.SqlClient.use(
      (sql) => sql`
        UPDATE cascade.delivery_status SET next_check_at = now()
        WHERE next_check_at > now() AND lease_until IS NULL`
    ).pipe(Effect.repeat(Schedule.spaced("50 millis")), Effect.andThen(Effect.never))
  )

onFollowed("with the provider's emulator", (test) => {
  test("look-ups alone tell what the ledger says", () =>
    Effect.gen(function* () {
      const run = yield* running({
        asks: true,
        faults: "500:10%:endpoint=status, truncated:5%:endpoint=status, reset:5%:endpoint=status"
      })
      const ids = yield* run.send(12)
      yield* hurried(
        settledAs(ids, (id) => {
          const kind = id.split("-")[0] ?? ""
          if (ended.has(kind)) return { confirmed: true, dueIn: null }
          return kind === "hidden"
            ? { status: "unrecognised", dueIn: null }
            : { confirmed: true, status: kind }
        })
      )
      for (const { course, trackingId } of yield* run.emulator.ledger.all) {
        if (!ended.has(trackingId.split("-")[0] ?? "")) continue
        assert.include(yield* statusRow(trackingId), { status: course.end }, trackingId)
        yield* run.toldOnce(trackingId, course.end)
      }
      assert.deepInclude(yield* run.tracker.tally, { lost: 0, reports: 0 })
    }))

  test("webhooks alone do, late, repeated and out of order as they are", () =>
    Effect.gen(function* () {
      const run = yield* running({
        asks: false,
        webhook: { events: "all", late: "500 millis", repeat: 2, reorder: true }
      })
      const ids = (yield* run.send(12)).filter((id) => !id.startsWith("scheduled"))
      // What the look-up denies stays a hint; so does what is not the end.
      yield* settledAs(ids, (id) => {
        const kind = id.split("-")[0] ?? ""
        if (kind === "hidden") return { status: "delivered", confirmed: false }
        return kind === "processing" ? { status: kind, confirmed: false } : { confirmed: true, dueIn: null }
      })
      for (const { course, trackingId } of yield* run.emulator.ledger.all) {
        if (trackingId.startsWith("scheduled")) assert.deepStrictEqual(run.told(trackingId), [])
        if (!ended.has(trackingId.split("-")[0] ?? "")) continue
        assert.include(yield* statusRow(trackingId), { status: course.end }, trackingId)
        yield* run.toldOnce(trackingId, course.end)
      }
      assert.deepInclude(yield* run.tracker.tally, { unknown: 0, answered: 0 })
    }))

  test("both together do, through a provider that throttles", () =>
    Effect.gen(function* () {
      const run = yield* running({
        asks: true,
        faults: "429:30%:retry-after=1:endpoint=status, 429:4x:endpoint=status",
        webhook: { events: "all", late: "100 millis", repeat: 1, reorder: true }
      })
      const ids = (yield* run.send(12)).filter((id) => ended.has(id.split("-")[0] ?? ""))
      yield* hurried(settledAs(ids, () => ({ confirmed: true, dueIn: null, leased: false })))
      for (const { course, trackingId } of yield* run.emulator.ledger.all) {
        if (!ended.has(trackingId.split("-")[0] ?? "")) continue
        assert.include(yield* statusRow(trackingId), { status: course.end }, trackingId)
        yield* run.toldOnce(trackingId, course.end)
        const links = run.told(trackingId)
        assert.strictEqual(new Set(links).size, links.length)
      }
      const { statuses } = yield* run.emulator.requestCounts
      assert.isAbove(statuses[429] ?? 0, 0)
    }))
})
