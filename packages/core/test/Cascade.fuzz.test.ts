/**
 * The client, given what its types forbid. A failure prints its smallest input and a `Replay` token.
 */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Exit, Fiber, Logger, Schedule, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Cascade from "../src/Cascade.ts"
import * as CascadeEvents from "../src/CascadeEvents.ts"
import type { Delivery } from "../src/Delivery.ts"
import * as Envelope from "../src/Envelope.ts"
import * as Message from "../src/Message.ts"
import { Transport } from "../src/Transport.ts"
import { junk, oneOf, phone, pick, secret, spoilt } from "./support/junk.ts"
import { message, scripted, type Scripted } from "./support/scripted.ts"

const runs = { arbitrary: { runs: 2000 } }

const tags = (deliveries: ReadonlyArray<Delivery>) => deliveries.map(({ _tag }) => _tag)

const client = (transport: Scripted) => Effect.provideService(Cascade.make(), Transport, transport)

/** Something that may be a message, with whether it is one. */
const something: Arbitrary.Arbitrary<unknown> = oneOf<unknown>(
  spoilt(
    {
      _tag: "ViberSurvey",
      id: "a",
      fromName: "Shop",
      toPhone: `+${phone}`,
      text: secret,
      surveyOptions: [secret, "b"],
      ttl: "1 hour"
    },
    ["_tag", "id", "fromName", "toPhone", "text", "surveyOptions", "ttl", "scheduledSent", "extra"]
  ),
  pick<unknown>([message("m", { text: secret }), { ...message("m"), text: "" }])
)

const isMessage = Schema.is(Message.Message)

/** Only messages went out, and what did not go out is answered for as what it is. */
const assertAnswered = (
  transport: Scripted,
  inputs: ReadonlyArray<unknown>,
  deliveries: ReadonlyArray<Delivery>
) => {
  assert.strictEqual(deliveries.length, inputs.length)
  for (const sent of transport.calls.flat()) assert.isTrue(isMessage(sent.message))
  for (const [index, delivery] of deliveries.entries()) {
    if (delivery._tag === "Accepted") {
      assert.isAtLeast(transport.times(delivery.trackingId), 1)
      continue
    }
    assert.strictEqual(`${delivery._tag} ${delivery.reason._tag}`, "NotSent Unencodable")
    assert.isFalse(isMessage(inputs[index]) && deliveries.length === 1)
    assert.notInclude(delivery.reason.message, secret)
    assert.notInclude(delivery.reason.message.replace(/[^\d*]/gu, ""), phone)
  }
}

