import * as Message from "@effect-cascade/core/Message"
import * as Outbox from "@effect-cascade/outbox/Outbox"
import * as OutboxMigrations from "@effect-cascade/outbox/OutboxMigrations"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import * as PgOutboxStore from "@effect-cascade/outbox/PgOutboxStore"
import { PgClient } from "@effect/sql-pg"
import { assert, describe, it, layer } from "@effect/vitest"
import { DateTime, Duration, Effect, Layer } from "effect"
import * as EnqueuedMessages from "../src/EnqueuedMessages.ts"
import * as MemoryOutboxStore from "../src/MemoryOutboxStore.ts"
import * as OutboxAssert from "../src/OutboxAssert.ts"
import { PgTestDatabase } from "../src/PgTestDatabase.ts"
import * as Worlds from "../src/internal/suites/outboxStore/world.ts"

const { assertEnqueued, refuteEnqueued } = OutboxAssert

const text = "Your order 7 is confirmed"
const common = { fromName: "Shop", toPhone: "+380501234567" }
const confirmation = Message.makeUnsafe({ ...common, _tag: "Transaction", id: "order-7", text, ttl: "1 day" })
const promo = Message.makeUnsafe({ ...common, _tag: "Promo", id: "promo-7", text: "20 % off" })
const survey = Message.makeUnsafe({
  ...common,
  _tag: "ViberSurvey",
  id: "survey-7",
  text: "How was it?",
  surveyOptions: ["good", "bad"]
})

const enqueue = (message: Message.Message, options?: Outbox.EnqueueOptions) =>
  Outbox.Outbox.use((outbox) => outbox.transaction(outbox.enqueue(message, options)))

/** The report of an assertion that does not hold. */
const reportOf = <A, R>(self: Effect.Effect<A, { readonly message: string }, R>) =>
  Effect.map(Effect.flip(self), ({ message }) => message)

const onMemory = <A, E>(
  body: () => Effect.Effect<A, E, Outbox.Outbox | OutboxStore | EnqueuedMessages.EnqueuedMessages>
) => Effect.suspend(body).pipe(Effect.provide(Outbox.layer.pipe(Layer.provideMerge(MemoryOutboxStore.layer))))

