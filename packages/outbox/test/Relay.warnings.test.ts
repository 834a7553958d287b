import * as Delivery from "@effect-cascade/core/Delivery"
import * as Reason from "@effect-cascade/core/TransportReason"
import { type LaneRow, OutboxStore, type OutboxStoreShape } from "@effect-cascade/outbox/OutboxStore"
import * as Relay from "@effect-cascade/outbox/Relay"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Logger, References } from "effect"
import { claimed } from "./support/claimed.ts"
import { fakeStore } from "./support/fakeStore.ts"
import { promo, transaction } from "./support/messages.ts"
import { acceptAll, recording, type Script } from "./support/transport.ts"

type Line = readonly [message: string, annotations: Readonly<Record<string, unknown>>]

/** The warnings of one drain over a store. */
const warningsOf = Effect.fnUntraced(function* (
  store: Partial<OutboxStoreShape>,
  options: { readonly script?: Script; readonly relay?: Relay.RelayOptions } = {}
) {
  const lines: Array<Line> = []
  const log = Logger.layer([
    Logger.make(({ fiber, logLevel, message }) => {
      if (logLevel !== "Warn") return
      lines.push([String([message].flat()[0]), fiber.getRef(References.CurrentLogAnnotations)])
    })
  ])
  yield* Relay.drain({ name: "r", ...options.relay }).pipe(
    Effect.provideService(OutboxStore, fakeStore(store)),
    Effect.provide([recording(options.script ?? acceptAll).layer, log])
  )
  return lines
})

/** Gives its rows to the first claim. */
const once = (rows: ReadonlyArray<ReturnType<typeof claimed>>): OutboxStoreShape["claim"] => {
  let left = rows
  return () =>
    Effect.sync(() => {
      const given = left
      left = []
      return given
    })
}

/** Refuses what begins with `bad`, and does not know of what begins with `lost`. */
const script: Script = (batch) =>
  Effect.succeed(
    batch.map(({ trackingId }) =>
      trackingId.startsWith("bad")
        ? Delivery.notAccepted(trackingId, new Reason.Rejected({ status: 400 }))
        : trackingId.startsWith("lost")
          ? Delivery.notAccepted(trackingId, new Reason.TimedOut())
          : Delivery.accepted(trackingId, "provider")
    )
  )

describe("a relay warns", () => {
  it.effect("of the dead of a batch once, with their lane and reasons and nothing of themselves", () =>
    Effect.gen(function* () {
      const rows = [
        claimed(transaction("good")),
        claimed(transaction("bad-1")),
        claimed(transaction("bad-2")),
        claimed(transaction("unreadable"), { payload: "{}" })
      ]
      const warnings = yield* warningsOf({ claim: once(rows) }, { script })
      assert.deepStrictEqual(warnings, [
        [
          "outbox: messages given up as dead; OutboxAdmin.list shows them, requeue tries them again",
          { relay: "r", lane: "default/high", messages: 3, reasons: "Unencodable 1, Rejected 2" }
        ]
      ])
    })
  )

  it.effect("of the uncertain of a batch, and of each batch", () =>
    Effect.gen(function* () {
      const held = (id: string, lane = "default/low") =>
        claimed(promo(id), { lane, messageType: "promo", uncertainty: "hold" })
      const rows = [held("lost-1"), held("lost-2"), held("lost-3"), held("lost-4", "default/high")]
      const warnings = yield* warningsOf({ claim: once(rows) }, { script, relay: { batchSize: { low: 2 } } })
      const text = "outbox: messages uncertain, as they may have been sent; OutboxAdmin.resolve decides"
      const of = (lane: string, messages: number): Line => [
        text,
        { relay: "r", lane, messages, reasons: `TimedOut ${messages}` }
      ]
      assert.sameDeepMembers(warnings, [of("default/low", 2), of("default/low", 1), of("default/high", 1)])
    })
  )

  it.effect("of nothing where it held no lease any more, or all went well", () =>
    Effect.gen(function* () {
      const lost = yield* warningsOf(
        { claim: once([claimed(transaction("bad"))]), settle: () => Effect.succeed(new Set()) },
        { script }
      )
      assert.deepStrictEqual(
        lost.map(([message]) => message),
        ["outbox: leases lost before their outcome was written; nothing was changed"]
      )
      assert.deepStrictEqual(yield* warningsOf({ claim: once([claimed(transaction("good"))]) }), [])
    })
  )

  const paused = (lane: string, more?: Partial<LaneRow>): LaneRow => ({
    lane,
    reason: undefined,
    pausedUntil: undefined,
    trips: 0,
    ...more
  })

  it.effect("at its start of the lanes that are paused and that it serves", () =>
    Effect.gen(function* () {
      const now = yield* DateTime.now
      const reason = new Reason.Unauthorized({ status: 401 })
      const warnings = yield* warningsOf({
        lanes: Effect.succeed([
          paused("default/high", { reason, pausedUntil: DateTime.add(now, { minutes: 5 }) }),
          paused("default/low"),
          paused("default/normal", { reason, pausedUntil: DateTime.subtract(now, { seconds: 1 }) }),
          paused("nobody/low")
        ])
      })
      assert.deepStrictEqual(warnings, [
        [
          "outbox: lanes are paused, their messages wait; OutboxAdmin.resume opens them",
          {
            relay: "r",
            lanes: "default/high until 1970-01-01T00:05:00.000Z (Unauthorized), default/low (by an operator)"
          }
        ]
      ])
    })
  )

  it.effect("of many lanes in one line of bounded length", () =>
    Effect.gen(function* () {
      const names = Array.from({ length: 30 }, (_, index) => `account-${index}`)
      const { transport } = recording()
      const warnings = yield* warningsOf(
        { lanes: Effect.succeed(names.map((name) => paused(`${name}/low`))) },
        { relay: { accounts: Object.fromEntries(names.map((name) => [name, transport])) } }
      )
      assert.strictEqual(warnings.length, 1)
      const lanes = String(warnings[0]?.[1]["lanes"])
      assert.strictEqual(lanes.split(", ").length, 21)
      assert.include(lanes, "and 10 more")
    })
  )
})