describe("whatever it is given", () => {
  it.effect.prop(
    "send answers, and sends nothing but messages",
    [something],
    ([input]) =>
      Effect.gen(function* () {
        const transport = scripted(() => "accepted")
        const cascade = yield* client(transport)
        assertAnswered(transport, [input], [yield* cascade.send(input as never)])
      }),
    runs
  )

  it.effect.prop(
    "sendAll and sendStream answer for each, and send nothing but messages",
    [Arbitrary.array(something, { maxLength: 5 })],
    ([inputs]) =>
      Effect.gen(function* () {
        const all = scripted(() => "accepted", { maxBatchSize: 2 })
        assertAnswered(all, inputs, yield* (yield* client(all)).sendAll(inputs as never))
        const some = scripted(() => "accepted", { maxBatchSize: 2 })
        const input = inputs as ReadonlyArray<Message.Message>
        const stream = (yield* client(some)).sendStream(Stream.fromIterable(input))
        assertAnswered(some, inputs, yield* Stream.runCollect(stream))
      }),
    runs
  )

  it.effect("answers for a message that is none with its id, where it has one", () =>
    Effect.gen(function* () {
      const cascade = yield* client(scripted(() => "accepted"))
      const [named, unnamed, nothing] = yield* cascade.sendAll([
        { ...message("order-1"), text: "" } as never,
        { ...message("order-1"), id: "order 1" } as never,
        null as never
      ])
      assert.strictEqual(named?.trackingId, "order-1")
      assert.include(named?._tag === "NotSent" ? named.reason.message : "", "text: expected a non-empty text")
      assert.strictEqual(unnamed?.trackingId, "invalid")
      assert.strictEqual(nothing?.trackingId, "invalid")
    })
  )

  it.effect("a copy of a message is the same message", () =>
    Effect.gen(function* () {
      const transport = scripted(() => "accepted")
      const cascade = yield* client(transport)
      const deliveries = yield* cascade.sendAll([message("a"), { ...message("a") }])
      assert.deepStrictEqual(tags(deliveries), ["Accepted", "Accepted"])
      assert.strictEqual(transport.times("a"), 1)
    })
  )

  it.effect.prop(
    "options that make no sense stop nothing and let nothing out twice",
    [
      spoilt({ batchSize: 2, concurrency: 2, longestWait: "1 minute", within: "1 second" }, [
        "batchSize",
        "concurrency",
        "longestWait",
        "within",
        "uncertainty",
        "route",
        "account",
        "headers"
      ])
    ],
    ([options]) =>
      Effect.gen(function* () {
        const transport = scripted((_, times) => (times === 0 ? "throttled" : "accepted"))
        const cascade = yield* client(transport)
        const messages = [message("a"), message("b"), message("c")]
        const { account, headers, route } = Object(options)
        const sealed = yield* Effect.exit(
          Envelope.seal(message("a"), { account: account ?? undefined, route: route ?? undefined, headers })
        )
        const times = Exit.isSuccess(sealed) ? 1 : 0
        const all = yield* Effect.forkChild(cascade.sendAll(messages, options as never))
        yield* TestClock.adjust("1 hour")
        const tag = Exit.isSuccess(sealed) ? "Accepted" : "NotSent"
        assert.deepStrictEqual(tags(yield* Fiber.join(all)), [tag, tag, tag])
        assert.deepStrictEqual([..."abc"].map(transport.times), [2 * times, 2 * times, 2 * times])
        const stream = cascade.sendStream(Stream.fromIterable(messages), options as never)
        const streamed = yield* Effect.forkChild(Stream.runCollect(stream))
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(tags(yield* Fiber.join(streamed)), [tag, tag, tag])
        assert.deepStrictEqual([..."abc"].map(transport.times), [3 * times, 3 * times, 3 * times])
      }),
    runs
  )

  it.effect("a schedule that dies sends nothing again, and loses no answer", () =>
    Effect.gen(function* () {
      const logs: Array<unknown> = []
      const logger = Logger.layer([Logger.make(({ message }) => void logs.push(message))])
      const transport = scripted(({ trackingId }) => (trackingId === "a" ? "accepted" : "throttled"))
      const cascade = yield* client(transport)
      const retry = Schedule.recurs(3).pipe(
        Schedule.modifyDelay(() => {
          throw new Error("canaryZx84")
        })
      )
      const deliveries = yield* cascade
        .sendAll([message("a"), message("b")], { retry })
        .pipe(Effect.provide(logger))
      assert.deepStrictEqual(tags(deliveries), ["Accepted", "NotSent"])
      assert.include(String(logs), "the retry schedule died")
      assert.notInclude(String(logs), "canaryZx84")
    })
  )

  it.effect("an oddity of one answer costs the others nothing", () =>
    Effect.gen(function* () {
      const transport = {
        ...scripted(() => "accepted"),
        send: (batch: ReadonlyArray<Envelope.Envelope>) =>
          Effect.succeed(
            batch.map(
              ({ trackingId }, n) =>
                ({ _tag: "Accepted", trackingId, messageId: n === 0 ? null : "1" }) as never
            )
          )
      }
      const events = yield* CascadeEvents.make()
      const logs: Array<unknown> = []
      const cascade = yield* Cascade.make().pipe(
        Effect.provideService(Transport, transport),
        Effect.provideService(CascadeEvents.CascadeEvents, events)
      )
      const deliveries = yield* cascade
        .sendAll([message("a"), message("b")])
        .pipe(Effect.provide(Logger.layer([Logger.make(({ message }) => void logs.push(message))])))
      assert.deepStrictEqual(tags(deliveries), ["Accepted", "Accepted"])
      assert.include(String(logs), "nobody could be told")
    })
  )

  it.prop("junk is junk", [junk], ([value]) => assert.isFalse(isMessage(value)))
})