describe("assertEnqueued", () => {
  it.effect("holds for a message that has all the fields named, and answers with it", () =>
    onMemory(() =>
      Effect.gen(function* () {
        yield* enqueue(confirmation, { route: "tg-viber", headers: { tenant: "1", campaign: "x" } })
        yield* enqueue(promo, { account: "tenant-1", priority: "normal", uncertainty: "resend" })
        yield* enqueue(survey)
        const found = yield* assertEnqueued({
          _tag: "Transaction",
          id: "order-7",
          fromName: "Shop",
          toPhone: "+380501234567",
          text,
          ttl: "24 hours",
          route: "tg-viber",
          account: "default",
          headers: { tenant: "1" },
          lane: "default/high",
          priority: "high",
          uncertainty: "resend",
          state: "waiting"
        })
        assert.deepStrictEqual(found.message, confirmation)
        yield* assertEnqueued({ id: /^promo-/u, text: /off$/u, account: "tenant-1", lane: "tenant-1/normal" })
        yield* assertEnqueued({ surveyOptions: ["good", "bad"], uncertainty: "hold" })
        yield* assertEnqueued({}, { times: 3 })
      })
    )
  )

  it.effect("does not hold where one field differs", () =>
    onMemory(() =>
      Effect.gen(function* () {
        yield* enqueue(confirmation)
        const others: ReadonlyArray<OutboxAssert.EnqueuedMatch> = [
          { _tag: "Promo" },
          { id: "order-8" },
          { id: /^order-8/u },
          { fromName: "Shop 2" },
          { toPhone: "+380501234568" },
          { text: "Your order 8 is confirmed" },
          { text: /^confirmed/u },
          { surveyOptions: ["good", "bad"] },
          { ttl: "1 hour" },
          { scheduledSent: new Date(0) },
          { route: "tg-viber" },
          { account: "tenant-1" },
          { headers: { tenant: "1" } },
          { lane: "default/low" },
          { priority: "low" },
          { uncertainty: "hold" },
          { state: "sent" },
          { dueAt: new Date(60_000) }
        ]
        for (const other of others) {
          const [field] = Object.keys(other)
          const report = yield* reportOf(assertEnqueued({ id: "order-7", ...other }))
          assert.include(report, `    ${field}: `, `the report of ${field}`)
          yield* refuteEnqueued({ id: "order-7", ...other })
        }
      })
    )
  )

  it.effect("allows instants to be a little off, as far as it is told", () =>
    onMemory(() =>
      Effect.gen(function* () {
        const at = DateTime.makeUnsafe("2030-01-01T10:00:00Z")
        yield* enqueue(
          Message.makeUnsafe({ ...common, _tag: "Transaction", id: "later", text, scheduledSent: at })
        )
        const off = (seconds: number) => DateTime.add(at, { seconds })
        for (const field of ["scheduledSent", "dueAt"] as const) {
          yield* assertEnqueued({ [field]: at }, { within: 0 })
          yield* assertEnqueued({ [field]: "2030-01-01T12:00:00+02:00" })
          yield* assertEnqueued({ [field]: off(1) })
          yield* refuteEnqueued({ [field]: off(2) })
          yield* refuteEnqueued({ [field]: off(-2) })
          yield* assertEnqueued({ [field]: off(-59) }, { within: "1 minute" })
          const report = yield* reportOf(assertEnqueued({ [field]: off(90) }, { within: "1 minute" }))
          assert.include(
            report,
            `${field}: expected 2030-01-01T10:01:30Z within 1m, was 2030-01-01T10:00:00Z, 1m 30s off`
          )
        }
      })
    )
  )

  it.effect("reports what is there, the nearest first, with what differs, and nothing personal", () =>
    onMemory(() =>
      Effect.gen(function* () {
        yield* enqueue(promo)
        yield* enqueue(confirmation)
        const report = yield* reportOf(
          assertEnqueued({
            _tag: "Transaction",
            id: "order-7",
            toPhone: "+380501234599",
            text: "Your order 7 is cancelled"
          })
        )
        assert.strictEqual(
          report,
          [
            "expected a message in the outbox to match _tag: Transaction, id: order-7, toPhone: +38050*****99, text: <25 characters>, found 0",
            "  Transaction order-7 from Shop to +38050*****67, <25 characters>: waiting in default/high, due 1970-01-01T00:00:00Z",
            "    toPhone: expected +38050*****99, was +38050*****67",
            "    text: expected <25 characters>, was another one that looks the same masked; they part at character 18",
            "  Promo promo-7 from Shop to +38050*****67, <8 characters>: waiting in default/low, due 1970-01-01T00:00:00Z",
            "    _tag: expected Transaction, was Promo",
            "    id: expected order-7, was promo-7",
            "    toPhone: expected +38050*****99, was +38050*****67",
            "    text: expected <25 characters>, was <8 characters>; they part at character 1"
          ].join("\n")
        )
        for (const secret of ["501234567", "501234599", "confirmed", "cancelled"])
          assert.notInclude(report, secret)
      })
    )
  )

  it.effect("says so when the outbox is empty, and lists no more than a screen holds", () =>
    onMemory(() =>
      Effect.gen(function* () {
        assert.strictEqual(
          yield* reportOf(assertEnqueued({ id: "order-7" })),
          "expected a message in the outbox to match id: order-7, found 0\n  the outbox is empty"
        )
        for (let n = 0; n < 13; n++) {
          yield* enqueue(Message.makeUnsafe({ ...common, _tag: "FlashCall", id: `call-${n}` }))
        }
        assert.include(yield* reportOf(assertEnqueued({ id: "order-7" })), "\n  and 3 more")
      })
    )
  )

  it.effect("counts, where it is told how many there are", () =>
    onMemory(() =>
      Effect.gen(function* () {
        yield* enqueue(confirmation)
        yield* enqueue(promo)
        yield* assertEnqueued({ fromName: "Shop" }, { times: 2 })
        yield* assertEnqueued({ _tag: "Promo" }, { times: 1 })
        const report = yield* reportOf(assertEnqueued({ fromName: "Shop" }, { times: 1 }))
        assert.include(report, "expected exactly 1 message in the outbox to match fromName: Shop, found 2")
      })
    )
  )

  it.effect("refuses a match that can never hold, so that no refutation holds by mistake", () =>
    onMemory(() =>
      Effect.gen(function* () {
        const impossible: ReadonlyArray<readonly [unknown, string]> = [
          [{ trackingId: "order-7" }, "there is no field trackingId"],
          [{ lane: undefined }, "its lane is undefined"],
          [{ toPhone: "0501234567" }, "its toPhone is not a phone number"],
          [{ scheduledSent: "soon" }, "its scheduledSent is not an instant"],
          [{ dueAt: new Date(Number.NaN) }, "its dueAt is not an instant"]
        ]
        for (const [match, problem] of impossible) {
          const report = yield* reportOf(refuteEnqueued(match as OutboxAssert.EnqueuedMatch))
          assert.include(report, `this match can never hold: ${problem}`)
        }
      })
    )
  )
})

