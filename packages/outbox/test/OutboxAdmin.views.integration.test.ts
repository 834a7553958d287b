import * as Explanation from "@effect-cascade/outbox/Explanation"
import * as MessageHistory from "@effect-cascade/outbox/MessageHistory"
import * as Reason from "@effect-cascade/core/TransportReason"
import { OutboxAdmin } from "@effect-cascade/outbox/OutboxAdmin"
import * as OutboxCounts from "@effect-cascade/outbox/OutboxCounts"
import { OutboxStore } from "@effect-cascade/outbox/OutboxStore"
import { assert } from "@effect/vitest"
import { DateTime, Duration, Effect, Schema, Struct } from "effect"
import { SqlClient } from "effect/sql"
import { inspect } from "node:util"
import * as Operated from "./support/admin.ts"
import { canary, flashCall, ids, promo, survey, transaction } from "./support/messages.ts"

const { claim, ended, enqueue, runOutLeases, settle } = Operated
const rejected = new Reason.Rejected({ status: 400, code: "INVALID_PHONE", field: "toPhone" })

const sql = (statement: string) => SqlClient.SqlClient.use((client) => client.unsafe(statement))
const idsOf = (messages: ReadonlyArray<MessageHistory.ParkedMessage>) =>
  messages.map(({ trackingId }) => trackingId)

const withoutAge = <A extends { readonly oldestDue?: unknown }>(figures: A) =>
  Struct.omit(figures, ["oldestDue"])

Operated.onOperated("counts", (test) => {
  test("of nothing", () =>
    Effect.gen(function* () {
      const none = { due: 0, scheduled: 0, leased: 0, dead: 0, uncertain: 0 }
      assert.deepStrictEqual(yield* OutboxAdmin.use(({ counts }) => counts), {
        total: none,
        lanes: [],
        paused: []
      })
    }))

  test("by lane and type, current ones only", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const later = DateTime.add(yield* DateTime.now, { days: 1 })
      yield* ended("sent", transaction("sent"))
      const dead = yield* ended("dead", transaction("dead"))
      yield* ended("dead", transaction("dead-2"))
      const requeued = yield* ended("dead", transaction("requeued"))
      yield* ended("uncertain", promo("uncertain"))
      yield* ended("expired", promo("expired"))
      yield* ended("retry", transaction("retry"))
      yield* admin.requeue({ ids: [requeued] })
      yield* enqueue(transaction("leased"))
      yield* claim(1)
      yield* enqueue(transaction("due"))
      yield* enqueue(promo("scheduled"), { availableAt: later })
      yield* enqueue(promo("high"), { priority: "high" })
      yield* enqueue(flashCall("other"), { account: "other" })
      yield* sql(`UPDATE cascade.work SET due_at = now() - interval '90 s'
        FROM cascade.message WHERE id = message_id AND tracking_id = 'due'`)

      const { lanes, total } = yield* admin.counts
      const none = { due: 0, scheduled: 0, leased: 0, dead: 0, uncertain: 0 }
      assert.deepStrictEqual(lanes.map(withoutAge), [
        { lane: "default/high", messageType: "promo", ...none, due: 1 },
        {
          lane: "default/high",
          messageType: "transaction",
          ...none,
          due: 2,
          scheduled: 1,
          leased: 1,
          dead: 2
        },
        { lane: "default/low", messageType: "promo", ...none, scheduled: 1, uncertain: 1 },
        { lane: "other/urgent", messageType: "flashcall", ...none, due: 1 }
      ])
      assert.isUndefined(lanes[2]?.oldestDue)
      for (const oldest of [lanes[1]?.oldestDue, total.oldestDue]) {
        assert.approximately(Duration.toSeconds(oldest ?? Duration.zero), 90, 10)
      }
      assert.deepStrictEqual(withoutAge(total), { due: 4, scheduled: 2, leased: 1, dead: 2, uncertain: 1 })

      yield* admin.discard({ ids: [dead] })
      assert.strictEqual((yield* admin.counts).total.dead, 1)
    }))

  test("a row whose lease ran out is due, and one without its message is seen", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      yield* enqueue(transaction("lapsed"))
      yield* claim()
      yield* runOutLeases
      assert.deepInclude((yield* admin.counts).total, { due: 1, leased: 0 })
      yield* sql(`DELETE FROM cascade.message`)
      const { lanes } = yield* admin.counts
      assert.deepInclude(lanes[0], { lane: "default/high", messageType: "unknown", due: 1 })
    }))

  test("a lane on probation is told from a paused one", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const store = yield* OutboxStore
      const pause = { duration: Duration.hours(1), reason: new Reason.Throttled({ status: 429 }), trips: 2 }
      yield* store.pauseLanes({ ...pause, lanes: ["default/low", "default/high"] })
      yield* sql(`UPDATE cascade.lane SET paused_until = now() - interval '1 s' WHERE lane = 'default/low'`)
      yield* sql(`UPDATE cascade.lane SET paused_until = 'infinity' WHERE lane = 'default/high'`)
      const { paused } = yield* admin.counts
      assert.deepStrictEqual(
        paused.map(({ lane, reason, state, trips, until }) => [
          lane,
          state,
          reason?.tag,
          trips,
          until !== undefined
        ]),
        [
          ["default/high", "paused", "Throttled", 2, false],
          ["default/low", "probation", "Throttled", 2, true]
        ]
      )
    }))
})

