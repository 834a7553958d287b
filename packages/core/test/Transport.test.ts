import { assert, describe, it } from "@effect/vitest"
import { type Array as Arr, Arbitrary, DateTime, Effect, Exit, Schema } from "effect"
import * as Delivery from "../src/Delivery.ts"
import * as Envelope from "../src/Envelope.ts"
import * as Message from "../src/Message.ts"
import * as TrackingId from "../src/TrackingId.ts"
import * as Transport from "../src/Transport.ts"
import { TransportError } from "../src/TransportError.ts"
import * as TransportReason from "../src/TransportReason.ts"

const envelope = (id: string): Envelope.Envelope =>
  Envelope.at(
    Message.makeUnsafe({ _tag: "FlashCall", id, fromName: "Shop", toPhone: "+380671112233" }),
    DateTime.makeUnsafe(0)
  )

const batch: Arr.NonEmptyReadonlyArray<Envelope.Envelope> = [envelope("a"), envelope("b"), envelope("c")]
const [a, b, c] = ["a", "b", "c"].map((id) => TrackingId.of(id)) as [
  TrackingId.TrackingId,
  TrackingId.TrackingId,
  TrackingId.TrackingId
]

const timedOut = new TransportReason.TimedOut()
const expired = new TransportReason.Expired()

const transport = (send: Transport.TransportShape["send"]): Transport.TransportShape => ({
  name: "test",
  maxBatchSize: 10,
  send
})

const answering = (...deliveries: ReadonlyArray<Delivery.Delivery>) =>
  Transport.deliver(
    transport(() => Effect.succeed(deliveries)),
    batch
  )

const words = (deliveries: ReadonlyArray<Delivery.Delivery>): ReadonlyArray<string> =>
  deliveries.map(
    (delivery) =>
      `${delivery.trackingId} ${delivery._tag} ${delivery._tag === "Accepted" ? delivery.messageId : delivery.reason._tag}`
  )

describe("Transport.deliver", () => {
  it.effect("answers in the order of the batch, whatever the order of the transport", () =>
    Effect.gen(function* () {
      const deliveries = yield* answering(
        Delivery.notAccepted(c, timedOut),
        Delivery.accepted(a, "1"),
        Delivery.notAccepted(b, expired)
      )
      assert.deepStrictEqual(words(deliveries), ["a Accepted 1", "b NotSent Expired", "c Unknown TimedOut"])
    })
  )

  it.effect("takes what was not answered for Unknown, and never for NotSent", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(words(yield* answering(Delivery.accepted(b, "2"))), [
        "a Unknown UnreadableReply",
        "b Accepted 2",
        "c Unknown UnreadableReply"
      ])
      const none = yield* answering()
      assert.deepStrictEqual(
        none.map(({ _tag }) => _tag),
        ["Unknown", "Unknown", "Unknown"]
      )
    })
  )

  it.effect("passes over answers for what is not in the batch", () =>
    Effect.gen(function* () {
      const foreign = TrackingId.of("foreign")
      const deliveries = yield* answering(
        Delivery.accepted(foreign, "0"),
        Delivery.accepted(a, "1"),
        Delivery.accepted(b, "2"),
        Delivery.accepted(c, "3")
      )
      assert.deepStrictEqual(words(deliveries), ["a Accepted 1", "b Accepted 2", "c Accepted 3"])
    })
  )

  it.effect("takes the first of two answers that agree, and two that do not for Unknown", () =>
    Effect.gen(function* () {
      const deliveries = yield* answering(
        Delivery.accepted(a, "1"),
        Delivery.accepted(a, "again"),
        Delivery.accepted(b, "2"),
        Delivery.notAccepted(b, expired),
        Delivery.notAccepted(c, expired),
        Delivery.notAccepted(c, timedOut),
        Delivery.notAccepted(c, expired)
      )
      assert.deepStrictEqual(words(deliveries), [
        "a Accepted 1",
        "b Unknown UnreadableReply",
        "c Unknown UnreadableReply"
      ])
    })
  )

  it.effect.prop(
    "makes of an error of the whole batch one delivery each, by its certainty",
    [TransportReason.TransportReason],
    ([reason]) =>
      Effect.gen(function* () {
        const failing = transport(() => Effect.fail(new TransportError({ transport: "test", reason })))
        const deliveries = yield* Transport.deliver(failing, batch)
        assert.deepStrictEqual(
          words(deliveries),
          ["a", "b", "c"].map((id) => `${id} ${reason.certainty} ${reason._tag}`)
        )
      })
  )

  it.effect.prop(
    "answers once for each envelope, with one of the answers it was given or Unknown",
    {
      given: Arbitrary.array(
        Arbitrary.all({
          delivery: Arbitrary.schema(Delivery.Delivery),
          id: Arbitrary.schema(Schema.Literals([a, b, c, TrackingId.of("foreign")]))
        }).pipe(
          Arbitrary.map(({ delivery, id }) =>
            delivery._tag === "Accepted"
              ? Delivery.accepted(id, delivery.messageId)
              : Delivery.notAccepted(id, delivery.reason)
          )
        )
      )
    },
    ({ given }) =>
      Effect.gen(function* () {
        const deliveries = yield* answering(...given)
        assert.deepStrictEqual(
          deliveries.map(({ trackingId }) => trackingId),
          [a, b, c]
        )
        for (const delivery of deliveries) {
          const answers = given.filter(({ trackingId }) => trackingId === delivery.trackingId)
          const agree = new Set(answers.map(({ _tag }) => _tag)).size === 1
          if (agree) assert.strictEqual(delivery, answers[0])
          else assert.strictEqual(delivery._tag, "Unknown")
        }
      }),
    { arbitrary: { runs: 300 } }
  )

  it.effect("hands the batch over once, as it is", () =>
    Effect.gen(function* () {
      const seen: Array<ReadonlyArray<Envelope.Envelope>> = []
      const recording = transport((envelopes) => Effect.sync(() => seen.push(envelopes)).pipe(Effect.as([])))
      yield* Transport.deliver(recording, batch)
      assert.strictEqual(seen.length, 1)
      assert.strictEqual<unknown>(seen[0], batch)
    })
  )

  it.effect("leaves a defect a defect, also one that is thrown before there is an effect", () =>
    Effect.gen(function* () {
      const dying = transport(() => Effect.die("defect"))
      const throwing = transport(() => {
        // A transport written without care, which the types do not show.
        throw new TypeError("thrown")
      })
      for (const broken of [dying, throwing]) {
        assert.isTrue(Exit.hasDies(yield* Effect.exit(Transport.deliver(broken, batch))))
      }
    })
  )
})
