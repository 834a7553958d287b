import { assert, describe, it } from "@effect/vitest"
import { Array, Effect, Schema } from "effect"
import * as dispatch from "../../../src/internal/smsbat/dispatch.ts"
import type { Group } from "../../../src/internal/smsbat/requests.ts"
import * as Delivery from "../../../src/Delivery.ts"
import * as TransportReason from "../../../src/TransportReason.ts"
import { envelopes, ids } from "../../support/smsbat.ts"

/** A provider that refuses a group for any bad id in it, and what it was asked. */
const provider = (
  answer: (ids: ReadonlyArray<string>, index: number) => TransportReason.TransportReason | undefined
) => {
  const asked: Array<ReadonlyArray<string>> = []
  const attempt = (group: Group) =>
    Effect.sync((): dispatch.Attempt => {
      const wanted = group.envelopes.map(({ trackingId }) => trackingId)
      asked.push(wanted)
      const reason = answer(wanted, asked.length - 1)
      return reason === undefined
        ? { answered: wanted.map((id) => Delivery.accepted(id, `uuid-${id}`)) }
        : { answered: [], failed: { envelopes: group.envelopes, reason } }
    })
  return { asked, attempt }
}

const refusing = (bad: ReadonlySet<string>, status = 400) =>
  provider((wanted) =>
    wanted.some((id) => bad.has(id)) ? new TransportReason.Rejected({ status }) : undefined
  )

const group = (n: number) =>
  Effect.map(envelopes(ids(n)), (all): Group => ({ route: "standard", envelopes: all }))

const byOutcome = (deliveries: ReadonlyArray<Delivery.Delivery>) => {
  const outcomes: Record<string, Array<string>> = {}
  for (const delivery of deliveries) {
    const outcome = delivery._tag === "Accepted" ? "Accepted" : delivery.reason._tag
    ;(outcomes[outcome] ??= []).push(delivery.trackingId)
  }
  return outcomes
}

const everyone = (deliveries: ReadonlyArray<Delivery.Delivery>, n: number) =>
  assert.deepStrictEqual(deliveries.map(({ trackingId }) => String(trackingId)).sort(), [...ids(n)].sort())

const most = (n: number) => 2 * Math.ceil(Math.log2(n)) + 1