Operated.onOperated("list", (test) => {
  test("pages through all, the newest first, each once, while others come and go", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const all = ids("order", 25)
      for (const id of all) yield* ended("dead", transaction(id))
      // Many at the very same microsecond, finer than a program's clock.
      yield* sql(`UPDATE cascade.outcome SET at = '2026-03-01 12:00:00.123456+00'
        WHERE at > (SELECT at FROM cascade.outcome ORDER BY at OFFSET 4 LIMIT 1)
          AND at < (SELECT at FROM cascade.outcome ORDER BY at OFFSET 20 LIMIT 1)`)
      const seen: Array<string> = []
      let after: string | undefined
      do {
        const page = yield* admin.list({ state: "dead", limit: 4, after })
        assert.isAtMost(page.messages.length, 4)
        seen.push(...idsOf(page.messages))
        if (seen.length === 4) {
          yield* ended("dead", transaction("newer"))
          const [first] = page.messages
          yield* admin.requeue({ ids: [first?.id ?? assert.fail()] })
        }
        after = page.next
      } while (after !== undefined)
      assert.sameMembers(seen, [...all])
      assert.deepStrictEqual(idsOf((yield* admin.list({ state: "dead", limit: 1 })).messages), ["newer"])
      const { messages } = yield* admin.list({ state: "dead" })
      assert.strictEqual(messages.length, 25)
      const times = messages.map(({ end }) => DateTime.toEpochMillis(end.at))
      assert.deepStrictEqual(
        times,
        times.toSorted((a, b) => b - a)
      )
    }))

  test("the last page says so", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      for (const id of ids("order", 4)) yield* ended("dead", transaction(id))
      const first = yield* admin.list({ state: "dead", limit: 2 })
      assert.deepStrictEqual(idsOf(first.messages), ["order-3", "order-2"])
      const last = yield* admin.list({ state: "dead", limit: 2, after: first.next })
      assert.deepStrictEqual(idsOf(last.messages), ["order-1", "order-0"])
      assert.notProperty(last, "next")
    }))

  test("by state, account, type and reason", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      yield* ended("dead", transaction("a"))
      yield* ended("dead", transaction("b"), rejected)
      yield* ended("dead", promo("c"), rejected)
      yield* ended("uncertain", promo("d"))
      yield* ended("expired", promo("e"))
      yield* ended("sent", promo("f"))
      const list = (query: Parameters<typeof admin.list>[0]) =>
        Effect.map(admin.list(query), ({ messages }) => idsOf(messages).toSorted())
      assert.deepStrictEqual(yield* list({ state: "dead" }), ["a", "b", "c"])
      assert.deepStrictEqual(yield* list({ state: "uncertain" }), ["d"])
      assert.deepStrictEqual(yield* list({ state: "expired" }), ["e"])
      assert.deepStrictEqual(yield* list({ state: "dead", reasonTag: "Rejected" }), ["b", "c"])
      assert.deepStrictEqual(yield* list({ state: "dead", reasonTag: "Rejected", messageType: "promo" }), [
        "c"
      ])
      assert.deepStrictEqual(yield* list({ state: "dead", account: "default" }), ["a", "b", "c"])
      assert.deepStrictEqual(yield* list({ state: "dead", account: "other" }), [])
    }))

  test("refuses a cursor that is none, without repeating it", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      for (const after of ["+380501234567", "1:2", "", "1:'; DROP TABLE cascade.work; --"]) {
        const error = yield* Effect.flip(admin.list({ state: "dead", after }))
        assert.strictEqual(error._tag, "InvalidName")
        assert.notInclude(error.message, canary.digits)
      }
    }))
})

