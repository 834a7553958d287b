/**
 * Transports that break their contract, each in one way.
 */
import { Delivery, type Transport, TransportError, TransportReason } from "@effect-cascade/core"
import { Array as Arr, Deferred, Effect, Option, Semaphore } from "effect"
import * as TransportLaws from "../../src/suites/TransportLaws.ts"
import {
  expired,
  featuresOf,
  makeProvider,
  notAccepted,
  type Provider,
  separate,
  soundTransport
} from "./provider.ts"

type Send = Transport.TransportShape["send"]
type Batch = Parameters<Send>[0]

/** What the laws may know and do, of a transport over one provider. */
export const features = {
  ...featuresOf((provider: Provider) => [provider]),
  secrets: ["secret-key"],
  patience: "100 millis",
  largestBatch: 50
} as const satisfies TransportLaws.TransportFeatures<Provider>

/** A transport over a new provider. */
export const specOf = (
  build: (provider: Provider, sound: Transport.TransportShape) => Transport.TransportShape
): TransportLaws.TransportSpec<Provider, never> => ({
  make: Effect.sync(() => {
    const provider = makeProvider()
    return { control: provider, transport: build(provider, soundTransport(provider)) }
  }),
  features
})

/** A transport that is sound but for what `send` does. */
const withSend = (send: (batch: Batch, provider: Provider, sound: Send) => ReturnType<Send>) =>
  specOf((provider, sound) => ({ ...sound, send: (batch) => send(batch, provider, sound.send) }))

const fail = (reason: TransportReason.TransportReason) =>
  Effect.fail(new TransportError.TransportError({ transport: "broken", reason }))

const throttled = new TransportReason.Throttled({ status: 429 })
const lost = new TransportReason.ConnectionLost({})

const firstHalf = (batch: Batch): Batch => {
  const [first, ...others] = batch
  return [first, ...others.slice(0, Math.ceil(batch.length / 2) - 1)]
}

/** Sends what is not late in one request, and nothing cleverer. */
const plain = (batch: Batch, provider: Provider, late: "sent" | "left" = "left"): ReturnType<Send> =>
  Effect.gen(function* () {
    const parts = yield* separate(batch)
    const live = late === "sent" ? batch : parts.live
    const dead = late === "sent" ? [] : notAccepted(parts.late, expired)
    if (live.length === 0) return dead
    return yield* provider.request(live).pipe(
      Effect.map((ids) => [
        ...dead,
        ...live.map((one, n) => Delivery.accepted(one.trackingId, ids[n] ?? ""))
      ]),
      Effect.catch((reason) => Effect.succeed([...dead, ...notAccepted(live, reason)]))
    )
  })

const {
  acceptsTruly,
  answersEach,
  deniesTruly,
  doubtsWhatIsLost,
  failsTogether,
  holdsForAnyBatch,
  isolatesTheBad,
  judgesAlone,
  keepsSecrets,
  nothingTooLate,
  sendsOnce,
  servesManyFibers,
  survivesInterruption,
  takesAnySize,
  tellsLaneFaults
} = TransportLaws

/** How a transport can break its contract, and the laws that are made to find it. Others may find it too. */
export const broken: ReadonlyArray<
  readonly [
    name: string,
    spec: TransportLaws.TransportSpec<Provider, never>,
    laws: ReadonlyArray<TransportLaws.Law>
  ]