describe("dispatch", () => {
  for (const n of [1, 2, 3, 4, 5, 7, 8, 16, 17, 31, 100, 999, 1000]) {
    it.effect(`finds one bad message among ${n}, wherever it stands`, () =>
      Effect.gen(function* () {
        const whole = yield* group(n)
        for (const place of new Set([0, 1, n >> 1, n - 2, n - 1].filter((at) => at >= 0 && at < n))) {
          const { asked, attempt } = refusing(new Set([`m-${place}`]))
          const deliveries = yield* dispatch.dispatch([whole], attempt, 64)
          everyone(deliveries, n)
          assert.deepStrictEqual(byOutcome(deliveries)["Rejected"], [`m-${place}`])
          assert.strictEqual(byOutcome(deliveries)["Accepted"]?.length ?? 0, n - 1)
          assert.isAtMost(asked.length - 1, most(n))
        }
      })
    )
  }

  it.effect.prop(
    "answers for everyone, accepts every good message once, and none of the bad ones",
    { n: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 70 })), bad: Schema.Array(Schema.Int) },
    ({ bad, n }) =>
      Effect.gen(function* () {
        const wrong = new Set(bad.map((at) => `m-${Math.abs(at) % n}`))
        const { asked, attempt } = refusing(wrong)
        const deliveries = yield* dispatch.dispatch([yield* group(n)], attempt, 1000)
        everyone(deliveries, n)
        assert.deepStrictEqual(new Set(byOutcome(deliveries)["Rejected"] ?? []), wrong)
        const sent = asked.filter((group) => !group.some((id) => wrong.has(id))).flat()
        assert.strictEqual(sent.length, new Set(sent).size)
        assert.isAtMost(asked.length, 2 * n - 1)
      }),
    { arbitrary: { runs: 200 } }
  )

  it.effect("halves nothing that was answered, and asks once for a group that passes", () =>
    Effect.gen(function* () {
      const { asked, attempt } = refusing(new Set())
      const deliveries = yield* dispatch.dispatch([yield* group(1000)], attempt, 64)
      assert.strictEqual(asked.length, 1)
      assert.strictEqual(deliveries.length, 1000)
    })
  )

  for (const budget of [0, 1, 2, 7, 20, 64]) {
    it.effect(`spends at most ${budget} requests more, and gives up nobody for it`, () =>
      Effect.gen(function* () {
        for (const [n, status] of [
          [1000, 400],
          [1000, 404],
          [200, 400],
          [200, 405]
        ] as const) {
          const { asked, attempt } = refusing(new Set(ids(n)), status)
          const deliveries = yield* dispatch.dispatch([yield* group(n)], attempt, budget)
          everyone(deliveries, n)
          assert.isAtMost(asked.length - 1, budget)
          const { Rejected = [], Throttled = [], ...others } = byOutcome(deliveries)
          assert.deepStrictEqual(others, {})
          assert.isNotEmpty(Throttled)
          // Only who was refused alone is refused for good.
          assert.deepStrictEqual(
            new Set(Rejected),
            new Set(asked.filter((group) => group.length === 1).flat())
          )
        }
      })
    )
  }

  it.effect("what is left when the budget is spent waits without a loss, and says why", () =>
    Effect.gen(function* () {
      const { attempt } = refusing(new Set(["m-0"]), 422)
      const [delivery] = yield* dispatch.dispatch([yield* group(2)], attempt, 0)
      assert.strictEqual(delivery?._tag, "NotSent")
      if (delivery?._tag !== "NotSent") return
      assert.strictEqual(delivery.reason.scope, "lane")
      assert.deepStrictEqual({ ...delivery.reason }, { ...new TransportReason.Throttled({ status: 422 }) })
    })
  )

  it.effect("settles some for good in every call, however many are bad", () =>
    Effect.gen(function* () {
      const { attempt } = refusing(new Set(ids(1000)))
      const deliveries = yield* dispatch.dispatch([yield* group(1000)], attempt, 64)
      assert.isAtLeast(byOutcome(deliveries)["Rejected"]?.length ?? 0, 20)
    })
  )

  it.effect("judges no message by a wrong address, in a batch that is not small", () =>
    Effect.gen(function* () {
      for (const status of [404, 405, 406, 410, 411, 414, 415, 431]) {
        const { attempt } = refusing(new Set(ids(200)), status)
        const deliveries = yield* dispatch.dispatch([yield* group(200)], attempt, 64)
        assert.deepStrictEqual(Object.keys(byOutcome(deliveries)), ["Throttled"])
      }
    })
  )

  it.effect("sends what stands beside a refused half before it digs deeper", () =>
    Effect.gen(function* () {
      const { asked, attempt } = refusing(new Set(["m-0", "m-1", "m-2", "m-3"]))
      const deliveries = yield* dispatch.dispatch([yield* group(64)], attempt, 2)
      assert.strictEqual(asked.length, 3)
      assert.strictEqual(byOutcome(deliveries)["Accepted"]?.length, 32)
    })
  )

  const stops: ReadonlyArray<TransportReason.NotSentReason> = [
    new TransportReason.Unauthorized({ status: 401 }),
    new TransportReason.Throttled({ status: 429 }),
    new TransportReason.Unreachable({}),
    new TransportReason.Redirected({ status: 302 })
  ]
  for (const stop of stops) {
    it.effect(`sends nothing more after ${stop._tag}`, () =>
      Effect.gen(function* () {
        const groups = Array.chunksOf(yield* envelopes(ids(12)), 4).map((chunk): Group => ({
          route: "standard",
          envelopes: chunk
        }))
        const { asked, attempt } = provider((_, index) =>
          index === 0 ? new TransportReason.Rejected({ status: 400 }) : index === 2 ? stop : undefined
        )
        const deliveries = yield* dispatch.dispatch(groups, attempt, 64)
        everyone(deliveries, 12)
        // The first group is refused, the second accepted, the third meets the stop: then the first is not halved.
        assert.strictEqual(asked.length, 3)
        assert.deepStrictEqual(byOutcome(deliveries)["Accepted"], ["m-4", "m-5", "m-6", "m-7"])
        assert.strictEqual(byOutcome(deliveries)[stop._tag]?.length, 8)
      })
    )
  }

  it.effect("stops in the middle of halving too", () =>
    Effect.gen(function* () {
      const { asked, attempt } = provider((_, index) =>
        index === 0
          ? new TransportReason.Rejected({ status: 400 })
          : index === 1
            ? new TransportReason.Unreachable({})
            : undefined
      )
      const deliveries = yield* dispatch.dispatch([yield* group(8)], attempt, 64)
      assert.strictEqual(asked.length, 2)
      assert.strictEqual(byOutcome(deliveries)["Unreachable"]?.length, 8)
    })
  )

  const doubts: ReadonlyArray<TransportReason.UnknownReason> = [
    new TransportReason.TimedOut({}),
    new TransportReason.ConnectionLost({}),
    new TransportReason.ServerError({ status: 500 }),
    new TransportReason.UnexpectedStatus({ status: 409 }),
    new TransportReason.UnreadableReply({ problem: "x" })
  ]
  for (const doubt of doubts) {
    it.effect(`goes on after ${doubt._tag}, and never sends its messages again`, () =>
      Effect.gen(function* () {
        const { asked, attempt } = provider((_, index) =>
          index === 0 ? new TransportReason.Rejected({ status: 400 }) : index === 1 ? doubt : undefined
        )
        const deliveries = yield* dispatch.dispatch([yield* group(8)], attempt, 64)
        assert.deepStrictEqual(byOutcome(deliveries), {
          [doubt._tag]: ["m-0", "m-1", "m-2", "m-3"],
          Accepted: ["m-4", "m-5", "m-6", "m-7"]
        })
        assert.strictEqual(asked.length, 3)
      })
    )
  }
})