Operated.onOperated("read", (test) => {
  test("tells the whole story", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      const id = yield* ended("uncertain", promo("order-1", { ttl: "1 hour" }))
      yield* admin.requeue({ ids: [id] })
      const [row] = yield* claim()
      yield* settle(row ?? assert.fail(), "sent")
      const history = yield* admin.read("default", "order-1")
      assert.deepInclude(history, {
        id,
        account: "default",
        trackingId: "order-1",
        lane: "default/low",
        messageType: "promo",
        uncertainty: "hold",
        state: "sent",
        mayHaveBeenSent: true
      })
      assert.deepStrictEqual(
        history.entries.map(({ attempts, by, isDoubtful, kind, reason }) => [
          kind,
          attempts,
          reason?.tag,
          by,
          isDoubtful
        ]),
        [
          ["uncertain", 1, "ServerError", "relay-1", true],
          ["requeued", 1, undefined, "operator", false],
          ["sent", 1, undefined, "relay-1", false]
        ]
      )
      assert.strictEqual(history.entries[2]?.providerMessageId, "provider-order-1")
      const { createdAt, deadline } = history
      assert.strictEqual(Duration.toHours(DateTime.distance(createdAt, deadline ?? createdAt)), 1)
    }))

  test("masks every kind of message, and says what it cannot read", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      yield* enqueue(transaction("a", { text: "twelve chars" }))
      yield* enqueue(survey("b"))
      yield* enqueue(flashCall("c"))
      yield* enqueue(transaction("d"))
      yield* enqueue(transaction("e"))
      yield* sql(`UPDATE cascade.message SET payload = NULL WHERE tracking_id = 'd'`)
      yield* sql(
        `UPDATE cascade.message SET payload = '${canary.text} ${canary.phone}' WHERE tracking_id = 'e'`
      )
      const content = (id: string) => Effect.map(admin.read("default", id), (history) => history.content)
      const common = {
        _tag: "Readable",
        fromName: "Shop",
        toPhone: "+38067*****33",
        route: "standard",
        schedule: "outbox"
      } as const
      assert.deepStrictEqual(yield* content("a"), { ...common, textLength: 12 })
      assert.deepStrictEqual(yield* content("b"), { ...common, textLength: 5, surveyOptions: 2 })
      assert.deepStrictEqual(yield* content("c"), common)
      assert.deepStrictEqual(yield* content("d"), { _tag: "Scrubbed" })
      assert.deepStrictEqual(yield* content("e"), { _tag: "Unreadable", problem: "the payload is not JSON" })
    }))

  test("knows when there is no such message", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      assert.strictEqual((yield* Effect.flip(admin.read("default", "none")))._tag, "MessageNotFound")
    }))

  test("says lost of what was changed by hand", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      yield* enqueue(transaction("a"))
      yield* ended("retry", transaction("b"))
      yield* sql(`DELETE FROM cascade.work`)
      assert.strictEqual((yield* admin.read("default", "a")).state, "lost")
      assert.strictEqual((yield* admin.read("default", "b")).state, "lost")
    }))

  test("copes with a reason of a later version", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      yield* ended("dead")
      yield* sql(`UPDATE cascade.outcome SET reason = '{"_tag":"Eaten","by":"dog"}'`)
      const { entries } = yield* admin.read("default", "order-1")
      assert.deepStrictEqual(entries[0]?.reason, {
        tag: "Eaten",
        summary: "a reason that this version does not know"
      })
      assert.isTrue(entries[0]?.isDoubtful)
    }))
})