describe("refuteEnqueued", () => {
  it.effect("holds where nothing matches, and lists what does", () =>
    onMemory(() =>
      Effect.gen(function* () {
        yield* refuteEnqueued({})
        yield* enqueue(confirmation)
        yield* refuteEnqueued({ _tag: "Promo" })
        const error = yield* Effect.flip(refuteEnqueued({ id: /order/u }))
        assert.instanceOf(error, OutboxAssert.OutboxAssertionError)
        assert.strictEqual(
          error.message,
          [
            "expected no message in the outbox to match id: /order/u, found 1",
            "  Transaction order-7 from Shop to +38050*****67, <25 characters>: waiting in default/high, due 1970-01-01T00:00:00Z"
          ].join("\n")
        )
      })
    )
  )

  it.effect("takes no notice of what was rolled back", () =>
    onMemory(() =>
      Effect.gen(function* () {
        const outbox = yield* Outbox.Outbox
        yield* Effect.ignore(
          outbox.transaction(Effect.andThen(outbox.enqueue(confirmation), Effect.fail("sold out")))
        )
        yield* refuteEnqueued({})
      })
    )
  )
})

describe("a message that cannot be read", () => {
  it.effect("is found by what the outbox knows of it, and by nothing else", () =>
    onMemory(() =>
      Effect.gen(function* () {
        const store = yield* OutboxStore
        const { account, row } = Worlds.make({
          store,
          clock: "test",
          another: undefined,
          messages: undefined
        })
        const written = row({ payload: "{ not JSON" })
        yield* store.transaction(store.insert([written]))
        yield* assertEnqueued({ lane: written.lane })
        const report = yield* reportOf(assertEnqueued({ id: "order-7" }))
        assert.include(
          report,
          `transaction ${written.trackingId}, which cannot be read: waiting in ${account}/high`
        )
        assert.include(report, "    the message cannot be read")
      })
    )
  )
})

const schema = "shop_outbox"
const database = PgTestDatabase.layer({
  template: { name: "outbox_assert", setup: OutboxMigrations.run({ schema }) }
})
const onPostgres = Layer.merge(
  Outbox.layer.pipe(Layer.provideMerge(PgOutboxStore.layer({ schema, wake: "poll" }))),
  EnqueuedMessages.layerPg({ schema })
).pipe(Layer.provideMerge(database))