> = [
  [
    "says NotSent after sending",
    withSend((batch, _, sound) =>
      Effect.catchReason(sound(batch), "TransportError", "ConnectionLost", () =>
        fail(new TransportReason.Unreachable({}))
      )
    ),
    [deniesTruly, doubtsWhatIsLost, holdsForAnyBatch]
  ],
  [
    "forgets an envelope",
    withSend((batch, _, sound) => Effect.map(sound(batch), (all) => (all.length > 4 ? all.slice(1) : all))),
    [answersEach, takesAnySize, holdsForAnyBatch]
  ],
  [
    "fails as a whole (NotSent) after sending half",
    withSend((batch, _, sound) =>
      batch.length < 4 ? sound(batch) : Effect.andThen(sound(firstHalf(batch)), fail(throttled))
    ),
    [deniesTruly, takesAnySize, failsTogether]
  ],
  [
    "fails as a whole (Unknown) after sending half",
    withSend((batch, _, sound) =>
      batch.length < 2 ? sound(batch) : Effect.andThen(sound(firstHalf(batch)), fail(lost))
    ),
    [failsTogether, takesAnySize, servesManyFibers]
  ],
  [
    "fails as a whole because of one that is late",
    withSend((batch, _, sound) =>
      Effect.flatMap(separate(batch), ({ late }) => (late.length > 0 ? fail(expired) : sound(batch)))
    ),
    [failsTogether, nothingTooLate]
  ],
  [
    "answers twice",
    withSend((batch, _, sound) => Effect.map(sound(batch), (all) => [...all, ...all.slice(0, 1)])),
    [answersEach]
  ],
  [
    "answers for a stranger",
    withSend((batch, _, sound) =>
      Effect.map(sound(batch), (all) => [
        ...all,
        ...Arr.map(batch.slice(0, 1), ({ trackingId }) =>
          Delivery.accepted(`${trackingId}0` as typeof trackingId, "1")
        )
      ])
    ),
    [answersEach]
  ],
  [
    "says Accepted without sending",
    withSend((batch) =>
      Effect.succeed(batch.map(({ trackingId }) => Delivery.accepted(trackingId, "message")))
    ),
    [acceptsTruly, isolatesTheBad, tellsLaneFaults]
  ],
  [
    "says Accepted without an id of the other side",
    withSend((batch, _, sound) =>
      Effect.map(sound(batch), (all) =>
        all.map((one) => (one._tag === "Accepted" ? Delivery.accepted(one.trackingId, "") : one))
      )
    ),
    [takesAnySize]
  ],
  [
    "sends again what was lost",
    withSend((batch, _, sound) =>
      Effect.catchReason(sound(batch), "TransportError", "ConnectionLost", () => sound(batch))
    ),
    [sendsOnce, holdsForAnyBatch]
  ],
  [
    "sends what is late",
    withSend((batch, provider) => plain(batch, provider, "sent")),
    [nothingTooLate, servesManyFibers]
  ],
  [
    "says Expired, and sends it all the same",
    withSend((batch, provider, sound) =>
      Effect.gen(function* () {
        const { late } = yield* separate(batch)
        yield* Effect.ignore(provider.request(late))
        return yield* sound(batch)
      })
    ),
    [nothingTooLate, deniesTruly]
  ],
  [
    "lets one bad message hold up the others",
    withSend((batch, provider) => plain(batch, provider)),
    [isolatesTheBad, judgesAlone]
  ],
  [
    "blames a message for its neighbours",
    withSend((batch, _, sound) =>
      Effect.map(sound(batch), (all) =>
        all.map((one) =>
          one._tag === "NotSent" && one.reason._tag === "Rejected"
            ? Delivery.notAccepted(
                one.trackingId,
                new TransportReason.Rejected({ status: 400, code: `BATCH_OF_${batch.length}` })
              )
            : one
        )
      )
    ),
    [judgesAlone]
  ],
  [
    "mixes up the batches of fibers",
    specOf((_, sound) => {
      let current: Batch | undefined
      return {
        ...sound,
        send: (batch) =>
          Effect.suspend(() => {
            current = batch
            return Effect.andThen(
              Effect.yieldNow,
              Effect.suspend(() => sound.send(current ?? batch))
            )
          })
      }
    }),
    [servesManyFibers]
  ],
  [
    "cannot be interrupted",
    withSend((batch, _, sound) => Effect.uninterruptible(sound(batch))),
    [survivesInterruption]
  ],
  [
    "goes on after an interruption",
    withSend((batch, _, sound) =>
      Effect.gen(function* () {
        const done = yield* Deferred.make<ReadonlyArray<Delivery.Delivery>, TransportError.TransportError>()
        yield* Effect.forkDetach(Effect.onExit(sound(batch), (exit) => Deferred.done(done, exit)))
        return yield* Deferred.await(done)
      })
    ),
    [survivesInterruption]
  ],
  [
    "stays locked after an interruption",
    specOf((_, sound) => {
      const lock = Semaphore.makeUnsafe(1)
      return {
        ...sound,
        send: (batch) =>
          Effect.gen(function* () {
            yield* lock.take(1)
            const answers = yield* Effect.result(sound.send(batch))
            yield* lock.release(1)
            return yield* Effect.fromResult(answers)
          })
      }
    }),
    [survivesInterruption]
  ],
  [
    "says Unknown of what was throttled",
    withSend((batch, _, sound) =>
      Effect.catchReason(sound(batch), "TransportError", "Throttled", () =>
        fail(new TransportReason.ServerError({ status: 429 }))
      )
    ),
    [tellsLaneFaults]
  ],
  [
    "never comes back after a fault",
    specOf((_, sound) => {
      let down = false
      return {
        ...sound,
        send: (batch) =>
          Effect.suspend(() => (down ? fail(new TransportReason.Unreachable({})) : sound.send(batch))).pipe(
            Effect.tapError(() =>
              Effect.sync(() => {
                down = true
              })
            )
          )
      }
    }),
    [tellsLaneFaults, doubtsWhatIsLost]
  ],
  [
    "takes less than its maxBatchSize",
    specOf((_, sound) => ({
      ...sound,
      send: (batch) => (batch.length > 30 ? fail(throttled) : sound.send(batch))
    })),
    [takesAnySize]
  ],
  ["has no maxBatchSize", specOf((_, sound) => ({ ...sound, maxBatchSize: Number.NaN })), [takesAnySize]],
  [
    "dies where it should fail",
    withSend((batch, _, sound) => Effect.orDie(sound(batch))),
    [answersEach, holdsForAnyBatch]
  ],
  [
    "throws",
    withSend((batch, provider, sound) => {
      if (provider.fault === "throttled") throw new TypeError("secret-key")
      return sound(batch)
    }),
    [answersEach, keepsSecrets]
  ],
  [
    "fails with something else",
    withSend((batch, _, sound) =>
      // No such transport compiles without a cast.
      Effect.catch(sound(batch), (error) => Effect.fail(error.reason as unknown as typeof error))
    ),
    [answersEach]
  ],
  [
    "interrupts itself",
    withSend((batch, provider, sound) => (provider.fault === "lost" ? Effect.interrupt : sound(batch))),
    [answersEach]
  ],
  [
    "logs phone numbers",
    withSend((batch, _, sound) =>
      Effect.andThen(
        Effect.logTrace("sending", { to: batch.map(({ message }) => message.toPhone) }),
        sound(batch)
      )
    ),
    [keepsSecrets]
  ],
  // Where a text begins in what is encoded decides which characters it becomes.
  ...["", "1", "12"].map(
    (before) =>
      [
        `logs texts in Base64 after ${before.length} bytes, as an annotation`,
        withSend((batch, _, sound) => {
          const { message } = batch[0]
          const body = Buffer.from(before + ("text" in message ? message.text : "")).toString("base64")
          return Effect.andThen(Effect.annotateLogs(Effect.logInfo("sending"), { body }), sound(batch))
        }),
        [keepsSecrets]
      ] as const
  ),
  [
    "puts a number without its country into a span",
    withSend((batch, _, sound) =>
      Effect.withSpan(sound(batch), "send", { attributes: { to: `0${batch[0].message.toPhone.slice(4)}` } })
    ),
    [keepsSecrets]
  ],
  [
    "prints an answer of a survey",
    withSend((batch, _, sound) =>
      Effect.andThen(
        Effect.suspend(() => {
          const options = batch.flatMap(({ message }) =>
            "surveyOptions" in message ? message.surveyOptions : []
          )
          return Option.match(Arr.head(options), { onNone: () => Effect.void, onSome: Effect.log })
        }),
        sound(batch)
      )
    ),
    [keepsSecrets]
  ],
  [
    "puts its key into an error",
    withSend((batch, _, sound) =>
      Effect.catchReason(sound(batch), "TransportError", "Unauthorized", () =>
        fail(new TransportReason.Unauthorized({ status: 401, code: "KEY secret-key" }))
      )
    ),
    [keepsSecrets]
  ],
  [
    "puts a phone number into an answer",
    withSend((batch, _, sound) =>
      Effect.map(sound(batch), (all) =>
        all.map((one, index) =>
          one._tag === "Accepted"
            ? Delivery.accepted(one.trackingId, encodeURIComponent(batch[index]?.message.toPhone ?? ""))
            : one
        )
      )
    ),
    [keepsSecrets]
  ],
  [
    "shows its key when it is printed",
    specOf((_, sound) => ({ ...sound, options: { apiKey: "secret-key" } })),
    [keepsSecrets]
  ]
]