Operated.onOperated("every answer", (test) => {
  const codecs = {
    counts: Schema.toCodecJson(OutboxCounts.OutboxCounts),
    parked: Schema.toCodecJson(Schema.Array(MessageHistory.ParkedMessage)),
    history: Schema.toCodecJson(MessageHistory.MessageHistory),
    explanation: Schema.toCodecJson(Explanation.Explanation)
  }

  const told = Effect.gen(function* () {
    const admin = yield* OutboxAdmin
    const message = (id: string) => promo(id, { toPhone: canary.phone, text: canary.text, ttl: "1 hour" })
    const unreadable = yield* ended("dead", message("unreadable"))
    yield* sql(`UPDATE cascade.message SET payload = 'broken ' || payload`)
    const answers: Array<unknown> = []
    const tell = (answer: unknown) => Effect.sync(() => void answers.push(answer))

    const dead = yield* ended("dead", message("dead"))
    const uncertain = yield* ended("uncertain", message("uncertain"))
    const expired = yield* ended("expired", message("expired"))
    yield* ended("retry", message("retry"))
    yield* enqueue(message("cancelled"))
    yield* enqueue(message("waiting"))
    for (const state of ["dead", "uncertain", "expired"] as const)
      yield* Effect.flatMap(admin.list({ state }), tell)
    for (const id of ["dead", "uncertain", "expired", "retry", "cancelled", "unreadable", "none"]) {
      yield* Effect.flatMap(Effect.result(admin.read("default", id)), tell)
      yield* Effect.flatMap(admin.explain("default", id), tell)
      yield* Effect.flatMap(Effect.result(admin.cancel("default", id)), tell)
    }
    yield* Effect.flatMap(admin.counts, tell)
    yield* Effect.flatMap(Effect.result(admin.discard({ ids: [dead, expired] })), tell)
    yield* Effect.flatMap(admin.discard({ ids: [dead, unreadable] }), tell)
    yield* Effect.flatMap(admin.requeue({ ids: [expired] }), tell)
    yield* Effect.flatMap(admin.resolve(uncertain, "not-sent"), tell)
    yield* claim(1)
    yield* Effect.flatMap(admin.explain("default", "waiting"), tell)
    yield* Effect.flatMap(Effect.result(admin.requeue({ ids: [canary.phone] })), tell)
    yield* Effect.flatMap(Effect.result(admin.list({ state: "dead", after: canary.phone })), tell)
    yield* Effect.flatMap(Effect.result(admin.pause({ lane: canary.phone })), tell)
    // A store that breaks: what the database says must not hold what it was given.
    yield* sql(`ALTER TABLE cascade.message RENAME COLUMN payload TO gone`)
    yield* Effect.flatMap(Effect.result(admin.read("default", "waiting")), tell)
    yield* Effect.flatMap(Effect.result(admin.list({ state: "dead" })), tell)
    yield* sql(`ALTER TABLE cascade.message RENAME COLUMN gone TO payload`)
    return answers
  })

  test("holds no phone number and no text, however it is printed", () =>
    Effect.gen(function* () {
      const answers = yield* told
      assert.isAbove(answers.length, 25)
      for (const answer of answers) {
        const printed = [
          JSON.stringify(answer),
          inspect(answer, { depth: null, showHidden: true }),
          String(answer),
          answer instanceof Error ? answer.message : ""
        ].join("\n")
        assert.notInclude(printed, canary.digits)
        assert.notInclude(printed, canary.text)
      }
    }))

  test("has a JSON form that gives it back", () =>
    Effect.gen(function* () {
      const admin = yield* OutboxAdmin
      yield* ended("dead", promo("a", { ttl: "1 hour" }))
      yield* enqueue(transaction("b"))
      yield* admin.pause({ account: "default" }, "night")
      const roundTrip = Effect.fnUntraced(function* <A, I extends Schema.Json>(
        codec: Schema.Codec<A, I>,
        value: A
      ) {
        const json = JSON.stringify(yield* Schema.encodeEffect(codec)(value))
        assert.deepStrictEqual(yield* Schema.decodeUnknownEffect(codec)(JSON.parse(json)), value)
      })
      yield* roundTrip(codecs.counts, yield* admin.counts)
      yield* roundTrip(codecs.parked, (yield* admin.list({ state: "dead" })).messages)
      yield* roundTrip(codecs.history, yield* admin.read("default", "a"))
      for (const id of ["a", "b", "c"])
        yield* roundTrip(codecs.explanation, yield* admin.explain("default", id))
    }))
})