layer(onPostgres, { excludeTestServices: true })("on Postgres", (it) => {
  it.effect("the same assertions hold, in the schema that is named", () =>
    Effect.gen(function* () {
      const scheduledSent = DateTime.makeUnsafe("2030-01-01T10:00:00.250Z")
      const later = Message.makeUnsafe({ ...common, _tag: "Transaction", id: "later", text, scheduledSent })
      yield* enqueue(confirmation, { route: "tg-viber", headers: { tenant: "1" } })
      yield* enqueue(promo, { account: "tenant-1" })
      yield* enqueue(later)
      const found = yield* assertEnqueued({
        id: "order-7",
        text,
        route: "tg-viber",
        headers: { tenant: "1" }
      })
      assert.deepStrictEqual(found.message, confirmation)
      assert.deepStrictEqual(found.envelope?.deadline, found.deadline)
      assert.strictEqual(
        DateTime.toEpochMillis(found.deadline ?? assert.fail("no deadline")) -
          DateTime.toEpochMillis(found.createdAt),
        86_400_000
      )
      yield* assertEnqueued({ id: "promo-7", account: "tenant-1", lane: "tenant-1/low", uncertainty: "hold" })
      yield* assertEnqueued({ id: "later", scheduledSent, dueAt: scheduledSent }, { within: 0 })
      yield* assertEnqueued({ id: "order-7", dueAt: yield* DateTime.now }, { within: "5 minutes" })
      const report = yield* reportOf(refuteEnqueued({ _tag: "Promo" }))
      assert.include(
        report,
        "Promo promo-7 from Shop to +38050*****67, <8 characters>: waiting in tenant-1/low"
      )
      assert.deepStrictEqual(
        (yield* OutboxAssert.allEnqueued()).map(({ trackingId }) => trackingId),
        ["order-7", "promo-7", "later"]
      )
    })
  )

  it.effect("what is not committed is seen by its own transaction alone", () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox.Outbox
      const call = Message.makeUnsafe({ ...common, _tag: "FlashCall", id: "call-7" })
      yield* Effect.ignore(
        outbox.transaction(
          Effect.gen(function* () {
            yield* outbox.enqueue(call)
            yield* assertEnqueued({ id: "call-7" })
            return yield* Effect.fail("no")
          })
        )
      )
      yield* refuteEnqueued({ id: "call-7" })
    })
  )

  it.effect("a message is read with where it stands and what became of it", () =>
    Effect.gen(function* () {
      const store = yield* OutboxStore
      const { lane, row, account } = Worlds.make({
        store,
        clock: "live",
        another: undefined,
        messages: undefined
      })
      yield* store.transaction(store.insert([row(), row(), row()]))
      const [first, second, third] = yield* store.claim([{ lane, limit: 3 }], {
        lease: Duration.hours(1),
        relay: "relay-a"
      })
      if (first === undefined || second === undefined || third === undefined)
        return assert.fail("three were due")
      yield* store.renew([third], Duration.zero)
      yield* store.settle(
        [Worlds.settled(first, "sent"), Worlds.settled(second, "retry", { delayMillis: 60_000 })],
        {
          relay: "relay-a"
        }
      )
      const mine = (yield* OutboxAssert.allEnqueued()).filter((message) => message.account === account)
      const storyOf = (id: string) => {
        const found = mine.find((message) => message.id === id) ?? assert.fail("it is not there")
        const outcomes = found.outcomes.map(({ by, kind, lease, providerMessageId }) => ({
          kind,
          lease,
          by,
          providerMessageId
        }))
        return { state: found.state, attempts: found.attempts, outcomes }
      }
      assert.deepStrictEqual(storyOf(first.id), {
        state: "sent",
        attempts: 1,
        outcomes: [
          { kind: "sent", lease: first.lease, by: "relay-a", providerMessageId: `provider-${first.id}` }
        ]
      })
      assert.deepStrictEqual(storyOf(second.id), {
        state: "waiting",
        attempts: 1,
        outcomes: [{ kind: "retry", lease: second.lease, by: "relay-a", providerMessageId: undefined }]
      })
      // Its lease has run out.
      assert.deepStrictEqual(storyOf(third.id), { state: "waiting", attempts: 0, outcomes: [] })
    })
  )

  it.effect("the name of a schema that would have to be escaped is refused, a missing one is an error", () =>
    Effect.gen(function* () {
      const client = yield* PgClient.PgClient
      const reading = (name: string) =>
        OutboxAssert.allEnqueued().pipe(
          Effect.provide(EnqueuedMessages.layerPg({ schema: name })),
          Effect.provideService(PgClient.PgClient, client),
          Effect.flip
        )
      assert.strictEqual((yield* reading(`x"; DROP SCHEMA public; --`))._tag, "InvalidName")
      assert.deepInclude(yield* reading("missing"), { _tag: "StoreError", isRetryable: false })
    })
  )
})
